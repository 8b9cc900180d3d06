"""How large the numbers of a column are at most, as far as ranges and hot rows tell it cheaply."""

import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import Column
from providers.snapshot import Snapshot

HOT_ROWS_MAX = 1_000_000
"""More hot rows than that are not looked through."""


def largest_magnitude(snapshot: Snapshot, column: Column) -> float | None:
    """The largest distance from 0 of a column of numbers, whole where they are; None when it is not known or NaN."""
    bounds = snapshot.cold.ranges.bounds(column.id)
    is_known = bounds.low.is_valid().to_numpy(zero_copy_only=False) | bounds.all_null
    if not is_known.all() or snapshot.hot.live_count > HOT_ROWS_MAX:
        return None
    found = [bounds.low, bounds.high, *(batch.column(column.physical) for batch in snapshot.hot.batches)]
    ends = (pc.min_max(values) for values in found)
    if pa.types.is_floating(column.type) and any(pc.any(pc.is_nan(values)).as_py() for values in found):
        return None
    known = [end.as_py() for both in ends for end in (both["min"], both["max"]) if end.is_valid]
    return max(map(abs, known), default=0)
