"""The one place that loads, publishes, checks and lists manifests.

A manifest is in three places: its file, which is the truth, RocksDB, which answers for a file that has not changed, and
memory. They are written in this order:

    CHANGE: the head in RocksDB says that a write is pending -> file -> head, bytes and new parts in RocksDB -> memory

Whoever dies in between leaves a file that is the one of before, so that what is on record still answers for it, or one
that is newer, which is read. A file that was changed by somebody else is found by its stamp (inode, size, time) before
anything on record is believed: with other content under a version that was written here it is CORRUPT, with a newer
version it is told and read. What is on record is never needed: what of it cannot be read is read from the files.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from catalog.definition import Scope, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from manifest import codec
from manifest.entries import ManifestFile
from manifest.files import checksum
from manifest.layout import MANIFEST_NAME
from manifest.parts import PartFile
from providers.clock import timestamp
from providers.cold.scope_folder import ScopeFolder, Stamp
from providers.hot.record import prefix_end, table_prefix, user_of
from providers.manifests import records
from providers.manifests.cached import CachedManifest
from providers.manifests.eviction import Copy, to_evict
from providers.manifests.listed import KnownManifest, Source
from providers.manifests.mark import MANIFEST_MARK, put_mark, recorded_version
from providers.manifests.records import Head
from providers.manifests.sync_state import TRUSTED, SyncEvent, SyncState, after

log = logging.getLogger(__name__)

_TOGETHER = 256
"""So many copies are deleted in one batch."""


class ManifestService:
    """Manifests of all scopes. Safe for use by many threads; publications of one scope come one after the other."""

    def __init__(self, keyvalue: KeyValueStore, clock: Callable[[], float] = time.time) -> None:
        self._keyvalue = keyvalue
        self._clock = clock
        self._memory: WeakValueDictionary[Scope, CachedManifest] = WeakValueDictionary()

    def in_memory(self, scope: Scope) -> CachedManifest | None:
        """The manifest of a scope, if it is in memory."""
        return self._memory.get(scope)

    def hold(self, cached: CachedManifest) -> None:
        """Let it be found in memory, for as long as somebody refers to it."""
        self._memory[cached.scope] = cached

    def known(self, folder: ScopeFolder, scope: Scope) -> KnownManifest | None:
        """What is known of a scope's manifest, which is not loaded for it; None before its first."""
        published, cached = recorded_version(self._keyvalue, scope), self.in_memory(scope)
        if not published:
            return None
        head = self._head(scope) if cached is None else _head_of(cached)
        if head is None or head.etag is None:
            return KnownManifest(scope, published, Source.FILE)
        sync_state, source = head.sync_state, Source.ROCKSDB if cached is None else Source.MEMORY
        if head.stamp != folder.stamp(MANIFEST_NAME) and sync_state is not SyncState.SYNCING:
            sync_state = after(sync_state, SyncEvent.DIFFER)
        if cached is None and sync_state not in TRUSTED:
            source = Source.FILE
        return KnownManifest(
            scope,
            head.version,
            source,
            batches=head.batches,
            rows=head.rows,
            dead=head.dead,
            bytes=head.bytes,
            etag=head.etag,
            last_refreshed=head.last_refreshed,
            last_accessed=head.last_accessed,
            sync_state=sync_state,
        )

    def has_published(self, scope: Scope) -> bool:
        """Tell whether a scope has had a manifest, as far as that is on record. No file is looked at."""
        return recorded_version(self._keyvalue, scope) > 0

    def published(self, table_id: int) -> Iterator[Scope]:
        """The scopes of a table that have published a manifest."""
        prefix = MANIFEST_MARK + table_prefix(table_id)
        for key, _ in self._keyvalue.scan(Family.META, prefix, prefix_end(prefix)):
            yield Scope(table_id, user_of(key[len(MANIFEST_MARK) :]))

    def accessed(self, cached: CachedManifest) -> None:
        """Somebody asked for it."""
        cached.last_accessed = self._clock()

    def evict(self, bytes_max: int, before: float) -> tuple[int, list[Scope]]:
        """Delete copies from RocksDB that nobody has asked for since a time, and those that are too many.

        Return how many, and the scopes in memory that were asked for since that was last put on record.
        """
        copies, asked = [], []
        for key, stored in self._keyvalue.scan(Family.MANIFEST_CACHE, records.HEADS, records.MANIFESTS):
            scope = records.scope_of(key)
            try:
                head = records.decode_head(stored)
            except DatabaseError:
                copies.append(Copy(scope, 0, ""))
                continue
            cached = self.in_memory(scope)
            last = head.last_accessed if cached is None else _as_text(cached.last_accessed)
            if last > head.last_accessed:
                asked.append(scope)
            copies.append(Copy(scope, head.cached_bytes, last))
        doomed = to_evict(copies, bytes_max, _as_text(before))
        for first in range(0, len(doomed), _TOGETHER):
            batch = AtomicWrite()
            for scope in doomed[first : first + _TOGETHER]:
                records.delete_scope(batch, scope)
            self._keyvalue.append(batch)
        return len(doomed), sorted(set(asked).difference(doomed), key=str)

    def note_accessed(self, cached: CachedManifest) -> None:
        """Put on record when a manifest in memory was last asked for. Nobody publishes another one meanwhile."""
        if cached.sync_state is SyncState.IN_SYNC and cached.etag is not None:
            batch = AtomicWrite()
            records.put_head(batch, cached.scope, _head_of(cached))
            self._append_or_warn(batch)

    def load(self, folder: ScopeFolder, table: TableDef, scope: Scope) -> CachedManifest:
        """A scope's manifest from RocksDB or from its file; an empty one before its first.

        CORRUPT when the file is missing, damaged, older than it was, or not what was written. To go on without it would
        serve a table without its rows, and reclaim their files.
        """
        published = recorded_version(self._keyvalue, scope)
        if not published and folder.stamp(MANIFEST_NAME) is None:
            return self._cached(scope, _empty(table, scope), None, None)
        head = self._head(scope)
        try:
            return self._loaded(folder, table, scope, head, published)
        except DatabaseError:
            self._note_failure(scope, head)
            raise

    def publish(
        self, folder: ScopeFolder, before: CachedManifest, manifest: ManifestFile, batch: AtomicWrite
    ) -> CachedManifest:
        """Replace the file of a manifest, whose own files are durable, and put into `batch` what RocksDB is told.

        OSError when it could not be written: `before` is IN_SYNC then if its file is known to be as it was, else ERROR.
        """
        self._notice(folder, before)
        before.happen(SyncEvent.CHANGE)
        try:
            pending = AtomicWrite()
            records.put_head(pending, before.scope, _head_of(before))
            self._keyvalue.append(pending)
        except BaseException:
            before.happen(SyncEvent.UNWRITTEN)
            raise
        before.happen(SyncEvent.WRITE)
        data = codec.encode(manifest)
        try:
            folder.publish(MANIFEST_NAME, data)
        except OSError:
            before.happen(SyncEvent.FAIL if _may_be_published(folder, data) else SyncEvent.UNWRITTEN)
            raise
        published = self._cached(before.scope, manifest, data, folder.stamp(MANIFEST_NAME))
        published.sync_state = before.sync_state
        _put(batch, folder, before.manifest, published, data)
        put_mark(batch, before.scope, manifest.version)
        return published

    def rewrite(self, folder: ScopeFolder, scope: Scope, manifest: ManifestFile, batch: AtomicWrite) -> None:
        """Replace a file that is lost or damaged, and put into `batch` what RocksDB is told, whatever it has now.

        Nobody may use the scope meanwhile.
        """
        data = codec.encode(manifest)
        folder.publish(MANIFEST_NAME, data)
        records.delete_scope(batch, scope)
        _put(batch, folder, None, self._cached(scope, manifest, data, folder.stamp(MANIFEST_NAME)), data)
        put_mark(batch, scope, manifest.version)

    def _loaded(
        self, folder: ScopeFolder, table: TableDef, scope: Scope, head: Head | None, published: int
    ) -> CachedManifest:
        stamp = folder.stamp(MANIFEST_NAME)
        if stamp is None:
            raise DatabaseError(ErrorKind.CORRUPT, "its file is missing")
        if head is not None and head.stamp == stamp and head.sync_state in TRUSTED and head.version >= published:
            found = self._from_record(folder, scope, head)
            if found is not None:
                return found
        return self._from_file(folder, table, scope, head, published)

    def _from_record(self, folder: ScopeFolder, scope: Scope, head: Head) -> CachedManifest | None:
        """What RocksDB has of a manifest whose file is the same as then; None where it cannot be read."""
        unknown: dict[str, bytes] = {}

        def read_part(name: str, expected: str) -> bytes:
            stored = self._keyvalue.get(Family.MANIFEST_CACHE, records.part_key(scope, name))
            stamp, data = records.decode_part(stored) if stored else (None, b"")
            if stamp != folder.stamp(name) or checksum(data) != expected:
                data = unknown[name] = folder.read_checked(name, expected)
            return data

        try:
            data = self._keyvalue.get(Family.MANIFEST_CACHE, records.manifest_key(scope))
            if data is None or checksum(data) != head.etag:
                return None
            found = self._cached(scope, codec.decode(data, read_part), data, head.stamp)
        except DatabaseError as error:
            log.warning("what is on record of a manifest cannot be read, so its files are: %s", error.message)
            return None
        self._put_parts(folder, scope, unknown)
        return found

    def _from_file(
        self, folder: ScopeFolder, table: TableDef, scope: Scope, head: Head | None, published: int
    ) -> CachedManifest:
        stamp = folder.stamp(MANIFEST_NAME)
        manifest, data = read_file(folder, table, scope, published)
        if data is None:
            raise DatabaseError(ErrorKind.CORRUPT, "its file is missing")
        if head is not None and head.etag not in (None, checksum(data)):
            if manifest.version <= head.version:
                raise DatabaseError(ErrorKind.CORRUPT, "its file is not what was written")
            if head.sync_state is SyncState.IN_SYNC:
                log.warning("the manifest of %s was replaced by somebody else, and is read again", table.name)
        found = self._cached(scope, manifest, data, stamp)
        batch = AtomicWrite()
        records.delete_scope(batch, scope)
        _put(batch, folder, None, found, data)
        self._append_or_warn(batch)
        return found

    def _notice(self, folder: ScopeFolder, kept: CachedManifest) -> None:
        """See whether the file is still what was written. What is kept takes its place in any case."""
        stamp = folder.stamp(MANIFEST_NAME)
        if stamp == kept.stamp:
            return
        data = None if stamp is None else folder.read(MANIFEST_NAME)
        if data is not None and checksum(data) == kept.etag:
            kept.stamp = stamp
            return
        kept.happen(SyncEvent.DIFFER)
        name = f"{kept.manifest.namespace}.{kept.manifest.table}"
        log.error("the manifest of %s was changed or deleted by somebody else; it is written anew", name)

    def _note_failure(self, scope: Scope, head: Head | None) -> None:
        """Put on record that a manifest could not be loaded, where there is a record."""
        if head is None or head.sync_state is SyncState.ERROR:
            return
        batch = AtomicWrite()
        records.put_head(batch, scope, replace(head, sync_state=after(head.sync_state, SyncEvent.FAIL)))
        self._append_or_warn(batch)

    def _put_parts(self, folder: ScopeFolder, scope: Scope, parts: Mapping[str, bytes]) -> None:
        batch = AtomicWrite()
        for name, data in parts.items():
            stamp = folder.stamp(name)
            if stamp is not None:
                records.put_part(batch, scope, name, stamp, data)
        if parts:
            self._append_or_warn(batch)

    def _append_or_warn(self, batch: AtomicWrite) -> None:
        """Write what may be lost."""
        try:
            self._keyvalue.append(batch)
        except DatabaseError as error:
            log.warning("what is known of a manifest was not put on record: %s", error.message)

    def _head(self, scope: Scope) -> Head | None:
        """What is on record; None where that cannot be read."""
        try:
            stored = self._keyvalue.get(Family.MANIFEST_CACHE, records.head_key(scope))
            return None if stored is None else records.decode_head(stored)
        except DatabaseError as error:
            log.warning("what is on record of a manifest cannot be read, so its file is: %s", error.message)
            return None

    def _cached(self, scope: Scope, manifest: ManifestFile, data: bytes | None, stamp: Stamp | None) -> CachedManifest:
        now = self._clock()
        etag, size = (None, 0) if data is None else (checksum(data), len(data))
        return CachedManifest(scope, manifest, etag, size, stamp, now, now)


def read_file(folder: ScopeFolder, table: TableDef, scope: Scope, published: int) -> tuple[ManifestFile, bytes | None]:
    """What a scope's file says, whatever else is kept of it, and its bytes: nothing, and None, before the first.

    CORRUPT when it cannot be read, or is not the one of a version that was published, or a newer one.
    """
    data = folder.read(MANIFEST_NAME)
    if data is None and published:
        raise DatabaseError(ErrorKind.CORRUPT, "its file is missing")
    if data is None:
        return _empty(table, scope), None
    manifest = _decoded(data, folder, table)
    if (manifest.table_id, manifest.user_id) != (scope.table_id, scope.user):
        raise DatabaseError(ErrorKind.CORRUPT, "its file is that of another")
    if manifest.version < published:
        raise DatabaseError(ErrorKind.CORRUPT, "it is older than it was")
    return manifest, data


def _decoded(data: bytes, folder: ScopeFolder, table: TableDef) -> ManifestFile:
    try:
        return codec.decode(data, folder.read_checked)
    except DatabaseError as error:
        if error.kind is ErrorKind.CORRUPT:
            raise
        raise DatabaseError(error.kind, f"table {table.name} cannot be read: {error.message}") from error


def _empty(table: TableDef, scope: Scope) -> ManifestFile:
    now = timestamp()
    return ManifestFile(table.id, table.name.namespace, table.name.table, scope.user, 0, now, now)


def _files(manifest: ManifestFile | None) -> dict[str, PartFile]:
    """The files of a manifest's parts by their names."""
    parts = () if manifest is None else manifest.parts
    return {part.file.path: part.file for part in parts if part.file is not None}


def _put(
    batch: AtomicWrite, folder: ScopeFolder, before: ManifestFile | None, cached: CachedManifest, data: bytes
) -> None:
    """Put into a batch what RocksDB is to have of a manifest whose file is written: `before` is what it has now."""
    scope, had, has = cached.scope, _files(before), _files(cached.manifest)
    for name in has.keys() - had.keys():
        stamp = folder.stamp(name)
        if stamp is not None:
            records.put_part(batch, scope, name, stamp, codec.encode_part_file(has[name]))
    for name in had.keys() - has.keys():
        records.delete_part(batch, scope, name)
    records.put_manifest(batch, scope, data)
    records.put_head(batch, scope, replace(_head_of(cached), sync_state=SyncState.IN_SYNC))


def _head_of(cached: CachedManifest) -> Head:
    manifest = cached.manifest
    return Head(
        version=manifest.version,
        batches=len(manifest.batches),
        rows=manifest.rows,
        dead=manifest.dead,
        bytes=manifest.bytes,
        etag=cached.etag,
        stamp=cached.stamp,
        cached_bytes=cached.size + sum(file.size for file in _files(manifest).values()),
        last_refreshed=_as_text(cached.last_refreshed),
        last_accessed=_as_text(cached.last_accessed),
        sync_state=cached.sync_state,
    )


def _as_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def _may_be_published(folder: ScopeFolder, manifest: bytes) -> bool:
    """Tell whether a manifest that could not be published whole may be the one that the disk has."""
    try:
        return folder.read(MANIFEST_NAME) == manifest
    except OSError:
        return True
