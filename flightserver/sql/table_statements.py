"""What a client can ask for about tables, views and namespaces: definitions, what is known of them, their files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, unique

import pyarrow as pa

from catalog.definition import CheckSpec, ColumnSpec, TableKind, UniqueSpec
from flightserver.sql.statements import Statement, TableRef
from flightserver.sql.text.query_text import QueryText


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

    A stream keeps its rows for a while, whoever's they are. With `or_replace` it takes the place of one of its name.
    """

    table: TableRef
    kind: TableKind
    if_not_exists: bool
    columns: tuple[ColumnSpec, ...]
    primary_key: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    temporary: bool = False
    is_stream: bool = False
    checks: tuple[CheckSpec, ...] = ()
    uniques: tuple[UniqueSpec, ...] = ()
    comment: str = ""
    or_replace: bool = False


@unique
class Copied(Enum):
    """What of a table comes along when another one is made LIKE it, beside columns, their types and NOT NULL."""

    DEFAULTS = "the DEFAULT of columns"
    CONSTRAINTS = "CHECK"
    INDEXES = "the key, and UNIQUE"
    COMMENTS = "comments on columns"
    WHOLE = "its options, and the comment on it"


@dataclass(frozen=True)
class Likeness:
    """LIKE in the place of a column: all columns of a table, and what else is copied."""

    table: TableRef
    copied: frozenset[Copied]


@dataclass(frozen=True)
class CreateTableLike(Statement):
    """A table of which columns are as those of others. Without a `kind` its own is that of the one that it is like."""

    table: TableRef
    kind: TableKind | None
    if_not_exists: bool
    columns: tuple[ColumnSpec | Likeness, ...]
    keys: tuple[tuple[str, ...], ...]
    options: Mapping[str, str]
    temporary: bool = False
    is_stream: bool = False
    checks: tuple[CheckSpec, ...] = ()
    uniques: tuple[UniqueSpec, ...] = ()
    or_replace: bool = False


@dataclass(frozen=True)
class CreateTableAs(Statement):
    """A table from a query's rows. Its columns are the query's, or those that are given, in the query's order."""

    table: TableRef
    kind: TableKind
    if_not_exists: bool
    primary_key: tuple[str, ...]
    options: Mapping[str, str]
    query_text: QueryText
    temporary: bool = False
    is_stream: bool = False
    columns: tuple[ColumnSpec, ...] = ()
    checks: tuple[CheckSpec, ...] = ()
    uniques: tuple[UniqueSpec, ...] = ()
    or_replace: bool = False


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
    """ALTER TABLE … DROP COLUMN; with `cascade`, the constraints and views that need it, too."""

    name: str
    if_exists: bool
    cascade: bool = False


@dataclass(frozen=True)
class RenameColumn:
    """ALTER TABLE … RENAME COLUMN."""

    old: str
    new: str


@dataclass(frozen=True)
class AddCheck:
    """ALTER TABLE … ADD CHECK."""

    check: CheckSpec


@dataclass(frozen=True)
class AddUnique:
    """ALTER TABLE … ADD UNIQUE."""

    unique: UniqueSpec


@dataclass(frozen=True)
class DropConstraint:
    """ALTER TABLE … DROP CONSTRAINT."""

    name: str
    if_exists: bool


@dataclass(frozen=True)
class SetComment:
    """COMMENT ON TABLE or COLUMN; empty where there shall be none."""

    column: str | None
    comment: str


@dataclass(frozen=True)
class SetOptions:
    """ALTER TABLE … SET (…): the options named here change, the others stay."""

    options: Mapping[str, str]


@dataclass(frozen=True)
class SetDefault:
    """ALTER TABLE … ALTER COLUMN … SET DEFAULT, by the text of the expression; None: DROP DEFAULT."""

    name: str
    text: str | None


@dataclass(frozen=True)
class SetNullable:
    """ALTER TABLE … ALTER COLUMN … DROP NOT NULL, or SET NOT NULL."""

    name: str
    nullable: bool


@dataclass(frozen=True)
class SetType:
    """ALTER TABLE … ALTER COLUMN … TYPE."""

    name: str
    type: pa.DataType


AlterAction = (
    AddColumn
    | DropColumn
    | RenameColumn
    | SetOptions
    | AddCheck
    | AddUnique
    | DropConstraint
    | SetDefault
    | SetNullable
    | SetType
    | SetComment
)


@dataclass(frozen=True)
class AlterTable(Statement):
    """Changes of a table's definition: all of them, in their order, or none."""

    table: TableRef
    actions: tuple[AlterAction, ...]


@dataclass(frozen=True)
class RenameTable(Statement):
    """Another name for a table, in its namespace."""

    table: TableRef
    new: str


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
class RebuildManifest(Statement):
    """A table's lost or damaged manifest is made again from its other files."""

    table: TableRef


@dataclass(frozen=True)
class ShowJobs(Statement):
    """The jobs in the background that the user may see."""
