"""What docs/formats/batch.md says of a batch, asked of a file that a flush wrote."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flush.parquet_file import PAGE_ROWS, ROW_GROUP_BYTES_MAX, ROW_GROUP_ROWS
from tests.storage_fixtures import Database, TableAccess

PAGE = (Path(__file__).parents[2] / "docs" / "formats" / "batch.md").read_text()
COLUMNS = [
    ("nested", pa.struct([("a", pa.int64()), ("b", pa.list_(pa.struct([("c", pa.int8()), ("d", pa.string())])))])),
    ("x", pa.int64()),
    ("y", pa.int64()),
    ("z", pa.float64()),
    ("w", pa.bool_()),
    ("k", pa.int64()),
    ("few", pa.string()),
    ("many", pa.string()),
    ("small", pa.decimal128(18, 2)),
    ("large", pa.decimal128(19, 2)),
    ("day", pa.date32()),
]
ROWS = 5000


@pytest.fixture
def wide(db: Database) -> TableAccess:
    """A table of one batch, with a column of each kind of layout; nested columns stand before the key."""
    table = db.create(COLUMNS, ["k"])
    table.write(*(row_of(number) for number in range(ROWS)))
    table.flush()
    return table


def row_of(number: int) -> dict[str, Any]:
    """A row whose `y` descends where its key ascends."""
    return {
        "nested": {"a": number, "b": [{"c": 1, "d": "x"}]},
        "x": 0,
        "y": -number,
        "z": number / 7,
        "w": True,
        "k": number,
        "few": "ab"[number % 2],
        "many": str(number),
        "small": Decimal(number),
        "large": Decimal(number),
        "day": None,
    }


def metadata(table: TableAccess) -> pq.FileMetaData:
    """The Parquet metadata of the table's only batch."""
    return pq.read_metadata(table.folder / "batch-1.parquet")


def column(table: TableAccess, name: str) -> pq.ColumnChunkMetaData:
    """A column of the first row group."""
    group = metadata(table).row_group(0)
    return next(found for i in range(group.num_columns) if (found := group.column(i)).path_in_schema == name)


@pytest.mark.parametrize("name", ["x", "y", "k", "_seq", "small", "day"])
def test_integers_are_delta_encoded(wide: TableAccess, name: str) -> None:
    """So are dates and decimals of up to 18 digits, which are stored as integers."""
    assert "DELTA_BINARY_PACKED" in column(wide, name).encodings


@pytest.mark.parametrize("name", ["few", "_batch"])
def test_columns_of_few_values_have_a_dictionary(wide: TableAccess, name: str) -> None:
    """Text that repeats, and the batch number."""
    assert "RLE_DICTIONARY" in column(wide, name).encodings


@pytest.mark.parametrize("name", ["many", "z", "w", "large", "_deleted", "nested.a"])
def test_other_columns_are_plain(wide: TableAccess, name: str) -> None:
    """Neither a dictionary nor deltas."""
    assert {"RLE", "PLAIN"} >= set(column(wide, name).encodings)


def test_columns_are_in_the_documented_order(wide: TableAccess) -> None:
    """The user's columns, then the version columns, then the row's address."""
    names = pq.read_schema(wide.folder / "batch-1.parquet").names
    assert names == [name for name, _ in COLUMNS] + ["_seq", "_deleted", "_batch", "_position"]


def test_the_sort_order_names_the_key_and_no_other_column(wide: TableAccess) -> None:
    """Engines skip a sort by it; leaves of nested columns count, so a key behind them has a larger number."""
    found = metadata(wide).row_group(0)
    assert [found.column(order.column_index).path_in_schema for order in found.sorting_columns] == ["k"]
    assert wide.select("SELECT y FROM t ORDER BY y LIMIT 2") == [1 - ROWS, 2 - ROWS]


def test_pages_and_row_groups_are_small(wide: TableAccess) -> None:
    """A page index is there, and the limits are those of the page."""
    assert column(wide, "k").has_offset_index
    assert column(wide, "k").has_column_index
    assert f"{PAGE_ROWS:,}" in PAGE
    assert f"{ROW_GROUP_ROWS:,}" in PAGE
    assert f"{ROW_GROUP_BYTES_MAX >> 20} MB" in PAGE


def test_the_footer_has_the_documented_members(wide: TableAccess) -> None:
    """All that a manifest is rebuilt from, and nothing that the page does not mention."""
    members = json.loads(metadata(wide).metadata[b"flightserver"])
    table = PAGE.split("## Footer")[1]
    assert set(members) == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def test_a_batch_is_sorted_and_has_each_key_once(wide: TableAccess) -> None:
    """Keys ascend strictly through the file."""
    keys = pq.read_table(wide.folder / "batch-1.parquet").column("k").to_pylist()
    assert keys == sorted(set(keys))
