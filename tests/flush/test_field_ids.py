"""Batches name their columns by stable ids, for formats that find columns by those."""

from pathlib import Path

import pyarrow.parquet as pq

from catalog.evolution import rename_column
from flush.parquet_file import SEQ_FIELD_ID
from tests.storage_fixtures import TableAccess, kv


def field_ids(path: Path) -> dict[str, int | None]:
    """The field id of each column of a Parquet file."""
    found = {field.name: (field.metadata or {}).get(b"PARQUET:field_id") for field in pq.read_schema(path)}
    return {name: None if number is None else int(number) for name, number in found.items()}


def test_a_field_id_is_the_id_of_the_column_before_and_after_a_compaction(table: TableAccess) -> None:
    """A column that has another name now keeps its id, and a row's address has none."""
    table.write(kv(1))
    table.flush()
    table.alter(lambda definition: rename_column(definition, "v", "w"))
    table.write({"k": 2, "w": 2})
    table.flush()
    table.compact()
    expected = {"v": 1, "k": 2, "_seq": SEQ_FIELD_ID, "_deleted": None, "_batch": None, "_position": None}
    files = sorted(table.folder.glob("*.parquet"))
    assert len(files) == 3
    assert all(field_ids(path) == expected for path in files)
