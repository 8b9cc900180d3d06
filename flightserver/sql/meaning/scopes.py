"""What the names in a query stand for: which sources a SELECT has, which columns those have, and what is further out.

Columns of tables come from the definitions, those of everything else from the tree. Where that does not tell, as for
functions in FROM, the columns are None: "not known" is never taken for "not there".
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import pyarrow as pa

from catalog.identifiers import TableName
from flightserver.sql.meaning.plan_size import PlanSize
from flightserver.sql.meaning.series import SERIES, column_of, series_type
from flightserver.sql.meaning.types import TypeOfParameter, TypeReader, is_pointed
from flightserver.sql.text import tree
from flightserver.sql.text.tree import Node


class Column(NamedTuple):
    """A column of a source: "" where no name reaches it, and its type, None where the text does not tell."""

    name: str
    type: pa.DataType | None = None


Columns = tuple[Column, ...]


@dataclass(frozen=True)
class Relation:
    """What a name in FROM stands for: its visible columns, None when they are not known, and of a table its key.

    `system_columns` are those of a table that no star shows; views and system tables have none. `size` is that of a
    view's plan, None of what is only read.
    """

    name: TableName
    columns: Columns | None
    key: tuple[str, ...] = ()
    system_columns: tuple[str, ...] = ()
    size: PlanSize | None = None


Definitions = Callable[[tuple[str, ...]], Relation | None]
"""Finds what a name in FROM stands for that is no common table expression."""


@dataclass(frozen=True, eq=False)
class Origin:
    """One source of a SELECT: how it is called, its columns, and the relation that it names, if it does."""

    called: str | None
    columns: Columns | None
    relation: Relation | None
    source: tree.Source

    def column(self, name: str) -> Column | None:
        """Its column of that name, as far as it is known."""
        return next((column for column in self.columns or () if column.name == name), None)


@dataclass(frozen=True)
class Merged:
    """A column of USING or NATURAL, and the columns that it was merged of, by how they are qualified."""

    name: str
    kind: str
    left: "Merged | str"
    right: "Merged | str"

    @property
    def is_exact(self) -> bool:
        """Tell whether the engine means the right thing by its bare name, which is the left column."""
        return self.kind not in {"RIGHT", "FULL"} and not any(
            isinstance(part, Merged) and not part.is_exact for part in (self.left, self.right)
        )


@dataclass(eq=False)
class Scope:
    """What one SELECT sees, and the scope that it is within. `common` are the common table expressions by name."""

    common: Mapping[str, Columns | None]
    outer: "Scope | None" = None
    select: tree.Select | None = None
    origins: list[Origin] = field(default_factory=list)

    def own(self, parts: tuple[str, ...]) -> list[Origin] | None:
        """The origins here that may have a column of that name; None when it may also lie further out."""
        if len(parts) > 1:
            found = [origin for origin in self.origins if origin.called == parts[-2]]
            return found or None
        known = [origin for origin in self.origins if origin.column(parts[0]) is not None]
        if known:
            return known
        unknown = [origin for origin in self.origins if origin.columns is None]
        return unknown or None

    def is_certain(self, parts: tuple[str, ...]) -> bool:
        """Tell whether a name is surely a column of this very SELECT."""
        found = self.own(parts)
        return found is not None and (len(parts) > 1 or all(origin.columns is not None for origin in found))

    def find(self, parts: tuple[str, ...]) -> "tuple[Scope, list[Origin]] | None":
        """The innermost scope in which a name may stand for something, and for what."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.own(parts)
            if found is not None:
                return scope, found
            scope = scope.outer
        return None

    @cached_property
    def merged(self) -> Mapping[str, Merged]:
        """The columns that its joins merge, by name."""
        found: dict[str, Merged] = {}
        for source in self.select.sources if self.select is not None else ():
            for column in self.columns_of(source) or ():
                if isinstance(column, Merged):
                    found[column.name] = column
        return found

    @cached_property
    def star(self) -> tuple["StarColumn", ...] | None:
        """What `*` selects here, merged columns first; None when it is not known."""
        found: list[StarColumn] = []
        for source in self.select.sources if self.select is not None else ():
            columns = self.columns_of(source)
            if columns is None:
                return None
            found += columns
        return tuple(found)

    def columns_of(self, source: tree.Source) -> "tuple[StarColumn, ...] | None":
        """What `*` would select of one of its sources; None when it is not known."""
        if isinstance(source, tree.BracketSource) and source.alias is None:
            return self.columns_of(source.inner)
        if not isinstance(source, tree.Join):
            origin = next((o for o in self.origins if o.source is source), None)
            if origin is None or origin.columns is None or origin.called is None:
                return None
            return tuple((origin.called, column.name) for column in origin.columns)
        left, right = self.columns_of(source.left), self.columns_of(source.right)
        if source.kind.endswith(("SEMI", "ANTI")):
            return right if source.kind.startswith("RIGHT") else left
        if left is None or right is None:
            return None
        names = source.using or (common_names(left, right) if source.is_natural else ())
        merged = [
            Merged(name, source.kind, _called(left, name), _called(right, name))
            for name in names
            if _has(left, name) and _has(right, name)
        ]
        rest = [column for column in (*left, *right) if _name(column) not in names]
        return (*merged, *rest)


StarColumn = Merged | tuple[str, str]
"""A merged column, or how a column is qualified and its name."""


def common_names(left: tuple[StarColumn, ...], right: tuple[StarColumn, ...]) -> tuple[str, ...]:
    """The names that both sides of a NATURAL join have, in the order of the left one."""
    theirs = set(map(_name, right))
    return tuple(name for name in map(_name, left) if name in theirs)


def _name(column: StarColumn) -> str:
    return column.name if isinstance(column, Merged) else column[1]


def _has(columns: tuple[StarColumn, ...], name: str) -> bool:
    return any(_name(column) == name for column in columns)


def _called(columns: tuple[StarColumn, ...], name: str) -> Merged | str:
    found = next(column for column in columns if _name(column) == name)
    return found if isinstance(found, Merged) else found[0]


@dataclass(eq=False)
class Visit:
    """A node, the one right above it, and the scope in which its names are read."""

    node: Node
    above: "Visit | None"
    scope: Scope

    def ancestors(self) -> Iterator["Visit"]:
        """What it stands in, from the inside out."""
        visit = self.above
        while visit is not None:
            yield visit
            visit = visit.above


@dataclass(eq=False)
class Visited:
    """Every node of a query with its scope, each before its parts, and what each part that is a query yields."""

    nodes: list[Visit]
    outputs: dict[int, Columns | None]


def unknown(_: tree.Parameter) -> None:
    """For queries whose parameters have no types yet."""


def visit(query: tree.Query, definitions: Definitions, of_parameter: TypeOfParameter = unknown) -> Visited:
    """Find out what the names in a query stand for."""
    visitor = _Visitor(definitions, of_parameter)
    visitor.query(query, None, None, {})
    return Visited(visitor.visited, visitor.outputs)


_Common = Mapping[str, Columns | None]


class _Visitor:
    def __init__(self, definitions: Definitions, of_parameter: TypeOfParameter) -> None:
        self._definitions = definitions
        self._of_parameter = of_parameter
        self.visited: list[Visit] = []
        self.outputs: dict[int, Columns | None] = {}

    def query(self, query: tree.Query, above: Visit | None, outer: Scope | None, common: _Common) -> Columns | None:
        """Visit a query, which may use columns of `outer`; return its columns."""
        here = self._note(query, above, Scope(common, outer))
        for table in query.common:
            own = _renamed(None, table.columns)
            known = {**common, table.name: own} if query.is_recursive else common
            columns = self.query(table.query, self._note(table, here, Scope(known, outer)), outer, known)
            common = {**common, table.name: _renamed(columns, table.columns)}
        columns, scope = self._body(query.body, here, outer, common)
        for part in (*query.order_by, query.limit, query.offset):
            if part is not None:
                self._expression(part, here, scope)
        self.outputs[id(query)] = columns
        return columns

    def _body(
        self, body: tree.Body, above: Visit, outer: Scope | None, common: _Common
    ) -> tuple[Columns | None, Scope]:
        """Visit a body; return its columns, and the scope in which ORDER BY behind it is read."""
        scope = Scope(common, outer, body if isinstance(body, tree.Select) else None)
        here = self._note(body, above, scope)
        columns = self._columns_of_body(body, here, outer, scope)
        self.outputs[id(body)] = columns
        return columns, scope

    def _columns_of_body(self, body: tree.Body, here: Visit, outer: Scope | None, scope: Scope) -> Columns | None:
        match body:
            case tree.Select():
                return self._select(body, here, scope)
            case tree.SetOperation():
                left, _ = self._body(body.left, here, outer, scope.common)
                right, _ = self._body(body.right, here, outer, scope.common)
                return _united(left, right)
            case tree.BracketBody():
                return self.query(body.query, here, outer, scope.common)
            case tree.TableBody():
                return self._table(body.source, here, scope).columns
            case tree.Values():
                for value in (value for row in body.rows for value in row):
                    self._expression(value, here, scope)
                columns = (
                    []
                    if body.is_partial
                    else [self._united_type(values, scope) for values in zip(*body.rows, strict=False)]
                )
                types = columns or [None] * len(body.rows[0])
                return tuple(Column(f"column{number}", known) for number, known in enumerate(types, start=1))

    def _united_type(self, values: Sequence[tree.Expression], scope: Scope) -> pa.DataType | None:
        """The type of a column of VALUES, where all of its values have it."""
        types = {self._output_type(value, scope) for value in values} - {pa.null()}
        return types.pop() if len(types) == 1 else None

    def _output_type(self, value: tree.Expression, scope: Scope) -> pa.DataType | None:
        """The type of a column that is made of a value: a number with a point alone is a double."""
        return pa.float64() if is_pointed(value) else types_in(scope, self.outputs, self._of_parameter).of(value)

    def _select(self, select: tree.Select, here: Visit, scope: Scope) -> Columns | None:
        for source in select.sources:
            self._source(source, here, scope)
        for item in select.items:
            self._expression(item, here, scope)
        for part in (select.where, select.having, select.qualify, *select.group_by, *select.distinct_on):
            if part is not None:
                self._expression(part, here, scope)
        for _, window in select.windows:
            self._expression(window, here, scope)
        return self._outputs(select, scope)

    def _source(self, source: tree.Source, above: Visit, scope: Scope) -> None:
        if isinstance(source, tree.TableSource):
            scope.origins.append(self._table(source, above, scope))
            return
        here = self._note(source, above, scope)
        match source:
            case tree.QuerySource():
                columns = self.query(source.query, here, scope if source.is_lateral else scope.outer, scope.common)
                scope.origins.append(Origin(source.alias, _renamed(columns, source.columns), None, source))
            case tree.CallSource():
                self._expression(source.call, here, scope)
                called = source.alias or source.call.name
                is_series = source.call.name in SERIES
                columns = (Column(column_of(source), series_type(source.call)),) if is_series else None
                scope.origins.append(Origin(called, _renamed(columns, source.columns), None, source))
            case tree.BracketSource() if source.alias is None:
                self._source(source.inner, here, scope)
            case tree.BracketSource():
                self._source(source.inner, here, Scope(scope.common, scope.outer))
                scope.origins.append(Origin(source.alias, _renamed(None, source.columns), None, source))
            case tree.Join():
                self._source(source.left, here, scope)
                self._source(source.right, here, scope)
                if source.on is not None:
                    self._expression(source.on, here, scope)

    def _table(self, source: tree.TableSource, above: Visit, scope: Scope) -> Origin:
        self._note(source, above, scope)
        is_common = len(source.parts) == 1 and source.parts[0] in scope.common
        relation = None if is_common else self._definitions(source.parts)
        columns = scope.common[source.parts[0]] if is_common else relation.columns if relation is not None else None
        return Origin(source.called, _renamed(columns, source.columns), relation, source)

    def _expression(self, node: Node, above: Visit, scope: Scope) -> None:
        here = self._note(node, above, scope)
        for part in tree.parts_of(node):
            if isinstance(part, tree.Query):
                self.query(part, here, scope, scope.common)
            else:
                self._expression(part, here, scope)

    def _note(self, node: Node, above: Visit | None, scope: Scope) -> Visit:
        found = Visit(node, above, scope)
        self.visited.append(found)
        return found

    def _outputs(self, select: tree.Select, scope: Scope) -> Columns | None:
        if not select.items:
            return _selected(scope.star, scope)
        found: list[Column] = []
        for item in select.items:
            if isinstance(item.value, tree.Star):
                columns = None if item.value.parts else _selected(star_columns(item.value, scope), scope)
                if columns is None:
                    return None
                found += columns
            else:
                found.append(Column(item.alias or output_name(item.value), self._output_type(item.value, scope)))
        return tuple(found)


def _selected(columns: tuple[StarColumn, ...] | None, scope: Scope) -> Columns | None:
    """The columns of a star with their types."""
    if columns is None:
        return None
    return tuple(Column(_name(column), type_of_star_column(column, scope)) for column in columns)


def type_of_star_column(column: StarColumn, scope: Scope) -> pa.DataType | None:
    """The type of a column of a star, a merged one's that of its left side; None when it is not known."""
    called, name = (column.left, column.name) if isinstance(column, Merged) else column
    while isinstance(called, Merged):
        called = called.left
    origin = next((origin for origin in scope.origins if origin.called == called), None)
    found = None if origin is None else origin.column(name)
    return None if found is None else found.type


def _renamed(columns: Columns | None, names: tuple[str, ...]) -> Columns | None:
    """Columns under other names, as far as those reach."""
    if not names:
        return columns
    if columns is None:
        return tuple(map(Column, names))
    types = [column.type for column in columns[: len(names)]] + [None] * (len(names) - len(columns))
    return (*map(Column, names, types), *columns[len(names) :])


def _united(left: Columns | None, right: Columns | None) -> Columns | None:
    """The columns of a set operation: the left one's names, and types where both sides agree."""
    if left is None or right is None or len(left) != len(right):
        return left if left is None else tuple(Column(column.name) for column in left)
    return tuple(
        Column(mine.name, mine.type if mine.type == its.type else None) for mine, its in zip(left, right, strict=True)
    )


def star_columns(star: tree.Star, scope: Scope) -> tuple[StarColumn, ...] | None:
    """What a star selects; None when it is not known."""
    if not star.qualifier:
        columns = scope.star
    else:
        origin = next((o for o in scope.origins if o.called == star.qualifier[-1]), None)
        known = origin is not None and origin.columns is not None
        columns = (
            tuple((star.qualifier[-1], c.name) for c in origin.columns or ()) if origin is not None and known else None
        )
    return None if columns is None else tuple(c for c in columns if _name(c) not in star.left_out)


def output_name(value: tree.Expression) -> str:
    """How a column is called that a SELECT makes of a value without an alias; "" where only the engine knows."""
    match value:
        case tree.Name(parts=parts):
            return parts[-1]
        case tree.Brackets(items=(inner,)):
            return output_name(inner)
        case tree.Cast(operand=operand):
            return output_name(operand)
        case _:
            return ""


def types_in(scope: Scope, outputs: Mapping[int, Columns | None], of_parameter: TypeOfParameter) -> TypeReader:
    """Tells the types of values in a scope; `outputs` has what the sub-queries yield."""

    def of_name(name: tree.Name) -> pa.DataType | None:
        found = scope.find(name.parts)
        columns = [origin.column(name.parts[-1]) for origin in found[1]] if found is not None else []
        types = {column.type if column is not None else None for column in columns}
        return types.pop() if len(types) == 1 else None

    def of_query(query: tree.Query) -> pa.DataType | None:
        columns = outputs.get(id(query))
        return columns[0].type if columns is not None and len(columns) == 1 else None

    return TypeReader(of_name, of_query, of_parameter)
