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
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from enum import Enum, unique
from functools import partial

import numpy as np
import pyarrow as pa

from catalog.definition import Scope, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AtomicWrite
from catalog.registry import Registry
from catalog.store import CatalogStore
from catalog.store import Change as DefinitionChange
from manifest.predicate import Predicate
from providers.cold.files import ColdFiles
from providers.cold.locate import ColdRows, find_cold
from providers.commit.apply import adopted, after_commit, versions_of
from providers.commit.idempotency import Idempotency, Outcome, put_outcome, replayed_in
from providers.commit.resolve import OnExisting, resolve
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.commit.work import ScopeOf, StagedLoad
from providers.rows.change import Change, key_of
from providers.rows.keys import Keys, Mask
from providers.rows.offered import tombstones
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
class ScopeWrites:
    """What a transaction has written to one scope: `working` is what it reads, `base` what it began with.

    `deleted` holds the keys of its tombstones, which `working` shows only as rows that are not there.
    """

    state: ScopeState
    base: Snapshot
    working: Snapshot
    deleted: tuple[pa.Table, ...] = ()
    loads: tuple[StagedLoad, ...] = ()
    outcomes: Mapping[Idempotency, Outcome] = field(default_factory=dict)

    @property
    def only_load(self) -> StagedLoad | None:
        """The load that is all that was written, if one is."""
        written = self.deleted or self.working.hot.after(self.base.last_seq).chunks
        return self.loads[0] if len(self.loads) == 1 and not written else None

    @property
    def nbytes(self) -> int:
        """Memory that the changes take."""
        before = self.base.hot.parts()
        own = sum(size for part, size in self.working.hot.parts().items() if part not in before)
        return own + sum(int(keys.nbytes) for keys in self.deleted)

    def net_change(self, files: ColdFiles) -> Change:
        """All changes as one: tombstones first, so that a key that was written again is live."""
        table = self.working.table
        gone = tombstones(table, pa.concat_tables(self.deleted)) if self.deleted else None
        names = [column.physical for column in table.columns]
        hot = self.working.hot.after(self.base.last_seq)
        schema = table.row_schema
        parts = [pa.Table.from_batches([batch.select(names) for batch in hot.batches], schema)]
        for entry in self.working.manifest.batches if self.loads else ():
            if entry.batch not in self.base.manifest.by_number:
                live = self.working.dead_in(entry).live_mask
                parts.append(files.rows(self.working.cold, entry, names).cast(schema).filter(pa.array(live)))
        written = Change(pa.concat_tables(parts))
        return written if gone is None else Change.concat([Change(gone.rows.cast(schema), gone.deleted), written])


@dataclass(frozen=True, eq=False)
class _State:
    """Everything that a savepoint remembers."""

    registry: Registry
    writes: Mapping[Scope, ScopeWrites]


class Transaction:
    """One transaction. Its methods may be called from any thread; statements in it run one at a time."""

    def __init__(self, catalog: CatalogStore, store: ScopeStore) -> None:
        self._catalog = catalog
        self._store = store
        self._lock = threading.RLock()
        self._phase = Phase.OPEN
        self._moment: int | None = None
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

    def write(
        self,
        scope: ScopeOf,
        build: Callable[[Snapshot], Change],
        rule: OnExisting,
        idempotency: Idempotency | None = None,
    ) -> Outcome:
        """Carry out a change that only this transaction sees."""
        with self._lock:
            self._begin()
            writes = self._writes_of(*scope)
            earlier = self._replayed(writes, idempotency)
            if earlier is not None:
                return earlier
            working = writes.working
            resolved = resolve(working, build(working), rule, self._store.files)
            seqs = np.arange(1, resolved.rows.num_rows + 1, dtype=np.int64) + working.last_seq
            outcome = Outcome(resolved.affected, working.last_seq)
            after = working
            if len(seqs):
                after = after_commit(working, resolved, versions_of(working.table, resolved, seqs), seqs)
                writes.state.pin(after)
            gone = _keys_only(working.table, resolved.rows.filter(pa.array(resolved.deleted)))
            self._keep(
                replace(
                    writes,
                    working=after,
                    deleted=(*writes.deleted, gone) if gone.num_rows else writes.deleted,
                    outcomes={**writes.outcomes, idempotency: outcome} if idempotency else writes.outcomes,
                )
            )
            return outcome

    def staging(self, scope: ScopeOf) -> ScopeState:
        """The scope by its committed definition: nobody else must meet a new one before its time."""
        with self._lock:
            self._begin()
            return self._writes_of(*scope).state

    def take(self, scope: ScopeOf, load: StagedLoad, idempotency: Idempotency | None) -> Outcome:
        """Carry out a staged load for this transaction alone; its files go when the transaction ends otherwise."""
        with self._lock:
            self._begin()
            writes = self._writes_of(*scope)
            earlier = self._replayed(writes, idempotency)
            if earlier is not None:
                load.abort()
                return earlier
            after = load.over(writes.working)
            writes.state.pin(after)
            self._loads.append(load)
            outcome = Outcome(load.offered(), writes.working.last_seq)
            outcomes = {**writes.outcomes, idempotency: outcome} if idempotency else writes.outcomes
            self._keep(replace(writes, working=after, loads=(*writes.loads, load), outcomes=outcomes))
            return outcome

    def define(self, change: DefinitionChange) -> None:
        """Change definitions for this transaction alone."""
        with self._lock:
            self._begin()
            before, after = self._now.registry, change(self._now.registry)
            self._created |= {table.id: table for table in after.left_out_by(before)}
            self._now = replace(self._now, registry=after)

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
            self._require_open()
            try:
                self._commit()
            except DatabaseError as error:
                self._end(Phase.CONFLICTED if error.kind is ErrorKind.CONFLICT else Phase.ROLLED_BACK)
                raise
            except BaseException:
                self._end(Phase.ROLLED_BACK)
                raise
            self._end(Phase.COMMITTED)

    def rollback(self, phase: Phase = Phase.ROLLED_BACK) -> None:
        """Leave nothing of it; nothing happens when it has ended."""
        with self._lock:
            if self._phase is Phase.OPEN:
                self._end(phase)

    def _replayed(self, writes: ScopeWrites, idempotency: Idempotency | None) -> Outcome | None:
        earlier = self._store.replayed(writes.state, idempotency) or replayed_in(writes.outcomes, idempotency)
        return None if earlier is None else replace(earlier, replayed=True)

    def _begin(self) -> None:
        """Pin the moment, with the first statement: an open transaction that does nothing costs nothing."""
        self._require_open()
        if self._moment is None:
            self._moment, self._base = self._store.visibility.begin(lambda: self._catalog.registry)
            self._now = _State(self._base, {})

    def _require_open(self) -> None:
        if self._phase is not Phase.OPEN:
            raise DatabaseError(ErrorKind.NOT_FOUND, f"the transaction {self._phase.value}; begin another")

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
            raise _altered(table)
        if found.table.version < original.version:
            found = adopted(found, original)
            state.pin(found)
        return found

    def _writes_of(self, table: TableDef, user: str | None) -> ScopeWrites:
        """The writes to a scope, read by the newest of the transaction's own definitions."""
        scope = Scope(table.id, user)
        writes = self._now.writes.get(scope)
        if writes is None:
            base = self._read.get(scope) or self._as_begun(table, user)
            writes = ScopeWrites(self._store.state(base.table, user), base, base)
        if writes.working.table.version < table.version:
            after = adopted(writes.working, table)
            writes.state.pin(after)
            writes = replace(writes, working=after)
            self._keep(writes)
        return writes

    def _keep(self, writes: ScopeWrites) -> None:
        self._now = replace(self._now, writes={**self._now.writes, writes.base.scope: writes})

    def _commit(self) -> None:
        if self._moment is None:
            return
        batch = AtomicWrite()
        mine, base = self._now.registry, self._base
        written = [writes for writes in self._now.writes.values() if _has_changes(writes) and self._keeps(writes)]
        redefines = mine is not base
        if len(written) == 1 and not redefines and written[0].only_load is not None:
            self._commit_load(written[0], written[0].only_load)
            return
        definitions = (
            self._catalog.staged(lambda newest: mine.rebased(base, newest), batch) if redefines else nullcontext(None)
        )
        dropped = base.left_out_by(mine)
        with definitions as publish:
            if written or redefines:
                stages = [(w.state, partial(self._stage, w)) for w in written]
                self._store.write_together(stages, batch, publish)
        for table in dropped:
            self._store.drop_table(table)

    def _commit_load(self, writes: ScopeWrites, load: StagedLoad) -> None:
        """Commit a transaction that did nothing but load one stream."""

        def refuse(head: Snapshot, keys: Keys, bounds: Predicate | None) -> None:
            self._refuse_conflict(writes, head, keys, bounds)

        load.commit(next(iter(writes.outcomes), None), refuse)
        self._loads.remove(load)

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
        self._refuse_conflict(writes, head, key_of(writes.working.table, change.rows))
        if head.table.version < writes.working.table.version:
            head = adopted(head, writes.working.table)
        resolved = resolve(head, change, OnExisting.REPLACE, files)
        after = self._store.stage(head, resolved, batch)
        for idempotency, outcome in writes.outcomes.items():
            if self._store.replayed(writes.state, idempotency) is not None:
                raise DatabaseError(
                    ErrorKind.CONFLICT, f"a request with idempotency key {idempotency.key!r} was committed first"
                )
            put_outcome(batch, head.scope, idempotency, replace(outcome, seq=after.last_seq))
        return after

    def _refuse_conflict(
        self, writes: ScopeWrites, head: Snapshot, keys: Keys, bounds: Predicate | None = None
    ) -> None:
        """Raise CONFLICT when another commit changed the table's definition, or a row that has one of the keys."""
        if head.table.version != writes.base.table.version:
            raise _altered(head.table)
        lost = np.flatnonzero(changed_since(writes.base, head, keys, self._store.files, bounds))
        if len(lost):
            where = f", at key {keys.describe(int(lost[0]))}" if keys.columns else ""
            raise DatabaseError(
                ErrorKind.CONFLICT,
                f"another transaction changed {head.table.name} first{where}; "
                "nothing of this transaction was written: run it again",
            )


def changed_since(
    base: Snapshot, head: Snapshot, keys: Keys, files: ColdFiles, bounds: Predicate | None = None
) -> Mask:
    """Tell which keys have a version in `head` that is newer than `base`, or lost the one that `base` has.

    `bounds` is what every row with one of the keys satisfies; it is measured when it is not given.
    """
    changed = np.zeros(len(keys), dtype=np.bool_)
    if not len(keys) or (head.last_seq, head.manifest.version) == (base.last_seq, base.manifest.version):
        return changed
    hot_rows, hot_seqs = head.hot.find(keys)
    cold = find_cold(head, keys, files, bounds)
    present = np.zeros(len(keys), dtype=np.bool_)
    present[hot_rows] = present[cold.rows] = True
    existed = np.zeros(len(keys), dtype=np.bool_)
    existed[base.hot.find(keys)[0]] = existed[find_cold(base, keys, files, bounds).rows] = True
    changed[hot_rows[hot_seqs > base.last_seq]] = True
    changed[cold.rows[_cold_seqs(head, cold, base.last_seq, files) > base.last_seq]] = True
    return changed | (existed & ~present)


def _cold_seqs(head: Snapshot, found: ColdRows, since: int, files: ColdFiles) -> np.ndarray:
    """The `_seq` of cold rows; those of batches without a newer one than `since` are not read and count as 0."""
    seqs = np.zeros(len(found.rows), dtype=np.int64)
    for batch in np.unique(found.batches):
        entry = head.manifest.by_number[int(batch)]
        if entry.max_seq > since:
            here = found.batches == batch
            seqs[here] = files.seqs(head.cold, entry)[found.positions[here]]
    return seqs


def _has_changes(writes: ScopeWrites) -> bool:
    return writes.working.last_seq > writes.base.last_seq or bool(writes.outcomes) or bool(writes.loads)


def _keys_only(table: TableDef, rows: pa.Table) -> pa.Table:
    return rows.select([column.physical for column in table.key_columns])


def _altered(table: TableDef) -> DatabaseError:
    return DatabaseError(
        ErrorKind.CONFLICT, f"another transaction changed the definition of {table.name} first; run this one again"
    )
