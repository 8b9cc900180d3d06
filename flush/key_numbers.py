"""Keys as numbers: equal numbers for equal keys, over the key columns of several sets of rows."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifest.rebuild import Numbers

KeyColumns = Sequence[pa.ChunkedArray]


def number_keys(parts: Sequence[KeyColumns]) -> list[Numbers]:
    """Give equal numbers to equal keys, over all parts; numbers are dense from 0."""
    columns = [
        pa.chunked_array([chunk for column in same for chunk in column.chunks], same[0].type)
        for same in zip(*parts, strict=True)
    ]
    numbers = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        codes = _codes(column)
        numbers = np.unique(numbers * (codes.max(initial=0) + 1) + codes, return_inverse=True)[1]
    return np.split(numbers, np.cumsum([len(part[0]) for part in parts])[:-1])


def _codes(column: pa.ChunkedArray) -> Numbers:
    """Equal numbers for equal values; -0.0 and 0.0 are one key."""
    values = pc.add(column, pa.scalar(0, column.type)) if pa.types.is_floating(column.type) else column
    codes: Numbers = values.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return codes
