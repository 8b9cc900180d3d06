"""A table as it is, read straight from its files: for queries that select columns and do nothing else.

The engine reads the same rows no faster, and its allocator keeps what one thread allocated and another freed: a scan
leaves about as much memory behind as its files are large (docs/decisions/0009). Here a few files at a time are read by
Arrow's own reader, one row group after another, in memory that does not depend on the size of the table.
"""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
from datafusion import expr as nodes
from datafusion.plan import LogicalPlan

from catalog.definition import POSITION_COLUMN, Column
from catalog.plain import plain
from manifest.batch_entry import BatchFileEntry
from providers.cold.decoded import FileReader
from providers.cold.files import ColdFiles
from providers.cold.pruning import Pruned
from providers.engine.streaming import side_by_side
from providers.rows.defaults import columns_by, missing_values
from providers.snapshot import Snapshot
from providers.stopping import Stop, check

FILES_AT_A_TIME = 2


def selected_columns(plan: LogicalPlan) -> list[str] | None:
    """The columns of its only scan that a plan returns, in its order; None when it does more than that."""
    outputs = _outputs(plan)
    return [column for _, column in outputs] if outputs else None


def export(
    snapshot: Snapshot, pruned: Pruned, names: Sequence[str], schema: pa.Schema, files: ColdFiles, stop: Stop
) -> Iterator[pa.RecordBatch]:
    """The live rows of kept batches and of the hot tier: visible columns of these names, in this order and schema."""
    by_name = {column.name: column for column in snapshot.table.visible_columns}
    columns = [by_name[name] for name in names]
    reader = files.decoded.reader()
    parts = (_file_rows(reader, snapshot, entry, columns, schema) for entry in pruned.kept)
    for batch in side_by_side(parts, FILES_AT_A_TIME):
        check(stop)
        yield batch
    for hot in snapshot.hot.batches:
        yield in_schema([hot.column(column.physical) for column in columns], schema)


def in_schema(arrays: Iterable[pa.Array], schema: pa.Schema) -> pa.RecordBatch:
    """Columns as a batch of a schema; those of other types, like texts that come as dictionaries, are cast."""
    cast = [
        values if values.type == field.type else plain(values).cast(field.type)
        for values, field in zip(arrays, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(cast, schema=schema)


def _outputs(plan: LogicalPlan) -> list[tuple[str, str]] | None:
    """Pairs of what a node calls a column, and the column."""
    node = plan.to_variant()
    if isinstance(node, nodes.TableScan):
        reads_all = not node.filters() and node.fetch() is None
        return [(name, name) for _, name in node.projection()] if reads_all else None
    if isinstance(node, nodes.SubqueryAlias):
        return _outputs(plan.inputs()[0])
    below = _outputs(plan.inputs()[0]) if isinstance(node, nodes.Projection) else None
    if below is None:
        return None
    columns = dict(below)
    outputs = []
    for part in node.projections():
        # Only these two are asked for: bindings do not convert every expression.
        alias = part.to_variant().alias() if part.variant_name() == "Alias" else None
        named = part.to_variant().expr() if alias is not None else part
        column = named.to_variant().name() if named.variant_name() == "Column" else None
        if column not in columns:
            return None
        outputs.append((alias or column, columns[column]))
    return outputs


def _file_rows(
    reader: FileReader, snapshot: Snapshot, entry: BatchFileEntry, columns: Sequence[Column], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    present = dict.fromkeys(column.physical for column in columns if entry.schema_version >= column.added)
    wanted, missing = pa.schema([column.physical_field for column in columns]), missing_values(snapshot.table)
    dead = snapshot.dead.get(entry.batch)
    start = 0
    for batch in reader.rows(snapshot.cold, entry, list(present) or [POSITION_COLUMN]):
        arrays = columns_by(batch, wanted, missing)
        if dead is not None:
            live = dead.live_array.slice(start, batch.num_rows)
            arrays = [values.filter(live) for values in arrays]
        yield in_schema(arrays, schema)
        start += batch.num_rows
