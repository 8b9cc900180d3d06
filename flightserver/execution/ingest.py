"""A stream of rows into one scope, as one commit.

Small streams become hot rows; from `BULK_ROWS_MIN` rows on they go straight to batches, a part at a time, on threads
of their own, so that receiving and writing overlap. At most four parts are in memory; where there is no room for what
waits, it is written early. A bulk commit flushes the scope's hot rows along, so a stream of less than one part that
finds more hot rows than it brings joins them instead.
A stream that replaces all rows is always a bulk commit. One into a STREAM table never is: its rows are hot, so it may
take what may be kept for its client.

The columns that a stream names are looked up when it begins; should one of them be another, or gone, when it ends, the
stream is refused.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from catalog.definition import DELETED_COLUMN, TableDef
from catalog.errors import DatabaseError
from catalog.grants import Privilege
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.guarding import Guard
from flush.bulk import PART_ROWS, BulkLoad
from providers.commit.idempotency import Idempotency, Outcome
from providers.commit.request import Request
from providers.commit.resolve import OnExisting
from providers.rows.change import Change
from providers.rows.conversion import Strictness
from providers.rows.offered import admitted
from providers.rows.pieces import cuts
from providers.snapshot import Snapshot

BULK_ROWS_MIN = 50_000
PART_BYTES_MAX = 128 << 20
PARTS_OF_LIMIT = 16
"""A part takes at most so small a share of the memory limit: with what is made of it, it is there several times."""

NoteBuffered = Callable[[int], None]
"""Told how many bytes of a stream are in memory; raises when that is too much."""


def ignore(_: int) -> None:
    """For streams whose memory is nobody's business."""


@dataclass(frozen=True)
class Load:
    """How a stream is taken: what happens to keys that exist, and how exactly types must match.

    With `replaces`, the stream takes the place of every row of its scope. `idempotency` is asked for at the end, when
    the whole stream has been seen. `note_buffered` is told what waits for more of the stream. Every row passes `guard`,
    if there is one.
    """

    rule: OnExisting = OnExisting.REPLACE
    strictness: Strictness = Strictness.STREAM
    idempotency: Callable[[], Idempotency | None] = lambda: None
    note_buffered: NoteBuffered = ignore
    replaces: bool = False
    guard: Guard | None = None


def ingest(
    database: Database, table: TableDef, context: Context, batches: Iterable[pa.RecordBatch], load: Load
) -> Outcome:
    """Take a whole stream with the columns that users know; an error leaves nothing of it."""
    stream = _Ingest(database, table, context, load)
    try:
        for batch in batches:
            stream.add(batch)
        return stream.finish(load.idempotency())
    except BaseException:
        stream.abort()
        raise


class _Ingest:
    """One stream: `add` rows, then `finish` or `abort` once."""

    def __init__(self, database: Database, table: TableDef, context: Context, load: Load) -> None:
        self._store = database.store
        self._table = table
        self._context = context
        self._load = load
        self._scope = context.scope(table)
        hides_rows = load.guard is not None and load.guard.hides_rows
        self._hiding = load.guard if hides_rows and load.rule is OnExisting.REPLACE else None
        self._may_be_bulk = not load.rule.skips and self._hiding is None and not table.is_stream
        self._named: tuple[str, ...] = ()
        self._buffer: list[pa.RecordBatch] = []
        self._rows = 0
        self._bytes = 0
        self._part_bytes = min(PART_BYTES_MAX, (database.settings.memory_limit_mb << 20) // PARTS_OF_LIMIT)
        self._bulk: BulkLoad | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows."""
        self._named = tuple(name for name in batch.schema.names if name != DELETED_COLUMN)
        self._buffer.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        part_is_full = self._rows >= PART_ROWS or self._bytes >= self._part_bytes
        if part_is_full and self._may_be_bulk:
            self._stage()
        try:
            self._load.note_buffered(self._bytes)
        except DatabaseError:
            if not self._may_be_bulk:
                raise
            self._stage()
            self._load.note_buffered(self._bytes)

    def finish(self, idempotency: Idempotency | None) -> Outcome:
        """Commit the whole stream."""
        request = Request(idempotency, self._context.request.note)
        if self._hiding is not None:
            return self._finish_guarded(self._hiding, request)
        if not self._may_be_bulk or (self._bulk is None and self._is_small()):
            return self._context.work.offer(self._scope, self._take(), self._named, self._load.rule, request)
        bulk = self._stage()
        bulk.finish()
        return self._context.work.take(self._scope, bulk, request)

    def _finish_guarded(self, guard: Guard, request: Request) -> Outcome:
        """Commit a stream that may replace rows, none of which is one that may not be changed."""
        change = self._take()

        def build(snapshot: Snapshot) -> Change:
            guard.refuse_hidden(snapshot, change)
            return change

        return self._context.work.write(self._scope, build, self._load.rule, request)

    def abort(self) -> None:
        """Leave nothing of the stream behind."""
        if self._bulk is not None:
            self._bulk.abort()

    def _is_small(self) -> bool:
        if self._load.replaces:
            return False
        if self._rows < BULK_ROWS_MIN:
            return True
        (snapshot,) = self._context.work.snapshots([self._scope])
        return self._rows < snapshot.hot.live_count

    def _stage(self) -> BulkLoad:
        """Begin to write what is buffered."""
        if self._bulk is None:
            state = self._context.work.staging(self._scope)
            self._bulk = BulkLoad(
                self._store, state, self._table, self._load.rule, named=self._named, replaces=self._load.replaces
            )
        change = self._take()
        for start, count in cuts(change.rows, PART_ROWS, 2 * PART_BYTES_MAX):
            self._bulk.add(change.slice(start, count))
        return self._bulk

    def _take(self) -> Change:
        """What is buffered, in the table's form."""
        offered = _as_table(self._buffer, self._table)
        self._buffer, self._rows, self._bytes = [], 0, 0
        change = admitted(self._table, offered, self._context.user, self._store.allocator, self._load.strictness)
        if self._load.guard is not None:
            updates = [Privilege.UPDATE] if self._load.rule is OnExisting.REPLACE else []
            self._load.guard.admit(change.live_rows, Privilege.INSERT, *updates)
        return change


def _as_table(batches: Sequence[pa.RecordBatch], table: TableDef) -> pa.Table:
    return pa.Table.from_batches(batches) if batches else table.schema.empty_table()
