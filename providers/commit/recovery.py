"""A scope as it was left: what its manifest names and its hot records, read back into a snapshot.

Hot records up to the manifest's `flushed_seq` are invisible, so a crash between a flush's publication and its cleaning
up changes nothing. Of each key in later records the last version counts, unless it is a tombstone; the cold rows that
they marked dead are applied to the batches that the manifest still lists, because a batch that is gone was rewritten
with its dead rows left out.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import DELETED_COLUMN, SEQ_COLUMN, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import Family, KeyValueStore
from manifest import dead_rows
from manifest.batch_entry import BatchFileEntry, DeletionEntry
from manifest.dead_rows import DeadRows
from providers.cold.scope_folder import ScopeFolder
from providers.commit.apply import add_versions, mark_dead
from providers.commit.lifetime import recorded_floor
from providers.damage import DamagedPart, named
from providers.hot import record
from providers.hot.record import HotRecord
from providers.hot.view import HotView
from providers.rows.change import key_of
from providers.rows.defaults import missing_values
from providers.rows.pieces import JOINED_BYTES_MAX, together
from providers.snapshot import ColdState, Snapshot


def load(keyvalue: KeyValueStore, cold: ColdState, joined_bytes_max: int = JOINED_BYTES_MAX) -> Snapshot:
    """Read what the manifest does not say. Of hot rows, at most `joined_bytes_max` bytes are looked at together."""
    table, scope, manifest = cold.table, cold.scope, cold.manifest
    dead = dead_rows_of(cold)
    first, end = record.record_key(scope, manifest.flushed_seq + 1), record.prefix_end(record.scope_prefix(scope))
    with named(table, scope, DamagedPart.HOT_ROWS):
        records = [record.decode(value) for _, value in keyvalue.scan(Family.HOT, first, end)]
        floor = recorded_floor(keyvalue, scope) if table.is_stream else 0
        return replay(cold, dead, records, max(manifest.max_seq, floor - 1), joined_bytes_max, floor)


def dead_rows_of(cold: ColdState) -> Mapping[int, DeadRows]:
    """What a scope's deletion files say, by batch; DamagedError names one that cannot be read."""
    dead = {}
    for entry in cold.manifest.with_deletions:
        if entry.dv is not None:
            with named(cold.table, cold.scope, DamagedPart.DELETIONS, entry.batch):
                dead[entry.batch] = read_dead_rows(cold.folder, entry, entry.dv)
    return dead


def replay(
    cold: ColdState,
    dead: Mapping[int, DeadRows],
    records: list[HotRecord],
    newest_cold: int,
    joined_bytes_max: int,
    floor: int = 0,
) -> Snapshot:
    """The state after all hot records, given in commit order. `newest_cold` is the largest `_seq` of what is not hot.

    Of a STREAM table, rows below the `floor` have left.
    """
    key = tuple(column.physical for column in cold.table.key_columns)
    snapshot = Snapshot(1, cold, dead, HotView(key, is_indexed=not cold.table.is_stream), newest_cold)
    if not records:
        return snapshot
    for entry in records:
        snapshot = replace(snapshot, dead=mark_dead(snapshot, entry.dead))
    missing = missing_values(cold.table)
    batches = [record.evolved(entry.rows, cold.table, missing) for entry in records]
    hot = snapshot.hot
    for some in together(batches, joined_bytes_max):
        hot = _with_versions(hot, cold.table, pa.Table.from_batches(some))
    last_seq = max(newest_cold, int(batches[-1].column(SEQ_COLUMN)[-1].as_py()))
    return replace(snapshot, hot=hot.above(floor), last_seq=last_seq)


def _with_versions(hot: HotView, table: TableDef, versions: pa.Table) -> HotView:
    """The view after some more versions, of which the last one of each key counts."""
    keys = key_of(table, versions)
    deleted = pc.fill_null(versions.column(DELETED_COLUMN), False).to_numpy(zero_copy_only=False)
    live = keys.last_of_each & ~deleted
    hot = hot.without(hot.find(keys)[1])
    return add_versions(hot, versions.filter(pa.array(live)), keys.take(np.flatnonzero(live)))


def read_dead_rows(folder: ScopeFolder, entry: BatchFileEntry, file: DeletionEntry) -> DeadRows:
    """The rows of a batch that its deletion file records; CORRUPT when that is not what the manifest says."""
    found = dead_rows.decode(folder.read_checked(file.path, file.checksum))
    if found.batch != entry.batch or found.dead.count != entry.dead:
        raise DatabaseError(ErrorKind.CORRUPT, "it contradicts its manifest")
    return found.dead
