"""What a table is: its columns with stable ids, its key, its kind and its storage options. Values only, no I/O.

Invariants:
- A column's `id` is never reused inside a table, and neither is its `physical` name (the name in Parquet files and hot
  batches). Renaming changes `name` only, so old files stay readable.
- Key columns are NOT NULL, cannot be dropped, and their order in `key` is the order of the declared key.
- `version` grows with every change of the columns or options; `added` of a column is the version that brought it.
- Who owns a thing is a user by name. What nobody owns belongs to those who look after the server.
"""

import secrets
from dataclasses import dataclass, field, replace
from enum import Enum, unique
from functools import cached_property

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import ObjectId, ObjectType
from catalog.identifiers import TableName
from catalog.types import storage_type

NOBODY = ""
"""The owner of what has none."""

ID_BITS = 62

SEQ_COLUMN = "_seq"
DELETED_COLUMN = "_deleted"
BATCH_COLUMN = "_batch"
POSITION_COLUMN = "_position"
HIDDEN_KEY_COLUMN = "_row"
SYSTEM_COLUMNS = frozenset({SEQ_COLUMN, DELETED_COLUMN, BATCH_COLUMN, POSITION_COLUMN, HIDDEN_KEY_COLUMN})
"""Names that users cannot give to columns: the version columns, a row's address in files, the hidden key."""


@unique
class TableKind(Enum):
    """Who shares a row set: everybody, or each user their own."""

    SHARED = "SHARED"
    USER = "USER"


@unique
class DefaultFunction(Enum):
    """Functions that a DEFAULT may call; each is evaluated once per row, vectorised."""

    NOW = "NOW()"
    UUID_V7 = "UUID_V7()"
    SNOWFLAKE_ID = "SNOWFLAKE_ID()"
    CURRENT_USER = "CURRENT_USER"


@dataclass(frozen=True)
class Default:
    """A column's DEFAULT: a function, or the SQL text of a literal. Exactly one of the two is set."""

    function: DefaultFunction | None = None
    literal: str | None = None

    def __str__(self) -> str:
        return self.function.value if self.function else (self.literal or "NULL")


@dataclass(frozen=True)
class ColumnSpec:
    """A column as CREATE TABLE or ADD COLUMN asks for it."""

    name: str
    type: pa.DataType
    nullable: bool = True
    default: Default | None = None
    comment: str = ""


@dataclass(frozen=True)
class CheckSpec:
    """A CHECK as it is asked for: without a name it gets one, after the column that it was written at."""

    name: str | None
    condition: str
    column: str | None = None


@dataclass(frozen=True)
class Check:
    """A condition on a row, as SQL text. No row of the table makes it false."""

    name: str
    condition: str


@dataclass(frozen=True)
class UniqueSpec:
    """A UNIQUE as it is asked for, on columns by their names: without a name of its own it gets one after them."""

    name: str | None
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Unique:
    """Columns, by their ids, in whose values no two rows of a scope are alike. A row with a NULL there is like none."""

    name: str
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Column:
    """A column of a table. `added` is the table version whose batches are the first to hold it.

    Rows that are older than it hold `before`, the SQL text of a literal, whatever its DEFAULT says by now (None: NULL).
    `held_null` tells that it took NULL once: no live row of a NOT NULL column holds it, but dead rows in files may.
    """

    id: int
    name: str
    physical: str
    type: pa.DataType
    nullable: bool
    default: Default | None
    added: int
    before: str | None = None
    held_null: bool = False
    comment: str = ""

    @property
    def stores_null(self) -> bool:
        """Tell whether stored values may be NULL, be it in rows that are dead."""
        return self.nullable or self.held_null

    @cached_property
    def storage(self) -> pa.DataType:
        """The Arrow type of stored values: the declared type, with UUIDs as their canonical text."""
        return storage_type(self.type)

    @property
    def field(self) -> pa.Field:
        """The column as query results hold it."""
        return pa.field(self.name, self.storage, self.stores_null)

    @property
    def physical_field(self) -> pa.Field:
        """The column as files and hot batches hold it."""
        return pa.field(self.physical, self.storage, self.stores_null)


SEQ = Column(-1, SEQ_COLUMN, SEQ_COLUMN, pa.int64(), nullable=False, default=None, added=0)
"""`_seq` as a column that predicates may name; no table lists it."""


@unique
class Compression(Enum):
    """Codec of a table's Parquet pages."""

    LZ4 = "lz4"
    ZSTD = "zstd"
    NONE = "none"


@dataclass(frozen=True)
class FlushPolicy:
    """When hot rows become a batch: at `rows` hot rows, or `interval_seconds` after the oldest one. None: never."""

    rows: int | None = 100_000
    interval_seconds: float | None = 60.0


@unique
class Audit(Enum):
    """What the audit log says of a table's rows, beside what it says of everything."""

    NONE = "none"
    WRITES = "writes"
    ALL = "all"


STREAM_BYTES_DEFAULT = 256 << 20


@dataclass(frozen=True)
class StreamLimits:
    """What a STREAM table keeps of each scope: rows of the last `ttl_seconds`, and of them the newest.

    At most `max_rows`, and so many as take `max_bytes` of memory. What was committed before `gone_before_ms`
    (milliseconds since 1970) had expired once: a longer time to live does not bring it back.
    """

    ttl_seconds: float
    max_bytes: int = STREAM_BYTES_DEFAULT
    max_rows: int | None = None
    gone_before_ms: int = 0

    def lives_since_ms(self, now_ms: int) -> int:
        """The first millisecond whose rows are not expired."""
        return max(self.gone_before_ms, now_ms - round(self.ttl_seconds * 1_000))

    def succeeding(self, before: "StreamLimits", now_ms: int) -> "StreamLimits":
        """These limits, taking the place of others now: what has expired by those stays expired."""
        return replace(self, gone_before_ms=before.lives_since_ms(now_ms))


@dataclass(frozen=True)
class Retention:
    """Rows older than so many seconds are deleted. Their age is by a column's id; None: since they were committed."""

    seconds: float
    column: int | None = None


@unique
class Format(Enum):
    """What other engines read a table as."""

    NONE = "none"
    DELTA = "delta"


@dataclass(frozen=True)
class Publication:
    """How a table is published; files stay for `retention_seconds` after they were replaced."""

    format: Format = Format.NONE
    retention_seconds: float = 3_600.0


@dataclass(frozen=True)
class TableOptions:
    """Storage settings of a table, from WITH (...).

    `bloom_columns` are column ids that get a bloom filter beside the key; `bloom_fpp` is the asked false-positive
    rate: each tenfold smaller rate costs about 5 bits more a row and saves needless file reads. The default suits a
    thousand batches with overlapping keys: half a needless batch for a look-up. `stream` makes it a STREAM table, whose
    rows never leave the hot tier and have no `retention` beside it.
    """

    flush_policy: FlushPolicy = field(default_factory=FlushPolicy)
    bloom_columns: tuple[int, ...] = ()
    bloom_fpp: float = 0.0005
    compression: Compression = Compression.LZ4
    audit: Audit = Audit.NONE
    stream: StreamLimits | None = None
    retention: Retention | None = None
    publication: Publication = field(default_factory=Publication)


@dataclass(frozen=True)
class TableDef:
    """A table's definition at one version.

    `key` holds column ids in key order. A table made without a key has the hidden column `_row` as its key
    (`has_hidden_key`), filled by the server, and behaves as append-only. `made_as` is the name that it was made by,
    where it has another one now: its folder keeps it. `unproven` are names of constraints that rows which come in are
    held against already, while nobody knows yet whether those that are there satisfy them.
    """

    id: int
    name: TableName
    kind: TableKind
    version: int
    columns: tuple[Column, ...]
    key: tuple[int, ...]
    next_column_id: int
    options: TableOptions = field(default_factory=TableOptions)
    used_physical: frozenset[str] = frozenset()
    owner: str = NOBODY
    checks: tuple[Check, ...] = ()
    made_as: TableName | None = None
    comment: str = ""
    uniques: tuple[Unique, ...] = ()
    unproven: frozenset[str] = frozenset()

    @property
    def stored_as(self) -> TableName:
        """The name that its folder has."""
        return self.made_as or self.name

    @property
    def object(self) -> ObjectId:
        """What grants know it by."""
        return ObjectId(ObjectType.TABLE, self.id)

    @cached_property
    def demands(self) -> tuple[tuple[Check, ...], frozenset[int]]:
        """What every row that comes in is held against: the constraints, and the columns that are NOT NULL."""
        return self.checks, frozenset(column.id for column in self.columns if not column.nullable)

    @cached_property
    def filtered(self) -> tuple[int, ...]:
        """Ids of the columns that get a bloom filter beside the key: those asked for, and those of constraints."""
        of_constraints = (column_id for unique in self.uniques for column_id in unique.columns)
        return tuple(dict.fromkeys([*self.options.bloom_columns, *of_constraints]))

    def columns_of(self, unique: Unique) -> tuple[Column, ...]:
        """The columns of a constraint."""
        return tuple(self.by_id[column_id] for column_id in unique.columns)

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by the name users know."""
        return {column.name: column for column in self.columns}

    @cached_property
    def by_id(self) -> dict[int, Column]:
        """Columns by stable id."""
        return {column.id: column for column in self.columns}

    @cached_property
    def key_columns(self) -> tuple[Column, ...]:
        """The key's columns in key order."""
        return tuple(self.by_id[column_id] for column_id in self.key)

    @cached_property
    def visible_columns(self) -> tuple[Column, ...]:
        """Columns of `SELECT *`: all but a hidden key."""
        return tuple(column for column in self.columns if column.name != HIDDEN_KEY_COLUMN)

    @property
    def is_published(self) -> bool:
        """True for a table that other engines read."""
        return self.options.publication.format is not Format.NONE

    @property
    def is_stream(self) -> bool:
        """True for a STREAM table: it keeps the newest rows for a while."""
        return self.options.stream is not None

    @property
    def kind_name(self) -> str:
        """What users call its kind."""
        return kind_name(self.kind, is_stream=self.is_stream)

    @property
    def has_hidden_key(self) -> bool:
        """True for a table that was made without a key."""
        return self.key_columns[0].name == HIDDEN_KEY_COLUMN

    @cached_property
    def schema(self) -> pa.Schema:
        """The schema of `SELECT *`."""
        return pa.schema([column.field for column in self.visible_columns])

    @cached_property
    def row_schema(self) -> pa.Schema:
        """The schema of rows on their way into the table: user columns under physical names, each nullable."""
        return pa.schema([pa.field(column.physical, column.storage) for column in self.columns])

    @property
    def stored_schema(self) -> pa.Schema:
        """The schema of live rows on disk: user columns under physical names, NOT NULL where they are."""
        return pa.schema([column.physical_field for column in self.columns])

    @cached_property
    def physical_schema(self) -> pa.Schema:
        """The schema of hot batches: user columns under physical names, then `_seq` and `_deleted`."""
        return pa.schema(
            [
                *self.stored_schema,
                pa.field(SEQ_COLUMN, pa.int64(), nullable=False),
                pa.field(DELETED_COLUMN, pa.bool_(), nullable=False),
            ]
        )

    @cached_property
    def version_schema(self) -> pa.Schema:
        """The schema of versions in the log: that of hot batches, nullable because a tombstone holds only its key."""
        return pa.schema([field.with_nullable(True) for field in self.physical_schema])

    @property
    def file_schema(self) -> pa.Schema:
        """The schema of batch files: that of hot batches, then each row's address."""
        address = [pa.field(name, pa.int32(), nullable=False) for name in (BATCH_COLUMN, POSITION_COLUMN)]
        return pa.schema([*self.physical_schema, *address])

    def column(self, name: str) -> Column:
        """Return the column called `name`; raise NOT_FOUND with the columns that exist."""
        found = self.by_name.get(name)
        if found is None:
            known = ", ".join(column.name for column in self.visible_columns)
            raise DatabaseError(
                ErrorKind.NOT_FOUND, f"table {self.name} has no column {name!r}; its columns are {known}"
            )
        return found


def kind_name(kind: TableKind, *, is_stream: bool) -> str:
    """What users call a kind of table. The rows of a STREAM are each user's own, unless it says SHARED."""
    if not is_stream:
        return kind.value
    return "STREAM" if kind is TableKind.USER else "SHARED STREAM"


@dataclass(frozen=True)
class NamespaceDef:
    """A namespace."""

    name: str
    id: int = 0
    owner: str = NOBODY

    @property
    def object(self) -> ObjectId:
        """What grants know it by."""
        return ObjectId(ObjectType.NAMESPACE, self.id)


@dataclass(frozen=True)
class ViewDef:
    """A view: a name for a query, which reads with the rights of the owner.

    `namespace` is where its unqualified names resolve. The id stays when the query is replaced.
    """

    name: TableName
    query: str
    namespace: str
    id: int
    owner: str

    @property
    def object(self) -> ObjectId:
        """What grants know it by."""
        return ObjectId(ObjectType.VIEW, self.id)


def fresh_id() -> int:
    """An id for a view or a namespace that nothing has or had: of so many numbers that chance takes none twice."""
    return secrets.randbits(ID_BITS)


@dataclass(frozen=True)
class Scope:
    """The unit of storage: a SHARED table (`user` is None) or one user's partition of a USER table."""

    table_id: int
    user: str | None
