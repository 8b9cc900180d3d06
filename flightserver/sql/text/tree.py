"""A query as a tree: what stands where in its tokens, and nothing of what it means.

Each node knows its tokens, from `start` to before `end`, so that a part can be written anew while everything around it
stays a verbatim slice of what the client sent. Operators bind as in DataFusion's parser, but for `IS DISTINCT FROM`,
which binds as the standard says. Nodes are values: reading a text again makes the same tree.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """Some tokens that belong together."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Expression(Node):
    """Something that has a value."""


@dataclass(frozen=True, slots=True)
class Name(Expression):
    """`a`, `t.a`, `s.t.a`: a column, as the text calls it. `is_plain` says that it is one word without quotes."""

    parts: tuple[str, ...]
    is_plain: bool


@dataclass(frozen=True, slots=True)
class Star(Expression):
    """`*` or `t.*`, up to its own end; what EXCEPT, EXCLUDE or REPLACE say of it follows up to `end`."""

    qualifier: tuple[str, ...]
    star: int
    left_out: tuple[str, ...]
    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """A constant.

    `kind` is `integer`, `decimal` (with a point), `float` (with an exponent), `string`, `null`, `boolean`, or the type
    that stands before a string.
    """

    kind: str


@dataclass(frozen=True, slots=True)
class OneRow(Expression):
    """The number that `FETCH FIRST ROW ONLY` leaves out."""


@dataclass(frozen=True, slots=True)
class Parameter(Expression):
    """`?` or `$n`."""


@dataclass(frozen=True, slots=True)
class Unary(Expression):
    """An operator and its operand: `NOT x`, `-x`."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Expression):
    """Two operands with an operator between, from token `at`: also LIKE and IS [NOT] DISTINCT FROM."""

    operator: str
    at: int
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Escaped(Binary):
    """`x [NOT] LIKE | ILIKE | SIMILAR y ESCAPE z`."""

    escape: Expression


@dataclass(frozen=True, slots=True)
class Test(Expression):
    """`x IS [NOT] NULL | TRUE | FALSE | UNKNOWN …`."""

    what: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Between(Expression):
    """`x [NOT] BETWEEN low AND high`; `order` is SYMMETRIC, where the bounds stand in any order, ASYMMETRIC, or ""."""

    operand: Expression
    low: Expression
    high: Expression
    is_negated: bool
    order: str


@dataclass(frozen=True, slots=True)
class InList(Expression):
    """`x [NOT] IN (a, b, …)`."""

    operand: Expression
    items: tuple[Expression, ...]
    is_negated: bool


@dataclass(frozen=True, slots=True)
class InQuery(Expression):
    """`x [NOT] IN (query)`; the bracket opens at `bracket`."""

    operand: Expression
    query: "Query"
    is_negated: bool
    bracket: int


@dataclass(frozen=True, slots=True)
class Quantified(Expression):
    """`x operator ANY | SOME | ALL (query)`; the bracket opens at `bracket`."""

    operand: Expression
    operator: str
    quantifier: str
    query: "Query"
    bracket: int


@dataclass(frozen=True, slots=True)
class Exists(Expression):
    """`EXISTS (query)`."""

    query: "Query"


@dataclass(frozen=True, slots=True)
class ScalarQuery(Expression):
    """`(query)` where a value may stand."""

    query: "Query"


@dataclass(frozen=True, slots=True)
class Case(Expression):
    """`CASE [operand] WHEN … THEN … [ELSE …] END`."""

    operand: Expression | None
    branches: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression | None


@dataclass(frozen=True, slots=True)
class Cast(Expression):
    """`CAST(x AS type)`, `TRY_CAST(x AS type)`, `x::type`; the type stands from `type_start` to before `type_end`."""

    operand: Expression
    type_text: str
    type_start: int
    type_end: int


@dataclass(frozen=True, slots=True)
class Brackets(Expression):
    """`(x)`, or a row `(x, y)`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Frame(Node):
    """`ROWS | RANGE | GROUPS …` of a window: whether it starts where its partition does, and its parts."""

    unit: str
    is_growing: bool
    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Window(Node):
    """What stands in the brackets of OVER, or of WINDOW … AS."""

    based_on: str | None
    partition_by: tuple[Expression, ...]
    order_by: tuple[Expression, ...]
    frame: Frame | None


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """`f(…)`. `name` is folded; `over` is a window, the name of one, or None. `close` is where its bracket closes."""

    name: str
    arguments: tuple[Expression, ...]
    is_distinct: bool
    order_by: tuple[Expression, ...]
    condition: Expression | None
    over: Window | str | None
    close: int

    @property
    def is_window(self) -> bool:
        """Tell whether it is asked of a window."""
        return self.over is not None


@dataclass(frozen=True, slots=True)
class Compound(Expression):
    """Anything else with parts in it: `a[1]`, `ARRAY[…]`, `x AT TIME ZONE 'y'`, `extract(day FROM x)`."""

    what: str
    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Item(Node):
    """One of a SELECT's items. `alias_start` is where `AS` or the alias begins, `end` without one."""

    value: Expression
    alias: str | None
    alias_start: int


@dataclass(frozen=True, slots=True)
class Source(Node):
    """An item of FROM. `alias` is how it is called, None where it has a name of its own or none."""

    alias: str | None
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableSource(Source):
    """A table, a view or a common table expression by name; its name ends before `name_end`."""

    parts: tuple[str, ...]
    name_end: int

    @property
    def called(self) -> str:
        """How its columns are qualified."""
        return self.alias or self.parts[-1]


@dataclass(frozen=True, slots=True)
class QuerySource(Source):
    """A sub-query in FROM."""

    query: "Query"
    is_lateral: bool


@dataclass(frozen=True, slots=True)
class CallSource(Source):
    """A function in FROM."""

    call: Call


@dataclass(frozen=True, slots=True)
class BracketSource(Source):
    """A join in brackets."""

    inner: Source


@dataclass(frozen=True, slots=True)
class Join(Source):
    """`left JOIN right`: INNER, CROSS, LEFT, RIGHT, FULL, LEFT SEMI, …, with its constraint from `constraint_start`."""

    kind: str
    left: Source
    right: Source
    is_natural: bool
    using: tuple[str, ...]
    on: Expression | None
    constraint_start: int
    join_start: int


@dataclass(frozen=True, slots=True)
class Select(Node):
    """One SELECT. `items_start` is behind SELECT and DISTINCT, `from_start` where FROM stands, or None."""

    items: tuple[Item, ...]
    sources: tuple[Source, ...]
    where: Expression | None
    group_by: tuple[Expression, ...]
    has_groups: bool
    having: Expression | None
    qualify: Expression | None
    windows: tuple[tuple[str, Window], ...]
    is_distinct: bool
    distinct_on: tuple[Expression, ...]
    items_start: int
    from_start: int | None
    from_end: int


@dataclass(frozen=True, slots=True)
class SetOperation(Node):
    """`left UNION | INTERSECT | EXCEPT [ALL] right`, with the operator from token `at` to before `right`."""

    operator: str
    is_all: bool
    at: int
    left: "Body"
    right: "Body"


@dataclass(frozen=True, slots=True)
class Values(Node):
    """`VALUES (…), …`. Rows of plain literals are not looked into; then it `is_partial`."""

    rows: tuple[tuple[Expression, ...], ...]
    is_partial: bool


@dataclass(frozen=True, slots=True)
class TableBody(Node):
    """`TABLE name`."""

    source: TableSource


@dataclass(frozen=True, slots=True)
class BracketBody(Node):
    """A whole query in brackets, as a part of another."""

    query: "Query"


Body = Select | SetOperation | Values | TableBody | BracketBody


@dataclass(frozen=True, slots=True)
class CommonTable(Node):
    """`name [(columns)] AS (query)`."""

    name: str
    columns: tuple[str, ...]
    query: "Query"


@dataclass(frozen=True, slots=True)
class Query(Node):
    """A query with what may stand before and behind its body.

    `limit_start` is where LIMIT, OFFSET or FETCH begins; `has_long_limit` says that it is `FETCH …` or `LIMIT ALL`.
    """

    common: tuple[CommonTable, ...]
    is_recursive: bool
    body: Body
    order_by: tuple[Expression, ...]
    limit: Expression | None
    offset: Expression | None
    limit_start: int | None
    has_long_limit: bool


def unbracketed(query: Query) -> Query:
    """The query within brackets that are all there is of a query."""
    while isinstance(query.body, BracketBody) and not (query.common or query.order_by or query.limit_start is not None):
        query = query.body.query
    return query


def parts_of(node: Node) -> Iterator[Node]:
    """The nodes right below a node, in no particular order."""
    for field in node.__dataclass_fields__:
        yield from _nodes_in(getattr(node, field))


def _nodes_in(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes_in(item)


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it, each before its parts."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting += parts_of(found)


def walk_here(node: Node) -> Iterator[Node]:
    """A node and what is below it, but not within its sub-queries, which are yielded themselves."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        if found is node or not isinstance(found, Query):
            waiting += parts_of(found)
