"""From keys to live cold rows: ranges rule out batches, blooms rule out more, the batches' keys give positions.

The order of work is by cost: column ranges are one vectorised comparison for all batches, blooms cost microseconds a
batch for a few keys, a batch's keys must be read unless they are cached. For many keys the blooms are skipped where
they could not pay.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import Column
from manifest.batch_entry import BatchFileEntry
from manifest.parts import Part
from manifest.predicate import AllOf, Comparison, InSet, Operator, Predicate, Unknown
from manifest.ranges import RangeTable
from providers.cold.files import KEY_FILTER, ColdFiles
from providers.rows.keys import Keys, Mask, Positions
from providers.snapshot import FILTERS_TOGETHER, ColdState, Snapshot

FEW_KEYS = 64
"""Up to this many keys, blooms are probed for all batches at once."""


SOME_KEYS = 1_024
"""Up to this many keys, blooms tell for each key in which batches it may be."""

FEW_BATCHES = FILTERS_TOGETHER // 8
"""Up to so many batches are asked one by one."""


@dataclass(frozen=True, eq=False)
class ColdRows:
    """Matches: `rows` of the keys asked for, and batch number and row position of each."""

    rows: Positions
    batches: npt.NDArray[np.int64]
    positions: Positions

    @classmethod
    def concat(cls, parts: "Sequence[ColdRows]") -> "ColdRows":
        """All matches of several look-ups."""
        empty = np.empty(0, dtype=np.int64)
        return cls(
            np.concatenate([empty, *(part.rows for part in parts)]),
            np.concatenate([empty, *(part.batches for part in parts)]),
            np.concatenate([empty, *(part.positions for part in parts)]),
        )


NO_COLD_ROWS = ColdRows.concat([])


def find_cold(snapshot: Snapshot, keys: Keys, files: ColdFiles, bounds: Predicate | None = None) -> ColdRows:
    """Return the live cold row of every key that has one.

    `bounds` is what every row with one of the keys satisfies; it is measured when it is not given.
    """
    if not snapshot.manifest.parts:
        return NO_COLD_ROWS
    return find_in(snapshot, candidates(snapshot.cold, keys, files, bounds), keys, files)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Batches that may have a live row of some keys, as indexes into the manifest's, and how many ranges left.

    `rows` are those of the keys that each may have, where that is known.
    """

    batches: Positions
    in_range: int
    rows: tuple[Positions, ...] | None = None


def candidates(cold: ColdState, keys: Keys, files: ColdFiles, bounds: Predicate | None = None) -> Candidates:
    """The batches that neither ranges nor blooms rule out; of many keys no blooms are asked."""
    if not len(cold.manifest.batches) or not len(keys):
        return Candidates(np.empty(0, dtype=np.int64), 0)
    bounds = key_bounds(cold.table.key_columns, keys.columns) if bounds is None else bounds
    found = np.flatnonzero(cold.ranges.may_match(bounds))
    in_range = len(found)
    if in_range > FEW_BATCHES and 1 < len(keys) <= SOME_KEYS:
        return _by_batch(cold, found, keys, files)
    if in_range and len(keys) <= FEW_KEYS:
        found = found[may_contain_any(cold, found, KEY_FILTER, keys.hashes, files)]
    return Candidates(found, in_range)


def _by_batch(cold: ColdState, in_range: Positions, keys: Keys, files: ColdFiles) -> Candidates:
    """Which batches may have which of some keys, by their blooms; one without a bloom may have any."""
    unasked = np.zeros(len(cold.manifest.batches), dtype=np.bool_)
    unasked[in_range] = True
    wanted = unasked.copy()
    batches, rows = [], []
    for all_places, neighbours in cold.filtered(KEY_FILTER, wanted):
        filters, found = files.sliced(cold, KEY_FILTER, neighbours).pairs(keys.hashes)
        places = all_places[filters]
        batches.append(places[wanted[places]])
        rows.append(found[wanted[places]])
        unasked[all_places] = False
    left = np.flatnonzero(unasked)
    batches.append(np.repeat(left, len(keys)))
    rows.append(np.tile(np.arange(len(keys)), len(left)))
    places, kept = np.concatenate(batches), np.concatenate(rows)
    order = np.argsort(places, kind="stable")
    distinct, starts = np.unique(places[order], return_index=True)
    return Candidates(distinct, len(in_range), tuple(np.split(kept[order], starts[1:])) if len(distinct) else ())


def find_in(snapshot: Snapshot, among: Candidates, keys: Keys, files: ColdFiles) -> ColdRows:
    """The live rows of some keys in some batches."""
    entries = snapshot.manifest.batches
    if among.rows is None:
        return ColdRows.concat([_find_in(snapshot, entries[index], keys, files) for index in among.batches.tolist()])
    parts = []
    for index, rows in zip(among.batches.tolist(), among.rows, strict=True):
        found = _find_in(snapshot, entries[index], keys.take(rows), files)
        parts.append(ColdRows(rows[found.rows], found.batches, found.positions))
    return ColdRows.concat(parts)


def entry_bounds(cold: ColdState, entry: BatchFileEntry) -> Predicate:
    """What every row with a key of a batch satisfies."""
    ranges = RangeTable(cold.table, [Part((entry,))])
    parts: list[Predicate] = []
    for column in cold.table.key_columns:
        bounds = ranges.bounds(column.id)
        if bounds.low[0].is_valid:
            parts.append(Comparison(column.id, Operator.GREATER_EQUAL, bounds.low[0]))
            parts.append(Comparison(column.id, Operator.LESS_EQUAL, bounds.high[0]))
    return AllOf(tuple(parts))


def key_bounds(key: tuple[Column, ...], columns: tuple[pa.Array, ...]) -> Predicate:
    """What every row with one of the given keys satisfies: each key column lies within the keys' bounds."""
    parts: list[Predicate] = []
    for column, values in zip(key, columns, strict=True):
        if pa.types.is_floating(values.type) and pc.any(pc.is_nan(values)).as_py():
            continue
        if len(values) <= FEW_KEYS:
            parts.append(InSet(column.id, values))
            continue
        bounds = pc.min_max(values)
        parts.append(Comparison(column.id, Operator.GREATER_EQUAL, bounds["min"]))
        parts.append(Comparison(column.id, Operator.LESS_EQUAL, bounds["max"]))
    return AllOf(tuple(parts)) if parts else Unknown()


def may_contain_any(
    cold: ColdState, candidates: Positions, filter_id: int, hashes: npt.NDArray[np.uint64], files: ColdFiles
) -> Mask:
    """One flag for each candidate (index into the manifest's batches): its bloom may contain one of the hashes."""
    entries = cold.manifest.batches
    possible = np.ones(len(entries), dtype=np.bool_)
    one = int(hashes[0]) if len(hashes) == 1 else None
    if len(candidates) <= FEW_BATCHES:
        for place in candidates.tolist():
            found = files.filters(cold, entries[place]).get(filter_id)
            if found is not None:
                possible[place] = found.may_contain(hashes).any() if one is None else found.may_contain_one(one)
        return possible[candidates]
    wanted = np.zeros(len(entries), dtype=np.bool_)
    wanted[candidates] = True
    for places, batches in cold.filtered(filter_id, wanted):
        filters = files.sliced(cold, filter_id, batches)
        possible[places] = filters.any_of(hashes) if one is None else filters.may_contain(one)
    return possible[candidates]


def _find_in(snapshot: Snapshot, entry: BatchFileEntry, keys: Keys, files: ColdFiles) -> ColdRows:
    rows, positions = files.find_keys(snapshot.cold, entry, keys)
    dead = snapshot.dead.get(entry.batch)
    if dead is not None and len(rows):
        live = dead.are_live(positions)
        rows, positions = rows[live], positions[live]
    return ColdRows(rows, np.full(len(rows), entry.batch, dtype=np.int64), positions)
