"""What of a STREAM table is still there: its rows leave by age and by size, oldest first, as one range of `_seq`.

Invariants:
- a reader sees no row that is expired when it begins, whatever is still in memory or on disk;
- a commit leaves no more in memory than the table may take;
- the *floor* of a scope only rises: rows below it are gone for good. One that was made by size is durable with the
  commit that made it, because the rows that are left do not tell of it.

An id tells when it was handed out (`providers.rows.sequence`), so neither costs a look at a row.
"""

from dataclasses import replace

from catalog.definition import Scope, StreamLimits, TableDef
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from providers.hot import record
from providers.hot.view import CHUNK_ROWS_MAX, HotView
from providers.rows.sequence import first_seq_of, moment_of, seq_before
from providers.snapshot import Snapshot

FLOOR = b"stream_floor/"


def unexpired(snapshot: Snapshot, now_ms: int) -> Snapshot:
    """What a reader that begins now sees. It is the same version of the scope."""
    return _above(snapshot, living_since(snapshot.table, now_ms)) if snapshot.table.is_stream else snapshot


def living_since(table: TableDef, now_ms: int) -> int:
    """The smallest `_seq` that is not expired; 0 for what never expires."""
    limits = table.options.stream
    return 0 if limits is None else first_seq_of(limits.lives_since_ms(now_ms))


def seconds_to_live(snapshot: Snapshot, now_ms: int) -> float | None:
    """How long the oldest row in memory has to live, 0 when it is expired; None where there is none that ages."""
    limits = snapshot.table.options.stream
    if limits is None or not snapshot.hot.chunks:
        return None
    oldest = int(snapshot.hot.chunks[0].seqs[0])
    since = limits.lives_since_ms(now_ms)
    return max(moment_of(oldest) - since, 0) / 1_000 if oldest >= first_seq_of(since) else 0.0


def kept(snapshot: Snapshot, now_ms: int) -> Snapshot:
    """What stays in memory: rows that are not expired, and no more than the table may take."""
    limits = snapshot.table.options.stream
    if limits is None:
        return snapshot
    living = unexpired(snapshot, now_ms)
    within = _above(living, _floor_by_size(living.hot, limits))
    return within if within is snapshot else replace(within, hot=within.hot.released())


def without_rows(snapshot: Snapshot) -> Snapshot:
    """A scope from which every row so far is gone."""
    return replace(snapshot, hot=replace(snapshot.hot, chunks=(), floor=snapshot.last_seq + 1))


def put_floor(batch: AtomicWrite, snapshot: Snapshot) -> None:
    """Put the floor of a scope into a batch."""
    batch.put(Family.META, _floor_key(snapshot.scope), str(snapshot.hot.floor).encode())


def recorded_floor(keyvalue: KeyValueStore, scope: Scope) -> int:
    """The floor of a scope; 0 where nothing has left it by size."""
    stored = keyvalue.get(Family.META, _floor_key(scope))
    return int(stored) if stored else 0


def delete_below(batch: AtomicWrite, scope: Scope, floor: int, last_seq: int | None = None) -> None:
    """Delete the records whose rows are all below a floor, without looking for them.

    A record has ids of one block, so one that begins as many ids below the floor as a record may have ends below it.
    Those in between stay until the next time, unless the floor is above the `last_seq` of all.
    """
    is_above_all = last_seq is not None and floor > last_seq
    end = floor if is_above_all else seq_before(floor, CHUNK_ROWS_MAX)
    batch.delete_range(Family.HOT, record.scope_prefix(scope), record.record_key(scope, end))


def _floor_key(scope: Scope) -> bytes:
    return FLOOR + record.scope_prefix(scope)


def _above(snapshot: Snapshot, floor: int) -> Snapshot:
    hot = snapshot.hot.above(floor)
    return snapshot if hot is snapshot.hot else replace(snapshot, hot=hot)


def _floor_by_size(hot: HotView, limits: StreamLimits) -> int:
    """The smallest `_seq` among the newest rows that may stay."""
    rows_left, bytes_left = limits.max_rows, limits.max_bytes
    for chunk in reversed(hot.chunks):
        fitting = min(len(chunk.seqs), bytes_left * len(chunk.seqs) // max(chunk.nbytes, 1))
        first = max(len(chunk.seqs) - fitting, 0 if rows_left is None else chunk.first_of_newest(rows_left))
        if first:
            return int(chunk.seqs[first]) if first < len(chunk.seqs) else int(chunk.seqs[-1]) + 1
        bytes_left -= chunk.nbytes
        rows_left = None if rows_left is None else rows_left - chunk.live_count
    return 0
