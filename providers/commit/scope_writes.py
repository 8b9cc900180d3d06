"""What a transaction has written to one scope, as values: the state that it reads, and what it would commit."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from catalog.definition import TableDef
from providers.cold.files import ColdFiles
from providers.commit.apply import adopted, after_commit, versions_of
from providers.commit.idempotency import Idempotency, Outcome
from providers.commit.request import Note, Request
from providers.commit.resolve import Resolved
from providers.commit.scope_state import ScopeState
from providers.commit.work import StagedLoad
from providers.rows.change import Change
from providers.rows.defaults import columns_by, missing_values
from providers.rows.offered import tombstones
from providers.snapshot import Snapshot


@dataclass(frozen=True, eq=False)
class ScopeWrites:
    """What a transaction has written to one scope: `working` is what it reads, `base` what it began with.

    `deleted` holds the keys of its tombstones, which `working` shows only as rows that are not there. With `replaced`,
    every row of `base` is gone, too. `held` means that
    nobody else may have written rows to the scope by the commit.
    """

    state: ScopeState
    base: Snapshot
    working: Snapshot
    deleted: tuple[pa.Table, ...] = ()
    loads: tuple[StagedLoad, ...] = ()
    outcomes: Mapping[Idempotency, Outcome] = field(default_factory=dict)
    notes: tuple[tuple[Note, Outcome], ...] = ()
    replaced: bool = False
    held: bool = False

    @property
    def has_changes(self) -> bool:
        """Tell whether there is anything to commit."""
        return self.working.last_seq > self.base.last_seq or bool(
            self.outcomes or self.notes or self.loads or self.held
        )

    @property
    def only_load(self) -> StagedLoad | None:
        """The load that is all that was written, if one is."""
        written = self.deleted or self.working.hot.after(self.base.last_seq).chunks
        return self.loads[0] if len(self.loads) == 1 and not written and len(self.notes) <= 1 else None

    @property
    def nbytes(self) -> int:
        """Memory that the changes take."""
        before = self.base.hot.parts()
        own = sum(size for part, size in self.working.hot.parts().items() if part not in before)
        return own + sum(int(keys.nbytes) for keys in self.deleted)

    def with_change(self, resolved: Resolved) -> "ScopeWrites":
        """A change on top. Its ids are larger than all that the transaction sees, and nobody else's business."""
        if not resolved.rows.num_rows:
            return self
        table = self.working.table
        seqs = np.arange(1, resolved.rows.num_rows + 1, dtype=np.int64) + self.working.last_seq
        working = after_commit(self.working, resolved, versions_of(table, resolved, seqs), seqs)
        gone = _keys_of(table, resolved.rows.filter(pa.array(resolved.deleted)))
        return replace(self._pinned(working), deleted=(*self.deleted, gone) if gone.num_rows else self.deleted)

    def with_load(self, load: StagedLoad) -> "ScopeWrites":
        """A staged load on top."""
        loaded = self._pinned(load.over(self.working))
        if load.replaces:
            return replace(loaded, deleted=(), loads=(load,), replaced=True)
        return replace(loaded, loads=(*self.loads, load))

    def with_outcome(self, request: Request, outcome: Outcome) -> "ScopeWrites":
        """What a request did, for the case that it comes again, and for the audit log."""
        name, note = request.idempotency, request.note
        return replace(
            self,
            outcomes=self.outcomes if name is None else {**self.outcomes, name: outcome},
            notes=self.notes if note is None else (*self.notes, (note, outcome)),
        )

    def adopting(self, table: TableDef) -> "ScopeWrites":
        """The same, read by a newer version of the definition."""
        return self._pinned(adopted(self.working, table)) if self.working.table.version < table.version else self

    def net_change(self, files: ColdFiles) -> Change:
        """All changes as one: tombstones first, so that a key that was written again is live."""
        table = self.working.table
        schema, missing = table.row_schema, missing_values(table)
        names = [column.physical for column in table.columns]
        hot = self.working.hot.after(self.base.last_seq)
        parts = [pa.Table.from_batches([batch.select(names) for batch in hot.batches], schema)]
        for entry in self.working.manifest.batches if self.loads else ():
            if entry.batch not in self.base.manifest.by_number:
                live = self.working.dead_in(entry).live_mask
                rows = files.rows(self.working.cold, entry).filter(pa.array(live))
                parts.append(pa.Table.from_arrays(columns_by(rows, schema, missing), names).cast(schema))
        written = Change(pa.concat_tables(parts))
        gone = [*_live_keys(self.base, files), *self.deleted] if self.replaced else self.deleted
        if not gone:
            return written
        dead = tombstones(table, pa.concat_tables(gone))
        return Change.concat([Change(dead.rows.cast(schema), dead.deleted), written])

    def _pinned(self, working: Snapshot) -> "ScopeWrites":
        self.state.pin(working)
        return replace(self, working=working)


def _live_keys(snapshot: Snapshot, files: ColdFiles) -> list[pa.Table]:
    """The keys of every row of a scope, in physical columns."""
    names = [column.physical for column in snapshot.table.key_columns]
    found = [
        files.rows(snapshot.cold, entry, names).filter(pa.array(snapshot.dead_in(entry).live_mask))
        for entry in snapshot.manifest.batches
    ]
    found += [pa.Table.from_batches([batch.select(names)]) for batch in snapshot.hot.batches]
    schema = pa.schema([snapshot.table.row_schema.field(name) for name in names])
    return [pa.Table.from_arrays(keys.columns, schema=schema) for keys in found]


def _keys_of(table: TableDef, rows: pa.Table) -> pa.Table:
    return rows.select([column.physical for column in table.key_columns])
