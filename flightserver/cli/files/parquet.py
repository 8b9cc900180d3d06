"""Parquet files, with the checksums of their pages verified where they have some.

Moments of the old kind (INT96) have nanoseconds and more years than 64 bits of them. They are read in microseconds when
none has finer digits, else in nanoseconds when all lie within their years, else not at all.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet as pq

from flightserver.cli.errors import CommandError
from flightserver.cli.files.form import Rows

_INT96 = "INT96"
_MICROSECONDS_MAX = (2**63 - 1) // 1000
"""The farthest moment that has a count of nanoseconds."""


class ParquetFile:
    """A Parquet file."""

    def __init__(self, path: Path, batch_rows: int) -> None:
        self._path = path
        self._batch_rows = batch_rows
        self._unit = "us"
        with self._open("us") as file:
            self.schema = file.schema_arrow
            legacy = [name for name in file.schema_arrow.names if _is_legacy(file.schema, name)]
        if legacy:
            self._unit = self._unit_for(legacy)
            with self._open(self._unit) as file:
                self.schema = file.schema_arrow

    def rows(self) -> Iterator[Rows]:
        """All rows."""
        size = self._path.stat().st_size
        with self._open(self._unit) as file:
            total, done = max(file.metadata.num_rows, 1), 0
            for batch in file.iter_batches(batch_size=self._batch_rows):
                done += batch.num_rows
                yield Rows(batch, size * done // total)

    def _open(self, unit: str) -> pq.ParquetFile:
        return pq.ParquetFile(self._path, page_checksum_verification=True, coerce_int96_timestamp_unit=unit)

    def _unit_for(self, legacy: Sequence[str]) -> str:
        """The unit that holds every moment of the old kind."""
        is_fine = is_far = False
        with self._open("us") as coarse, self._open("ns") as fine:
            batches = (file.iter_batches(batch_size=self._batch_rows, columns=legacy) for file in (coarse, fine))
            for one, two in zip(*batches, strict=True):
                for microseconds, nanoseconds in zip(_moments(one), _moments(two), strict=True):
                    with np.errstate(over="ignore"):
                        is_fine |= bool(np.any(nanoseconds - microseconds * 1000))  # wrapped alike where they are far
                    is_far |= bool(np.any(np.abs(microseconds) > _MICROSECONDS_MAX))
        if is_fine and is_far:
            raise CommandError(
                f"{self._path}: {', '.join(legacy)}: some moments have nanoseconds, and others lie in years that"
                " TIMESTAMP(9) does not reach"
            )
        return "ns" if is_fine else "us"


def _is_legacy(schema: pq.ParquetSchema, name: str) -> bool:
    """Tell whether a column holds moments of the old kind, however deep."""
    leaves = (schema.column(index) for index in range(len(schema)))
    return any(
        leaf.physical_type == _INT96 and (leaf.path == name or leaf.path.startswith(f"{name}.")) for leaf in leaves
    )


def _moments(batch: pa.RecordBatch) -> Iterator[np.ndarray]:
    """The counts of all timestamps of a batch."""
    for column in batch.columns:
        yield from _timestamps(column)


def _timestamps(column: pa.Array) -> Iterator[np.ndarray]:
    if pa.types.is_timestamp(column.type):
        yield column.drop_null().cast(pa.int64()).to_numpy()
    elif pa.types.is_list(column.type):
        yield from _timestamps(column.flatten())
    elif pa.types.is_struct(column.type):
        for child in column.flatten():
            yield from _timestamps(child)
