"""Rows to a segment: an Arrow IPC file with a large stream's rows as they came, which a background job settles later.

Writing one costs a fraction of what a Parquet batch with its blooms takes, so that a stream is acknowledged sooner.
Only the ranges of columns that commits look values up in, those of the key and of UNIQUE, are measured: for the few
seconds of a segment's life, others rule nothing out.
"""

import pyarrow as pa

from catalog.definition import Scope, TableDef
from flush.batch_writer import describe, entry_of
from manifest import footer
from manifest.batch_entry import BatchFileEntry, ColumnRange
from manifest.files import Unsynced
from manifest.footer import Lineage
from manifest.layout import segment_name, staged_name
from manifest.ranges import column_range
from providers.cold.scope_folder import ScopeFolder
from providers.rows.sequence import SeqBlock

CHUNK_ROWS_MIN = 8_192
CHUNK_ROWS_MAX = 65_536


def write_segment(
    folder: ScopeFolder, batch: int, table: TableDef, scope: Scope, rows: pa.Table, seqs: SeqBlock, unsynced: Unsynced
) -> BatchFileEntry:
    """Write a segment under its staged name, to be synced later; `rows` have the table's columns and no key twice."""
    name = staged_name(segment_name(batch))
    about = describe(table, scope, batch, rows.num_rows, (seqs.first, seqs.last), Lineage())
    stored = pa.Table.from_arrays(rows.columns, schema=table.stored_schema.with_metadata(footer.encode(about)))
    if stored.num_rows < CHUNK_ROWS_MIN * max(column.num_chunks for column in stored.columns):
        stored = stored.combine_chunks()
    with folder.open_summed(name, unsynced) as file, pa.ipc.new_file(file, stored.schema) as writer:
        writer.write_table(stored, CHUNK_ROWS_MAX)
    return entry_of(about, name, file.content, _ranges(table, stored), None)


def _ranges(table: TableDef, rows: pa.Table) -> dict[int, ColumnRange]:
    measured = {*table.key, *(column_id for unique in table.uniques for column_id in unique.columns)}
    return {
        column.id: column_range(values) if column.id in measured else ColumnRange(None, None, values.null_count)
        for column, values in zip(table.columns, rows.columns, strict=True)
    }
