"""A snapshot as DataFusion sees it: hot rows and cold batches merged into one native relation.

    clean batches  UNION ALL  dirty batches minus their dead rows  UNION ALL  segments' live rows  UNION ALL  hot rows

Everything is native but one mask: batches hold each row's address in `_batch` and `_position`, and a volatile function
of both returns a slice of the batch's live flags, which costs a few microseconds for some 10,000 rows. With nothing
dirty and an empty hot tier the relation is the plain Parquet scan. Because a batch never holds two live rows of a key,
every predicate may be pushed into every part.

Segments, batches that are still as they came, are mapped into memory and filtered there. So are a few small batches
that were scanned before and are kept decoded: opening a file costs more than reading ten thousand rows. The others are
named file by file; a folder is never listed. Batches of each version of the definition are scanned apart: files of one
scan must have the same columns, and those of an older one are filled with defaults.
"""

import threading
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import Enum, unique
from itertools import chain, count, groupby
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datafusion import DataFrame, Expr, SessionContext, col, lit, udf
from datafusion.catalog import Catalog, Schema, Table

from catalog.definition import BATCH_COLUMN, DELETED_COLUMN, POSITION_COLUMN, SEQ_COLUMN, Column, TableDef
from catalog.identifiers import quote_identifier
from catalog.plain import plain_values
from manifest.batch_entry import BatchFileEntry
from manifest.dead_rows import DeadRows
from manifest.layout import is_segment
from providers.cold.files import ColdFiles
from providers.cold.pruning import Pruned
from providers.engine.errors import engine_errors
from providers.hot.view import HotChunk
from providers.rows.defaults import missing_value
from providers.snapshot import ColdState, Snapshot

_CATALOG, _SCHEMA = "storage", "files"
_udf_number = count(1)

AT_HAND_ROWS_MAX = 500_000
AT_HAND_BATCHES_MAX = 64
"""What a scan may have that is read from memory: whatever was scanned twice stays there, and is filtered row by row."""

_Scans = dict["Columns", list[DataFrame]]
_Kept = dict[int, list[pa.RecordBatch]]


@unique
class Columns(Enum):
    """Which columns a relation has."""

    VISIBLE = "those of SELECT *"
    ALL = "every column of the table, a hidden key, `_seq` and `_deleted` included"


_ONE_ROW = pa.RecordBatch.from_struct_array(pa.array([{}], pa.struct([])))


def engine_type(data_type: pa.DataType) -> pa.DataType:
    """The type in which the engine handles a stored type: text and bytes as views."""
    if pa.types.is_string(data_type):
        return pa.string_view()
    return pa.binary_view() if pa.types.is_binary(data_type) else data_type


class Relations:
    """Builds relations in one DataFusion session and remembers what is worth remembering."""

    def __init__(self, context: SessionContext, files: ColdFiles, scratch: Path) -> None:
        self._context = context
        self._files = files
        self._scratch = scratch
        storage = Catalog.memory_catalog()
        self._schema = Schema.memory_schema()
        storage.register_schema(_SCHEMA, self._schema)
        context.register_catalog_provider(_CATALOG, storage)
        self.one_row = context.read_batches([_ONE_ROW]).into_view()
        """One row without columns."""
        self._lock = threading.Lock()
        self._shapes: dict[tuple[int, int, Columns], tuple[tuple[Column, ...], Table]] = {}
        self._shape_files = count()
        self._whole: WeakKeyDictionary[Snapshot, dict[Columns, Table]] = WeakKeyDictionary()
        self._hot: WeakKeyDictionary[HotChunk, dict[Columns, tuple[tuple[Column, ...], pa.RecordBatch]]] = (
            WeakKeyDictionary()
        )
        self._cold: WeakKeyDictionary[ColdState, tuple[Mapping[int, DeadRows], _Scans]] = WeakKeyDictionary()

    def shape(self, table: TableDef, columns: Columns) -> Table:
        """A relation with the table's columns and no rows, for planning; filters are pushed down to its scan.

        Transactions that are open, or were rolled back, may have other columns under the same version.
        """
        key = (table.id, table.version, columns)
        with self._lock:
            known, found = self._shapes.get(key, (None, None))
            if found is None or known != table.columns:
                path = self._scratch / f"shape-{next(self._shape_files)}.parquet"
                pq.write_table(pa.schema(_fields(table, columns)).empty_table(), path)
                found = self._listed([str(path)], f"t{table.id}").into_view()
                self._shapes[key] = (table.columns, found)
            return found

    def merged(self, snapshot: Snapshot, pruned: Pruned | None, columns: Columns) -> Table:
        """The live rows of a snapshot that lie in hot rows or kept batches; all batches when `pruned` is None."""
        entries = snapshot.manifest.batches if pruned is None or pruned.keeps_all else pruned.kept
        at_hand = self._at_hand(snapshot, entries, columns)
        if at_hand is not None:
            return self._united(snapshot, columns, at_hand)
        if pruned is not None and not pruned.keeps_all:
            return self._build(snapshot, pruned.kept, columns)
        with self._lock:
            known = self._whole.setdefault(snapshot, {})
        found = known.get(columns)
        if found is None:
            found = known[columns] = self._build(snapshot, snapshot.manifest.batches, columns)
        return found

    def of_rows(self, rows: pa.Table) -> Table:
        """Rows in memory as a relation, plain as those of tables."""
        rows = pa.table([plain_values(column) for column in rows.columns], rows.column_names)
        batches = rows.to_batches() or [pa.RecordBatch.from_pylist([], schema=rows.schema)]
        return self._context.read_batches(batches).into_view()

    def _build(self, snapshot: Snapshot, entries: Sequence[BatchFileEntry], columns: Columns) -> Table:
        whole = entries is snapshot.manifest.batches
        cold = self._all_cold_parts(snapshot, columns) if whole else self._cold_parts(snapshot, entries, columns)
        return self._united(snapshot, columns, list(cold))

    def _united(self, snapshot: Snapshot, columns: Columns, cold: list[DataFrame]) -> Table:
        """Cold parts and the hot rows as one relation."""
        parts = [*cold, *self._hot_parts(snapshot, columns)]
        if not parts:
            return self.shape(snapshot.table, columns)
        merged = parts[0]
        for part in parts[1:]:
            merged = merged.union(part)
        return merged.into_view()

    def _all_cold_parts(self, snapshot: Snapshot, columns: Columns) -> list[DataFrame]:
        """The scans of all batches, remembered until the manifest or a dead row changes: inserts keep them."""
        with self._lock:
            dead, known = self._cold.get(snapshot.cold, (None, {}))
            if dead is not snapshot.dead:
                known = {}
                self._cold[snapshot.cold] = (snapshot.dead, known)
        found = known.get(columns)
        if found is None:
            found = known[columns] = list(self._cold_parts(snapshot, snapshot.manifest.batches, columns))
        return found

    def _cold_parts(
        self,
        snapshot: Snapshot,
        entries: Sequence[BatchFileEntry],
        columns: Columns,
        kept: _Kept | None = None,
    ) -> Iterable[DataFrame]:
        def version(entry: BatchFileEntry) -> int:
            return entry.schema_version

        for written, group in groupby(sorted(entries, key=version), key=version):
            members = list(group)
            absent = _absent(snapshot.table, written)
            for entry in members:
                self._files.check(snapshot.cold, entry)
            selected = [_cold_column(column, column.id in absent) for column in _table_columns(snapshot.table, columns)]
            selected += [col(field.name) for field in _version_fields(columns)]
            segments = [entry for entry in members if is_segment(entry.path)]
            encoded = [entry for entry in members if not is_segment(entry.path)]
            schema = _file_schema(snapshot.table, absent)
            dead = {entry.batch: snapshot.dead[entry.batch] for entry in encoded if entry.batch in snapshot.dead}
            clean = [entry for entry in encoded if entry.batch not in dead]
            dirty = [entry for entry in encoded if entry.batch in dead]
            if clean:
                yield self._file_rows(snapshot.cold, clean, schema, kept).select(*selected)
            if dirty:
                live = _live_function(dead)(col(BATCH_COLUMN), col(POSITION_COLUMN))
                yield self._file_rows(snapshot.cold, dirty, schema, kept).filter(live).select(*selected)
            if segments:
                present = [field for field in snapshot.table.physical_schema if field.name in schema.names]
                rows = self._context.read_batches(self._segment_batches(snapshot, segments, pa.schema(present)))
                yield rows.select(*(_as_engine_has_it(field) for field in present)).select(*selected)

    def _segment_batches(
        self, snapshot: Snapshot, segments: Sequence[BatchFileEntry], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """The live rows of segments; what has no dead rows is not copied."""
        for entry in segments:
            dead = snapshot.dead.get(entry.batch)
            start = 0
            for batch in self._files.rows(snapshot.cold, entry, schema.names).to_batches():
                live = None if dead is None else dead.live_array.slice(start, len(batch))
                start += len(batch)
                rows = pa.RecordBatch.from_arrays(batch.columns, schema=schema)
                yield rows if live is None or pc.all(live).as_py() else rows.filter(live)

    def _file_rows(
        self, cold: ColdState, entries: Sequence[BatchFileEntry], schema: pa.Schema, kept: _Kept | None
    ) -> DataFrame:
        """The rows of batches, dead ones too, from what is kept or from their files."""
        if kept is None:
            return self._scan([cold.path(entry) for entry in entries], schema)
        return self._context.read_batches(chain.from_iterable(kept[entry.batch] for entry in entries))

    def _at_hand(
        self, snapshot: Snapshot, entries: Sequence[BatchFileEntry], columns: Columns
    ) -> list[DataFrame] | None:
        """The scans of a few small batches that are kept decoded; None when some batch is not.

        They hold the decoded rows, so they are kept and counted where those are.
        """
        if len(entries) > AT_HAND_BATCHES_MAX or sum(entry.rows for entry in entries) > AT_HAND_ROWS_MAX:
            return None

        if any(is_segment(entry.path) for entry in entries):  # a scan would keep the mapped file
            rows = self._kept_rows(snapshot, entries)
            return None if rows is None else list(self._cold_parts(snapshot, entries, columns, rows))

        def make() -> tuple[list[DataFrame], int] | None:
            kept = self._kept_rows(snapshot, entries)
            if kept is None:
                return None
            size = sum(int(rows.get_total_buffer_size()) for rows in chain.from_iterable(kept.values()))
            return list(self._cold_parts(snapshot, entries, columns, kept)), size

        key = (columns, *(entry.identity for entry in entries))
        found = self._files.decoded.made(snapshot.scope, key, (snapshot.dead, snapshot.table.columns), make)
        if found is not None:
            for entry in entries:
                self._files.check(snapshot.cold, entry)
        return found

    def _kept_rows(self, snapshot: Snapshot, entries: Sequence[BatchFileEntry]) -> _Kept | None:
        """The rows of small batches, as the engine has them; None when some batch is not kept decoded."""
        encoded = [entry for entry in entries if not is_segment(entry.path)]
        if not encoded:
            return None
        versions = {entry.schema_version for entry in encoded}
        schemas = {version: _file_schema(snapshot.table, _absent(snapshot.table, version)) for version in versions}
        found = {entry.batch: self._kept_batch(snapshot, entry, schemas[entry.schema_version]) for entry in encoded}
        known = {batch: rows for batch, rows in found.items() if rows is not None}
        return known if len(known) == len(encoded) else None

    def _kept_batch(self, snapshot: Snapshot, entry: BatchFileEntry, schema: pa.Schema) -> list[pa.RecordBatch] | None:
        def read() -> pa.Table:
            columns = self._files.rows(snapshot.cold, entry, schema.names).columns
            cast = [column.cast(field.type) for column, field in zip(columns, schema, strict=True)]
            return pa.table(cast, schema=schema)

        return self._files.decoded.whole(snapshot.scope, entry, schema.names, read)

    def _hot_parts(self, snapshot: Snapshot, columns: Columns) -> Iterable[DataFrame]:
        batches = [self._hot_rows(chunk, snapshot.table, columns) for chunk in snapshot.hot.chunks if chunk.live_count]
        if batches:
            yield self._context.read_batches(batches)

    def _hot_rows(self, chunk: HotChunk, table: TableDef, columns: Columns) -> pa.RecordBatch:
        """A chunk's live rows as the engine has them, remembered as long as the chunk: most outlive a change."""
        with self._lock:
            known, found = self._hot.setdefault(chunk, {}).get(columns, (None, None))
        if found is None or known != table.columns:
            found = _engine_rows(chunk.live_rows, table, columns)
            with self._lock:
                self._hot[chunk][columns] = (table.columns, found)
        return found

    def _scan(self, paths: Sequence[str], schema: pa.Schema) -> DataFrame:
        """A native Parquet scan of exactly these files, which have at least the columns of `schema`."""
        if len(paths) == 1:  # what look-ups read: a sixth of the time, and the file is not opened
            (path,) = paths
            return self._context.read_parquet(path, file_extension=path[path.rindex(".") :], schema=schema)
        return self._listed(paths, f"b{uuid.uuid4().hex}")

    def _listed(self, paths: Sequence[str], name: str) -> DataFrame:
        """A native Parquet scan of exactly these files under a name, which is free again when this returns."""
        qualified = f"{_CATALOG}.{_SCHEMA}.{name}"
        files = ",".join("'" + path.replace("'", "''") + "'" for path in paths)
        with engine_errors():
            self._context.sql(f"CREATE EXTERNAL TABLE {qualified} STORED AS PARQUET LOCATION ({files})")
            found = self._context.table(qualified)
        self._schema.deregister_table(name)
        return found


def _absent(table: TableDef, written: int) -> set[int]:
    """The columns that batches of a version of the definition do not have."""
    return {column.id for column in table.columns if written < column.added}


def _table_columns(table: TableDef, columns: Columns) -> tuple[Column, ...]:
    return table.columns if columns is Columns.ALL else table.visible_columns


def _version_fields(columns: Columns) -> list[pa.Field]:
    if columns is not Columns.ALL:
        return []
    return [pa.field(SEQ_COLUMN, pa.int64(), nullable=False), pa.field(DELETED_COLUMN, pa.bool_(), nullable=False)]


def _fields(table: TableDef, columns: Columns) -> list[pa.Field]:
    return [column.field for column in _table_columns(table, columns)] + _version_fields(columns)


def _file_schema(table: TableDef, absent: Collection[int]) -> pa.Schema:
    """What batch files without the `absent` columns hold, in the engine's types."""
    missing = {table.by_id[column_id].physical for column_id in absent}
    stored = [field for field in table.file_schema if field.name not in missing]
    return pa.schema([field.with_type(engine_type(field.type)) for field in stored])


def _as_engine_has_it(field: pa.Field) -> Expr:
    """A column of a segment in the engine's type."""
    stored, wanted = col(quote_identifier(field.name)), engine_type(field.type)
    return stored if wanted.equals(field.type) else stored.cast(wanted).alias(field.name)


def _cold_column(column: Column, absent: bool) -> Expr:
    if not absent:
        return col(quote_identifier(column.physical)).alias(column.name)
    wanted = engine_type(column.storage)
    value = missing_value(column)
    if value is None or not value.is_valid:  # a literal of a list's type cannot be NULL
        return lit(None).cast(wanted).alias(column.name)
    return lit(value.cast(wanted)).alias(column.name)


def _engine_rows(batch: pa.RecordBatch, table: TableDef, columns: Columns) -> pa.RecordBatch:
    """Hot rows under the names and in the types of the relation."""
    physical = [column.physical for column in _table_columns(table, columns)]
    physical += [field.name for field in _version_fields(columns)]
    arrays, fields = [], []
    for name, field in zip(physical, _fields(table, columns), strict=True):
        values = batch.column(name)
        wanted = engine_type(values.type)
        arrays.append(values if wanted.equals(values.type) else values.cast(wanted))
        fields.append(pa.field(field.name, wanted, field.nullable))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _live_function(dead: dict[int, DeadRows]) -> "udf":
    """The mask of live rows of some dirty batches, as a function of batch number and row position."""
    flags = {batch: found.live_array for batch, found in dead.items()}

    def live(batches: pa.Array, rows: pa.Array) -> pa.Array:
        if not len(rows):
            return pa.array([], pa.bool_())
        numbers, positions = batches.to_numpy(), rows.to_numpy()
        first, last = int(positions[0]), int(positions[-1])
        if numbers[0] == numbers[-1] and last - first == len(rows) - 1:
            return flags[int(numbers[0])].slice(first, len(rows))
        mask = np.empty(len(rows), dtype=np.bool_)
        for number in np.unique(numbers):
            here = numbers == number
            mask[here] = dead[int(number)].live_mask[positions[here]]
        return pa.array(mask)

    return udf(live, [pa.int32(), pa.int32()], pa.bool_(), "volatile", name=f"is_live_{next(_udf_number)}")
