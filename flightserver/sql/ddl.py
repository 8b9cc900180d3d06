"""The grammar of statements that define things: namespaces, tables, columns, views.

What a definition asks for is either kept or refused; no clause is read and dropped. Values leave here checked as far as
the statement itself allows: names, types, keys, defaults and options are consistent with each other.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from catalog.definition import CheckSpec, ColumnSpec, Default, TableKind, UniqueSpec
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import RESERVED_NAMESPACES, quote_identifier
from catalog.types import format_type, is_nested
from flightserver.sql import server, users
from flightserver.sql.access_statements import NamespaceRef
from flightserver.sql.altering import read_action
from flightserver.sql.columns import constraint_name, key_constraint, read_column, unique_constraint
from flightserver.sql.grants import parse_owner
from flightserver.sql.lifetimes import base_options
from flightserver.sql.options import bloom_column_names, check_option_names, option_list, parse_options
from flightserver.sql.policies import parse_create_policy, parse_drop_policy
from flightserver.sql.row_conditions import read_check
from flightserver.sql.statements import Statement, TableRef
from flightserver.sql.table_statements import (
    AlterTable,
    CreateNamespace,
    CreateTable,
    CreateTableAs,
    CreateView,
    DropNamespace,
    DropTable,
    DropView,
    RenameTable,
)
from flightserver.sql.text.cursor import Cursor
from flightserver.sql.text.queries import QueryReader
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tokens import Token


def parse_create(cursor: QueryReader) -> Statement:
    """Read what follows CREATE."""
    if cursor.accept("POLICY"):
        return parse_create_policy(cursor)
    or_replace = cursor.accept("OR", "REPLACE")
    if cursor.accept("VIEW"):
        return _create_view(cursor, or_replace)
    if or_replace:
        raise cursor.unsupported("OR REPLACE is for views only; drop the table first")
    if _accept_user(cursor):
        return users.parse_create_user(cursor)
    if cursor.accept("TOKEN"):
        return users.parse_create_token(cursor)
    if cursor.accept_any("NAMESPACE", "SCHEMA"):
        if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
        return CreateNamespace(_user_namespace(cursor), if_not_exists)
    if cursor.accept_any("TEMPORARY", "TEMP"):
        if cursor.at("STREAM"):
            raise cursor.unsupported("a STREAM table is not temporary: its rows are, by its ttl_seconds")
        cursor.expect("TABLE")
        return replace(_create_table(cursor, _Kind(TableKind.SHARED)), temporary=True)
    kind = _table_kind(cursor)
    if cursor.accept("TABLE"):
        return _create_table(cursor, kind)
    raise cursor.unsupported(f"CREATE {cursor.peek().text.upper()[:40]} is not supported")


def _accept_user(cursor: Cursor) -> bool:
    """Consume USER where it is not the kind of a table."""
    is_kind = cursor.at("USER", "TABLE") or cursor.at("USER", "STREAM", "TABLE")
    return not is_kind and cursor.accept("USER")


@dataclass(frozen=True)
class _Kind:
    """Whose rows a table has, and whether it keeps them for a while only."""

    of_rows: TableKind
    is_stream: bool = False


def _table_kind(cursor: Cursor) -> _Kind:
    """Read `[SHARED | USER] [STREAM]` before TABLE. A STREAM that says no more has rows of each user."""
    for kind in TableKind:
        if cursor.at(kind.value, "STREAM", "TABLE"):
            cursor.next()
            cursor.next()
            return _Kind(kind, is_stream=True)
        if cursor.accept_before(kind.value, "TABLE"):
            return _Kind(kind)
    return _Kind(TableKind.USER, is_stream=True) if cursor.accept_before("STREAM", "TABLE") else _Kind(TableKind.SHARED)


def _user_namespace(cursor: Cursor) -> str:
    token = cursor.peek()
    name = cursor.namespace()
    if name in RESERVED_NAMESPACES:
        raise cursor.error(f"the namespace name {name!r} is reserved", ErrorKind.INVALID, token)
    return name


def _user_table(cursor: Cursor, what: str = "table") -> TableRef:
    token = cursor.peek()
    table = cursor.table(what)
    if table.namespace in RESERVED_NAMESPACES:
        message = f"the namespace {table.namespace!r} is reserved; nothing can be created, changed or dropped there"
        raise cursor.error(message, ErrorKind.INVALID, token)
    return table


def _create_view(cursor: Cursor, or_replace: bool) -> CreateView:
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    view = _user_table(cursor, "view")
    columns = _column_list(cursor) if cursor.at("(") else None
    cursor.expect("AS")
    query = _query(cursor)
    if columns is not None:
        query = QueryText.joined(["SELECT * FROM (", query, ") AS ", quote_identifier(view.table), columns])
    return CreateView(view, or_replace, if_not_exists, query)


def _column_list(cursor: Cursor) -> QueryText:
    """Read `(column, …)`, as a part of the text."""
    first = cursor.position
    _refuse_repeated(cursor.names("column"), "column")
    return cursor.part_from(first)


def _query(cursor: Cursor) -> QueryText:
    if not cursor.at_any("SELECT", "WITH", "VALUES", "FROM", "TABLE", "("):
        raise cursor.error(f"expected a query, found {cursor.found()}")
    return cursor.rest("query")


@dataclass
class _Elements:
    """What the list of columns and constraints of one CREATE TABLE has brought so far."""

    columns: list[ColumnSpec] = field(default_factory=list)
    keys: list[tuple[str, ...]] = field(default_factory=list)
    checks: list[CheckSpec] = field(default_factory=list)
    uniques: list[UniqueSpec] = field(default_factory=list)


def _create_table(cursor: QueryReader, kind: _Kind) -> CreateTable | CreateTableAs:
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    table = _user_table(cursor)
    place = cursor.peek()
    elements = _Elements()
    if cursor.accept("("):
        cursor.separated(lambda: _element(cursor, elements))
        cursor.expect(")")
    elif key := key_constraint(cursor, is_named=constraint_name(cursor) is not None):
        elements.keys.append(key)
    options = _with_options(cursor)
    has_query = cursor.accept("AS")
    key = _only_key(cursor, elements.keys, place)
    if has_query and not elements.columns:
        check_option_names(options)
        query = _query(cursor)
        if elements.checks or elements.uniques:
            raise cursor.error("a constraint needs the columns that it is about; list them", ErrorKind.INVALID, place)
        return CreateTableAs(table, kind.of_rows, if_not_exists, key, options, query, is_stream=kind.is_stream)
    if not elements.columns:
        raise cursor.error("a table needs columns or AS and a query", ErrorKind.INVALID, place)
    try:
        made = _checked_table(table, kind, if_not_exists, elements, key, options)
    except DatabaseError as error:
        raise DatabaseError(error.kind, f"table {table}: {error.message}") from None
    return _filled(made, _query(cursor)) if has_query else made


def _filled(made: CreateTable, query: QueryText) -> CreateTableAs:
    """The same table with the rows of a query."""
    return CreateTableAs(
        made.table,
        made.kind,
        made.if_not_exists,
        made.primary_key,
        made.options,
        query,
        is_stream=made.is_stream,
        columns=made.columns,
        checks=made.checks,
        uniques=made.uniques,
    )


def _element(cursor: QueryReader, elements: _Elements) -> None:
    name = constraint_name(cursor)
    if cursor.at("CHECK", "("):
        cursor.next()
        elements.checks.append(read_check(cursor, name))
    elif unique := unique_constraint(cursor, name):
        elements.uniques.append(unique)
    elif key := key_constraint(cursor, is_named=name is not None):
        elements.keys.append(key)
    else:
        column = read_column(cursor)
        elements.columns.append(column.spec)
        elements.checks += column.checks
        elements.uniques += column.uniques
        if column.is_key:
            elements.keys.append((column.spec.name,))


def _only_key(cursor: Cursor, keys: list[tuple[str, ...]], place: Token) -> tuple[str, ...]:
    if len(keys) > 1:
        message = "a table has one primary key; for a key of several columns write PRIMARY KEY (a, b)"
        raise cursor.error(message, ErrorKind.INVALID, place)
    return keys[0] if keys else ()


def _checked_table(
    table: TableRef,
    kind: _Kind,
    if_not_exists: bool,
    elements: _Elements,
    key: tuple[str, ...],
    options: Mapping[str, str],
) -> CreateTable:
    columns = elements.columns
    _refuse_repeated([column.name for column in columns], "column")
    _refuse_repeated(key, "key column")
    by_name = {column.name: column for column in columns}
    for name in key:
        _check_indexable(by_name, name, "a key")
    base = base_options(is_stream=kind.is_stream)
    parse_options(options, {name: place for place, name in enumerate(by_name)}, base)
    for name in bloom_column_names(options.get("bloom_columns", "")):
        _check_indexable(by_name, name, "a bloom filter")
    for name in key:
        if by_name[name].default == Default(literal="NULL"):
            raise _invalid(f"key column {name!r} cannot have DEFAULT NULL")
    specs = tuple(replace(column, nullable=column.nullable and column.name not in key) for column in columns)
    return CreateTable(
        *(table, kind.of_rows, if_not_exists, specs, key, options),
        is_stream=kind.is_stream,
        checks=tuple(elements.checks),
        uniques=tuple(elements.uniques),
    )


def _refuse_repeated(names: list[str] | tuple[str, ...], what: str) -> None:
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count > 1:
        raise _invalid(f"{what} {name!r} is named twice")


def _check_indexable(columns: Mapping[str, ColumnSpec], name: str, what: str) -> None:
    column = columns.get(name)
    if column is None:
        raise _invalid(f"there is no column {name!r} for {what}; the columns are {', '.join(columns)}")
    if is_nested(column.type):
        raise _invalid(f"column {name!r} of type {format_type(column.type)} cannot be part of {what}")


def _invalid(message: str) -> DatabaseError:
    return DatabaseError(ErrorKind.INVALID, message)


def _with_options(cursor: Cursor) -> dict[str, str]:
    return option_list(cursor) if cursor.accept("WITH") else {}


def _cascades(cursor: Cursor) -> bool:
    """Read `[CASCADE | RESTRICT]`."""
    cascade = cursor.accept("CASCADE")
    _ = cascade or cursor.accept("RESTRICT")
    return cascade


def parse_drop(cursor: QueryReader) -> Statement:
    """Read what follows DROP."""
    if cursor.accept("POLICY"):
        return parse_drop_policy(cursor)
    if _accept_user(cursor):
        return users.parse_drop_user(cursor)
    if cursor.accept("TOKEN"):
        return users.parse_drop_token(cursor)
    if cursor.accept_any("NAMESPACE", "SCHEMA"):
        if_exists = cursor.accept("IF", "EXISTS")
        name = _user_namespace(cursor)
        return DropNamespace(name, if_exists, _cascades(cursor))
    if cursor.accept("VIEW"):
        if_exists = cursor.accept("IF", "EXISTS")
        return DropView(_user_table(cursor, "view"), if_exists, _cascades(cursor))
    _table_kind(cursor)
    if cursor.accept("TABLE"):
        if_exists = cursor.accept("IF", "EXISTS")
        return DropTable(_user_table(cursor), if_exists, _cascades(cursor))
    raise cursor.unsupported(f"DROP {cursor.peek().text.upper()[:40]} is not supported")


def parse_alter(cursor: QueryReader) -> Statement:
    """Read what follows ALTER: actions on one table, another owner, one change of a user or of a setting."""
    if cursor.accept("USER"):
        return users.parse_alter_user(cursor)
    if cursor.accept("SYSTEM"):
        return server.parse_alter_system(cursor)
    if cursor.accept_any("NAMESPACE", "SCHEMA"):
        return parse_owner(cursor, NamespaceRef(cursor.namespace()))
    if cursor.accept("VIEW"):
        return parse_owner(cursor, _user_table(cursor, "view"))
    if not cursor.accept("TABLE"):
        raise cursor.unsupported(f"ALTER {cursor.peek().text.upper()[:40]} is not supported")
    table = _user_table(cursor)
    if cursor.at("OWNER"):
        return parse_owner(cursor, table)
    if cursor.accept("RENAME", "TO"):
        return RenameTable(table, cursor.name("table"))
    return AlterTable(table, cursor.separated(lambda: read_action(cursor)))
