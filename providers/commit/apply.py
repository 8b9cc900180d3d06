"""From one snapshot to the next: pure functions of a resolved change, or of a new definition."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np
import pyarrow as pa

from catalog.definition import SEQ_COLUMN, Scope, TableDef
from catalog.keyvalue import AtomicWrite, Family
from manifest.dead_rows import DeadRows
from providers.commit.resolve import Resolved
from providers.hot import record
from providers.hot import view as hot_view
from providers.hot.record import HotRecord
from providers.hot.view import HotChunk, HotView, Seqs
from providers.rows.defaults import missing_values
from providers.rows.keys import Keys, Mask, Positions
from providers.rows.pieces import pieces
from providers.snapshot import Pins, Snapshot


def versions_of(table: TableDef, resolved: Resolved, seqs: Seqs) -> list[pa.RecordBatch]:
    """The versions of a change, tombstones too, in `_seq` order: its records of the log, one for each."""
    return list(hot_chunks(as_versions(table, resolved.rows, seqs, resolved.deleted)))


def as_versions(table: TableDef, rows: pa.Table, seqs: Seqs, deleted: Mask) -> pa.Table:
    """Rows with their ids, and whether they are tombstones, as hot records hold them."""
    columns = [rows.column(column.physical) for column in table.columns]
    columns += [pa.chunked_array([pa.array(seqs)]), pa.chunked_array([pa.array(deleted)])]
    return pa.Table.from_arrays(columns, schema=table.version_schema)


def put_records(
    batch: AtomicWrite, scope: Scope, versions: Sequence[pa.RecordBatch], dead: Mapping[int, Positions]
) -> None:
    """Put versions, and the cold rows that they mark dead, into a batch."""
    for chunk in versions:
        key = record.record_key(scope, int(chunk.column(SEQ_COLUMN)[0].as_py()))
        batch.put(Family.HOT, key, record.encode(HotRecord(chunk, dead)))
        dead = {}


def after_commit(snapshot: Snapshot, resolved: Resolved, versions: Sequence[pa.RecordBatch], seqs: Seqs) -> Snapshot:
    """The snapshot in which a change has happened."""
    hot, keys = snapshot.hot.without(resolved.dead_hot), resolved.keys
    if resolved.deleted.any():
        live = ~resolved.deleted
        versions, keys = _filtered(versions, live), keys.take(np.flatnonzero(live))
    hot = _with_chunks(hot, versions, keys)
    return Snapshot(
        version=snapshot.version + 1,
        cold=snapshot.cold,
        dead=mark_dead(snapshot, resolved.dead_cold),
        hot=hot,
        last_seq=int(seqs[-1]) if len(seqs) else snapshot.last_seq,
    )


def holding(snapshot: Snapshot, rows: pa.Table) -> Snapshot:
    """A state of the same scope that has these rows, in physical columns, and no other; keys may come again."""
    table, manifest = snapshot.table, snapshot.manifest
    nothing = replace(manifest, version=0, max_batch=0, flushed_seq=0, parts=(), last_bulk_commit=None)
    seqs = np.arange(1, rows.num_rows + 1, dtype=np.int64)
    versions = as_versions(table, rows, seqs, np.zeros(rows.num_rows, dtype=np.bool_))
    hot = HotView(snapshot.hot.key, tuple(map(HotChunk.of, hot_chunks(versions))), is_indexed=False)
    return Snapshot(0, replace(snapshot.cold, manifest=nothing, pins=Pins()), {}, hot, rows.num_rows)


def adopted(snapshot: Snapshot, table: TableDef) -> Snapshot:
    """The snapshot, read by another version of its table's definition."""
    missing = missing_values(table)
    chunks = tuple(
        HotChunk(record.evolved(chunk.rows, table, missing), chunk.seqs, chunk.live) for chunk in snapshot.hot.chunks
    )
    return replace(
        snapshot,
        version=snapshot.version + 1,
        cold=replace(snapshot.cold, table=table),
        hot=replace(snapshot.hot, chunks=chunks),
    )


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


def hot_chunks(versions: pa.Table) -> Iterator[pa.RecordBatch]:
    """Versions in the pieces that are records of the log and chunks of a view."""
    for piece in pieces(versions, hot_view.CHUNK_ROWS_MAX, hot_view.CHUNK_BYTES_MAX):
        yield from piece.combine_chunks().to_batches()


def add_versions(hot: HotView, versions: pa.Table, keys: Keys) -> HotView:
    """The view with live versions added; `keys` are their keys."""
    return _with_chunks(hot, hot_chunks(versions), keys)


def _filtered(chunks: Sequence[pa.RecordBatch], keep: Mask) -> list[pa.RecordBatch]:
    ends = accumulate(chunk.num_rows for chunk in chunks)
    return [chunk.filter(pa.array(keep[end - chunk.num_rows : end])) for chunk, end in zip(chunks, ends, strict=True)]


def _with_chunks(hot: HotView, chunks: Iterable[pa.RecordBatch], keys: Keys) -> HotView:
    start = 0
    for chunk in chunks:
        whole = chunk.num_rows == len(keys)
        here = np.arange(start, start + chunk.num_rows, dtype=np.int64)
        hot = hot.with_rows(chunk, keys if whole else keys.take(here))
        start += chunk.num_rows
    return hot
