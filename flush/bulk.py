"""A large stream straight to batches, as one commit.

While the stream arrives, every part is stripped of repeated keys and written as a segment that no manifest names; when
the scope has too many segments that are not settled yet, it is sorted and written as a Parquet batch at once. The disk
takes segments as they come; what it has not finished is waited for at the end.
At its end, keys that repeat from part to part are looked for, all at once; where there are any, later parts mark the
rows of earlier ones dead. Then, with the writer lock held, older versions in the table are found and marked, live hot
rows are flushed along (so that the manifest alone is the commit point), and one manifest makes everything visible. An
abort deletes the staged files: nothing of the stream remains. A transaction reads the staged batches before they are
published, through a snapshot whose manifest lists them beside those of the table.

A stream that replaces the scope's rows leaves out of that manifest whatever there was, and looks for nothing.

Ids are reserved when a part is written. Should another commit to the scope have come in between, its ids are larger, so
the parts are written again with newer ids before they are published: `_seq` order stays commit order.
"""

from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import SEQ_COLUMN, TableDef
from catalog.full_disk import full_disk_told
from flush.batch_writer import BatchRows, NewBatch, write_batch
from flush.change import ColdChange, publish_change
from flush.hot_flush import write_hot_rows
from flush.ordered_rows import key_order
from flush.segment_writer import write_segment
from flush.staging import Staging
from manifest.batch_entry import BatchFileEntry
from manifest.entries import ManifestFile
from manifest.files import Unsynced
from manifest.layout import is_segment
from manifest.parts import parts_of
from manifest.predicate import Predicate
from providers.clock import timestamp
from providers.cold.locate import ColdRows, entry_bounds, find_cold
from providers.commit.apply import mark_dead
from providers.commit.bulk_record import bulk_commit
from providers.commit.definitions import require_columns
from providers.commit.idempotency import Outcome
from providers.commit.request import PLAIN, Request
from providers.commit.resolve import OnExisting, by_batch, refuse_duplicates
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.commit.uniqueness import kept_values, may_repeat, refuse_repeated, refuse_taken
from providers.commit.work import Refuse, Written
from providers.hot.view import HotView
from providers.rows.change import Change, key_of
from providers.rows.keys import Keys, Mask, Positions, may_share
from providers.rows.sequence import SeqBlock
from providers.snapshot import ColdState, Snapshot

PART_ROWS = 524_288
"""Rows of a part, and so of a batch: large enough to write fast, small enough to hold a few in memory."""

PARTS_AT_A_TIME = 3
"""Parts being staged, beside the one that is received."""

SEGMENT_ROWS_MAX = 16 * PART_ROWS
SEGMENT_BYTES_MAX = 2 << 30
SEGMENTS_MAX = 64
"""How much of a scope may wait to be settled. More would make look-ups slow, and the disk full of it."""


@dataclass(frozen=True, eq=False)
class _Overwritten:
    """What a staged stream replaces in the table: hot rows by `_seq`, cold rows by batch."""

    hot: HotView
    cold: dict[int, Positions]


@dataclass(frozen=True, eq=False)
class _Part:
    """A staged part: its batch, None when it has no rows that stay, and the keys that it deletes."""

    entry: BatchFileEntry | None
    tombstones: Keys | None


class BulkLoad:
    """One stream on its way into one scope. Parts must be added in stream order; use `commit` or `abort` once.

    Parts are staged on threads of their own, `PARTS_AT_A_TIME` at most, while the caller receives the next. With `rule`
    REFUSE, a key that repeats or exists is an error; SKIP is not served here. `named` are the columns that the client
    gave values to. A load that `replaces` takes the place of all rows.
    """

    def __init__(
        self,
        store: ScopeStore,
        state: ScopeState,
        table: TableDef,
        rule: OnExisting = OnExisting.REPLACE,
        *,
        named: Collection[str] = (),
        replaces: bool = False,
    ) -> None:
        self.replaces = replaces
        self._rule = rule
        self._named = named
        self._store = store
        self._state = state
        self._table = table
        self._offered = 0
        self._is_shown = False
        self._threads = ThreadPoolExecutor(PARTS_AT_A_TIME, thread_name_prefix="ingest")
        self._running: list[Future[_Part]] = []
        self._unsynced = Unsynced()
        self._parts: list[_Part] = []
        self._values: dict[int, tuple[Keys, ...]] = {}
        self._staged = _empty_stage(state.head.cold, table)
        self._staging = Staging(store, state)

    @full_disk_told()
    def add(self, part: Change) -> None:
        """Begin to stage one part, of at most `PART_ROWS` rows. A failure of an earlier one may be raised here."""
        if not part.rows.num_rows:
            return
        self._offered += part.rows.num_rows
        self._collect(PARTS_AT_A_TIME - 1)
        count = part.rows.num_rows
        batch, seqs = self._staging.next_batch(), self._store.allocator.reserve_block(count)
        is_raw = self._may_stay_as_it_came(len(self._running) * count)
        self._running.append(self._threads.submit(self._stage, part, batch, seqs, is_raw=is_raw))

    def offered(self) -> int:
        """Rows of the stream."""
        return self._offered

    @full_disk_told()
    def finish(self) -> None:
        """Wait until everything is staged and synced; nothing may be added after that."""
        self._collect(0)
        self._threads.shutdown()
        self._unsynced.sync()

    @full_disk_told()
    def over(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with the stream on top, for readers who may see it before it is committed."""
        require_columns(self._table, snapshot.table, self._named)
        self.finish()
        self._kill_repeated()
        self._refuse_repeated_values()
        found = self._overwritten(snapshot)
        self._refuse_taken_values(snapshot, found)
        self._is_shown = True
        manifest = snapshot.manifest.with_changes(
            updated_at=timestamp(), added=self._entries, removed=self._removed(snapshot)
        )
        return replace(
            snapshot,
            version=snapshot.version + 1,
            cold=replace(snapshot.cold, manifest=manifest),
            dead={**mark_dead(snapshot, found.cold), **self._staged.dead},
            hot=found.hot,
            last_seq=max([snapshot.last_seq, *(entry.max_seq for entry in self._entries)]),
        )

    @full_disk_told()
    def commit(self, request: Request = PLAIN, refuse: Refuse | None = None) -> Outcome:
        """Make the whole stream visible and durable; `refuse` may raise for what it finds in the newest state."""
        self.finish()
        self._kill_repeated()
        self._refuse_repeated_values()
        with self._store.exclusive(self._state):
            replayed = self._store.replayed(self._state, request.idempotency)
            if replayed is not None:
                self.abort()
                self._store.wait_shown(self._state)
                return replayed
            head = self._state.head
            require_columns(self._table, head.table, self._named)
            if refuse is not None:
                refuse(head, self._written())
            self._stamp_after(head.last_seq)
            self._unsynced.sync()
            found = self._overwritten(head)
            self._refuse_taken_values(head, found)
            flushed = write_hot_rows(self._store, self._staging, replace(head, hot=found.hot))
            last_seq = max([self._first_free_seq(head), *(entry.max_seq for entry in self._entries)])
            outcome = Outcome(self._offered, last_seq)
            change = ColdChange(
                added=[*self._entries, *(part.entry for part in flushed)],
                removed=self._removed(head),
                dead={**mark_dead(head, found.cold), **self._staged.dead},
                flushed_seq=last_seq,
                schema_version=head.table.version,
                bulk_commit=partial(bulk_commit, request, outcome, head.scope.user),
                shown=self._entries if self._is_shown else (),
            )
            publish_change(self._store, self._state, change)
        return outcome

    def abort(self) -> None:
        """Delete everything that was staged, unless a manifest may name it already."""
        self._threads.shutdown()
        for part in self._running:
            if part.exception() is None:
                self._take(part.result())
        self._running = []
        self._unsynced.forget()
        before = self._staged
        self._staged = _empty_stage(before.cold, self._table)
        self._discard(before)
        self._staging.close()

    @property
    def _entries(self) -> Sequence[BatchFileEntry]:
        return self._staged.manifest.batches

    def _collect(self, running_max: int) -> None:
        """Wait, in stream order, until no more than `running_max` parts are being staged."""
        while len(self._running) > running_max:
            self._take(self._running[0].result())
            self._running.pop(0)

    def _take(self, part: _Part) -> None:
        """Put a staged part behind those before it."""
        self._parts.append(part)
        if part.entry is not None:
            manifest = self._staged.manifest.with_changes(updated_at=timestamp(), added=[part.entry])
            self._staged = replace(self._staged, cold=replace(self._staged.cold, manifest=manifest))

    def _stage(self, part: Change, batch: int, seqs: SeqBlock, *, is_raw: bool) -> _Part:
        """Write a part without the keys that it repeats. Runs beside others, and changes nothing that they see."""
        try:
            keys = key_of(self._table, part.rows)
            newest = keys.last_of_each
            self._refuse(keys, ~newest)
            if part.deleted is None and newest.all():
                return _Part(self._write(batch, part.rows, keys, seqs, is_raw=is_raw), None)
            deleted = part.deleted_mask
            gone, kept = np.flatnonzero(newest & deleted), np.flatnonzero(newest & ~deleted)
            tombstones = keys.take(gone) if len(gone) else None
            if not len(kept):
                self._staging.discard([batch])
                return _Part(None, tombstones)
            rows, seqs = part.rows.filter(pa.array(newest & ~deleted)), SeqBlock(seqs.first, len(kept))
            return _Part(self._write(batch, rows, keys.take(kept), seqs, is_raw=is_raw), tombstones)
        except BaseException:
            self._staging.discard([batch])
            raise

    def _write(self, batch: int, rows: pa.Table, keys: Keys, seqs: SeqBlock, *, is_raw: bool) -> BatchFileEntry:
        """Write rows with distinct keys as a segment, or as a batch."""
        scope, folder = self._staged.scope, self._staging.folder
        if is_raw:
            entry = write_segment(folder, batch, self._table, scope, rows, seqs, self._unsynced)
        else:
            if not keys.are_sorted:
                order = key_order(keys)
                rows, keys = rows.take(pa.array(order)), keys.take(order)
            content = BatchRows.of(rows.append_column(SEQ_COLUMN, pa.array(seqs.ids())))
            entry = write_batch(folder, NewBatch(batch, self._table, scope), content)
            self._store.files.put_key_index(scope, entry, keys)
        self._store.files.trust(scope, entry)
        self._values[batch] = kept_values(self._table, rows)
        return entry

    def _may_stay_as_it_came(self, waiting_rows: int) -> bool:
        """Tell whether little enough waits to be settled, with so many rows that are being staged."""
        older = () if self.replaces else self._state.head.manifest.segments
        segments = [*older, *self._staged.manifest.segments]
        return (
            len(segments) < SEGMENTS_MAX
            and sum(entry.rows for entry in segments) + waiting_rows < SEGMENT_ROWS_MAX
            and sum(entry.bytes for entry in segments) < SEGMENT_BYTES_MAX
        )

    def _kill_repeated(self) -> None:
        """Mark dead what later parts replace or delete in earlier ones."""
        if not self._has_repeats():
            return
        before: list[BatchFileEntry] = []
        for part in self._parts:
            if part.tombstones is not None:
                self._kill_in(before, part.tombstones, None)
            if part.entry is not None:
                keys = self._store.files.key_index(self._staged.cold, part.entry).keys
                self._kill_in(before, keys, entry_bounds(self._staged.cold, part.entry))
                before.append(part.entry)

    def _has_repeats(self) -> bool:
        """Tell whether a key may stand in two parts."""
        if any(part.tombstones is not None for part in self._parts):
            return True
        if len(self._entries) < 2 or self._is_ascending():
            return False
        files = self._store.files
        return may_share([files.key_index(self._staged.cold, entry).keys for entry in self._entries])

    def _is_ascending(self) -> bool:
        """Tell whether every part's first key column lies above that of the part before."""
        bounds = self._staged.cold.ranges.bounds(self._table.key[0])
        above = pc.greater(bounds.low.slice(1), bounds.high.slice(0, len(bounds.high) - 1))
        return bool(pc.all(pc.fill_null(above, False)).as_py())

    def _kill_in(self, entries: Sequence[BatchFileEntry], keys: Keys, bounds: Predicate | None) -> None:
        """Mark dead what some staged batches hold of these keys."""
        manifest = replace(self._staged.manifest, parts=parts_of(entries))
        earlier = replace(self._staged, cold=replace(self._staged.cold, manifest=manifest))
        found = find_cold(earlier, keys, self._store.files, bounds)
        self._refuse_repeats(found)
        self._staged = replace(self._staged, dead=mark_dead(self._staged, by_batch(found)))

    def _refuse_repeats(self, found: ColdRows) -> None:
        """Raise for keys that stand in an earlier part; the values for the message are read again."""
        if self._rule is OnExisting.REFUSE and len(found.rows):
            entry = self._staged.manifest.by_number[int(found.batches[0])]
            refuse_duplicates(
                self._table, self._read_keys(entry), found.positions[:1], "occurs twice in the same statement"
            )

    def _refuse(self, keys: Keys, faulty: Mask | Positions) -> None:
        """Raise when the rule forbids repeated keys and there are any."""
        if self._rule is OnExisting.REFUSE:
            refuse_duplicates(self._table, keys, faulty, "occurs twice in the same statement")

    def _written(self) -> Written:
        """The keys that a commit touches."""
        for entry in self._entries:
            keys = self._store.files.key_index(self._staged.cold, entry).keys
            yield keys, entry_bounds(self._staged.cold, entry)
        for part in self._parts:
            if part.tombstones is not None:
                yield part.tombstones, None

    def _removed(self, head: Snapshot) -> list[int]:
        """The batches that the stream takes the place of."""
        return [entry.batch for entry in head.manifest.batches] if self.replaces else []

    def _first_free_seq(self, head: Snapshot) -> int:
        """What `last_seq` is at least: rows that go leave a trace even where none come."""
        return int(self._store.allocator.reserve(1)[0]) if self.replaces else head.last_seq

    def _overwritten(self, head: Snapshot) -> _Overwritten:
        found: list[ColdRows] = []
        hot = head.hot
        if self.replaces:
            return _Overwritten(HotView(hot.key), {})
        if not head.manifest.batches and not hot.live_count:
            return _Overwritten(hot, {})
        files = self._store.files
        for entry in self._entries:
            keys = files.key_index(self._staged.cold, entry).keys
            found.append(find_cold(head, keys, files, entry_bounds(self._staged.cold, entry)))
            in_hot, seqs = hot.find(keys)
            if self._rule is OnExisting.REFUSE:
                self._refuse_existing(entry, np.concatenate([found[-1].rows, in_hot]))
            hot = hot.without(seqs)
        for keys in (part.tombstones for part in self._parts if part.tombstones is not None):
            found.append(find_cold(head, keys, files))
            hot = hot.without(hot.find(keys)[1])
        return _Overwritten(hot, by_batch(ColdRows.concat(found)))

    def _refuse_repeated_values(self) -> None:
        """Raise when two rows of the stream that stay have a value that is to be UNIQUE."""
        why = "occurs twice in the same statement"
        parts = [self._values[entry.batch] for entry in self._entries]
        refuse_repeated(self._staged, may_repeat(self._table, parts), self._store.files, why)

    def _refuse_taken_values(self, head: Snapshot, found: _Overwritten) -> None:
        """Raise when a row has such a value that the stream does not replace."""
        if not self.replaces:
            refuse_taken(replace(head, hot=found.hot), self._entries, self._staged, found.cold, self._store.files)

    def _refuse_existing(self, entry: BatchFileEntry, rows: Positions) -> None:
        """Raise for a staged batch some of whose keys exist."""
        if len(rows):
            refuse_duplicates(self._table, self._read_keys(entry), rows, "exists already")

    def _read_keys(self, entry: BatchFileEntry) -> Keys:
        """A staged batch's keys with their values."""
        names = [column.physical for column in self._table.key_columns]
        return key_of(self._table, self._store.files.rows(self._staged.cold, entry, names))

    def _stamp_after(self, seq: int) -> None:
        """Write the staged batches again with new ids when they have ids below `seq`."""
        if all(entry.min_seq > seq for entry in self._entries):
            return
        before = self._staged
        self._staged = _empty_stage(before.cold, self._table)
        self._parts = [_Part(None, part.tombstones) for part in self._parts]
        dead = {}
        try:
            for entry in before.manifest.batches:
                rows = self._store.files.rows(before.cold, entry, self._table.row_schema.names)
                part = Change(pa.Table.from_arrays(rows.columns, schema=self._table.row_schema))
                batch, seqs = self._staging.next_batch(), self._store.allocator.reserve_block(entry.rows)
                self._take(self._stage(part, batch, seqs, is_raw=is_segment(entry.path)))
                if entry.batch in before.dead:
                    dead[batch] = before.dead[entry.batch]
        finally:
            self._discard(before)
        self._staged = replace(self._staged, dead=dead)

    def _discard(self, staged: Snapshot) -> None:
        """Delete staged files; those that somebody may read are reclaimed when nobody does."""
        numbers = [entry.batch for entry in staged.manifest.batches]
        if self._is_shown:
            self._staging.leave(numbers)
        else:
            self._staging.discard(numbers)


def _empty_stage(cold: ColdState, table: TableDef) -> Snapshot:
    """A scope of its own for the stream: no batches yet, no hot rows."""
    now = timestamp()
    manifest = ManifestFile(table.id, table.name.namespace, table.name.table, cold.scope.user, 0, now, now)
    key = tuple(column.physical for column in table.key_columns)
    return Snapshot(1, ColdState(cold.folder, table, cold.scope, manifest), {}, HotView(key), 0)
