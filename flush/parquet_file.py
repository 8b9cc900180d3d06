"""One Parquet file in the layout that is made for reading (docs/formats/batch.md), written row group by row group.

LZ4, delta encoding for integers, dates, times, timestamps and decimals of up to 18 digits (stored as integers),
dictionaries only where values repeat, page index with small pages so that a point look-up decodes 4,096 rows. Row
groups have 131,072 rows so that one file feeds several cores, and fewer where rows are large: a writer holds one.

Each column has its stable id as its field id, so that other table formats can name the same file's columns.
"""

from collections import Counter
from collections.abc import Collection
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalog.definition import BATCH_COLUMN, SEQ_COLUMN, Compression, TableDef
from providers.rows.keys import is_text

ROW_GROUP_ROWS = 131_072
ROW_GROUP_BYTES_MAX = 16 << 20
"""A row group's rows in memory; one row may be larger."""

PAGE_ROWS = 4_096
DICTIONARY_SHARE_MAX = 0.5
"""A text column gets a dictionary when a sample has at most this share of distinct values.

A row group is 16 times as large as the sample: half of it distinct means some 5,000 values, 4 % of a row group.
"""

SEQ_FIELD_ID = 2_000_000_000
"""Above all ids of columns, and below those that Iceberg keeps for itself."""

SAMPLE_ROWS = 8_192
DECIMAL_AS_INTEGER_DIGITS = 18

_CODECS = {Compression.LZ4: "lz4", Compression.ZSTD: "zstd", Compression.NONE: "none"}


class ParquetFile:
    """A file of a table's batch while it is written; what it repeats is told by its first rows.

    Columns `with_nan` get no statistics: the format leaves a NaN out of bounds, and the engine sorts it last.
    """

    def __init__(self, path: str, table: TableDef, with_nan: Collection[str]) -> None:
        self._path = path
        self._table = table
        self._with_nan = with_nan
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> "ParquetFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, rows: pa.Table) -> None:
        """Add a row group."""
        if self._writer is None:
            self._writer = self._opened(rows)
        self._writer.write_table(rows, ROW_GROUP_ROWS)

    def end(self, metadata: dict[bytes, bytes]) -> None:
        """Say what the file is, after its rows."""
        if self._writer is not None:
            self._writer.add_key_value_metadata(metadata)

    def _opened(self, first: pa.Table) -> pq.ParquetWriter:
        schema = first.schema
        shared = _shared_paths(schema)
        dictionary = [BATCH_COLUMN, *(name for name in _repeating_text_columns(first) if name not in shared)]
        with_bounds = [name for name in schema.names if name not in self._with_nan]
        key = [column.physical for column in self._table.key_columns]
        return pq.ParquetWriter(
            self._path,
            _with_field_ids(schema, self._table),
            compression=_CODECS[self._table.options.compression],
            use_dictionary=dictionary,
            column_encoding=_encodings(schema, {*dictionary, *shared}),
            write_statistics=with_bounds if self._with_nan else True,
            write_page_index=True,
            max_rows_per_page=PAGE_ROWS,
            store_decimal_as_integer=True,
            use_compliant_nested_type=False,
            sorting_columns=[pq.SortingColumn(_first_leaf(schema, name)) for name in key],
        )


def _with_field_ids(schema: pa.Schema, table: TableDef) -> pa.Schema:
    """The same columns with their ids. A row's address in this very file has none: it is nobody's column."""
    ids = {SEQ_COLUMN: SEQ_FIELD_ID, **{column.physical: column.id for column in table.columns}}
    return pa.schema(
        field.with_metadata({"PARQUET:field_id": str(ids[field.name])}) if field.name in ids else field
        for field in schema
    )


def _first_leaf(schema: pa.Schema, name: str) -> int:
    """Number of a column in the file, where every leaf of a nested column counts. Engines trust the sort order."""
    before = schema.names[: schema.get_field_index(name)]
    return sum(_leaves(schema.field(earlier).type) for earlier in before)


def _leaves(data_type: pa.DataType) -> int:
    children = [data_type.field(index).type for index in range(data_type.num_fields)]
    return sum(map(_leaves, children)) if children else 1


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
