"""What a client can ask for, one frozen value per statement.

Names are folded already. Expressions, predicates and queries are parts of the client's text, with their tokens.
A statement that only makes sense with a clause that is not served never becomes a value: the parser refuses it.
"""

import re
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum, unique
from functools import cached_property

from flightserver.sql.literal_rows import Row
from flightserver.sql.text.query_text import QueryText


@dataclass(frozen=True, order=True)
class TableRef:
    """A table as written: `namespace` is None where the session's namespace applies."""

    namespace: str | None
    table: str

    def __str__(self) -> str:
        return self.table if self.namespace is None else f"{self.namespace}.{self.table}"


_WORD = re.compile(r"[A-Z][a-z]*")


@dataclass(frozen=True)
class Secret:
    """A text that is shown to nobody: not in lists, logs and errors, nor where the value that has it is printed."""

    text: str = field(repr=False)


@dataclass(frozen=True)
class Statement:
    """Any statement."""

    @cached_property
    def has_secret(self) -> bool:
        """Tell whether there is a `Secret` anywhere in it."""
        return _has_secret(self)

    def shown(self, text: str) -> str:
        """What lists show of a statement with this text: not a word of it when it has a secret."""
        if not self.has_secret:
            return text
        return " ".join([*(word.upper() for word in _WORD.findall(type(self).__name__)), "…"])


def _has_secret(value: object) -> bool:
    if isinstance(value, Secret):
        return True
    inner = fields(value) if is_dataclass(value) and not isinstance(value, type) else ()
    return any(_has_secret(getattr(value, one.name)) for one in inner)


@dataclass(frozen=True)
class Query(Statement):
    """Rows out, by DataFusion."""

    text: QueryText


@dataclass(frozen=True)
class TableRead:
    """A read of a Substrait plan: its name in the plan, its table, and the columns that it expects of that."""

    name: str
    table: TableRef
    columns: tuple[str, ...]


@dataclass(frozen=True)
class SubstraitQuery(Statement):
    """Rows out, by a serialized Substrait plan instead of a text."""

    plan: bytes
    reads: tuple[TableRead, ...]


@dataclass(frozen=True)
class Explain(Statement):
    """How a statement would run, or with `analyze` how it ran."""

    text: str
    analyze: bool
    verbose: bool
    query: Statement


@dataclass(frozen=True)
class Assignment:
    """`column = expression` of UPDATE and ON CONFLICT DO UPDATE."""

    column: str
    expression: QueryText


@dataclass(frozen=True)
class OnConflict:
    """What an INSERT does with a key that exists. `target` is None where no key was named.

    What then neither does nothing nor assigns anything is INSERT OR REPLACE: the row takes the place of the older one.
    """

    target: tuple[str, ...] | None
    do_nothing: bool
    assignments: tuple[Assignment, ...] = ()
    where: QueryText | None = None

    @property
    def replaces(self) -> bool:
        """Tell whether the whole row takes the place of an older one."""
        return not self.do_nothing and not self.assignments


@dataclass(frozen=True)
class Insert(Statement):
    """New rows from `source`, the text of VALUES or a query.

    `rows` hold what each column gets where the source is VALUES, of parameters (by their numbers) and constants: bound
    record batches are then columns of the rows. With `says_default`, DEFAULT stands where a value may
    in VALUES, or is all there is (then there is no source): what that means is known with the table.
    """

    table: TableRef
    columns: tuple[str, ...] | None
    source: QueryText
    on_conflict: OnConflict | None = None
    rows: tuple[Row, ...] | None = None
    says_default: bool = False
    returning: QueryText | None = None
    """The items of RETURNING: what the change gives back of each row that it writes or removes."""


@dataclass(frozen=True)
class Update(Statement):
    """New versions of the rows that match; without `where`, of all."""

    table: TableRef
    alias: str | None
    assignments: tuple[Assignment, ...]
    from_text: QueryText | None
    where: QueryText | None
    common: QueryText | None = None
    """WITH and its tables, as they stood in front."""
    returning: QueryText | None = None


@dataclass(frozen=True)
class Delete(Statement):
    """Tombstones for the rows that match; without `where`, for all."""

    table: TableRef
    alias: str | None
    using_text: QueryText | None
    where: QueryText | None
    common: QueryText | None = None
    returning: QueryText | None = None


@unique
class MergeAction(Enum):
    """What MERGE does with a row."""

    UPDATE = "it gets a new version"
    DELETE = "it goes"
    INSERT = "it is new"
    NOTHING = "it stays as it is"


@dataclass(frozen=True)
class MergeClause:
    """`WHEN [NOT] MATCHED [AND condition] THEN action`, of which the first that fits a row is carried out.

    `values` are what columns get; of an INSERT that names no `columns`, what all of them get, by position.
    """

    is_matched: bool
    condition: QueryText | None
    action: MergeAction
    columns: tuple[str, ...] | None = None
    values: tuple[Assignment, ...] = ()


@dataclass(frozen=True)
class Merge(Statement):
    """Rows of a source, each held against those of a table, which are changed by it or get one more."""

    table: TableRef
    alias: str | None
    source: QueryText
    condition: QueryText
    clauses: tuple[MergeClause, ...]
    common: QueryText | None = None
    returning: QueryText | None = None


@dataclass(frozen=True)
class Truncate(Statement):
    """Every row goes."""

    table: TableRef


AT_MOST_SNAPSHOT = frozenset({"READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SNAPSHOT"})
"""Isolation levels that ask for no more than every transaction gives."""


@dataclass(frozen=True)
class TransactionModes:
    """What was said of a transaction; `read_only` is None where nothing was. Every isolation served is the same."""

    read_only: bool | None = None


@dataclass(frozen=True)
class Begin(Statement):
    """A transaction starts."""

    modes: TransactionModes = TransactionModes()


@dataclass(frozen=True)
class SetTransaction(Statement):
    """Modes of the transaction that is open, or with `lasts` of all that the session will begin."""

    modes: TransactionModes
    lasts: bool = False


@dataclass(frozen=True)
class Commit(Statement):
    """The transaction's writes become visible as one."""


@dataclass(frozen=True)
class Rollback(Statement):
    """Nothing remains of the transaction, or of what followed `savepoint`."""

    savepoint: str | None = None


@dataclass(frozen=True)
class Savepoint(Statement):
    """A point to roll back to."""

    name: str


@dataclass(frozen=True)
class Release(Statement):
    """A savepoint is forgotten; its writes stay."""

    name: str


@dataclass(frozen=True)
class SetOption(Statement):
    """A session setting; several values are a list."""

    name: str
    value: str | tuple[str, ...]


@dataclass(frozen=True)
class ResetOption(Statement):
    """A session setting returns to its default."""

    name: str


@dataclass(frozen=True)
class ShowOption(Statement):
    """The value of a session setting, or of `all`."""

    name: str


@dataclass(frozen=True)
class UseNamespace(Statement):
    """Where unqualified names resolve from now on."""

    name: str
