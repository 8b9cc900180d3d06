"""Queries that look rows of one table up by some of its columns: what they ask, without what they ask for.

Such a query selects plain columns of one table under conditions that are joined by AND, each of one column with
constants or parameters, in an order of columns, up to a limit. What it means to a table, and which values it names, is
for others to find out: the same `Lookup` stands for every text of its shape.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from catalog.errors import DatabaseError
from flightserver.sql.text import tree
from flightserver.sql.text.parameters import parameter_number
from flightserver.sql.text.queries import expression_of, query_of
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.words import CONTEXT_VALUES

TOKENS_MAX = 4_096
"""A longer text is no short statement."""

MIRRORED = {"=": "=", "==": "=", "<>": "<>", "!=": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_CONSTANT_NAMES = CONTEXT_VALUES | {"CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "NOW", "TODAY"}


@dataclass(frozen=True)
class Constant:
    """A value that a text says: the token that has it, its kind (see `tree.Literal`), and whether `-` stands before."""

    token: int
    kind: str
    is_negative: bool


@dataclass(frozen=True)
class Bound:
    """A value that is bound to a parameter, by its number."""

    number: int


Value = Constant | Bound


@dataclass(frozen=True)
class Condition:
    """`column operator values`: a comparison with one value, `IN` with some, `IS NULL` and `IS NOT NULL` with none."""

    column: str
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Ordering:
    """One of ORDER BY's columns."""

    column: str
    is_descending: bool
    nulls_first: bool


@dataclass(frozen=True)
class Lookup:
    """What is asked of the table `parts`: the columns by name, all of `SELECT *` when that is None."""

    parts: tuple[str, ...]
    columns: tuple[str, ...] | None
    conditions: tuple[Condition, ...]
    order: tuple[Ordering, ...]
    limit: Value | None
    offset: Value | None


class _Other(Exception):  # noqa: N818 - it is no error
    """The query is something else."""


def lookup_of(text: QueryText) -> Lookup | None:
    """What a query looks up; None for any other query."""
    tokens = text.tokens
    if tokens[0].key != "SELECT" or not 6 <= len(tokens) <= TOKENS_MAX or "WHERE" not in text.keys:
        return None
    try:
        query = query_of(text)
        return _Reading(text, _only_table(query.body).called).lookup(query)
    except (_Other, DatabaseError):
        return None


def conditions_of(text: QueryText, called: str) -> tuple[Condition, ...] | None:
    """What a condition asks of one table, which is `called` so; None for any other condition."""
    if not text.tokens or len(text.tokens) > TOKENS_MAX:
        return None
    try:
        return tuple(_Reading(text, called).conditions(expression_of(text)))
    except (_Other, DatabaseError):
        return None


def conditions_in(text: QueryText, value: tree.Expression, called: str) -> tuple[Condition, ...] | None:
    """What one expression of a text asks of a table, as `conditions_of` says it."""
    try:
        return tuple(_Reading(text, called).conditions(value))
    except _Other:
        return None


def column_in(text: QueryText, value: tree.Expression, called: str) -> str | None:
    """The column of a table that an expression is, by itself."""
    try:
        return _Reading(text, called).column(value)
    except _Other:
        return None


def bound_columns(text: QueryText, called: str) -> dict[str, int]:
    """The columns that a condition wants to be equal to parameters, whatever else it wants, with their numbers."""
    try:
        condition = expression_of(text)
    except DatabaseError:
        return {}
    found: dict[str, int] = {}
    for part in _all_of(condition):
        try:
            (read,) = _Reading(text, called).conditions(part)
        except (_Other, ValueError):
            continue
        match read:
            case Condition(column, "=", (Bound(number),)):
                found[column] = number
    return found


def _all_of(value: tree.Expression) -> Iterator[tree.Expression]:
    """The conditions that AND joins."""
    match value:
        case tree.Brackets(items=(inner,)):
            yield from _all_of(inner)
        case tree.Binary(operator="AND", left=left, right=right):
            yield from _all_of(left)
            yield from _all_of(right)
        case _:
            yield value


def value_of(text: QueryText) -> Value | None:
    """The value that an expression is, by itself; None for one that computes."""
    try:
        return _Reading(text, "").value(expression_of(text))
    except (_Other, DatabaseError):
        return None


def _only_table(body: tree.Body) -> tree.TableSource:
    if not isinstance(body, tree.Select) or len(body.sources) != 1:
        raise _Other
    (source,) = body.sources
    if not isinstance(source, tree.TableSource) or source.columns:
        raise _Other
    return source


class _Reading:
    """Reads a text whose only table is `called` so."""

    def __init__(self, text: QueryText, called: str) -> None:
        self._text = text
        self._called = called

    def lookup(self, query: tree.Query) -> Lookup:
        """What a query looks up."""
        select = query.body
        if query.common or not isinstance(select, tree.Select):
            raise _Other
        has_more = select.has_groups or select.having or select.qualify or select.windows or select.is_distinct
        if has_more or select.where is None:
            raise _Other
        source = _only_table(select)
        columns = self._columns(select.items)
        order = tuple(self._ordering(item) for item in query.order_by)
        if bool(order) != ("ORDER" in self._text.keys):
            raise _Other
        self._refuse_hidden(select.items, order)
        return Lookup(
            source.parts,
            columns,
            tuple(self.conditions(select.where)),
            order,
            None if query.limit is None else self.value(query.limit),
            None if query.offset is None else self.value(query.offset),
        )

    def _columns(self, items: tuple[tree.Item, ...]) -> tuple[str, ...] | None:
        if len(items) == 1 and isinstance(items[0].value, tree.Star):
            star = items[0].value
            if star.left_out or star.parts or star.qualifier not in {(), (self._called,)} or star.end != star.star:
                raise _Other
            return None
        if not items:
            raise _Other
        return tuple(self.column(item.value) for item in items)

    def column(self, value: tree.Expression) -> str:
        """The name of a column of the table."""
        if not isinstance(value, tree.Name) or len(value.parts) > 2:
            raise _Other
        if len(value.parts) == 2 and value.parts[0] != self._called:
            raise _Other
        if value.is_plain and value.parts[-1].upper() in _CONSTANT_NAMES:
            raise _Other
        return value.parts[-1]

    def _ordering(self, value: tree.Expression) -> Ordering:
        column, end = self.column(value), value.end
        keys = [self._text.tokens[place].key for place in range(end, min(end + 3, len(self._text.tokens)))]
        is_descending = keys[:1] == ["DESC"]
        keys = keys[1:] if keys[:1] in (["ASC"], ["DESC"]) else keys
        nulls_first = keys[1:2] == ["FIRST"] if keys[:1] == ["NULLS"] else is_descending
        return Ordering(column, is_descending, nulls_first)

    def _refuse_hidden(self, items: tuple[tree.Item, ...], order: tuple[Ordering, ...]) -> None:
        """Refuse an order by what may be an item's name and not a column's."""
        named = {item.alias for item in items if item.alias is not None}
        if any(part.column in named for part in order):
            raise _Other

    def conditions(self, value: tree.Expression) -> Iterator[Condition]:
        """What must hold, all of it."""
        match value:
            case tree.Brackets(items=(inner,)):
                yield from self.conditions(inner)
            case tree.Binary(operator="AND", left=left, right=right):
                yield from self.conditions(left)
                yield from self.conditions(right)
            case tree.Binary(operator=operator, left=left, right=right) if operator in MIRRORED:
                if isinstance(left, tree.Name):
                    yield Condition(self.column(left), MIRRORED[MIRRORED[operator]], (self.value(right),))
                else:
                    yield Condition(self.column(right), MIRRORED[operator], (self.value(left),))
            case tree.InList(operand=operand, items=items, is_negated=False) if items:
                yield Condition(self.column(operand), "IN", tuple(map(self.value, items)))
            case tree.Between(operand=operand, low=low, high=high, is_negated=False, order="" | "ASYMMETRIC"):
                yield Condition(self.column(operand), ">=", (self.value(low),))
                yield Condition(self.column(operand), "<=", (self.value(high),))
            case tree.Test(what=what, operand=operand) if what in {"NULL", "NOT NULL"}:
                yield Condition(self.column(operand), f"IS {what}", ())
            case _:
                raise _Other

    def value(self, value: tree.Expression, *, is_negative: bool = False) -> Value:
        """A constant or a parameter."""
        match value:
            case tree.Literal(kind=kind):
                return Constant(value.end - 1, kind, is_negative)
            case tree.Unary(operator="-", operand=tree.Literal() as literal) if not is_negative:
                return self.value(literal, is_negative=True)
            case tree.Parameter(start=start):
                number = parameter_number(self._text.tokens[start], 0)
                if number:
                    return Bound(number)
        raise _Other
