"""Scopes: where commits happen, one at a time for each scope, and where their order is made.

A write goes: scope lock -> older versions found (`resolve`) -> `_seq` block -> one RocksDB batch with the versions,
the dead-row marks and the idempotency record -> new head -> lock released -> synced -> published. The lock is not held
during the sync, so commits of one scope share syncs. Writers build on `head`; readers see `published`, which never
shows what is not durable. A write to several scopes takes all their locks and puts everything into one batch.

Cold data changes by `replace_manifest` only: wait until all commits so far are durable, because the manifest records
their dead rows; publish the manifest file; publish the snapshot.
"""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import Enum, unique
from weakref import WeakValueDictionary

from catalog.definition import Scope, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from catalog.turns import Turns
from manifest.dead_rows import DeadRows
from manifest.entries import ManifestFile
from manifest.named_files import left_out
from providers.cold.files import ColdFiles
from providers.cold.scope_folder import ScopeFolder, TableFolders
from providers.commit import recovery
from providers.commit.apply import adopted, after_commit, put_records, versions_of
from providers.commit.bulk_record import put_bulk_commit, restore_bulk_commit
from providers.commit.definitions import changed, dropped
from providers.commit.file_names import FileNames
from providers.commit.idempotency import Idempotency, Outcome, find_replay, put_outcome
from providers.commit.lifetime import FLOOR, kept, put_floor, unexpired
from providers.commit.noticed import Noticed
from providers.commit.request import PLAIN, Request
from providers.commit.residents import Residents
from providers.commit.resolve import OnExisting, Resolved
from providers.commit.scope_state import ScopeState
from providers.commit.uniqueness import resolve
from providers.commit.used_names import USED, recorded
from providers.commit.visibility import Visibility, nothing_more
from providers.damage import DamagedPart, named
from providers.hot import record
from providers.hot.records import HotRecords
from providers.hot.view import HotView
from providers.manifests.cached import CachedManifest
from providers.manifests.listed import KnownManifest
from providers.manifests.mark import MANIFEST_MARK
from providers.manifests.records import delete_prefix
from providers.manifests.service import ManifestService
from providers.manifests.sync_state import SyncEvent, SyncState
from providers.rows.change import Change
from providers.rows.keys import is_text
from providers.rows.pieces import JOINED_BYTES_MAX
from providers.rows.sequence import SeqAllocator
from providers.snapshot import ColdState, Pins, Snapshot

log = logging.getLogger(__name__)

_SEQ_CEILING = b"seq_ceiling"
_LOADING_LOCKS = 64
_VIEW_BYTES = 32
"""What a text takes in the engine's form, beside its own bytes."""

Stage = Callable[[Snapshot, AtomicWrite], Snapshot]


def _at_once(_: Collection[ScopeState]) -> None:
    """For stores whose writers wait for nothing."""


@unique
class Durability(Enum):
    """When a commit is acknowledged: after its sync, or after it reached the operating system."""

    SYNC = "sync"
    ASYNC = "async"


class ScopeStore:
    """All scopes of all tables: loads them on first use, commits to them, changes their manifests."""

    def __init__(
        self,
        keyvalue: KeyValueStore,
        tables: TableFolders,
        files: ColdFiles,
        *,
        node: int = 0,
        durability: Durability = Durability.SYNC,
        manifest_bytes_max: int = 256 << 20,
        scopes_max: int = 100_000,
        joined_bytes_max: int = JOINED_BYTES_MAX,
    ) -> None:
        self._keyvalue = keyvalue
        self._tables = tables
        self._durability = durability
        self._lock = threading.Lock()
        self._loading = [threading.Lock() for _ in range(_LOADING_LOCKS)]
        self.residents = Residents(manifest_bytes_max, scopes_max)
        self._pins: WeakValueDictionary[Scope, Pins] = WeakValueDictionary()
        self.files = files
        self.joined_bytes_max = joined_bytes_max
        """How much of a scope's rows jobs bring into one piece, at most."""
        self.visibility = Visibility()
        self.names = FileNames(keyvalue)
        self.hot_records = HotRecords(keyvalue)
        self.manifests = ManifestService(keyvalue)
        self.stillness = Turns()
        """Manifests are published, and files that one named are deleted, by those who take part; alone, nobody does."""
        self.noticed = Noticed()
        self.after_writing: Callable[[Collection[ScopeState]], None] = _at_once
        """Returns when those may go on who have committed to some scopes, and hold no lock."""
        self._gone: set[int] = set()
        self._least: dict[int, int] = {}
        """The oldest versions of definitions that may be written by, where not any may."""
        self._awaited: dict[int, list[int]] = {}
        """Versions that may come, by tables."""
        self.dropped_tables: set[int] = set()
        """Tables whose folders may still be there."""
        stored = keyvalue.get(Family.META, _SEQ_CEILING)
        self.allocator = SeqAllocator(self._persist_ceiling, node=node, ceiling=int(stored) if stored else 0)

    def state(self, table: TableDef, user: str | None) -> ScopeState:
        """The scope of `table` (and `user`, for a USER table), read by at least this version of the definition."""
        state = self._found(table, user)
        least = max([self._least.get(table.id, 0), *self._awaited.get(table.id, ())])
        if table.version < least:  # asked last: who is not refused here is found in `loaded`
            raise changed(table)
        self._adopt(state, table)
        return state

    def refuse_older(self, table: TableDef) -> None:
        """Let nobody write by an older definition any more; who has a scope already finds the newer one there."""
        self._least[table.id] = table.version

    @contextmanager
    def awaited(self, table: TableDef) -> Iterator[None]:
        """Let nobody begin to write by an older definition than one that may come, until it is there or is not."""
        versions = self._awaited.setdefault(table.id, [])
        versions.append(table.version)
        try:
            yield
        finally:
            versions.remove(table.version)

    def snapshot(self, table: TableDef, user: str | None) -> Snapshot:
        """What a reader that starts now sees."""
        return self.snapshots([(table, user)])[0]

    def snapshots(self, scopes: Sequence[tuple[TableDef, str | None]]) -> list[Snapshot]:
        """What a reader of several scopes that starts now sees: all of them as of one moment.

        It waits for no writer: who reads may itself be the writer of another scope.
        """
        states = [self._found(table, user) for table, user in scopes]
        for state, (table, _) in zip(states, scopes, strict=True):
            self._adopt(state, table, wait=False)
        read = zip(states, self.visibility.read(states), scopes, strict=True)
        now_ms = self.allocator.now_ms()
        return [unexpired(_read_by(table, state, snapshot), now_ms) for state, snapshot, (table, _) in read]

    def outlived(self, snapshots: Iterable[Snapshot]) -> dict[int, int]:
        """Parts of hot rows, as `HotView.parts` has them, that are in memory for readers of these snapshots alone.

        A snapshot that is what everybody reads keeps nothing by itself; others have rows in the engine's form, too.
        """
        found: dict[int, int] = {}
        for snapshot in snapshots:
            state = self.in_memory(snapshot.scope)
            newest = None if state is None else state.published
            if newest is None or newest.version != snapshot.version:
                current = {} if newest is None else newest.hot.parts()
                found |= {part: size for part, size in snapshot.hot.parts().items() if part not in current}
                found[id(snapshot)] = _VIEW_BYTES * _text_columns(snapshot.table) * snapshot.hot.live_count
        return found

    def outdated_snapshots(self) -> int:
        """How many snapshots are kept although readers and writers that begin now see others."""
        return sum(len(state.outdated_snapshots()) for state in self.loaded())

    def tables_in_use(self) -> set[int]:
        """Ids of tables that have a scope in memory, or a snapshot that somebody still reads."""
        with self._lock:
            return {scope.table_id for scope in self._pins}

    def loaded(self) -> list[ScopeState]:
        """The scopes in memory."""
        return self.residents.loaded()

    def in_memory(self, scope: Scope) -> ScopeState | None:
        """A scope, if it is in memory; this is no use of it."""
        return self.residents.find(scope)

    def cold_state(self, table: TableDef, user: str | None) -> ColdState:
        """What the files of a scope say, in memory or not; DamagedError, which is noted, when they cannot be read."""
        scope = Scope(table.id, user)
        state = self.in_memory(scope)
        if state is not None:
            return state.head.cold
        with self.files.damages.noted(), named(table, scope, DamagedPart.RECORDS):
            cold, _ = self._cold(table, scope, Pins())
            recovery.dead_rows_of(cold)
            return cold

    def known_manifest(self, table: TableDef, user: str | None) -> KnownManifest | None:
        """What is known of a scope's manifest without loading it; None before its first."""
        scope = Scope(table.id, user)
        return self.manifests.known(self._tables.scope(table, scope), scope)

    def evict_manifests(self, bytes_max: int, before: float) -> tuple[int, int]:
        """Let go of scopes and of copies of manifests that nobody has used since a time (seconds since 1970).

        Of copies, no more than `bytes_max` bytes stay. Return how many scopes left memory, and copies RocksDB.
        """
        unloaded = self.residents.let_go_unused(before)
        evicted, asked = self.manifests.evict(bytes_max, before)
        for state in filter(None, map(self.in_memory, asked)):
            if state.lock.acquire(blocking=False):
                try:
                    self.manifests.note_accessed(state.manifest)
                finally:
                    state.lock.release()
        return unloaded, evicted

    @contextmanager
    def kept_unloaded(self, table: TableDef, user: str | None) -> Iterator[ScopeFolder | None]:
        """Let nobody load a scope meanwhile, and have its folder; None when it is in memory already."""
        scope = Scope(table.id, user)
        with self._loading[hash(scope) % _LOADING_LOCKS]:
            yield None if self.in_memory(scope) is not None else self._tables.scope(table, scope)

    def folder_of(self, table: TableDef, user: str | None) -> ScopeFolder:
        """A scope's folder, in memory or not; it may not exist."""
        return self._tables.scope(table, Scope(table.id, user))

    def folder(self, state: ScopeState) -> ScopeFolder:
        """A scope's folder, made when it does not exist yet."""
        folder = state.head.cold.folder
        folder.make()
        return folder

    @contextmanager
    def exclusive(self, state: ScopeState) -> Iterator[None]:
        """Hold a scope's writer lock; NOT_FOUND when its table was dropped meanwhile, UNAVAILABLE when it is unsure."""
        with state.lock:
            if state.dropped:
                raise dropped(state.head.table)
            if state.unsure:
                raise DatabaseError(
                    ErrorKind.UNAVAILABLE,
                    f"a manifest of {state.head.table.name} could not be written safely; restart the server",
                )
            yield

    def write(
        self,
        state: ScopeState,
        build: Callable[[Snapshot], Change],
        rule: OnExisting,
        request: Request = PLAIN,
    ) -> Outcome:
        """Commit the change that `build` derives from the newest state, durable when this returns."""
        with self.exclusive(state):
            outcome = self._commit(state, build, rule, request)
            ticket = state.ticket
        self._acknowledge(ticket)
        self.after_writing([state])
        return outcome

    def write_together(
        self,
        stages: Sequence[tuple[ScopeState, Stage]],
        batch: AtomicWrite,
        publish_definitions: Callable[[], None] | None = None,
    ) -> None:
        """Commit changes to several scopes, and what `batch` holds already, as one; durable when this returns.

        Each stage derives its scope's next snapshot from the newest one and puts the records of the change into the
        batch, or raises, and then nothing is written. Locks are taken in one order for everybody. Definitions that are
        in the batch are always durable before they are published.
        """
        ordered = sorted(stages, key=lambda stage: (stage[0].head.scope.table_id, stage[0].head.scope.user or ""))
        with ExitStack() as locks:
            for state, _ in ordered:
                locks.enter_context(self.exclusive(state))
            publication = [(state, stage(state.head, batch)) for state, stage in ordered]
            ticket = self._keyvalue.append(batch)
            for state, after in publication:
                state.ticket, state.head = ticket, after
            self.visibility.enqueue(ticket, publication, publish_definitions or nothing_more)
        if publish_definitions is not None:
            self._keyvalue.wait_durable(ticket)
        self._acknowledge(ticket)

    def _acknowledge(self, ticket: int) -> None:
        """Make a commit as durable as it is promised to be, then visible."""
        if self._durability is Durability.SYNC:
            self._keyvalue.wait_durable(ticket)
        self.visibility.show(ticket)

    def _commit(
        self,
        state: ScopeState,
        build: Callable[[Snapshot], Change],
        rule: OnExisting,
        request: Request,
    ) -> Outcome:
        """Advance the head by a change. Even one that writes nothing rests on commits that may not be durable yet."""
        replayed = self.replayed(state, request.idempotency)
        if replayed is not None:
            return replayed
        snapshot = state.head
        resolved = resolve(snapshot, build(snapshot), rule, self.files)
        if not resolved.rows.num_rows and request.is_plain:
            return Outcome(resolved.affected, snapshot.last_seq)
        batch = AtomicWrite()
        after = self.stage(snapshot, resolved, batch)
        outcome = Outcome(resolved.affected, after.last_seq)
        put_outcome(batch, snapshot.scope, request.idempotency, outcome)
        request.audit(batch, outcome, snapshot.scope.user)
        state.ticket = self._keyvalue.append(batch)
        state.head = after
        self.visibility.enqueue(state.ticket, [(state, after)])
        return outcome

    def replayed(self, state: ScopeState, idempotency: Idempotency | None) -> Outcome | None:
        """The outcome of an earlier request with the same key, if there was one."""
        return find_replay(self._keyvalue, state.head.scope, idempotency)

    def wait_shown(self, state: ScopeState) -> None:
        """Wait until every commit of a scope so far is as durable as it is promised to be, and visible."""
        self._acknowledge(state.ticket)

    def replace_manifest(
        self,
        state: ScopeState,
        manifest: ManifestFile,
        dead: Mapping[int, DeadRows],
        hot: HotView,
        *,
        last_seq: int = 0,
    ) -> None:
        """Publish cold data with the scope's writer lock held. The files that `manifest` names are durable already.

        An error means that nothing was published, or that nobody knows: then the scope is `unsure`.
        """
        head = state.head
        state.ticket = restore_bulk_commit(self._keyvalue, head.scope, head.manifest) or state.ticket
        self._keyvalue.wait_durable(state.ticket)
        self.visibility.show(state.ticket)
        folder, batch = self.folder(state), AtomicWrite()
        try:
            with self.stillness.together():
                published = self.manifests.publish(folder, state.manifest, manifest, batch)
        except OSError:
            state.unsure = state.manifest.sync_state is SyncState.ERROR
            raise
        after = Snapshot(
            version=head.version + 1,
            cold=replace(head.cold, manifest=manifest),
            dead={batch: found for batch, found in dead.items() if batch in manifest.by_number and found.count},
            hot=hot,
            last_seq=max(head.last_seq, last_seq),
        )
        published.happen(SyncEvent.UNRECORDED)
        with self._may_be_lost():
            put_bulk_commit(self._keyvalue, after.scope, manifest, batch)
            state.ticket = self._keyvalue.append(batch)
            published.happen(SyncEvent.READ)
        state.manifest = published
        self.manifests.hold(published)
        state.head = after
        self.visibility.publish(state, after)
        state.release_batches(manifest.by_number)
        state.left_out.update(left_out(head.manifest, manifest))

    def clean_hot(self, state: ScopeState) -> None:
        """Delete the hot records that a flush made invisible; may be lost or repeated.

        A flush ends at a commit, so a record whose first `_seq` is flushed is flushed whole.
        """
        scope, flushed = state.head.scope, state.head.manifest.flushed_seq
        batch = AtomicWrite()
        batch.delete_range(Family.HOT, record.scope_prefix(scope), record.record_key(scope, flushed + 1))
        with self._may_be_lost():
            self._keyvalue.append(batch)

    @staticmethod
    @contextmanager
    def _may_be_lost() -> Iterator[None]:
        """For records that follow a published manifest: the change has happened, whether they can be written or not."""
        try:
            yield
        except DatabaseError as error:
            log.warning("a record that follows a manifest was not written: %s", error.message)

    def drop_table(self, table: TableDef) -> None:
        """Forget all scopes of a table and delete its hot records. Its files are garbage from now on."""
        self._gone.add(table.id)
        for state in self.residents.forget_table(table.id):
            with state.lock:
                state.dropped = True
        self.forget_tables([table.id])
        self.dropped_tables.add(table.id)

    def forget_tables(self, table_ids: Collection[int]) -> None:
        """Delete the records of tables that are gone."""
        batch = AtomicWrite()
        for prefix in map(record.table_prefix, table_ids):
            for family in (Family.HOT, Family.IDEMPOTENCY):
                batch.delete_range(family, prefix, record.prefix_end(prefix))
            for kind in (MANIFEST_MARK, USED, FLOOR):
                batch.delete_range(Family.META, kind + prefix, record.prefix_end(kind + prefix))
            delete_prefix(batch, prefix)
        if table_ids:
            self._keyvalue.append(batch)

    def _known(self, scope: Scope) -> ScopeState | None:
        state = self.residents.use(scope)
        if state is not None:
            self.manifests.accessed(state.manifest)
        return state

    def stage(self, snapshot: Snapshot, resolved: Resolved, batch: AtomicWrite) -> Snapshot:
        """Put a resolved change's records into `batch` and return the snapshot after it."""
        seqs = self.allocator.reserve(resolved.rows.num_rows)
        versions = versions_of(snapshot.table, resolved, seqs)
        put_records(batch, snapshot.scope, versions, resolved.dead_cold)
        after = after_commit(snapshot, resolved, versions, seqs)
        within = kept(after, self.allocator.now_ms())
        if within.hot.floor > after.hot.floor:
            put_floor(batch, within)
        return within

    def _found(self, table: TableDef, user: str | None) -> ScopeState:
        """A scope, by whatever version of the definition it is read."""
        scope = Scope(table.id, user)
        if table.id in self._gone:
            raise dropped(table)
        state = self._known(scope)
        if state is None:
            with self._loading[hash(scope) % _LOADING_LOCKS]:
                state = self._known(scope) or self.residents.remember(scope, self._loaded(table, scope))
        return state

    def _adopt(self, state: ScopeState, table: TableDef, *, wait: bool = True) -> None:
        """Read a scope by a newer definition from now on; without `wait` only when nobody writes to it."""
        if state.head.table.version >= table.version or not state.lock.acquire(blocking=wait):
            return
        try:
            head = state.head
            if head.table.version < table.version:
                self._keyvalue.wait_durable(state.ticket)
                self.visibility.show(state.ticket)
                state.head = adopted(head, table)
                self.visibility.publish(state, state.head)
        finally:
            state.lock.release()

    def _loaded(self, table: TableDef, scope: Scope) -> ScopeState:
        """Load a scope; DamagedError, which is noted, names what of it cannot be read."""
        with self.files.damages.noted(), named(table, scope, DamagedPart.RECORDS):
            state = self._load(table, scope)
        self.files.damages.note_loaded(scope)
        return state

    def _load(self, table: TableDef, scope: Scope) -> ScopeState:
        with self._lock:
            pins = self._pins.setdefault(scope, Pins())
        cold, cached = self._cold(table, scope, pins)
        snapshot = recovery.load(self._keyvalue, cold, self.joined_bytes_max)
        known = recorded(self._keyvalue, scope)
        self.allocator.pass_over(snapshot.last_seq)
        files = cold.folder.names()
        used = known.and_those_of(snapshot.manifest, files)
        state = ScopeState(snapshot, cached, used, known, self.noticed, has_files=bool(files))
        self.manifests.hold(cached)
        state.ticket = restore_bulk_commit(self._keyvalue, scope, snapshot.manifest) or 0
        return state

    def _cold(self, table: TableDef, scope: Scope, pins: Pins) -> tuple[ColdState, CachedManifest]:
        """What the manifest of a scope says, and how it stands to its file."""
        folder = self._tables.scope(table, scope)
        with named(table, scope, DamagedPart.MANIFEST):
            cached = self.manifests.load(folder, table, scope)
        return ColdState(folder, table, scope, cached.manifest, pins), cached

    def _persist_ceiling(self, ceiling: int) -> None:
        batch = AtomicWrite()
        batch.put(Family.META, _SEQ_CEILING, str(ceiling).encode())
        self._keyvalue.commit(batch)


def _read_by(table: TableDef, state: ScopeState, snapshot: Snapshot) -> Snapshot:
    """The snapshot by at least this version of the definition."""
    if snapshot.table.version >= table.version:
        return snapshot
    found = adopted(snapshot, table)
    state.pin(found)
    return found


def _text_columns(table: TableDef) -> int:
    """How many columns the engine handles as views."""
    return sum(is_text(field.type) for field in table.row_schema)
