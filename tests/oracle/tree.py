"""The language as a tree of frozen values: expressions, queries, changes, definitions.

Every node is a dataclass whose fields are nodes, tuples of nodes, or plain values, so that a tree can be cut down
without knowing what it says (`reduction.py`). `writing.py` gives it a text. Names are chosen by the generator; a tree
is well typed as it is made.
"""

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from tests.oracle.forms import Form
from tests.oracle.kinds import Kind

KEPT = {"kept": True}
"""Of a field that must stay as it is for its node to have one meaning."""

FIXED = {"fixed": True}
"""Of a tuple that has as many members as its node needs."""


def kept(**options: Any) -> Any:
    """A field that is not cut down."""
    return dataclass_field(metadata=KEPT, **options)


def fixed() -> Any:
    """A tuple that loses no member."""
    return dataclass_field(metadata=FIXED)


@dataclass(frozen=True)
class Node:
    """A part of a statement, or a whole one."""


# Expressions


@dataclass(frozen=True)
class Expression(Node):
    """A value of a kind."""

    kind: Kind


@dataclass(frozen=True)
class Literal(Expression):
    """A value by its text."""

    text: str


@dataclass(frozen=True)
class Column(Expression):
    """A column of a source, or, without one, the merged column of a join; `bare` leaves the source unsaid."""

    source: str
    name: str
    bare: bool = False


@dataclass(frozen=True)
class Call(Expression):
    """An operator or a function of its parts."""

    form: Form
    parts: tuple[Expression, ...] = fixed()


@dataclass(frozen=True)
class Aggregate(Expression):
    """An aggregate, perhaps of some rows only."""

    form: Form
    parts: tuple[Expression, ...] = fixed()
    condition: Expression | None = None


@dataclass(frozen=True)
class Key(Node):
    """A key of an order; `nulls` is FIRST, LAST, or nothing said."""

    value: Expression
    down: bool = False
    nulls: str = ""


@dataclass(frozen=True)
class Window(Expression):
    """A function over a window. Its order leaves nothing open where the result depends on it, so it is kept whole."""

    form: Form
    parts: tuple[Expression, ...] = fixed()
    partition: tuple[Expression, ...] = ()
    order: tuple[Key, ...] = kept(default=())
    frame: str = ""


@dataclass(frozen=True)
class Query(Node):
    """What yields rows."""


@dataclass(frozen=True)
class Scalar(Expression):
    """The only value of a query."""

    query: Query


@dataclass(frozen=True)
class Exists(Expression):
    """Whether a query has rows."""

    query: Query
    negated: bool = False


@dataclass(frozen=True)
class Member(Expression):
    """Whether a value is among those of a query: `words` is IN, NOT IN, or a comparison with ANY or ALL."""

    value: Expression
    words: str
    query: Query


@dataclass(frozen=True)
class RowMember(Expression):
    """Whether a row of values is among those of a query."""

    values: tuple[Expression, ...] = fixed()
    query: Query
    negated: bool = False


# Queries


@dataclass(frozen=True)
class Output(Node):
    """An expression of a SELECT, and its name."""

    value: Expression
    name: str


@dataclass(frozen=True)
class Order(Node):
    """An order by all columns of a query, so that it leaves nothing open; the directions come round again."""

    downs: tuple[bool, ...] = kept(default=(False,))
    nulls: str = ""


@dataclass(frozen=True)
class Page(Node):
    """Which rows of an order are left; `in_words` is FETCH FIRST … ROWS ONLY."""

    limit: int | None = None
    offset: int | None = None
    in_words: bool = kept(default=False)


@dataclass(frozen=True)
class Source(Node):
    """What a query reads."""


@dataclass(frozen=True)
class Named(Source):
    """A table, a view or a CTE, under another name."""

    name: str
    alias: str


@dataclass(frozen=True)
class Series(Source):
    """Whole numbers one after another."""

    first: int
    last: int
    alias: str
    column: str = kept(default="v1")


@dataclass(frozen=True)
class Derived(Source):
    """A query as a source; `columns` are the names of what VALUES yields."""

    query: Query
    alias: str
    columns: tuple[str, ...] = kept(default=())


@dataclass(frozen=True)
class Lateral(Source):
    """A query as a source that uses columns of those before it."""

    query: Query
    alias: str


@dataclass(frozen=True)
class Join(Source):
    """Two sources side by side: ON a condition, USING columns, or neither."""

    left: Source
    words: str
    right: Source
    on: Expression | None = None
    using: tuple[str, ...] = kept(default=())


@dataclass(frozen=True)
class Select(Query):
    """SELECT, with everything that may follow."""

    outputs: tuple[Output, ...]
    source: Source | None = None
    where: Expression | None = None
    group: tuple[Expression, ...] = ()
    having: Expression | None = None
    rollup: bool = False
    distinct: bool = False
    order: Order | None = None
    page: Page | None = None


@dataclass(frozen=True)
class SetOperation(Query):
    """UNION, INTERSECT or EXCEPT, with ALL or without."""

    left: Query
    words: str
    right: Query
    order: Order | None = None
    page: Page | None = None


@dataclass(frozen=True)
class Row(Node):
    """A row of VALUES."""

    values: tuple[Expression, ...] = fixed()


@dataclass(frozen=True)
class Values(Query):
    """Rows as they are written."""

    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Common(Node):
    """A common table expression."""

    name: str
    query: Query


@dataclass(frozen=True)
class With(Query):
    """Common table expressions in front of a query."""

    common: tuple[Common, ...]
    query: Query


def names(query: Query) -> tuple[str, ...]:
    """What the columns of a query are called."""
    match query:
        case SetOperation():
            return names(query.left)
        case With():
            return names(query.query)
        case Select():
            return tuple(output.name for output in query.outputs)
        case Values():
            return tuple(f"column{at + 1}" for at in range(len(query.rows[0].values)))
    raise TypeError(query)


# Changes


@dataclass(frozen=True)
class Change(Node):
    """A statement that changes rows of a table, and perhaps gives them back."""

    table: str
    returning: tuple[Output, ...] = dataclass_field(default=(), kw_only=True)


@dataclass(frozen=True)
class Assignment(Node):
    """A column and its new value."""

    name: str
    value: Expression


@dataclass(frozen=True)
class Conflict(Node):
    """What becomes of a row whose key is there: nothing, or assignments to the row that is there."""

    key: tuple[str, ...] = kept()
    assignments: tuple[Assignment, ...] = ()
    where: Expression | None = None


@dataclass(frozen=True)
class Insert(Change):
    """INSERT of VALUES or of a query."""

    columns: tuple[str, ...] = kept()
    query: Query
    conflict: Conflict | None = None


@dataclass(frozen=True)
class Update(Change):
    """UPDATE, perhaps with rows of another source."""

    alias: str
    assignments: tuple[Assignment, ...]
    source: Source | None = None
    where: Expression | None = None


@dataclass(frozen=True)
class Delete(Change):
    """DELETE, perhaps with rows of another source."""

    alias: str
    source: Source | None = None
    where: Expression | None = None


# Definitions and storage


@dataclass(frozen=True)
class Definition(Node):
    """A column of a table."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class CreateTable(Node):
    """CREATE TABLE; `words` say what is particular about it, which DuckDB does not know."""

    table: str
    columns: tuple[Definition, ...]
    key: tuple[str, ...] = ()
    words: str = ""


@dataclass(frozen=True)
class CreateView(Node):
    """CREATE VIEW."""

    name: str
    query: Query


@dataclass(frozen=True)
class AddColumn(Node):
    """ALTER TABLE … ADD COLUMN, perhaps with a default for the rows that are there."""

    table: str
    column: Definition
    default: Literal | None = None


@dataclass(frozen=True)
class Storage(Node):
    """FLUSH or COMPACT, which must change nothing; DuckDB does nothing."""

    words: str
    table: str


@dataclass(frozen=True)
class ByAnother(Node):
    """Another user's change of their own rows of a USER table, which must change nothing; DuckDB does nothing."""

    change: Change
