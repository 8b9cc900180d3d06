"""The manifest of a scope as an immutable value: every change yields the next version.

Invariants, checked by `check` before every publication and after every load:
- batch numbers are unique, ascending, positive and at most `max_batch`, which never falls;
- no batch has more dead rows than rows, and `dead > 0` exactly when it names a deletion file;
- the totals are the sums of the entries.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from catalog.errors import DatabaseError, ErrorKind
from manifest.canonical import canonical
from manifest.layout import is_segment

RangeValue = str | bool | None
"""A range bound in its JSON form: text for everything but booleans; None is unknown."""


@dataclass(frozen=True)
class ColumnRange:
    """Smallest and largest value of a column in a batch, over all its rows, dead ones included.

    Bounds are exact or absent: NaN, values too long to keep and types without order leave both None.
    """

    min: RangeValue
    max: RangeValue
    null_count: int


@dataclass(frozen=True)
class BloomEntry:
    """A batch's bloom file. `columns` are column ids; 0 stands for the whole key."""

    path: str
    columns: tuple[int, ...]
    fpp: float
    bytes: int
    checksum: str


@dataclass(frozen=True)
class DeletionEntry:
    """A batch's newest deletion file."""

    path: str
    checksum: str


@dataclass(frozen=True)
class BatchFileEntry:
    """One batch. `columns` is keyed by column id."""

    batch: int
    path: str
    rows: int
    dead: int
    bytes: int
    checksum: str
    min_seq: int
    max_seq: int
    schema_version: int
    columns: Mapping[int, ColumnRange]
    bloom: BloomEntry | None
    dv: DeletionEntry | None
    created_at: str
    status: str = "committed"

    @property
    def identity(self) -> tuple[int, str]:
        """What tells the batch's files from all others of its scope, whoever wrote those: number and checksum."""
        return self.batch, self.checksum

    @cached_property
    def text(self) -> str:
        """The entry as manifests have it (docs/formats/manifest.md)."""
        bloom, dv = self.bloom, self.dv
        value = {
            "batch": str(self.batch),
            "path": self.path,
            "rows": str(self.rows),
            "dead": str(self.dead),
            "bytes": str(self.bytes),
            "checksum": self.checksum,
            "min_seq": str(self.min_seq),
            "max_seq": str(self.max_seq),
            "schema_version": self.schema_version,
            "columns": {
                str(column_id): {"min": bounds.min, "max": bounds.max, "null_count": str(bounds.null_count)}
                for column_id, bounds in self.columns.items()
            },
            "bloom": None
            if bloom is None
            else {
                "path": bloom.path,
                "columns": list(bloom.columns),
                "fpp": bloom.fpp,
                "bytes": str(bloom.bytes),
                "checksum": bloom.checksum,
            },
            "dv": None if dv is None else {"path": dv.path, "checksum": dv.checksum},
            "created_at": self.created_at,
            "status": self.status,
        }
        return canonical(value)


@dataclass(frozen=True)
class BulkCommit:
    """The newest commit that went straight to batches, with the version that made it.

    It has what its idempotency record and its record in the audit log say, until RocksDB has them.
    """

    rows: int
    seq: int
    version: int
    idempotency_key: str | None = None
    request_hash: str | None = None
    audit: str | None = None


@dataclass(frozen=True)
class ManifestFile:
    """All that is known of a scope's cold data. Hot versions with `_seq <= flushed_seq` are invisible."""

    table_id: int
    namespace: str
    table: str
    user_id: str | None
    version: int
    created_at: str
    updated_at: str
    max_batch: int = 0
    flushed_seq: int = 0
    schema_version: int = 1
    batches: tuple[BatchFileEntry, ...] = ()
    last_bulk_commit: BulkCommit | None = None
    by_number: Mapping[int, BatchFileEntry] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_number", {entry.batch: entry for entry in self.batches})

    @cached_property
    def segments(self) -> tuple[BatchFileEntry, ...]:
        """The batches that are still as they came."""
        return tuple(entry for entry in self.batches if is_segment(entry.path))

    @cached_property
    def rows(self) -> int:
        """Rows of all batches, dead ones included."""
        return sum(entry.rows for entry in self.batches)

    @cached_property
    def dead(self) -> int:
        """Dead rows that deletion files record."""
        return sum(entry.dead for entry in self.batches)

    @cached_property
    def bytes(self) -> int:
        """Size of all batch files in bytes."""
        return sum(entry.bytes for entry in self.batches)

    def with_changes(
        self,
        *,
        updated_at: str,
        version: int | None = None,
        added: Iterable[BatchFileEntry] = (),
        removed: Iterable[int] = (),
        changed: Callable[[BatchFileEntry], BatchFileEntry] | None = None,
        flushed_seq: int | None = None,
        schema_version: int | None = None,
        last_bulk_commit: BulkCommit | None = None,
    ) -> "ManifestFile":
        """Return the next version: batches removed, changed, added; counters moved forward only."""
        gone = set(removed)
        kept = [entry for entry in self.batches if entry.batch not in gone]
        if changed is not None:
            kept = [changed(entry) for entry in kept]
        batches = tuple(sorted((*kept, *added), key=lambda entry: entry.batch))
        after = replace(
            self,
            version=version or self.version + 1,
            updated_at=updated_at,
            batches=batches,
            max_batch=max(self.max_batch, *(entry.batch for entry in batches), 0),
            flushed_seq=max(self.flushed_seq, flushed_seq or 0),
            schema_version=schema_version or self.schema_version,
            last_bulk_commit=last_bulk_commit or self.last_bulk_commit,
        )
        check(after)
        return after


def check(manifest: ManifestFile) -> None:
    """Raise CORRUPT when a manifest breaks an invariant of this module."""
    numbers = [entry.batch for entry in manifest.batches]
    faults = {
        "batch numbers are not ascending": numbers != sorted(set(numbers)),
        "a batch number lies outside 1..max_batch": any(not 1 <= n <= manifest.max_batch for n in numbers),
        "a batch has more dead rows than rows": any(not 0 <= e.dead <= e.rows for e in manifest.batches),
        "dead rows and deletion files disagree": any((e.dead > 0) != (e.dv is not None) for e in manifest.batches),
        "a batch has no rows": any(e.rows < 1 for e in manifest.batches),
    }
    for fault, present in faults.items():
        if present:
            raise DatabaseError(ErrorKind.CORRUPT, f"manifest of {manifest.namespace}.{manifest.table}: {fault}")
