"""From dead rows to deletion files and the next manifest: what every change of cold data has in common.

Deletion files are named by the manifest version that brings them, and are written and synced before it. All files get
their final names last, so that what a crash or an abort leaves of an unfinished job is known by its name, also to
somebody who has no manifest. For the same reader, batches that a manifest leaves out are marked as retired.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from catalog.definition import Scope
from catalog.errors import DatabaseError, ErrorKind
from manifest import dead_rows
from manifest.dead_rows import DeadRows
from manifest.entries import BatchFileEntry, BulkCommit, DeletionEntry, ManifestFile
from manifest.layout import deletion_name, published_name, retired_name, staged_name
from providers.clock import timestamp
from providers.cold.scope_folder import ScopeFolder


def next_manifest(
    folder: ScopeFolder,
    manifest: ManifestFile,
    scope: Scope,
    dead: Mapping[int, DeadRows],
    *,
    added: Iterable[BatchFileEntry] = (),
    removed: Iterable[int] = (),
    flushed_seq: int = 0,
    schema_version: int | None = None,
    last_bulk_commit: BulkCommit | None = None,
) -> ManifestFile:
    """Write the deletion files that differ from what `manifest` records and return the manifest that names them.

    `dead` holds the rows to record as dead, by batch, for old and added batches alike; batches that it leaves out keep
    what is recorded. Dead rows never come back to life. Everything that the returned manifest names is durable.
    """
    version = manifest.version + 1
    staged: list[str] = []
    folder.make()

    def with_dead_rows(entry: BatchFileEntry) -> BatchFileEntry:
        found = dead.get(entry.batch)
        if found is None or found.count == entry.dead:
            return entry
        if found.count < entry.dead:
            raise DatabaseError(ErrorKind.INTERNAL, f"batch {entry.batch} would lose dead rows")
        data = dead_rows.encode(found, scope.table_id, entry.batch, version)
        name = deletion_name(entry.batch, version)
        staged.append(staged_name(name))
        return replace(entry, dead=found.count, dv=DeletionEntry(name, folder.write_synced(staged[-1], data)))

    def as_published(entry: BatchFileEntry) -> BatchFileEntry:
        files = [part for part in (entry.bloom, entry) if part is not None]
        staged.extend(part.path for part in files if part.path != published_name(part.path))
        bloom = None if entry.bloom is None else replace(entry.bloom, path=published_name(entry.bloom.path))
        return with_dead_rows(replace(entry, path=published_name(entry.path), bloom=bloom))

    after = manifest.with_changes(
        updated_at=timestamp(),
        added=[as_published(entry) for entry in added],
        removed=removed,
        changed=with_dead_rows,
        flushed_seq=flushed_seq,
        schema_version=schema_version,
        last_bulk_commit=last_bulk_commit,
    )
    for name in staged:
        folder.rename(name, published_name(name))
    folder.sync()
    return after


def keep_staged_names(folder: ScopeFolder, entries: Iterable[BatchFileEntry]) -> None:
    """Make publication leave the names that files were staged under, for readers who know them by those.

    Each file gets its final name here, as a second hard link; to rename one link onto the other then changes nothing.
    """
    for entry in entries:
        for part in (entry.bloom, entry):
            if part is not None and part.path != published_name(part.path):
                folder.link(part.path, published_name(part.path))


def retire(folder: ScopeFolder, batches: Iterable[int]) -> None:
    """Mark batches that the manifest just published leaves out. A lost mark is no harm while that manifest is there."""
    for batch in batches:
        folder.touch(retired_name(batch))
