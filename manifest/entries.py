"""The manifest of a scope as an immutable value: every change yields the next version.

Invariants, checked by `check` before every publication and after every load:
- batch numbers are unique, ascending, positive and at most `max_batch`, which never falls;
- no batch has more dead rows than rows, and `dead > 0` exactly when it names a deletion file;
- the totals are the sums of the entries.

What a change costs does not grow with the batches that it leaves alone: they are in parts, which manifests share.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from catalog.errors import DatabaseError, ErrorKind
from manifest.batch_entry import BatchFileEntry
from manifest.parts import AllBatches, ByNumber, Part, parts_after


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
    parts: tuple[Part, ...] = ()
    last_bulk_commit: BulkCommit | None = None

    @cached_property
    def batches(self) -> Sequence[BatchFileEntry]:
        """All batches, by ascending number."""
        return AllBatches(self.parts)

    @cached_property
    def by_number(self) -> Mapping[int, BatchFileEntry]:
        """All batches by their numbers."""
        return ByNumber(self.parts)

    @cached_property
    def segments(self) -> tuple[BatchFileEntry, ...]:
        """The batches that are still as they came."""
        return tuple(chain.from_iterable(part.segments for part in self.parts))

    @property
    def with_deletions(self) -> Iterator[BatchFileEntry]:
        """The batches that have a deletion file."""
        return chain.from_iterable(part.with_deletions for part in self.parts)

    @cached_property
    def rows(self) -> int:
        """Rows of all batches, dead ones included."""
        return sum(part.rows for part in self.parts)

    @cached_property
    def dead(self) -> int:
        """Dead rows that deletion files record."""
        return sum(part.dead for part in self.parts)

    @cached_property
    def bytes(self) -> int:
        """Size of all batch files in bytes."""
        return sum(part.bytes for part in self.parts)

    @cached_property
    def memory_bytes(self) -> int:
        """What its batches take in memory, estimated."""
        return sum(part.memory_bytes for part in self.parts)

    @cached_property
    def max_seq(self) -> int:
        """The largest `_seq` of the batches and of what is flushed."""
        return max([self.flushed_seq, *(part.max_seq for part in self.parts)])

    def with_changes(
        self,
        *,
        updated_at: str,
        version: int | None = None,
        added: Iterable[BatchFileEntry] = (),
        removed: Iterable[int] = (),
        changed: Iterable[BatchFileEntry] = (),
        flushed_seq: int | None = None,
        schema_version: int | None = None,
        last_bulk_commit: BulkCommit | None = None,
    ) -> "ManifestFile":
        """Return the next version: batches removed, changed, added; counters moved forward only."""
        added, changed = tuple(added), tuple(changed)
        numbers = [entry.batch for entry in added]
        if len(numbers) != len(set(numbers)) or any(batch in self.by_number for batch in numbers):
            raise DatabaseError(ErrorKind.INTERNAL, "a batch would be added that is there already")
        after = replace(
            self,
            version=version or self.version + 1,
            updated_at=updated_at,
            parts=parts_after(self.parts, set(removed), (*changed, *added)),
            max_batch=max([self.max_batch, *numbers]),
            flushed_seq=max(self.flushed_seq, flushed_seq or 0),
            schema_version=schema_version or self.schema_version,
            last_bulk_commit=last_bulk_commit or self.last_bulk_commit,
        )
        check(after)
        return after


def check(manifest: ManifestFile) -> None:
    """Raise CORRUPT when a manifest breaks an invariant of this module."""
    numbers = [part.number for part in manifest.parts]
    faults = [*chain.from_iterable(part.faults for part in manifest.parts)]
    if numbers != sorted(set(numbers)):
        faults.append("batch numbers are not ascending")
    if manifest.parts and not 1 <= manifest.parts[0].first <= _last_batch(manifest) <= manifest.max_batch:
        faults.append("a batch number lies outside 1..max_batch")
    if faults:
        raise DatabaseError(ErrorKind.CORRUPT, f"manifest of {manifest.namespace}.{manifest.table}: {faults[0]}")


def _last_batch(manifest: ManifestFile) -> int:
    return max(part.last for part in manifest.parts)
