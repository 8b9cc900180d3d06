"""Which live cold rows have some values in some columns: ranges and blooms rule out batches, values give positions.

It is what `locate` does for keys, for columns that batches are not sorted by. An index of the values is built when
a batch is first probed, and kept beside those of keys; which values are found is confirmed on the values themselves.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bloom import hash_rows
from catalog.definition import Column
from manifest.batch_entry import BatchFileEntry
from providers.cold.files import MANY_KEYS_SHARE, ColdFiles
from providers.cold.locate import FEW_KEYS, key_bounds, may_contain_any
from providers.rows.defaults import columns_by, missing_values
from providers.rows.keys import Mask, Positions
from providers.rows.unique_values import UniqueValues
from providers.snapshot import ColdState, Snapshot

NO_PLACES: Positions = np.empty(0, dtype=np.int64)


def have_values(
    snapshot: Snapshot,
    columns: Sequence[Column],
    wanted: UniqueValues,
    gone: Mapping[int, Positions],
    files: ColdFiles,
) -> Positions:
    """The places of those of `wanted` that a live cold row has, but one that is `gone`: positions by batch."""
    found = [NO_PLACES]
    for entry in _candidates(snapshot.cold, columns, wanted, files):
        asked = _possible(snapshot.cold, entry, columns, wanted, files)
        if len(asked):
            here = wanted if len(asked) == len(wanted) else wanted.take(asked)
            found.append(asked[_in_batch(snapshot, entry, columns, here, gone.get(entry.batch, NO_PLACES), files)])
    return np.unique(np.concatenate(found))


def live_values(snapshot: Snapshot, entry: BatchFileEntry, columns: Sequence[Column], files: ColdFiles) -> UniqueValues:
    """What the live rows of a batch have in some columns."""
    stored = _stored(snapshot.cold, entry, columns, files)
    dead = snapshot.dead.get(entry.batch)
    if dead is None or not dead.count:
        return UniqueValues.of(stored)
    live = pa.array(dead.live_mask)
    return UniqueValues.of([column.filter(live) for column in stored])


def _candidates(
    cold: ColdState, columns: Sequence[Column], wanted: UniqueValues, files: ColdFiles
) -> Iterator[BatchFileEntry]:
    """The batches that neither ranges nor blooms rule out; of many values no blooms are asked."""
    entries = cold.manifest.batches
    if not len(entries) or not len(wanted):
        return
    found = np.flatnonzero(cold.ranges.may_match(key_bounds(tuple(columns), wanted.stored)))
    if len(wanted) <= FEW_KEYS:
        for column, values in zip(columns, wanted.stored, strict=True):
            found = found[may_contain_any(cold, found, column.id, hash_rows([values]), files)]
    for place in found.tolist():
        yield entries[place]


def _possible(
    cold: ColdState, entry: BatchFileEntry, columns: Sequence[Column], wanted: UniqueValues, files: ColdFiles
) -> Positions:
    """The places of values that a batch may have, by its blooms, where it is cheaper to ask them than to read it."""
    possible = np.ones(len(wanted), dtype=np.bool_)
    if len(wanted) * MANY_KEYS_SHARE < entry.rows and not files.has_values(cold, entry, columns):
        filters = files.filters(cold, entry)
        for column, values in zip(columns, wanted.stored, strict=True):
            if column.id in filters:
                possible &= filters[column.id].may_contain(hash_rows([values]))
    return np.flatnonzero(possible)


def _in_batch(
    snapshot: Snapshot,
    entry: BatchFileEntry,
    columns: Sequence[Column],
    wanted: UniqueValues,
    gone: Positions,
    files: ColdFiles,
) -> Positions:
    """The places of values that a live row of a batch has."""
    cold = snapshot.cold
    index = files.values(cold, entry, columns, lambda: UniqueValues.of(_stored(cold, entry, columns, files)).index)
    places, positions = index.probe(wanted.keys)
    keep = _are_live(snapshot, entry, positions) & ~np.isin(positions, gone)
    places, positions = places[keep], positions[keep]
    if wanted.keys.exact or not len(places):
        return places
    index_of = pa.array(positions)
    theirs = [column.take(index_of) for column in _stored(cold, entry, columns, files)]
    return places[wanted.confirm(places, theirs)]


def _are_live(snapshot: Snapshot, entry: BatchFileEntry, positions: Positions) -> Mask:
    dead = snapshot.dead.get(entry.batch)
    found: npt.NDArray[np.bool_] = np.ones(len(positions), dtype=np.bool_) if dead is None else dead.are_live(positions)
    return found


def _stored(
    cold: ColdState, entry: BatchFileEntry, columns: Sequence[Column], files: ColdFiles
) -> list[pa.ChunkedArray]:
    """Columns of a batch as the definition reads them, those too that are younger than it."""
    names = [column.physical for column in columns]
    older = [column.physical for column in columns if column.added <= entry.schema_version]
    schema = pa.schema([pa.field(column.physical, column.storage) for column in columns])
    rows = files.rows(cold, entry, older or [cold.table.key_columns[0].physical])
    found = pa.Table.from_arrays(columns_by(rows, schema, missing_values(cold.table)), names=names)
    return list(found.columns)
