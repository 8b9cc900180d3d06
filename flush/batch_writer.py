"""Rows to a batch: one sorted Parquet file, one bloom file, and the manifest entry that describes both.

The layout is chosen for reading (docs/formats/batch.md): LZ4, delta encoding for integers, dates, times, timestamps and
decimals of up to 18 digits (stored as integers), dictionaries only where values repeat, page index with small pages so
that a point look-up decodes 4,096 rows, row groups of 131,072 rows so that one file feeds several cores.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import bloom
from bloom import BloomFilter, hash_rows
from catalog.definition import BATCH_COLUMN, SEQ_COLUMN, Compression, Scope, TableDef
from manifest import footer
from manifest.batch_entry import BatchFileEntry, BloomEntry, ColumnRange
from manifest.footer import Footer, Lineage
from manifest.layout import batch_name, bloom_name, staged_name
from manifest.ranges import column_range
from providers.clock import timestamp
from providers.cold.files import KEY_FILTER
from providers.cold.scope_folder import ScopeFolder
from providers.rows.keys import Keys, is_text
from providers.rows.pieces import cuts

ROW_GROUP_ROWS = 131_072
PAGE_ROWS = 4_096
DICTIONARY_SHARE_MAX = 0.5
"""A text column gets a dictionary when a sample has at most this share of distinct values.

A row group is 16 times as large as the sample: half of it distinct means some 5,000 values, 4 % of a row group.
"""

SAMPLE_ROWS = 8_192
DECIMAL_AS_INTEGER_DIGITS = 18

ROWS_FOR_A_THREAD = 4_096
"""Fewer rows are described before a thread has begun."""

_CODECS = {Compression.LZ4: "lz4", Compression.ZSTD: "zstd", Compression.NONE: "none"}


@dataclass(frozen=True, eq=False)
class SortedRows:
    """Rows ready for a batch: physical columns and `_seq`, ascending by key, one row per key."""

    rows: pa.Table
    keys: Keys

    def parts(self, rows_max: int, bytes_max: int) -> Iterator["SortedRows"]:
        """The rows in parts for a batch each."""
        return (self.slice(start, count) for start, count in cuts(self.rows, rows_max, bytes_max))

    def slice(self, start: int, count: int) -> "SortedRows":
        """At most `count` rows from `start`."""
        if start == 0 and count >= self.rows.num_rows:
            return self
        end = min(start + count, self.rows.num_rows)
        return SortedRows(self.rows.slice(start, count), self.keys.take(np.arange(start, end, dtype=np.int64)))


def sort_by_key(rows: pa.Table, keys: Keys) -> tuple[SortedRows, npt.NDArray[np.int64] | None]:
    """Order rows by `keys`, which are theirs; also return the order used, None when they were sorted already."""
    if keys.are_sorted:
        return SortedRows(rows, keys), None
    order = _key_order(keys)
    return SortedRows(rows.take(pa.array(order)), keys.take(order)), order


def _key_order(keys: Keys) -> npt.NDArray[np.int64]:
    """Row positions by ascending key. NumPy sorts one integer column several times faster than Arrow."""
    if keys.ascending is not None and keys.ascending.rows is not None:
        return keys.ascending.rows
    named = pa.table(list(keys.columns), names=[f"k{i}" for i in range(len(keys.columns))])
    order = pc.sort_indices(named, sort_keys=[(name, "ascending") for name in named.column_names])
    return np.asarray(order.to_numpy()).astype(np.int64)


def write_batch(
    folder: ScopeFolder, batch: int, table: TableDef, scope: Scope, content: SortedRows, lineage: Lineage
) -> BatchFileEntry:
    """Write and sync a batch's files under staged names, which `next_manifest` replaces; return the batch's entry."""
    name = staged_name(batch_name(batch))
    file_rows = _file_rows(content.rows, table, batch)
    seqs = pc.min_max(file_rows.column(SEQ_COLUMN))
    about = describe(table, scope, batch, file_rows.num_rows, (seqs["min"].as_py(), seqs["max"].as_py()), lineage)

    def description() -> tuple[Mapping[int, ColumnRange], BloomEntry]:
        return _ranges(table, file_rows), _write_bloom(folder, batch, table, content)

    def content_written() -> tuple[str, int]:
        _write_parquet(folder.local_path(name), file_rows, table, footer.encode(about))
        folder.sync_file(name)
        return folder.checksum(name)

    if file_rows.num_rows < ROWS_FOR_A_THREAD:
        return entry_of(about, name, content_written(), *description())
    with ThreadPoolExecutor(max_workers=1) as beside:
        described = beside.submit(description)
        return entry_of(about, name, content_written(), *described.result())


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


def _file_rows(rows: pa.Table, table: TableDef, batch: int) -> pa.Table:
    count = rows.num_rows
    columns = [rows.column(column.physical) for column in table.columns]
    columns += [
        rows.column(SEQ_COLUMN),
        pa.repeat(pa.scalar(False), count),
        pa.repeat(pa.scalar(batch, pa.int32()), count),
        pa.array(np.arange(count, dtype=np.int32)),
    ]
    return pa.Table.from_arrays(columns, schema=table.file_schema)


def _write_parquet(path: str, rows: pa.Table, table: TableDef, metadata: dict[bytes, bytes]) -> None:
    shared = _shared_paths(rows.schema)
    dictionary = [BATCH_COLUMN, *(name for name in _repeating_text_columns(rows) if name not in shared)]
    pq.write_table(
        rows.replace_schema_metadata(metadata),
        path,
        compression=_CODECS[table.options.compression],
        row_group_size=ROW_GROUP_ROWS,
        use_dictionary=dictionary,
        column_encoding=_encodings(rows.schema, {*dictionary, *shared}),
        write_statistics=_columns_with_statistics(rows),
        write_page_index=True,
        max_rows_per_page=PAGE_ROWS,
        store_decimal_as_integer=True,
        use_compliant_nested_type=False,
        sorting_columns=[pq.SortingColumn(_first_leaf(rows.schema, column.physical)) for column in table.key_columns],
    )


def _first_leaf(schema: pa.Schema, name: str) -> int:
    """Number of a column in the file, where every leaf of a nested column counts. Engines trust the sort order."""
    before = schema.names[: schema.get_field_index(name)]
    return sum(_leaves(schema.field(earlier).type) for earlier in before)


def _leaves(data_type: pa.DataType) -> int:
    children = [data_type.field(index).type for index in range(data_type.num_fields)]
    return sum(map(_leaves, children)) if children else 1


def _columns_with_statistics(rows: pa.Table) -> list[str] | bool:
    """All columns but those that hold a NaN: the file format leaves it out of bounds, the engine sorts it last."""
    hidden = {field.name for field in rows.schema if _has_nan(rows.column(field.name))}
    return [name for name in rows.schema.names if name not in hidden] if hidden else True


def _has_nan(values: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_floating(values.type) and pc.any(pc.is_nan(values)).as_py())


def _repeating_text_columns(rows: pa.Table) -> list[str]:
    step = max(rows.num_rows // SAMPLE_ROWS, 1)
    sample = pa.array(np.arange(0, rows.num_rows, step, dtype=np.int64))
    names = []
    for field in rows.schema:
        if is_text(field.type):
            values = rows.column(field.name).take(sample)
            if pc.count_distinct(values, mode="all").as_py() <= max(len(values) * DICTIONARY_SHARE_MAX, 1):
                names.append(field.name)
    return names


def _encodings(schema: pa.Schema, others: set[str]) -> dict[str, str]:
    return {
        field.name: "DELTA_BINARY_PACKED"
        for field in schema
        if field.name not in others and _is_integer_backed(field.type)
    }


def _shared_paths(schema: pa.Schema) -> set[str]:
    """What would name several leaves of the file, like `a.b` for a column and a field: no setting may name it."""
    paths = Counter(path for field in schema for path in _leaf_paths(field.name, field.type))
    return {path for path, leaves in paths.items() if leaves > 1}


def _leaf_paths(path: str, data_type: pa.DataType) -> list[str]:
    if pa.types.is_list(data_type):
        return _leaf_paths(f"{path}.list.item", data_type.value_type)
    if pa.types.is_struct(data_type):
        return [leaf for child in data_type for leaf in _leaf_paths(f"{path}.{child.name}", child.type)]
    return [path]


def _is_integer_backed(data_type: pa.DataType) -> bool:
    if pa.types.is_decimal(data_type):
        return bool(data_type.precision <= DECIMAL_AS_INTEGER_DIGITS)
    return bool(pa.types.is_integer(data_type) or pa.types.is_temporal(data_type))


def _ranges(table: TableDef, rows: pa.Table) -> dict[int, ColumnRange]:
    return {column.id: column_range(rows.column(column.physical)) for column in table.columns}


def _write_bloom(folder: ScopeFolder, batch: int, table: TableDef, content: SortedRows) -> BloomEntry:
    fpp = table.options.bloom_fpp
    filters = {KEY_FILTER: BloomFilter.build(content.keys.hashes, fpp)}
    for column_id in table.options.bloom_columns:
        values = content.rows.column(table.by_id[column_id].physical).drop_null()
        filters[column_id] = BloomFilter.build(hash_rows([values]), fpp)
    data = bloom.encode(filters)
    name = staged_name(bloom_name(batch))
    return BloomEntry(name, tuple(filters), fpp, len(data), folder.write_synced(name, data))
