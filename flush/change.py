"""A change of a scope's cold data: one value, and the one function that publishes it.

Flush, bulk load, compaction and truncation differ in what they write, and end alike: deletion files, the next manifest,
the snapshot that shows it, marks for batches that it leaves out, and no hot records that it made invisible.

Deletion files are named by the manifest version that brings them, and are written and synced before it. All files get
their final names last, so that what a crash or an abort leaves of an unfinished job is known by its name, also to
somebody who has no manifest. For the same reader, batches that a manifest leaves out are marked as retired.

Dead rows that are recorded may have their newer versions in memory still. What files alone hold, without those marks,
is known beside the manifest where a job can tell; else that of before stays known, with its files.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from catalog.errors import DatabaseError, ErrorKind
from manifest import codec as manifest_codec
from manifest import dead_rows
from manifest.batch_entry import BatchFileEntry, DeletionEntry
from manifest.dead_rows import DeadRows
from manifest.entries import BulkCommit, ManifestFile
from manifest.layout import deletion_name, part_name, published_name, retired_name, staged_name, version_of_file
from manifest.parts import PartFile, parts_to_write
from providers.clock import timestamp
from providers.cold.scope_folder import ScopeFolder
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.hot.view import HotView
from providers.snapshot import Snapshot


def not_bulk(_: int) -> BulkCommit | None:
    """For changes that no client asked for."""
    return None


@dataclass(frozen=True, eq=False)
class ColdChange:
    """What a job does to the newest state of a scope.

    `added` are staged batches, `removed` numbers of batches. `dead` are rows to record as dead, by batch number, old
    and added batches alike: all those of a batch that it names. Hot versions up to `flushed_seq` are in batches now,
    or gone. Some of the added batches may be `shown` to readers already, by the names that they were staged under.
    `in_files` is a state of which the new files hold every row, None where there is none: its definition, and its dead
    rows by batch, of the new batches, too.
    """

    added: Sequence[BatchFileEntry] = ()
    removed: Collection[int] = ()
    dead: Mapping[int, DeadRows] = field(default_factory=dict)
    flushed_seq: int = 0
    schema_version: int | None = None
    bulk_commit: Callable[[int], BulkCommit | None] = not_bulk
    shown: Sequence[BatchFileEntry] = ()
    in_files: Snapshot | None = None


def publish_change(store: ScopeStore, state: ScopeState, change: ColdChange) -> None:
    """Carry out a change, durably, with the scope's writer lock held. An error means that nothing has changed."""
    head, folder = state.head, store.folder(state)
    version = store.names.next_version(state)
    flushes = change.flushed_seq > head.manifest.flushed_seq
    hot = head.hot.after(change.flushed_seq) if flushes else head.hot
    try:
        manifest = next_manifest(folder, head.manifest, change, version)
        store.replace_manifest(state, manifest, {**head.dead, **change.dead}, hot, last_seq=change.flushed_seq)
    except BaseException:
        store.names.delete_unpublished(state, lambda name: version_of_file(name) == version)
        raise
    if head.table.is_published:
        _note_in_files(state, change)
    with suppress(OSError):  # a lost mark is no harm while that manifest is there
        for batch in change.removed:
            folder.touch(retired_name(batch))
    if flushes:
        store.clean_hot(state)
    if change.shown:
        state.has_leftovers = True


def _note_in_files(state: ScopeState, change: ColdChange) -> None:
    """Let be known what other engines may read from now on."""
    after, known = state.head, change.in_files
    if not after.has_unflushed:
        state.has_in_files(after)
    elif known is not None:
        listed = after.manifest.by_number
        dead = {batch: found for batch, found in known.dead.items() if batch in listed and found.count}
        cold = replace(known.cold, manifest=after.manifest)
        state.has_in_files(Snapshot(after.version, cold, dead, HotView(after.hot.key), after.manifest.flushed_seq))


def next_manifest(folder: ScopeFolder, manifest: ManifestFile, change: ColdChange, version: int) -> ManifestFile:
    """Write the deletion files that differ from what `manifest` records and return the manifest that names them.

    Its `version` was never used before, for any file. Dead rows never come back to life; batches that the change says
    nothing of keep what is recorded. Everything that the returned manifest names is durable.
    """
    staged: list[str] = []
    folder.make()
    _keep_staged_names(folder, change.shown)

    def with_dead_rows(entry: BatchFileEntry) -> BatchFileEntry:
        found = change.dead.get(entry.batch)
        if found is None or found.count == entry.dead:
            return entry
        if found.count < entry.dead:
            raise DatabaseError(ErrorKind.INTERNAL, f"batch {entry.batch} would lose dead rows")
        data = dead_rows.encode(found, manifest.table_id, entry.batch, version)
        name = deletion_name(entry.batch, version)
        staged.append(staged_name(name))
        return replace(entry, dead=found.count, dv=DeletionEntry(name, folder.write_synced(staged[-1], data)))

    def as_published(entry: BatchFileEntry) -> BatchFileEntry:
        files = [part for part in (entry.bloom, entry) if part is not None]
        staged.extend(part.path for part in files if part.path != published_name(part.path))
        bloom = None if entry.bloom is None else replace(entry.bloom, path=published_name(entry.bloom.path))
        return with_dead_rows(replace(entry, path=published_name(entry.path), bloom=bloom))

    listed, removed = manifest.by_number, frozenset(change.removed)

    def with_more_dead(batch: int) -> BatchFileEntry | None:
        before = None if batch in removed else listed.get(batch)
        after = None if before is None else with_dead_rows(before)
        return None if after is before else after

    after = manifest.with_changes(
        version=version,
        updated_at=timestamp(),
        added=[as_published(entry) for entry in change.added],
        removed=change.removed,
        changed=[found for batch in change.dead if (found := with_more_dead(batch)) is not None],
        flushed_seq=change.flushed_seq,
        schema_version=change.schema_version,
        last_bulk_commit=change.bulk_commit(version),
    )
    for name in staged:
        folder.rename(name, published_name(name))
    after = _with_files(folder, after)
    folder.sync()
    return after


def _with_files(folder: ScopeFolder, manifest: ManifestFile) -> ManifestFile:
    """The manifest with new files for the parts of which it would say too much itself."""
    parts = {part.number: part for part in manifest.parts}
    for part in parts_to_write(manifest.parts):
        name = part_name(part.number, manifest.version)
        data = manifest_codec.encode_part(part)
        parts[part.number] = PartFile.of(name, folder.write_synced(name, data), data).part
    return replace(manifest, parts=tuple(parts.values()))


def _keep_staged_names(folder: ScopeFolder, entries: Iterable[BatchFileEntry]) -> None:
    """Make publication leave the names that files were staged under, for readers who know them by those.

    Each file gets its final name here, as a second hard link; to rename one link onto the other then changes nothing.
    """
    for entry in entries:
        for part in (entry.bloom, entry):
            if part is not None and part.path != published_name(part.path):
                folder.link(part.path, published_name(part.path))
