"""Rows to a batch: one sorted Parquet file, one bloom file, and the manifest entry that describes both.

Rows come in pieces, so that a batch may be larger than what its writer holds: a row group, and a hash of each row.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

import bloom
from bloom import BloomFilter, hash_rows
from catalog.definition import SEQ_COLUMN, Scope, TableDef
from flush.parquet_file import ROW_GROUP_BYTES_MAX, ROW_GROUP_ROWS, ParquetFile
from manifest import footer
from manifest.batch_entry import BatchFileEntry, BloomEntry, ColumnRange
from manifest.footer import Footer, Lineage
from manifest.layout import batch_name, bloom_name, staged_name
from manifest.ranges import RangeMeter
from providers.clock import timestamp
from providers.cold.files import KEY_FILTER
from providers.cold.scope_folder import ScopeFolder
from providers.rows.change import key_of
from providers.rows.pieces import pieces

ROWS_FOR_A_THREAD = 4_096
"""Fewer rows are described before a thread has begun."""


@dataclass(frozen=True, eq=False)
class BatchRows:
    """Rows for a batch, ascending by key, one row per key: physical columns and `_seq`.

    They come in pieces, one for each row group, and are to be read once. `with_nan` are columns that may hold a NaN.
    """

    pieces: Iterator[pa.Table]
    with_nan: Collection[str]

    @classmethod
    def of(cls, rows: pa.Table) -> "BatchRows":
        """Rows that are in memory, one at least."""
        with_nan = {field.name for field in rows.schema if _has_nan(rows.column(field.name))}
        return cls(pieces(rows, ROW_GROUP_ROWS, ROW_GROUP_BYTES_MAX), with_nan)


@dataclass(frozen=True)
class NewBatch:
    """What a batch is to be: its number, whose rows it has, and which batches it takes the place of."""

    number: int
    table: TableDef
    scope: Scope
    lineage: Lineage = field(default_factory=Lineage)


def write_batch(folder: ScopeFolder, new: NewBatch, content: BatchRows) -> BatchFileEntry:
    """Write and sync a batch's files under staged names, which `next_manifest` replaces; return the batch's entry.

    While a piece is written, it is described beside.
    """
    name = staged_name(batch_name(new.number))
    found = _Description(new)
    with ThreadPoolExecutor(max_workers=1) as beside:
        with ParquetFile(folder.local_path(name), new.table, content.with_nan) as file:
            for piece in content.pieces:
                rows = _file_rows(piece, new, found.rows)
                described = found.begin(rows, beside)
                file.write(rows)
                described()
                del piece, rows  # before the next is made
            about = describe(new.table, new.scope, new.number, found.rows, found.seqs, new.lineage)
            file.end(footer.encode(about))
        folder.sync_file(name)
        return entry_of(about, name, folder.checksum(name), found.ranges(), _write_bloom(folder, new, found))


class _Description:
    """What is told of a batch's rows while they are written: ranges, ids, and the hashes of what has a bloom."""

    def __init__(self, new: NewBatch) -> None:
        self.rows = 0
        self.hashes: dict[int, list[npt.NDArray[np.uint64]]] = {}
        self._table = new.table
        self._meters = {column.id: RangeMeter(column.storage) for column in new.table.columns}
        self._seqs: list[int] = []

    @property
    def seqs(self) -> tuple[int, int]:
        """The smallest `_seq` and the largest."""
        return min(self._seqs), max(self._seqs)

    def ranges(self) -> dict[int, ColumnRange]:
        """The ranges of all columns."""
        return {column_id: meter.range() for column_id, meter in self._meters.items()}

    def begin(self, rows: pa.Table, beside: Executor) -> Callable[[], None]:
        """Describe a piece, beside if it is large; return what waits until that is done."""
        self.rows += rows.num_rows
        if rows.num_rows < ROWS_FOR_A_THREAD:
            self._describe(rows)
            return _nothing
        return beside.submit(self._describe, rows).result

    def _describe(self, rows: pa.Table) -> None:
        for column in self._table.columns:
            self._meters[column.id].add(rows.column(column.physical))
        ends = pc.min_max(rows.column(SEQ_COLUMN))
        self._seqs += [ends["min"].as_py(), ends["max"].as_py()]
        self.hashes.setdefault(KEY_FILTER, []).append(key_of(self._table, rows).hashes)
        for column_id in self._table.filtered:
            values = rows.column(self._table.by_id[column_id].physical).drop_null()
            self.hashes.setdefault(column_id, []).append(hash_rows([values]))


def _nothing() -> None:
    """There is nothing to wait for."""


def describe(table: TableDef, scope: Scope, batch: int, rows: int, seqs: tuple[int, int], lineage: Lineage) -> Footer:
    """What a new batch file says of itself; `seqs` are its smallest and its largest."""
    return Footer(
        table_id=scope.table_id,
        user_id=scope.user,
        batch=batch,
        schema_version=table.version,
        min_seq=seqs[0],
        max_seq=seqs[1],
        rows=rows,
        key=tuple(column.physical for column in table.key_columns),
        column_ids={column.physical: column.id for column in table.columns},
        lineage=lineage,
        created_at=timestamp(),
    )


def entry_of(
    about: Footer, path: str, content: tuple[str, int], ranges: Mapping[int, ColumnRange], bloom: BloomEntry | None
) -> BatchFileEntry:
    """The manifest's entry of a batch without dead rows; `content` is its file's checksum and size."""
    return BatchFileEntry(
        batch=about.batch,
        path=path,
        rows=about.rows,
        dead=0,
        bytes=content[1],
        checksum=content[0],
        min_seq=about.min_seq,
        max_seq=about.max_seq,
        schema_version=about.schema_version,
        columns=ranges,
        bloom=bloom,
        dv=None,
        created_at=about.created_at,
    )


def _file_rows(rows: pa.Table, new: NewBatch, start: int) -> pa.Table:
    """Rows as they stand in the file from a position on."""
    count = rows.num_rows
    columns = [rows.column(column.physical) for column in new.table.columns]
    columns += [
        rows.column(SEQ_COLUMN),
        pa.repeat(pa.scalar(False), count),
        pa.repeat(pa.scalar(new.number, pa.int32()), count),
        pa.array(np.arange(start, start + count, dtype=np.int32)),
    ]
    return pa.Table.from_arrays(columns, schema=new.table.file_schema)


def _has_nan(values: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_floating(values.type) and pc.any(pc.is_nan(values)).as_py())


def _write_bloom(folder: ScopeFolder, new: NewBatch, found: _Description) -> BloomEntry:
    fpp = new.table.options.bloom_fpp
    filters = {name: BloomFilter.build(np.concatenate(hashes), fpp) for name, hashes in found.hashes.items()}
    data = bloom.encode(filters)
    name = staged_name(bloom_name(new.number))
    return BloomEntry(name, tuple(filters), fpp, len(data), folder.write_synced(name, data))
