"""What a client can ask for, one frozen value per statement.

Names are folded already. Expressions, predicates and queries are parts of the client's text, with their tokens.
A statement that only makes sense with a clause that is not served never becomes a value: the parser refuses it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import timedelta
from functools import cached_property

from catalog.definition import ColumnSpec, TableKind
from catalog.grants import Grantee, Privilege
from catalog.roles import Role
from flightserver.sql.literal_rows import Constants
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
    """What an INSERT does with a key that exists. `target` is None where no key was named (DO NOTHING only)."""

    target: tuple[str, ...] | None
    do_nothing: bool
    assignments: tuple[Assignment, ...] = ()
    where: QueryText | None = None


@dataclass(frozen=True)
class Insert(Statement):
    """New rows from `source`, the text of VALUES or a query.

    `row` holds what each column gets where the source is one row of VALUES, of parameters (by their numbers) and
    constants: bound record batches are then columns of the rows.
    """

    table: TableRef
    columns: tuple[str, ...] | None
    source: QueryText
    on_conflict: OnConflict | None = None
    row: tuple[int | Constants, ...] | None = None


@dataclass(frozen=True)
class Update(Statement):
    """New versions of the rows that match; without `where`, of all."""

    table: TableRef
    alias: str | None
    assignments: tuple[Assignment, ...]
    from_text: QueryText | None
    where: QueryText | None


@dataclass(frozen=True)
class Delete(Statement):
    """Tombstones for the rows that match; without `where`, for all."""

    table: TableRef
    alias: str | None
    using_text: QueryText | None
    where: QueryText | None


@dataclass(frozen=True)
class Truncate(Statement):
    """Every row goes."""

    table: TableRef


@dataclass(frozen=True)
class CreateNamespace(Statement):
    """A new namespace."""

    name: str
    if_not_exists: bool


@dataclass(frozen=True)
class DropNamespace(Statement):
    """A namespace goes; with `cascade`, its tables too."""

    name: str
    if_exists: bool
    cascade: bool


@dataclass(frozen=True)
class CreateTable(Statement):
    """A table from columns. An empty `primary_key` asks for a hidden key; a temporary table is the session's alone.

    A stream keeps its rows for a while, whoever's they are.
    """

    table: TableRef
    kind: TableKind
    if_not_exists: bool
    columns: tuple[ColumnSpec, ...]
    primary_key: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    temporary: bool = False
    is_stream: bool = False


@dataclass(frozen=True)
class CreateTableAs(Statement):
    """A table from a query's columns and rows."""

    table: TableRef
    kind: TableKind
    if_not_exists: bool
    primary_key: tuple[str, ...]
    options: Mapping[str, str]
    query_text: QueryText
    temporary: bool = False
    is_stream: bool = False


@dataclass(frozen=True)
class DropTable(Statement):
    """A table goes; with `cascade`, the views that read it too."""

    table: TableRef
    if_exists: bool
    cascade: bool = False


@dataclass(frozen=True)
class AddColumn:
    """ALTER TABLE … ADD COLUMN."""

    column: ColumnSpec
    if_not_exists: bool


@dataclass(frozen=True)
class DropColumn:
    """ALTER TABLE … DROP COLUMN."""

    name: str
    if_exists: bool


@dataclass(frozen=True)
class RenameColumn:
    """ALTER TABLE … RENAME COLUMN."""

    old: str
    new: str


@dataclass(frozen=True)
class SetOptions:
    """ALTER TABLE … SET (…): the options named here change, the others stay."""

    options: Mapping[str, str]


AlterAction = AddColumn | DropColumn | RenameColumn | SetOptions


@dataclass(frozen=True)
class AlterTable(Statement):
    """One change of a table's definition."""

    table: TableRef
    action: AlterAction


@dataclass(frozen=True)
class CreateView(Statement):
    """A name for a query."""

    table: TableRef
    or_replace: bool
    if_not_exists: bool
    query_text: QueryText


@dataclass(frozen=True)
class DropView(Statement):
    """A view goes; with `cascade`, the views that read it too."""

    table: TableRef
    if_exists: bool
    cascade: bool = False


@dataclass(frozen=True)
class Describe(Statement):
    """A table's columns, key and options."""

    table: TableRef


@dataclass(frozen=True)
class ShowNamespaces(Statement):
    """All namespaces."""


@dataclass(frozen=True)
class ShowTables(Statement):
    """The tables of a namespace; None is the session's."""

    namespace: str | None


@dataclass(frozen=True)
class ShowColumns(Statement):
    """A table's columns."""

    table: TableRef


@dataclass(frozen=True)
class ShowCreate(Statement):
    """The statement that would make a table or view anew."""

    table: TableRef


@dataclass(frozen=True)
class ShowManifest(Statement):
    """The batches of a table."""

    table: TableRef


@dataclass(frozen=True)
class ShowManifestCache(Statement):
    """Manifests as they are kept."""


@dataclass(frozen=True)
class ShowPublished(Statement):
    """What other engines read."""


@dataclass(frozen=True)
class PublishTable(Statement):
    """Everything that is committed to a table is shown to other engines now."""

    table: TableRef


@dataclass(frozen=True)
class Flush(Statement):
    """Hot rows of a table (None: of all) become Parquet batches."""

    table: TableRef | None


@dataclass(frozen=True)
class Compact(Statement):
    """Batches of a table (None: of all) are merged where that pays."""

    table: TableRef | None


@dataclass(frozen=True)
class NamespaceRef:
    """A namespace as written."""

    name: str


@dataclass(frozen=True)
class Grant(Statement):
    """Privileges for somebody; None for all that there are for such a thing."""

    privileges: frozenset[Privilege] | None
    thing: TableRef | NamespaceRef
    grantees: tuple[Grantee, ...]
    grant_option: bool


@dataclass(frozen=True)
class Revoke(Statement):
    """Privileges, or only their grant option, are taken back; with `cascade`, what was granted on by them, too."""

    privileges: frozenset[Privilege] | None
    thing: TableRef | NamespaceRef
    grantees: tuple[Grantee, ...]
    option_only: bool
    cascade: bool


@dataclass(frozen=True)
class RebuildManifest(Statement):
    """A table's lost or damaged manifest is made again from its other files."""

    table: TableRef


@dataclass(frozen=True)
class ShowJobs(Statement):
    """The jobs in the background that the user may see."""


@dataclass(frozen=True)
class ShowGrants(Statement):
    """The grants that the user may see, all or those to somebody or on something."""

    grantee: Grantee | None = None
    thing: TableRef | NamespaceRef | None = None


@dataclass(frozen=True)
class ChangeOwner(Statement):
    """A table, a view or a namespace belongs to somebody else."""

    thing: TableRef | NamespaceRef
    owner: str


@dataclass(frozen=True)
class CreatePolicy(Statement):
    """Rows of a table are for those who satisfy a condition: `using` of rows that are there, `check` of new ones."""

    name: str
    table: TableRef
    privileges: frozenset[Privilege]
    grantees: tuple[Grantee, ...]
    using: QueryText | None
    check: QueryText | None


@dataclass(frozen=True)
class DropPolicy(Statement):
    """A policy goes; with the last one, every row is for everybody who may use the table."""

    name: str
    table: TableRef
    if_exists: bool


@dataclass(frozen=True)
class AsUser(Statement):
    """A statement for another user."""

    user: str
    statement: Statement


@dataclass(frozen=True)
class Begin(Statement):
    """A transaction starts."""


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
    """A session setting."""

    name: str
    value: str


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


@dataclass(frozen=True)
class CreateUser(Statement):
    """A new user. Without a password, only tokens let the user in."""

    name: str
    if_not_exists: bool
    role: Role
    password: Secret | None


@dataclass(frozen=True)
class SetPassword:
    """ALTER USER … SET PASSWORD."""

    password: Secret


@dataclass(frozen=True)
class SetRole:
    """ALTER USER … SET ROLE."""

    role: Role


@dataclass(frozen=True)
class Switch:
    """ALTER USER … ENABLE or DISABLE."""

    on: bool


@dataclass(frozen=True)
class SetLimit:
    """ALTER USER … SET LIMIT, or with None RESET LIMIT: what holds for all users holds again."""

    name: str
    value: int | None


UserChange = SetPassword | SetRole | Switch | SetLimit


@dataclass(frozen=True)
class AlterUser(Statement):
    """One change of a user."""

    name: str
    change: UserChange


@dataclass(frozen=True)
class DropUser(Statement):
    """A user goes; with `cascade`, the user's rows in USER tables too."""

    name: str
    if_exists: bool
    cascade: bool


@dataclass(frozen=True)
class CreateToken(Statement):
    """A new way for a program to log in as a user (None: as oneself)."""

    name: str
    user: str | None
    read_only: bool
    lifetime: timedelta | None


@dataclass(frozen=True)
class DropToken(Statement):
    """A token goes."""

    name: str
    user: str | None
