"""A scope as it was left: manifest, deletion files and hot records, read back into a snapshot.

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

from catalog.definition import DELETED_COLUMN, SEQ_COLUMN, Scope, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import Family, KeyValueStore
from manifest import codec as manifest_codec
from manifest import dead_rows
from manifest.dead_rows import DeadRows
from manifest.entries import ManifestFile
from manifest.layout import MANIFEST_NAME
from providers.clock import timestamp
from providers.cold.scope_folder import ScopeFolder
from providers.commit.apply import add_versions, mark_dead
from providers.commit.bulk_record import recorded_version
from providers.hot import record
from providers.hot.record import HotRecord
from providers.hot.view import HotView
from providers.rows.change import key_of
from providers.rows.defaults import missing_values
from providers.snapshot import ColdState, Pins, Snapshot


def load(keyvalue: KeyValueStore, folder: ScopeFolder, table: TableDef, scope: Scope, pins: Pins) -> Snapshot:
    """Read a scope from disk. `pins` holds the snapshots of it that are still read from an earlier time."""
    manifest = _read_manifest(keyvalue, folder, table, scope)
    cold = ColdState(folder, table, scope, manifest, pins)
    prefix = record.scope_prefix(scope)
    stored = keyvalue.scan(Family.HOT, record.record_key(scope, manifest.flushed_seq + 1), record.prefix_end(prefix))
    records = [record.decode(value) for _, value in stored]
    newest = max([manifest.flushed_seq, *(entry.max_seq for entry in manifest.batches)])
    return replay(cold, _read_dead_rows(folder, manifest), records, newest)


def replay(cold: ColdState, dead: Mapping[int, DeadRows], records: list[HotRecord], newest_cold: int) -> Snapshot:
    """The state after all hot records, given in commit order. `newest_cold` is the largest `_seq` of the batches."""
    key = tuple(column.physical for column in cold.table.key_columns)
    snapshot = Snapshot(1, cold, dead, HotView(key), newest_cold)
    if not records:
        return snapshot
    for entry in records:
        snapshot = replace(snapshot, dead=mark_dead(snapshot, entry.dead))
    missing = missing_values(cold.table)
    rows = pa.Table.from_batches([record.evolved(entry.rows, cold.table, missing) for entry in records])
    keys = key_of(cold.table, rows)
    deleted = pc.fill_null(rows.column(DELETED_COLUMN), False).to_numpy(zero_copy_only=False)
    live = np.flatnonzero(keys.last_of_each & ~deleted)
    hot = add_versions(snapshot.hot, rows.take(pa.array(live)), keys.take(live))
    return replace(snapshot, hot=hot, last_seq=max(newest_cold, int(rows.column(SEQ_COLUMN)[-1].as_py())))


def _read_manifest(keyvalue: KeyValueStore, folder: ScopeFolder, table: TableDef, scope: Scope) -> ManifestFile:
    """A scope's manifest, an empty one before its first; CORRUPT when it is missing or older than it was.

    To go on without it would serve a table without its rows, and reclaim their files.
    """
    published = recorded_version(keyvalue, scope)
    stored = folder.read(MANIFEST_NAME)
    found = None if stored is None else manifest_codec.decode(stored)
    if published > (found.version if found else 0):
        raise DatabaseError(
            ErrorKind.CORRUPT,
            f"the manifest of table {table.name} is missing or older than it was; "
            "stop the server and run `flightserver rebuild`",
        )
    if found is not None:
        return found
    now = timestamp()
    return ManifestFile(table.id, table.name.namespace, table.name.table, scope.user, 0, now, now)


def _read_dead_rows(folder: ScopeFolder, manifest: ManifestFile) -> dict[int, DeadRows]:
    dead = {}
    for entry in manifest.batches:
        if entry.dv is not None:
            found = dead_rows.decode(folder.read_checked(entry.dv.path, entry.dv.checksum))
            if found.batch != entry.batch or found.dead.count != entry.dead:
                raise DatabaseError(ErrorKind.CORRUPT, f"deletion file {entry.dv.path} contradicts its manifest")
            dead[entry.batch] = found.dead
    return dead
