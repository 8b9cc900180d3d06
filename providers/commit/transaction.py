"""A transaction: changes to any number of scopes and definitions that become visible as one, or not at all.

Snapshot isolation. The first statement pins a moment; everything is read as of it, with the transaction's own changes
on top: each scope that it writes has a *working* snapshot, which nobody else sees and which is derived by the same pure
functions as every other. Snapshots and registries are values, so a savepoint is a copy of references.

The first committer wins. A commit takes the writer locks of its scopes and looks whether a key that it writes has got a
newer version, or has lost the one it had, since the transaction began; then it is a CONFLICT, nothing is written, and
the transaction may be tried again. Else its net change is resolved against the newest state, and versions, dead marks,
idempotency records and definitions go into one RocksDB batch. Transactions hold no locks while they are open, so one
that is abandoned stands in nobody's way.

A large stream is staged in files, as it is outside of transactions. Where it is all that a transaction did, its commit
is the load's own: one manifest. Where there is more, its rows go the way of the others, through RocksDB.
"""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from enum import Enum, unique
from functools import partial

from catalog.definition import Scope, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AtomicWrite
from catalog.registry import Registry
from catalog.store import CatalogStore
from catalog.store import Change as DefinitionChange
from providers.commit.apply import adopted
from providers.commit.conflicts import altered, refuse_conflict
from providers.commit.idempotency import NOTHING, Idempotency, Outcome, put_outcome, replayed_in
from providers.commit.lifetime import unexpired
from providers.commit.request import PLAIN, Note, Request
from providers.commit.resolve import OnExisting
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.commit.scope_writes import ScopeWrites
from providers.commit.uniqueness import NotUniqueError, resolve
from providers.commit.work import Build, ScopeOf, StagedLoad, Written, derived, offered
from providers.rows.change import Change, RowsOfUsers, key_of
from providers.snapshot import Snapshot


@unique
class Phase(Enum):
    """Where a transaction stands; the value says it in errors."""

    OPEN = "is open"
    COMMITTED = "was committed"
    ROLLED_BACK = "was rolled back"
    CONFLICTED = "was rolled back, because another transaction committed first"
    EXPIRED = "was rolled back, because it was idle for too long"
    DISPLACED = "was rolled back, because it was idle and the memory that it kept was needed"
    TOO_LARGE = "was rolled back, because it kept more memory than may be kept for clients"


@dataclass(frozen=True, eq=False)
class _State:
    """Everything that a savepoint remembers."""

    registry: Registry
    writes: Mapping[Scope, ScopeWrites]
    notes: tuple[Note, ...] = ()


class Transaction:
    """One transaction. Its methods may be called from any thread; statements in it run one at a time."""

    def __init__(self, catalog: CatalogStore, store: ScopeStore, *, read_only: bool = False) -> None:
        self.read_only = read_only
        """Whoever runs its statements refuses those that would change something."""
        self._catalog = catalog
        self._store = store
        self._lock = threading.RLock()
        self._phase = Phase.OPEN
        self._moment: int | None = None
        self._began_ms = 0
        self._base = Registry()
        self._now = _State(self._base, {})
        self._read: dict[Scope, Snapshot] = {}
        self._created: dict[int, TableDef] = {}
        self._savepoints: list[tuple[str, _State]] = []
        self._loads: list[StagedLoad] = []

    @property
    def phase(self) -> Phase:
        """Where it stands."""
        return self._phase

    @property
    def has_begun(self) -> bool:
        """Tell whether it has pinned its moment: before its first statement it holds nothing."""
        return self._moment is not None

    @property
    def nbytes(self) -> int:
        """Memory that its own changes take."""
        return sum(writes.nbytes for writes in self._now.writes.values())

    def outlived(self) -> dict[int, int]:
        """Hot rows, with their bytes, that are in memory for it alone, because others have gone on since its moment."""
        moment = self._moment
        return {} if moment is None else self._store.outlived(self._store.visibility.past(moment))

    @property
    def registry(self) -> Registry:
        """The definitions as of the transaction's moment, with its own changes."""
        with self._lock:
            self._begin()
            return self._now.registry

    def snapshots(self, scopes: Sequence[ScopeOf]) -> list[Snapshot]:
        """The rows of some scopes as of the transaction's moment, with its own changes."""
        with self._lock:
            self._begin()
            return [self._snapshot(*scope) for scope in scopes]

    def write(self, scope: ScopeOf, build: Build, rule: OnExisting, request: Request = PLAIN) -> Outcome:
        """Carry out a change that only this transaction sees."""
        return self._write(scope, derived(scope, build), rule, request)

    def offer(
        self,
        scope: ScopeOf,
        change: Change,
        named: Collection[str],
        rule: OnExisting,
        request: Request = PLAIN,
    ) -> Outcome:
        """Write rows that only this transaction sees."""
        return self._write(scope, offered(scope, change, named), rule, request)

    def offer_each(
        self,
        table: TableDef,
        rows: RowsOfUsers,
        named: Collection[str],
        rule: OnExisting,
        request: Request = PLAIN,
    ) -> Outcome:
        """Write rows of some users, which only this transaction sees; all of them or none."""
        with self._lock:
            self._begin()
            before = self._now
            try:
                outcomes = [self.offer((table, user), change, named, rule, request) for user, change in rows.parts()]
            except BaseException:
                self._now = before
                raise
            return Outcome.together(outcomes)

    def hold(self, scope: ScopeOf) -> None:
        """Let the commit be a CONFLICT if anybody else has written rows to a scope by then, whatever the keys.

        A stream that does nothing but delete is one only where it is for a key that is written here, too.
        """
        with self._lock:
            self._begin()
            self._keep(replace(self._writes_of(*scope), held=True))

    def staging(self, scope: ScopeOf) -> ScopeState:
        """The scope by its committed definition: nobody else must meet a new one before its time."""
        with self._lock:
            self._begin()
            return self._writes_of(*scope).state

    def take(self, scope: ScopeOf, load: StagedLoad, request: Request = PLAIN) -> Outcome:
        """Carry out a staged load for this transaction alone; its files go when the transaction ends otherwise."""
        with self._lock:
            self._begin()
            writes = self._writes_of(*scope)
            earlier = self._replayed(writes, request.idempotency)
            if earlier is not None:
                load.abort()
                return earlier
            after = writes.with_load(load)
            self._loads.append(load)
            outcome = Outcome(load.offered(), writes.working.last_seq)
            self._keep(after.with_outcome(request, outcome))
            return outcome

    def define(self, change: DefinitionChange, request: Request = PLAIN) -> None:
        """Change definitions for this transaction alone."""
        with self._lock:
            self._begin()
            before, after = self._now.registry, change(self._now.registry)
            self._created |= {table.id: table for table in after.left_out_by(before)}
            notes = self._now.notes if request.note is None else (*self._now.notes, request.note)
            self._now = replace(self._now, registry=after, notes=notes)

    def savepoint(self, name: str) -> None:
        """Remember the present state; a later savepoint of the same name hides this one."""
        with self._lock:
            self._begin()
            self._savepoints.append((name, self._now))

    def release(self, name: str) -> None:
        """Forget a savepoint and those after it; what was written stays."""
        with self._lock:
            self._begin()
            del self._savepoints[self._savepoint(name) :]

    def rollback_to(self, name: str) -> None:
        """Return to a savepoint, which stays; those after it are gone."""
        with self._lock:
            self._begin()
            position = self._savepoint(name)
            del self._savepoints[position + 1 :]
            self._now = self._savepoints[position][1]

    def commit(self) -> None:
        """Make everything durable and visible at once; CONFLICT when another transaction was first."""
        with self._lock:
            self.require_open()
            try:
                self._commit()
            except DatabaseError as error:
                self._end(Phase.CONFLICTED if error.kind is ErrorKind.CONFLICT else Phase.ROLLED_BACK)
                raise
            except BaseException:
                self._end(Phase.ROLLED_BACK)
                raise
            written = [writes.state for writes in self._now.writes.values() if writes.has_changes]
            self._end(Phase.COMMITTED)
        self._store.after_writing(written)

    def rollback(self, phase: Phase = Phase.ROLLED_BACK) -> None:
        """Leave nothing of it; nothing happens when it has ended."""
        with self._lock:
            if self._phase is Phase.OPEN:
                self._end(phase)

    def require_open(self) -> None:
        """Raise NOT_FOUND when it has ended, with how."""
        if self._phase is not Phase.OPEN:
            raise DatabaseError(
                ErrorKind.NOT_FOUND, f"the transaction {self._phase.value}; roll back, then run all of it again"
            )

    def _write(self, scope: ScopeOf, build: Build, rule: OnExisting, request: Request) -> Outcome:
        with self._lock:
            self._begin()
            writes = self._writes_of(*scope)
            earlier = self._replayed(writes, request.idempotency)
            if earlier is not None:
                return earlier
            working = writes.working
            resolved = resolve(working, build(working), rule, self._store.files)
            outcome = Outcome(resolved.affected, working.last_seq)
            self._keep(writes.with_change(resolved).with_outcome(request, outcome))
            return outcome

    def _replayed(self, writes: ScopeWrites, idempotency: Idempotency | None) -> Outcome | None:
        earlier = self._store.replayed(writes.state, idempotency) or replayed_in(writes.outcomes, idempotency)
        return None if earlier is None else replace(earlier, replayed=True)

    def _begin(self) -> None:
        """Pin the moment, with the first statement: an open transaction that does nothing costs nothing."""
        self.require_open()
        if self._moment is None:
            self._moment, self._base = self._store.visibility.begin(lambda: self._catalog.registry)
            self._now, self._began_ms = _State(self._base, {}), self._store.allocator.now_ms()

    def _end(self, phase: Phase) -> None:
        self._phase = phase
        for table in self._created.values():
            if phase is not Phase.COMMITTED or table.id not in self._now.registry.ids:
                self._store.drop_table(table)
        if self._moment is not None:
            self._store.visibility.end(self._moment)
        self._now = _State(self._base, {})
        self._read, self._savepoints = {}, []
        for load in self._loads:
            load.abort()
        self._loads = []

    def _savepoint(self, name: str) -> int:
        for position in reversed(range(len(self._savepoints))):
            if self._savepoints[position][0] == name:
                return position
        raise DatabaseError(ErrorKind.NOT_FOUND, f"savepoint {name} does not exist")

    def _snapshot(self, table: TableDef, user: str | None) -> Snapshot:
        """What the transaction sees of a scope."""
        scope = Scope(table.id, user)
        writes = self._now.writes.get(scope)
        if writes is not None and writes.working.table.version == table.version:
            return writes.working
        found = self._read.get(scope)
        if found is None:
            found = self._read[scope] = self._as_begun(table, user)
        if writes is None and found.table.version == table.version:
            return found
        return self._writes_of(table, user).working

    def _as_begun(self, table: TableDef, user: str | None) -> Snapshot:
        """A scope as of the transaction's moment; of a table that is younger than it, as it was loaded."""
        if table.id in self._created or table.id >= self._base.next_table_id:
            return self._store.snapshot(self._created.get(table.id, table), user)
        original = self._base.table_of(table.id) or table
        state = self._store.state(original, user)
        found = self._store.visibility.read_at(state, self._moment or 0)
        if found.table.version > original.version:
            raise altered(table)
        if found.table.version < original.version:
            found = adopted(found, original)
            state.pin(found)
        return unexpired(found, self._began_ms)

    def _writes_of(self, table: TableDef, user: str | None) -> ScopeWrites:
        """The writes to a scope, read by the newest of the transaction's own definitions."""
        scope = Scope(table.id, user)
        writes = self._now.writes.get(scope)
        if writes is None:
            base = self._read.get(scope) or self._as_begun(table, user)
            writes = ScopeWrites(self._store.state(base.table, user), base, base)
        adopting = writes.adopting(table)
        if adopting is not writes:
            self._keep(adopting)
        return adopting

    def _keep(self, writes: ScopeWrites) -> None:
        self._now = replace(self._now, writes={**self._now.writes, writes.base.scope: writes})

    def _commit(self) -> None:
        if self._moment is None:
            return
        batch = AtomicWrite()
        mine, base = self._now.registry, self._base
        written = [writes for writes in self._now.writes.values() if writes.has_changes and self._keeps(writes)]
        redefines = mine is not base
        notes = self._now.notes
        if len(written) == 1 and not redefines and not notes and written[0].only_load is not None:
            self._commit_load(written[0], written[0].only_load)
            return
        definitions = (
            self._catalog.staged(lambda newest: mine.rebased(base, newest), batch) if redefines else nullcontext(None)
        )
        dropped = base.left_out_by(mine)
        with definitions as publish:
            for note in notes:
                batch.audit(note(NOTHING, None))
            if written or redefines or notes:
                stages = [(w.state, partial(self._stage, w)) for w in written]
                self._store.write_together(stages, batch, publish)
        for table in dropped:
            self._store.drop_table(table)

    def _commit_load(self, writes: ScopeWrites, load: StagedLoad) -> None:
        """Commit a transaction that did nothing but load one stream."""
        note = next((note for note, _ in writes.notes), None)
        with _first_committer_wins():
            load.commit(Request(next(iter(writes.outcomes), None), note), partial(self._refuse_conflict, writes))
        self._loads.remove(load)

    def _refuse_conflict(self, writes: ScopeWrites, head: Snapshot, written: Written) -> None:
        refuse_conflict(writes.base, head, written, self._store.files, whole=writes.replaced or writes.held)

    def _keeps(self, writes: ScopeWrites) -> bool:
        """Tell whether a table that was written is still there as far as the transaction knows.

        Temporary tables are in no registry.
        """
        table_id = writes.base.scope.table_id
        if table_id in self._now.registry.ids:
            return True
        is_temporary = table_id not in self._created and table_id not in self._base.ids
        return is_temporary and not writes.state.dropped

    def _stage(self, writes: ScopeWrites, head: Snapshot, batch: AtomicWrite) -> Snapshot:
        """Put the net change of a scope into the batch, on top of its newest state."""
        files = self._store.files
        change = writes.net_change(files)
        self._refuse_conflict(writes, head, [(key_of(writes.working.table, change.rows), None)])
        if head.table.version < writes.working.table.version:
            head = adopted(head, writes.working.table)
        with _first_committer_wins():
            resolved = resolve(head, change, OnExisting.REPLACE, files)
        after = self._store.stage(head, resolved, batch)
        for idempotency, outcome in writes.outcomes.items():
            if self._store.replayed(writes.state, idempotency) is not None:
                raise DatabaseError(
                    ErrorKind.CONFLICT, f"a request with idempotency key {idempotency.key!r} was committed first"
                )
            put_outcome(batch, head.scope, idempotency, replace(outcome, seq=after.last_seq))
        for note, outcome in writes.notes:
            batch.audit(note(replace(outcome, seq=after.last_seq), head.scope.user))
        return after


@contextmanager
def _first_committer_wins() -> Iterator[None]:
    """What was unique as the transaction saw it, and is not now, another one has written first."""
    try:
        yield
    except NotUniqueError as error:
        message = f"another transaction was first: {error.message}; nothing of this one was written: run it again"
        raise DatabaseError(ErrorKind.CONFLICT, message) from error
