"""Rows that are older than their table keeps them are deleted: whole batches by their ranges, then rows one by one.

It is a DELETE in effect. A row of a batch is marked dead, whoever has replaced it meanwhile: that it is old does not
change. A hot row is deleted by a commit, with the writer lock held. So no older version comes back, and a transaction
that writes such a row loses against it. Rows are seen until then.

A row is as old as a column says, where NULL is never old; else as its last version.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import SEQ, SEQ_COLUMN, Column, Retention, TableDef
from catalog.full_disk import full_disk_told
from flush.change import ColdChange, publish_change
from flush.work import Work
from manifest.batch_entry import BatchFileEntry
from manifest.predicate import Comparison, Operator
from providers.commit.definitions import require_same
from providers.commit.resolve import OnExisting
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.rows.change import Change
from providers.rows.defaults import columns_by, missing_values
from providers.rows.keys import Mask, Positions
from providers.rows.offered import tombstones
from providers.rows.sequence import first_seq_of
from providers.snapshot import Snapshot

_SEQ_TYPE = pa.int64()


@dataclass(frozen=True)
class Retained:
    """What went: rows that were live, and batches, which went as a whole."""

    rows: int = 0
    batches: int = 0

    def __add__(self, other: "Retained") -> "Retained":
        return Retained(self.rows + other.rows, self.batches + other.batches)


@dataclass(frozen=True, eq=False)
class _Age:
    """How old rows of a table may be, as it is defined: they are expired where the column lies below the bound."""

    table: TableDef
    column: Column
    bound: pa.Scalar

    @property
    def predicate(self) -> Comparison:
        """What an expired row satisfies."""
        return Comparison(self.column.id, Operator.LESS, self.bound)

    def expired(self, values: pa.Array | pa.ChunkedArray) -> Mask:
        """Tell which values lie below the bound."""
        below = pc.fill_null(pc.less(values, self.bound), False)
        return np.asarray(below.to_numpy(zero_copy_only=False) if isinstance(below, pa.Array) else below.to_numpy())


@full_disk_told()
def retain(store: ScopeStore, state: ScopeState, now_ms: int, work: Work) -> Retained:
    """Delete what a scope does not keep any more."""
    table = state.head.table
    if table.options.retention is None:
        return Retained()
    age = _age(table, table.options.retention, now_ms)
    with state.maintenance:
        done = _drop_batches(store, state, age)
        work.check()
        done += _kill_cold(store, state, age, work)
    return done + _delete_hot(store, state, age)


def _age(table: TableDef, retention: Retention, now_ms: int) -> _Age:
    """What is expired now. Of a DATE it is the days that have ended by then; moments without a zone are of UTC."""
    oldest_ms = now_ms - round(retention.seconds * 1_000)
    if retention.column is None:
        return _Age(table, SEQ, pa.scalar(first_seq_of(oldest_ms), _SEQ_TYPE))
    column = table.by_id[retention.column]
    oldest = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=oldest_ms)
    if pa.types.is_date(column.storage):
        return _Age(table, column, pa.scalar(oldest.date(), column.storage))
    aware = oldest if column.storage.tz is not None else oldest.replace(tzinfo=None)
    return _Age(table, column, pa.scalar(aware, pa.timestamp("us", column.storage.tz)).cast(column.storage, safe=False))


def _drop_batches(store: ScopeStore, state: ScopeState, age: _Age) -> Retained:
    """Leave out the batches of which every row is expired. Nothing is read."""
    with store.exclusive(state):
        head = state.head
        require_same(age.table, head.table)
        bounds = head.cold.ranges.bounds(age.column.id)
        whole = age.expired(bounds.high) & (bounds.null_count == 0)
        gone = [head.manifest.batches[place] for place in np.flatnonzero(whole).tolist()]
        if gone:
            publish_change(store, state, ColdChange(removed=[entry.batch for entry in gone]))
        return Retained(head.live_count - state.head.live_count, len(gone))


def _kill_cold(store: ScopeStore, state: ScopeState, age: _Age, work: Work) -> Retained:
    """Mark the expired rows of the other batches dead, all in one manifest."""
    snapshot = state.published
    require_same(age.table, snapshot.table)
    damaged = store.files.damages.batches(snapshot.scope)
    expired: dict[int, Positions] = {}
    for place in np.flatnonzero(snapshot.cold.ranges.may_match(age.predicate)).tolist():
        entry = snapshot.manifest.batches[place]
        if entry.batch in damaged:
            continue
        positions = _expired_in(store, snapshot, entry, age)
        if len(positions):
            expired[entry.batch] = positions
            work.did(len(positions), 0)
        work.check()
    with store.exclusive(state):
        head = state.head
        listed = head.manifest.by_number
        dead = {
            batch: head.dead_in(listed[batch]).with_positions(positions)
            for batch, positions in expired.items()
            if batch in listed
        }
        if dead:
            publish_change(store, state, ColdChange(dead=dead))
        return Retained(head.live_count - state.head.live_count)


def _expired_in(store: ScopeStore, snapshot: Snapshot, entry: BatchFileEntry, age: _Age) -> Positions:
    """Where the live rows of a batch are that are expired."""
    live: npt.NDArray[np.bool_] = snapshot.dead_in(entry).live_mask
    if age.column is SEQ:
        values: pa.Array | pa.ChunkedArray = pa.array(store.files.seqs(snapshot.cold, entry))
    elif entry.schema_version >= age.column.added:
        values = store.files.rows(snapshot.cold, entry, [age.column.physical]).column(0)
    else:
        schema = pa.schema([pa.field(age.column.physical, age.column.storage)])
        rows = store.files.rows(snapshot.cold, entry, [SEQ_COLUMN])
        (values,) = columns_by(rows, schema, missing_values(snapshot.table))
    return np.flatnonzero(age.expired(values) & live)


def _delete_hot(store: ScopeStore, state: ScopeState, age: _Age) -> Retained:
    """Delete the expired hot rows, in one commit."""

    def build(head: Snapshot) -> Change:
        require_same(age.table, head.table)
        names = [column.physical for column in head.table.key_columns]
        schema = pa.schema([head.table.stored_schema.field(name) for name in names])
        old = [batch.filter(pa.array(_expired_hot(batch, age))).select(names) for batch in head.hot.batches]
        keys = [pa.chunked_array([batch.column(name) for batch in old], schema.field(name).type) for name in names]
        return tombstones(head.table, pa.Table.from_arrays(keys, schema=schema))

    snapshot = state.published
    require_same(age.table, snapshot.table)
    if not any(_expired_hot(batch, age).any() for batch in snapshot.hot.batches):
        return Retained()
    return Retained(store.write(state, build, OnExisting.REPLACE).affected)


def _expired_hot(batch: pa.RecordBatch, age: _Age) -> Mask:
    return age.expired(batch.column(age.column.physical))
