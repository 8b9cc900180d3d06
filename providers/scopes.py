"""Scopes: where commits happen, one at a time for each scope, and where their order is made.

A write goes: scope lock -> older versions found (`resolve`) -> `_seq` block -> one RocksDB batch with the versions,
the dead-row marks, the idempotency record and the high-water mark -> new head -> lock released -> synced -> published.
The lock is not held during the sync, so commits of one scope share syncs. Writers build on `head`, readers see
`published`, which never shows what is not durable.

Cold data changes by `replace_manifest` only: wait until all commits so far are durable, publish the manifest file,
publish the snapshot.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum, unique
from pathlib import Path

import numpy as np
import pyarrow as pa

from catalog.definition import Scope, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import Batch, Family, KeyValueStore
from manifest import codec as manifest_codec
from manifest import dead_rows
from manifest.dead_rows import DeadRows
from manifest.entries import BulkCommit, ManifestFile
from manifest.files import make_folder, publish, read_checked
from manifest.layout import MANIFEST_NAME, scope_folder
from providers.clock import timestamp
from providers.cold.files import ColdFiles
from providers.defaults import missing_values
from providers.hot import record
from providers.hot.record import HotRecord
from providers.hot.view import CHUNK_ROWS_MAX, HotChunk, HotView, Seqs
from providers.keys import Keys, Positions
from providers.resolve import Change, OnExisting, Resolved, key_of, resolve
from providers.sequence import SeqAllocator
from providers.snapshot import ColdState, Snapshot

_HIGH_WATER = b"seq_high_water"


@unique
class Durability(Enum):
    """When a commit is acknowledged: after its sync, or after it reached the operating system."""

    SYNC = "sync"
    ASYNC = "async"


@dataclass(frozen=True)
class Idempotency:
    """A client's name for a request, and a hash of the request that must match when the name comes again."""

    key: str
    request_hash: str


@dataclass(frozen=True)
class Outcome:
    """What a commit did. `replayed` says that an earlier request with the same idempotency key had done it."""

    affected: int
    seq: int
    replayed: bool = False


class ScopeState:
    """One scope in memory. `head` is what the next writer builds on, `published` what readers see."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.lock = threading.RLock()
        self.maintenance = threading.Lock()
        self.head = snapshot
        self.published = snapshot
        self.ticket = 0
        self.dropped = False

    def publish(self, snapshot: Snapshot) -> None:
        """Show `snapshot` to readers unless they see a later one already."""
        with self.lock:
            if snapshot.version > self.published.version:
                self.published = snapshot


class ScopeStore:
    """All scopes of all tables: loads them on first use, commits to them, changes their manifests."""

    def __init__(
        self,
        keyvalue: KeyValueStore,
        tables: Path,
        files: ColdFiles,
        *,
        node: int = 0,
        durability: Durability = Durability.SYNC,
    ) -> None:
        self._keyvalue = keyvalue
        self._tables = tables
        self._durability = durability
        self._lock = threading.Lock()
        self._scopes: dict[Scope, ScopeState] = {}
        self.files = files
        stored = keyvalue.get(Family.META, _HIGH_WATER)
        self.allocator = SeqAllocator(node, int(stored) if stored else 0)

    def state(self, table: TableDef, user: str | None) -> ScopeState:
        """The scope of `table` (and `user`, for a USER table), read by at least this version of the definition."""
        scope = Scope(table.id, user)
        with self._lock:
            state = self._scopes.get(scope)
            if state is None:
                state = self._scopes[scope] = ScopeState(self._load(table, scope))
        if state.head.table.version < table.version:
            self._adopt(state, table)
        return state

    def snapshot(self, table: TableDef, user: str | None) -> Snapshot:
        """What a reader that starts now sees."""
        return self.state(table, user).published

    def loaded(self) -> list[ScopeState]:
        """The scopes in memory."""
        with self._lock:
            return list(self._scopes.values())

    def stored_scopes(self, table: TableDef) -> list[str | None]:
        """Users (None for a SHARED table) whose scopes hold hot records or a manifest."""
        found = {record.user_of(key) for key in self._record_keys(record.table_prefix(table.id))}
        found |= {state.head.scope.user for state in self.loaded() if state.head.table.id == table.id}
        return sorted(found, key=lambda user: user or "")

    def write(
        self,
        state: ScopeState,
        build: Callable[[Snapshot], Change],
        rule: OnExisting,
        idempotency: Idempotency | None = None,
    ) -> Outcome:
        """Commit the change that `build` derives from the newest state, durable when this returns."""
        with self.exclusive(state):
            replayed = self.replayed(state, idempotency)
            if replayed is not None:
                return replayed
            snapshot = state.head
            resolved = resolve(snapshot, build(snapshot), rule, self.files)
            if not resolved.rows.num_rows and idempotency is None:
                return Outcome(resolved.affected, snapshot.last_seq)
            batch = Batch()
            after = self._stage(snapshot, resolved, batch)
            outcome = Outcome(resolved.affected, after.last_seq)
            self._put_idempotency(batch, state, idempotency, outcome)
            state.ticket = ticket = self._keyvalue.append(batch)
            state.head = after
        if self._durability is Durability.SYNC:
            self._keyvalue.wait_durable(ticket)
        state.publish(after)
        return outcome

    @contextmanager
    def exclusive(self, state: ScopeState) -> Iterator[None]:
        """Hold a scope's writer lock; NOT_FOUND when its table was dropped meanwhile."""
        with state.lock:
            if state.dropped:
                raise DatabaseError(ErrorKind.NOT_FOUND, f"table {state.head.table.name} was dropped")
            yield

    def replayed(self, state: ScopeState, idempotency: Idempotency | None) -> Outcome | None:
        """The outcome of an earlier request with the same key; INVALID when that was a different request."""
        if idempotency is None:
            return None
        stored = self._keyvalue.get(Family.IDEMPOTENCY, _idempotency_key(state.head.scope, idempotency.key))
        if stored is None:
            return None
        earlier = json.loads(stored)
        if earlier["request_hash"] != idempotency.request_hash:
            raise DatabaseError(
                ErrorKind.INVALID, f"idempotency key {idempotency.key!r} was used before with a different request"
            )
        return Outcome(int(earlier["rows"]), int(earlier["seq"]), replayed=True)

    def reserve(self, count: int) -> Seqs:
        """Reserve ids that will stand in files; the high-water mark is durable before the files can be named."""
        seqs = self.allocator.reserve(count)
        batch = Batch()
        batch.put(Family.META, _HIGH_WATER, str(int(seqs[-1])).encode())
        self._keyvalue.append(batch)
        return seqs

    def replace_manifest(
        self,
        state: ScopeState,
        manifest: ManifestFile,
        dead: Mapping[int, DeadRows],
        hot: HotView,
        *,
        last_seq: int | None = None,
        idempotency: Idempotency | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        """Publish cold data with the scope's writer lock held. The files that `manifest` names are durable already."""
        head = state.head
        self._keyvalue.wait_durable(self._keyvalue.append(_high_water_batch(self.allocator)))
        make_folder(head.cold.folder)
        publish(head.cold.folder / MANIFEST_NAME, manifest_codec.encode(manifest))
        after = Snapshot(
            version=head.version + 1,
            cold=replace(head.cold, manifest=manifest),
            dead={batch: found for batch, found in dead.items() if batch in manifest.by_number and found.count},
            hot=hot,
            last_seq=max(head.last_seq, last_seq or 0),
        )
        state.head = after
        state.publish(after)
        if idempotency is not None and outcome is not None:
            batch = Batch()
            self._put_idempotency(batch, state, idempotency, outcome)
            self._keyvalue.commit(batch)

    def clean_hot(self, state: ScopeState) -> int:
        """Delete hot records that a flush made invisible; may be lost or repeated. Return how many went."""
        scope, flushed = state.head.scope, state.head.manifest.flushed_seq
        prefix = record.scope_prefix(scope)
        batch = Batch()
        for key, value in self._keyvalue.scan(Family.HOT, prefix, record.record_key(scope, flushed + 1)):
            if int(record.decode(value).rows.column("_seq")[-1].as_py()) <= flushed:
                batch.delete(Family.HOT, key)
        if batch.operations:
            self._keyvalue.append(batch)
        return len(batch.operations)

    def drop_table(self, table: TableDef) -> None:
        """Forget all scopes of a table and delete its hot records. Its files are garbage from now on."""
        for state in self.loaded():
            if state.head.table.id == table.id:
                with state.lock:
                    state.dropped = True
        with self._lock:
            self._scopes = {scope: state for scope, state in self._scopes.items() if scope.table_id != table.id}
        prefix = record.table_prefix(table.id)
        batch = Batch()
        for family in (Family.HOT, Family.IDEMPOTENCY):
            for key, _ in self._keyvalue.scan(family, prefix, record.prefix_end(prefix)):
                batch.delete(family, key)
        if batch.operations:
            self._keyvalue.append(batch)

    def _record_keys(self, prefix: bytes) -> Iterator[bytes]:
        """One record key for each scope below `prefix`."""
        end, cursor = record.prefix_end(prefix), prefix
        while True:
            key = next((key for key, _ in self._keyvalue.scan(Family.HOT, cursor, end)), None)
            if key is None:
                return
            yield key
            cursor = record.prefix_end(key[:-8])

    def _stage(self, snapshot: Snapshot, resolved: Resolved, batch: Batch) -> Snapshot:
        """Put a resolved change's records into `batch` and return the snapshot after it."""
        seqs = self.allocator.reserve(resolved.rows.num_rows)
        scope = snapshot.scope
        versions = _versions(snapshot.table, resolved, seqs)
        marks: Mapping[int, Positions] = resolved.dead_cold
        for chunk in versions.to_batches(max_chunksize=CHUNK_ROWS_MAX):
            key = record.record_key(scope, int(chunk.column("_seq")[0].as_py()))
            batch.put(Family.HOT, key, record.encode(HotRecord(chunk, marks)))
            marks = {}
        batch.operations += _high_water_batch(self.allocator).operations
        return Snapshot(
            version=snapshot.version + 1,
            cold=snapshot.cold,
            dead=mark_dead(snapshot, resolved.dead_cold),
            hot=_add_versions(snapshot.hot.without(resolved.dead_hot), versions, resolved),
            last_seq=int(seqs[-1]) if len(seqs) else snapshot.last_seq,
        )

    def _put_idempotency(
        self, batch: Batch, state: ScopeState, idempotency: Idempotency | None, outcome: Outcome
    ) -> None:
        if idempotency is not None:
            value = {
                "request_hash": idempotency.request_hash,
                "rows": str(outcome.affected),
                "seq": str(outcome.seq),
                "at": timestamp(),
            }
            key = _idempotency_key(state.head.scope, idempotency.key)
            batch.put(Family.IDEMPOTENCY, key, json.dumps(value, sort_keys=True).encode())

    def _adopt(self, state: ScopeState, table: TableDef) -> None:
        """Read a scope by a newer definition from now on."""
        with state.lock:
            head = state.head
            if head.table.version >= table.version:
                return
            missing = missing_values(table)
            chunks = tuple(
                HotChunk(record.conform(chunk.rows, table, missing), chunk.seqs, chunk.live)
                for chunk in head.hot.chunks
            )
            after = replace(
                head,
                version=head.version + 1,
                cold=replace(head.cold, table=table),
                hot=replace(head.hot, chunks=chunks),
            )
            self._keyvalue.wait_durable(state.ticket)
            state.head = after
            state.publish(after)

    def _load(self, table: TableDef, scope: Scope) -> Snapshot:
        folder = scope_folder(self._tables, table, scope)
        manifest = _read_manifest(folder, table, scope)
        self._restore_bulk_commit(scope, manifest.last_bulk_commit)
        dead = _read_dead_rows(folder, manifest)
        cold = ColdState(folder, table, scope, manifest)
        records = self._read_records(scope, manifest.flushed_seq)
        snapshot = _replay(cold, dead, records)
        newest = max([snapshot.last_seq, *(entry.max_seq for entry in manifest.batches)])
        self.allocator.advance_to(newest)
        return replace(snapshot, last_seq=newest)

    def _read_records(self, scope: Scope, flushed_seq: int) -> list[HotRecord]:
        prefix = record.scope_prefix(scope)
        found = [
            record.decode(value) for _, value in self._keyvalue.scan(Family.HOT, prefix, record.prefix_end(prefix))
        ]
        return [entry for entry in found if entry.rows.column("_seq")[-1].as_py() > flushed_seq]

    def _restore_bulk_commit(self, scope: Scope, commit: BulkCommit | None) -> None:
        """Repeat the idempotency record of the newest bulk commit, which a crash may have kept from RocksDB."""
        if commit is None or self._keyvalue.get(Family.IDEMPOTENCY, _idempotency_key(scope, commit.idempotency_key)):
            return
        value = {
            "request_hash": commit.request_hash,
            "rows": str(commit.rows),
            "seq": str(commit.seq),
            "at": timestamp(),
        }
        batch = Batch()
        key = _idempotency_key(scope, commit.idempotency_key)
        batch.put(Family.IDEMPOTENCY, key, json.dumps(value, sort_keys=True).encode())
        self._keyvalue.append(batch)


def mark_dead(snapshot: Snapshot, marks: Mapping[int, Positions]) -> Mapping[int, DeadRows]:
    """The snapshot's dead rows and these. Marks on batches that the manifest no longer lists are left out."""
    if not marks:
        return snapshot.dead
    dead = dict(snapshot.dead)
    for batch, positions in marks.items():
        entry = snapshot.manifest.by_number.get(batch)
        if entry is not None:
            dead[batch] = snapshot.dead_in(entry).with_positions(positions)
    return dead


def _versions(table: TableDef, resolved: Resolved, seqs: Seqs) -> pa.Table:
    columns = [resolved.rows.column(column.physical) for column in table.columns]
    columns += [pa.chunked_array([pa.array(seqs)]), pa.chunked_array([pa.array(resolved.deleted)])]
    return pa.Table.from_arrays(columns, schema=record.hot_schema(table))


def _add_versions(hot: HotView, versions: pa.Table, resolved: Resolved) -> HotView:
    live = ~resolved.deleted
    keys = resolved.keys
    if not live.all():
        versions = versions.filter(pa.array(live))
        keys = keys.take(np.flatnonzero(live))
    start = 0
    for chunk in versions.combine_chunks().to_batches(max_chunksize=CHUNK_ROWS_MAX):
        here = np.arange(start, start + chunk.num_rows, dtype=np.int64)
        hot = hot.with_rows(chunk, keys if len(keys) == chunk.num_rows else keys.take(here))
        start += chunk.num_rows
    return hot


def _replay(cold: ColdState, dead: Mapping[int, DeadRows], records: list[HotRecord]) -> Snapshot:
    """The state after all hot records: of each key the last version, unless it is a tombstone."""
    key = tuple(column.physical for column in cold.table.key_columns)
    snapshot = Snapshot(1, cold, dead, HotView(key), cold.manifest.flushed_seq)
    if not records:
        return snapshot
    for entry in records:
        snapshot = replace(snapshot, dead=mark_dead(snapshot, entry.dead))
    missing = missing_values(cold.table)
    rows = pa.Table.from_batches([record.conform(entry.rows, cold.table, missing) for entry in records])
    last_seq = int(rows.column("_seq")[-1].as_py())
    rows = rows.filter(pa.compute.greater(rows.column("_seq"), cold.manifest.flushed_seq))
    keys = key_of(cold.table, rows)
    live = keys.last_of_each & ~rows.column("_deleted").to_numpy(zero_copy_only=False)
    rows, keys = rows.filter(pa.array(live)), keys.take(np.flatnonzero(live))
    resolved = Resolved(rows, np.zeros(len(keys), dtype=np.bool_), keys, np.empty(0, dtype=np.int64), {}, 0)
    return replace(snapshot, hot=_add_versions(snapshot.hot, rows, resolved), last_seq=last_seq)


def _read_manifest(folder: Path, table: TableDef, scope: Scope) -> ManifestFile:
    path = folder / MANIFEST_NAME
    if path.exists():
        return manifest_codec.decode(path.read_bytes())
    now = timestamp()
    return ManifestFile(table.id, table.name.namespace, table.name.table, scope.user, 0, now, now)


def _read_dead_rows(folder: Path, manifest: ManifestFile) -> dict[int, DeadRows]:
    dead = {}
    for entry in manifest.batches:
        if entry.dv is not None:
            found = dead_rows.decode(read_checked(folder / entry.dv.path, entry.dv.checksum))
            if found.batch != entry.batch or found.dead.count != entry.dead:
                raise DatabaseError(ErrorKind.CORRUPT, f"deletion file {entry.dv.path} contradicts its manifest")
            dead[entry.batch] = found.dead
    return dead


def _high_water_batch(allocator: SeqAllocator) -> Batch:
    batch = Batch()
    batch.put(Family.META, _HIGH_WATER, str(allocator.high_water).encode())
    return batch


def _idempotency_key(scope: Scope, key: str) -> bytes:
    return record.scope_prefix(scope) + key.encode()
