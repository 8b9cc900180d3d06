"""SQL and DDL text, where the server differs from SQLAlchemy's default.

Foreign keys are left out of CREATE TABLE: the server does not enforce them, but an ORM needs them declared to know how
tables join. A UNIQUE index is refused, unless the engine was made with `unenforced="omit"`: UNIQUE constraints are the
server's, indexes are not. An index that is not unique promises nothing but speed, and pandas makes one of every frame's
own: it is left out with a warning, or with that option without one.
"""

from typing import Any

from sqlalchemy import exc, util
from sqlalchemy import types as sa
from sqlalchemy.sql import compiler, functions
from sqlalchemy.sql.elements import BindParameter, ColumnClause

from flightserver.dialect import types
from flightserver.dialect.moments import MomentCompiler, span_of
from flightserver.dialect.values import FrameSpan, engine_name, is_span, tells_its_type


class FlightServerCompiler(MomentCompiler):
    """Queries and changes of rows."""

    def visit_column(self, column: Any, *args: Any, as_stored: bool = False, **kw: Any) -> str:
        """A column; one of spans holds microseconds, which are a span again wherever they are read."""
        text = str(super().visit_column(column, *args, **kw))
        is_plain = as_stored or column.is_literal or not is_span(column.type, self.dialect)
        return text if is_plain else span_of(text)

    def visit_selected(self, element: Any, **kw: Any) -> str:
        """What the SELECT would be without it."""
        return str(self.process(element.element, **kw))

    def _label_select_column(self, *args: Any, **kw: Any) -> Any:
        """A column of a SELECT: one of spans is written as an expression, and so named, in sub-queries too."""
        kw["need_column_expressions"] = True
        return super()._label_select_column(*args, **kw)  # type: ignore[no-untyped-call]

    def visit_bindparam(self, bindparam: Any, *args: Any, **kw: Any) -> str:
        """A parameter; one that is assigned to a column has its type from that."""
        is_told = bindparam._is_crud and tells_its_type(bindparam.type, self.dialect)
        if is_told or isinstance(bindparam.type, FrameSpan):
            kw["skip_bind_expression"] = True
        return str(super().visit_bindparam(bindparam, *args, **kw))  # type: ignore[no-untyped-call]

    def visit_cast(self, cast: Any, **kw: Any) -> str:
        """A CAST, in the engine's way where SQL has no name for the type."""
        name = engine_name(cast.type.dialect_impl(self.dialect))
        if name is None:
            return str(super().visit_cast(cast, **kw))  # type: ignore[no-untyped-call]
        return f"arrow_cast({self.process(cast.clause, **kw)}, '{name}')"

    def visit_getitem_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """An item of a list; spans are kept in lists as in columns."""
        text = f"{self.process(binary.left, **kw)}[{self.process(binary.right, **kw)}]"
        return span_of(text) if is_span(binary.type, self.dialect) else text

    def visit_json_getitem_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """JSON has no parts."""
        raise exc.CompileError("JSON is text here: the server has no functions for it")

    def visit_json_path_getitem_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """JSON has no parts."""
        return self.visit_json_getitem_op_binary(binary, operator, **kw)

    def limit_clause(self, select: Any, **kw: Any) -> str:
        """LIMIT and OFFSET, each by itself."""
        text = ""
        if select._limit_clause is not None:
            text += f"\n LIMIT {self.process(select._limit_clause, **kw)}"
        if select._offset_clause is not None:
            text += f"\n OFFSET {self.process(select._offset_clause, **kw)}"
        return text

    def for_update_clause(self, select: Any, **kw: Any) -> str:
        """There are no row locks."""
        raise exc.CompileError("FOR UPDATE is not supported: transactions see a snapshot and hold no row locks")

    def visit_typeclause(self, typeclause: Any, **kw: Any) -> str:
        """The type of a CAST, which the query engine names in its own way."""
        kw["type_expression"] = typeclause
        kw["in_query"] = True
        return str(self.dialect.type_compiler_instance.process(typeclause.type, **kw))

    def visit_empty_set_expr(self, element_types: Any, **kw: Any) -> str:
        """A query without rows, for IN ()."""
        columns = ", ".join("NULL" for _ in element_types or [None])
        return f"SELECT {columns} WHERE 1 != 1"

    def visit_now_func(self, fn: Any, **kw: Any) -> str:
        """The moment of the statement, with the digits of Python's datetime."""
        return "CAST(now() AS TIMESTAMP(6))"

    def visit_current_timestamp_func(self, fn: Any, **kw: Any) -> str:
        """The moment of the statement."""
        return self.visit_now_func(fn, **kw)

    def visit_true(self, expr: Any, **kw: Any) -> str:
        """TRUE."""
        return "TRUE"

    def visit_false(self, expr: Any, **kw: Any) -> str:
        """FALSE."""
        return "FALSE"

    def visit_frame_clause(self, frameclause: Any, **kw: Any) -> str:
        """The bounds of a window, which cannot be parameters."""
        kw["literal_execute"] = True
        return str(super().visit_frame_clause(_with_spans(frameclause), **kw))  # type: ignore[no-untyped-call]

    def visit_concat_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Joined text; a parameter by itself would have no type."""
        return " || ".join(self._text(side, **kw) for side in (binary.left, binary.right))

    def visit_concat_op_expression_clauselist(self, clauselist: Any, operator: Any, **kw: Any) -> str:
        """Joined text, of several pieces."""
        return " || ".join(self._text(piece, **kw) for piece in clauselist.clauses)

    def _text(self, operand: Any, **kw: Any) -> str:
        text = str(self.process(operand, **kw))
        is_parameter = isinstance(operand, BindParameter) and not kw.get("literal_binds")
        return f"CAST({text} AS {self._query_type(operand.type, **kw)})" if is_parameter else text

    def _query_type(self, type_: Any, **_: Any) -> str:
        return str(self.dialect.type_compiler_instance.process(type_, in_query=True))

    def visit_bitwise_xor_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """`#`, as in PostgreSQL; `^` is a power."""
        return self._generate_generic_binary(binary, " # ", **kw)

    def visit_bitwise_not_op_unary_operator(self, element: Any, operator: Any, **kw: Any) -> str:
        """All bits turned; the query engine has no operator for it."""
        return f"(-1 # {self.process(element.element, **kw)})"

    def visit_regexp_match_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Match a regular expression."""
        return self._regexp(binary, "~", **kw)

    def visit_not_regexp_match_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Match no regular expression."""
        return self._regexp(binary, "!~", **kw)

    def _regexp(self, binary: Any, operator: str, **kw: Any) -> str:
        flags = binary.modifiers["flags"]
        if flags not in (None, "i"):
            raise exc.CompileError(f"the regular expression flag {flags!r} is not supported, only 'i'")
        star = "*" if flags else ""
        return f"{self.process(binary.left, **kw)} {operator}{star} {self.process(binary.right, **kw)}"

    def visit_regexp_replace_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Replace what matches a regular expression."""
        parts = [self.process(binary.left, **kw), self.process(binary.right, **kw)]
        if binary.modifiers["flags"] is not None:
            parts.append(self.render_literal_value(binary.modifiers["flags"], sa.STRINGTYPE))
        return f"regexp_replace({', '.join(parts)})"

    def update_from_clause(
        self, update_stmt: Any, from_table: Any, extra_froms: Any, from_hints: Any, **kw: Any
    ) -> str:
        """Other tables of an UPDATE."""
        return "FROM " + self._tables(extra_froms, from_hints, **kw)

    def delete_extra_from_clause(
        self, delete_stmt: Any, from_table: Any, extra_froms: Any, from_hints: Any, **kw: Any
    ) -> str:
        """Other tables of a DELETE."""
        return "USING " + self._tables(extra_froms, from_hints, **kw)

    def _tables(self, tables: Any, hints: Any, **kw: Any) -> str:
        kw["asfrom"] = True
        return ", ".join(table._compiler_dispatch(self, fromhints=hints, **kw) for table in tables)

    def visit_on_conflict_do_nothing(self, clause: Any, **kw: Any) -> str:
        """Keep the row that is there."""
        return "ON CONFLICT DO NOTHING"

    def visit_on_conflict_do_update(self, clause: Any, **kw: Any) -> str:
        """Change the row that is there. With values of its own, rows run one after another, as one commit."""
        table = self.compile_state.dml_table  # type: ignore[union-attr]
        key = ", ".join(self.preparer.quote(column.name) for column in table.primary_key)
        kw |= {"include_table": True, "use_schema": False}
        changes = ", ".join(
            f"{self.preparer.quote(table.c[name].name)} = {self._assigned(value, **kw)}"
            for name, value in clause.changes(table)
        )
        text = f"ON CONFLICT ({key}) DO UPDATE SET {changes}"
        return text if clause.where is None else f"{text} WHERE {self.process(clause.where, **kw)}"

    def _assigned(self, value: Any, **kw: Any) -> str:
        """A value for a column; another column's is written as it is stored."""
        return str(self.process(value.self_group(), as_stored=isinstance(value, ColumnClause), **kw))


def _with_spans(frameclause: Any) -> Any:
    """The bounds of a window, spans of time as what is written with its unit."""
    frame = frameclause._clone()
    for side in ("lower_bind", "upper_bind"):
        bound = getattr(frame, side)
        if bound is not None and isinstance(bound.type, sa.Interval):
            spanned = bound._clone(maintain_key=True)
            spanned.type = FrameSpan()
            setattr(frame, side, spanned)
    return frame


class FlightServerDDLCompiler(compiler.DDLCompiler):
    """Definitions."""

    def get_column_specification(self, column: Any, **kw: Any) -> str:
        """A column; a key that numbers itself is BIGINT with the server's numbers."""
        name = self.preparer.format_column(column)
        numbered = column.table is not None and column is column.table._autoincrement_column
        if numbered and (column.server_default is None or column.identity is not None):
            return f"{name} BIGINT NOT NULL DEFAULT SNOWFLAKE_ID()"
        declared = self.dialect.type_compiler_instance.process(column.type, type_expression=column)
        default = self.get_column_default_string(column)
        text = f"{name} {declared}"
        if not column.nullable:
            text += " NOT NULL"
        return text if default is None else f"{text} DEFAULT {default}"

    def get_column_default_string(self, column: Any) -> str | None:
        """A DEFAULT, with the server's name for the current moment."""
        default = column.server_default
        if isinstance(getattr(default, "arg", None), functions.now | functions.current_timestamp):
            return "NOW()"
        return super().get_column_default_string(column)

    def post_create_table(self, table: Any) -> str:
        """Storage options."""
        options = table.dialect_options["flightserver"]["with"] or {}
        if not options:
            return ""
        pairs = ", ".join(
            f"{name} = {self.sql_compiler.render_literal_value(value, sa.STRINGTYPE)}"
            for name, value in options.items()
        )
        return f" WITH ({pairs})"

    def visit_foreign_key_constraint(self, constraint: Any, **kw: Any) -> None:  # type: ignore[override]
        """Nothing: it says how tables join, and is not enforced."""
        return

    def visit_create_index(self, create: Any, *args: Any, **kw: Any) -> str:
        """Left out, unless it is unique; the server has ranges and bloom filters instead."""
        index = create.element
        if index.unique:
            self._leave_out(f"UNIQUE index {index.name}", index.table)
        elif not self.dialect.omits_unenforced:  # type: ignore[attr-defined]
            util.warn(f"index {index.name} on table {index.table.name} is left out: the server has no indexes")
        return ""

    def visit_drop_index(self, drop: Any, **kw: Any) -> str:
        """Nothing is there."""
        return ""

    def _leave_out(self, what: str, table: Any) -> None:
        if not self.dialect.omits_unenforced:  # type: ignore[attr-defined]
            raise exc.CompileError(
                f"{what} on table {table.name} is not supported: the server would not enforce or use it. "
                'To leave such things out of definitions: create_engine(…, unenforced="omit")'
            )


class FlightServerTypeCompiler(compiler.GenericTypeCompiler):
    """Names of types. `in_query` is set in a CAST, where the query engine has its own names."""

    def visit_integer(self, type_: sa.Integer, **kw: Any) -> str:
        """Keys that number themselves have 64 bits, and what refers to them must hold them; INTEGER has 32."""
        return "BIGINT"

    def visit_FLOAT(self, type_: sa.Float[Any], **kw: Any) -> str:  # noqa: N802 - named by SQLAlchemy
        """Python's floats have 53 bits; the server's FLOAT has 24."""
        return "FLOAT" if type_.precision is not None and type_.precision <= 24 else "DOUBLE"

    def visit_DOUBLE_PRECISION(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        """DOUBLE."""
        return "DOUBLE"

    def visit_NUMERIC(self, type_: sa.Numeric[Any], **kw: Any) -> str:  # noqa: N802
        """DECIMAL; without digits the server's (38,10)."""
        if type_.precision is None:
            return "DECIMAL(38,10)" if type_.scale is None else f"DECIMAL(38,{type_.scale})"
        return f"DECIMAL({type_.precision},{type_.scale or 0})"

    def visit_DECIMAL(self, type_: sa.DECIMAL[Any], **kw: Any) -> str:  # noqa: N802
        """DECIMAL."""
        return self.visit_NUMERIC(type_, **kw)

    def visit_large_binary(self, type_: Any, **kw: Any) -> str:
        """BYTEA."""
        return "BYTEA"

    def visit_BLOB(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        """BYTEA."""
        return "BYTEA"

    def visit_datetime(self, type_: sa.DateTime, **kw: Any) -> str:
        """TIMESTAMP."""
        return self.visit_TIMESTAMP(type_, **kw)

    def visit_DATETIME(self, type_: sa.DateTime, **kw: Any) -> str:  # noqa: N802
        """TIMESTAMP."""
        return self.visit_TIMESTAMP(type_, **kw)

    def visit_TIMESTAMP(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        """TIMESTAMP with its digits and zone."""
        text = f"TIMESTAMP({getattr(type_, 'digits', 6)})"
        if not type_.timezone:
            return text
        zone = getattr(type_, "zone", None)
        return f"{text} WITH TIME ZONE" + (f" '{zone}'" if zone not in (None, "UTC") else "")

    def visit_TIME(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        """TIME with its digits."""
        if type_.timezone:
            raise exc.CompileError("TIME WITH TIME ZONE is not supported")
        return "TIME" if kw.get("in_query") else f"TIME({getattr(type_, 'digits', 6)})"

    def visit_UUID(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        """UUID in definitions; queries handle it as text."""
        return "TEXT" if kw.get("in_query") else "UUID"

    def visit_uuid(self, type_: Any, **kw: Any) -> str:
        """UUID."""
        return self.visit_UUID(type_, **kw)

    def visit_INTERVAL(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        """Microseconds: columns hold no intervals."""
        return "BIGINT"

    def visit_NCHAR(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        """CHAR: all text is Unicode."""
        return str(self.visit_CHAR(type_, **kw))

    def visit_NVARCHAR(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        """VARCHAR."""
        return str(self.visit_VARCHAR(type_, **kw))

    def visit_CLOB(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        """TEXT."""
        return "TEXT"

    def visit_BINARY(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        """BYTEA."""
        return "BYTEA"

    def visit_VARBINARY(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        """BYTEA."""
        return "BYTEA"

    def visit_JSON(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        """Text; the server has no functions for JSON."""
        return "TEXT"

    def visit_ARRAY(self, type_: sa.ARRAY[Any], **kw: Any) -> str:  # noqa: N802
        """A list, or a list of lists."""
        return self.process(type_.item_type, **kw) + "[]" * (type_.dimensions or 1)

    def visit_TINYINT(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        """TINYINT."""
        return "TINYINT"

    def visit_unsigned_integer(self, type_: types.UnsignedInteger, **kw: Any) -> str:
        """An integer from 0."""
        return f"{type_.name} UNSIGNED"

    def visit_FLOAT16(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        """FLOAT16."""
        return "FLOAT16"

    def visit_STRUCT(self, type_: types.STRUCT, **kw: Any) -> str:  # noqa: N802
        """Named fields."""
        return f"STRUCT<{type_.fields}>"
