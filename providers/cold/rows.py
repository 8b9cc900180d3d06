"""The rows of a batch file, whole columns or row groups at a time: a Parquet file, or a segment.

A segment (docs/formats/segment.md) is an Arrow IPC file with the rows of a large stream in the order of their arrival.
It is mapped into memory, not read, and holds the user's columns only: `_seq`, `_deleted`, `_batch` and `_position`
follow from a row's position and what the file says of itself.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.definition import BATCH_COLUMN, DELETED_COLUMN, POSITION_COLUMN, SEQ_COLUMN
from manifest import footer
from manifest.footer import Footer
from manifest.layout import is_segment
from providers.cold.scope_folder import ScopeFolder
from providers.rows.sequence import SeqBlock

READ_BUFFER_BYTES = 64 << 10
"""Of each column of a file that is read as a stream."""

OFFSET_BYTES = 4
"""Of a value of no fixed width."""

_DERIVED: Mapping[str, Callable[[Footer], pa.Array]] = {
    SEQ_COLUMN: lambda about: pa.array(SeqBlock(about.min_seq, about.rows).ids()),
    DELETED_COLUMN: lambda about: pa.repeat(pa.scalar(False), about.rows),
    BATCH_COLUMN: lambda about: pa.repeat(pa.scalar(about.batch, pa.int32()), about.rows),
    POSITION_COLUMN: lambda about: pa.array(np.arange(about.rows, dtype=np.int32)),
}
"""The columns that a segment does not store."""


def read_rows(folder: ScopeFolder, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Some columns of a batch file by their physical names, or all."""
    path = folder.local_path(name)
    if not is_segment(name):
        return pq.read_table(path, columns=columns)
    with pa.memory_map(path) as file, pa.ipc.open_file(file) as reader:
        stored = reader.read_all()
    about = footer.decode(stored.schema.metadata)
    names = [*stored.schema.names, *_DERIVED] if columns is None else list(columns)
    arrays = [_DERIVED[name](about) if name in _DERIVED else stored.column(name) for name in names]
    return pa.table(dict(zip(names, arrays, strict=True)))


def read_footer(folder: ScopeFolder, name: str) -> Footer:
    """What a batch file says of itself."""
    path = folder.local_path(name)
    if not is_segment(name):
        return footer.decode(pq.read_metadata(path).metadata)
    with pa.memory_map(path) as file, pa.ipc.open_file(file) as reader:
        return footer.decode(reader.schema.metadata)


@dataclass(frozen=True)
class StreamedFile:
    """A Parquet file to be read from its first row to its last, a few rows at a time.

    `row_bytes` is what a row takes in memory, about: values of no fixed width are counted as they are encoded.
    """

    path: str
    columns: tuple[str, ...]
    row_bytes: float

    @classmethod
    def opened(cls, folder: ScopeFolder, name: str, columns: Collection[str]) -> "StreamedFile":
        """Those of some columns that a file has."""
        path = folder.local_path(name)
        metadata = pq.read_metadata(path)
        fields = [field for field in metadata.schema.to_arrow_schema() if field.name in columns]
        varying = frozenset(field.name for field in fields if not _width(field.type))
        encoded = sum(_encoded_bytes(metadata, group, varying) for group in range(metadata.num_row_groups))
        fixed = sum(_width(field.type) or OFFSET_BYTES for field in fields)
        return cls(path, tuple(field.name for field in fields), fixed + encoded / max(metadata.num_rows, 1))

    def batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        """The rows, at most so many at a time; what is read ahead is bounded, too."""
        with pq.ParquetFile(self.path, pre_buffer=False, buffer_size=READ_BUFFER_BYTES) as file:
            yield from file.iter_batches(rows, columns=list(self.columns))


def _width(data_type: pa.DataType) -> int:
    """Bytes of a value, 0 for text, bytes and what is nested."""
    try:
        return max(int(data_type.bit_width) // 8, 1)
    except ValueError:
        return 0


@dataclass(frozen=True)
class GroupBounds:
    """One row group of a Parquet file: its rows, and a column's bounds as they are stored; None where it has none."""

    rows: int
    low: int | bytes | None
    high: int | bytes | None


def group_bounds(folder: ScopeFolder, name: str, column: str) -> list[GroupBounds]:
    """The row groups of a Parquet file, with the bounds of a flat column."""
    metadata = pq.read_metadata(folder.local_path(name))
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    leaves = range(groups[0].num_columns)
    leaf = next(leaf for leaf in leaves if groups[0].column(leaf).path_in_schema == column)
    found = []
    for group in groups:
        known = group.column(leaf).statistics
        low, high = (known.min_raw, known.max_raw) if known is not None and known.has_min_max else (None, None)
        found.append(GroupBounds(group.num_rows, low, high))
    return found


def read_groups(
    folder: ScopeFolder, name: str, column: str, numbers: Sequence[int]
) -> Iterator[tuple[int, pa.ChunkedArray]]:
    """One column of some row groups of a Parquet file, each by its number."""
    with pq.ParquetFile(folder.local_path(name)) as file:
        for number in numbers:
            yield number, file.read_row_group(number, columns=[column]).column(0)


def group_starts(folder: ScopeFolder, name: str) -> tuple[int, ...]:
    """The position of the first row of each row group of a Parquet file."""
    metadata = pq.read_metadata(folder.local_path(name))
    rows = (metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
    return tuple(accumulate(rows, initial=0))[:-1]


def read_group(
    folder: ScopeFolder, name: str, group: int, columns: Sequence[str], is_worth: Callable[[int], bool]
) -> pa.Table | None:
    """Some columns of a row group of a Parquet file, unless their size as encoded there is not worth it.

    Texts that are dictionaries in the file stay dictionaries: plain, they could be a thousand times as large.
    """
    metadata = pq.read_metadata(folder.local_path(name))
    if not is_worth(_encoded_bytes(metadata, group, frozenset(columns))):
        return None
    repeating = dictionary_texts(metadata)
    with pq.ParquetFile(
        folder.local_path(name), metadata=metadata, read_dictionary=repeating, pre_buffer=False
    ) as file:
        return file.read_row_group(group, columns=list(columns), use_threads=False)


def _encoded_bytes(metadata: pq.FileMetaData, group: int, names: frozenset[str]) -> int:
    about = metadata.row_group(group)
    chunks = (about.column(number) for number in range(about.num_columns))
    return sum(c.total_uncompressed_size for c in chunks if not names.isdisjoint(_columns_of(c.path_in_schema)))


def _columns_of(path: str) -> list[str]:
    """What column a leaf may belong to: names may have dots, too."""
    parts = path.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def dictionary_texts(metadata: pq.FileMetaData) -> list[str]:
    """The columns of text and bytes that are dictionaries in the file: as such they decode in half the time."""
    if not metadata.num_row_groups:
        return []
    group = metadata.row_group(0)
    chunks = (group.column(number) for number in range(group.num_columns))
    return [
        chunk.path_in_schema
        for chunk in chunks
        if chunk.has_dictionary_page and chunk.physical_type == "BYTE_ARRAY" and "." not in chunk.path_in_schema
    ]
