"""Which batches a query must read: column ranges first, then blooms for equality on the key and on bloom columns.

Pruning can only make a query faster: an unknown predicate, a missing range or a missing bloom keeps the batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from bloom import hash_rows
from manifest.batch_entry import BatchFileEntry
from manifest.predicate import AllOf, Comparison, InSet, Operator, Predicate, one_value
from providers.cold.files import KEY_FILTER, ColdFiles
from providers.cold.locate import may_contain_any
from providers.snapshot import Snapshot

BLOOM_VALUES_MAX = 1_000
"""Longer IN lists are not probed in blooms: nearly every batch would say maybe."""


@dataclass(frozen=True)
class Pruned:
    """The choice for one table: kept batches, and how many were ruled out by what."""

    total: int
    kept: tuple[BatchFileEntry, ...]
    by_range: int
    by_bloom: int
    hot_rows: int

    @cached_property
    def keeps_all(self) -> bool:
        """Tell whether nothing was ruled out."""
        return len(self.kept) == self.total


def prune(snapshot: Snapshot, predicate: Predicate, files: ColdFiles) -> Pruned:
    """Choose the batches that may hold a live row satisfying `predicate`."""
    entries = snapshot.manifest.batches
    total, hot_rows = len(entries), snapshot.hot.live_count
    if not entries:
        return Pruned(0, (), 0, 0, hot_rows)
    in_range = np.flatnonzero(snapshot.cold.ranges.may_match(predicate))
    candidates = in_range
    for filter_id, values in _bloom_questions(snapshot, predicate):
        if len(candidates):
            hashes = hash_rows(values)
            candidates = candidates[may_contain_any(snapshot.cold, candidates, filter_id, hashes, files)]
    return Pruned(
        total=total,
        kept=tuple(entries) if len(candidates) == total else tuple(entries[place] for place in candidates.tolist()),
        by_range=total - len(in_range),
        by_bloom=len(in_range) - len(candidates),
        hot_rows=hot_rows,
    )


def _bloom_questions(snapshot: Snapshot, predicate: Predicate) -> Iterator[tuple[int, list[pa.Array]]]:
    """Filter ids to ask, each with the values of which at least one must be in the batch."""
    wanted = dict(_equalities(predicate))
    key = snapshot.table.key
    if len(key) == 1 and key[0] in wanted:
        yield KEY_FILTER, [wanted[key[0]]]
    elif all(column_id in wanted and len(wanted[column_id]) == 1 for column_id in key):
        yield KEY_FILTER, [wanted[column_id] for column_id in key]
    for column_id in snapshot.table.filtered:
        if column_id in wanted:
            yield column_id, [wanted[column_id]]


def _equalities(predicate: Predicate) -> Iterator[tuple[int, pa.Array]]:
    """Columns that must equal one of some values."""
    match predicate:
        case AllOf(parts):
            for part in parts:
                yield from _equalities(part)
        case Comparison(column_id, Operator.EQUAL, value):
            yield column_id, one_value(value)
        case InSet(column_id, values) if 0 < len(values) <= BLOOM_VALUES_MAX:
            yield column_id, values
