"""Names of files: built and parsed in one place, inverse to each other."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.definition import ColumnSpec, Scope, TableDef, TableKind
from catalog.evolution import create_table
from catalog.identifiers import TableName
from manifest.layout import (
    batch_name,
    batch_of_file,
    bloom_name,
    deletion_name,
    scope_folder,
    table_folder,
    table_id_of_folder,
    version_of_file,
)

NUMBERS = st.integers(0, 2**63)
NAMES = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=100)


def table_called(name: TableName, table_id: int = 1) -> TableDef:
    """A table."""
    return create_table(table_id, name, TableKind.USER, [ColumnSpec("k", pa.int64())], ["k"])


@given(NUMBERS, NUMBERS)
def test_every_file_of_a_batch_carries_its_number(batch: int, version: int) -> None:
    """Rows, blooms and dead rows are parsed as they are named."""
    for name in (batch_name(batch), bloom_name(batch), deletion_name(batch, version)):
        assert batch_of_file(name) == batch_of_file(name + ".tmp") == batch


@given(NUMBERS, NUMBERS)
def test_a_deletion_file_carries_its_version(batch: int, version: int) -> None:
    """Other files of a batch carry none."""
    assert version_of_file(deletion_name(batch, version)) == version
    assert version_of_file(batch_name(batch)) is None
    assert version_of_file(bloom_name(batch)) is None


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "manifest.json.tmp",
        "batch-.parquet",
        "batch-1",
        "batch-1.dv",
        "batch-1.2.parquet",
        "u-a",
        "xbatch-1.parquet",
        "batch-1.parquet.bak",
        "batch-1.parquet\n",
        "batch--1.parquet",
        "batch-1.2.3.dv",
    ],
)
def test_other_files_are_no_files_of_a_batch(name: str) -> None:
    """Reclaiming never touches what it does not know."""
    assert batch_of_file(name) is None
    assert version_of_file(name) is None


@given(NAMES, NAMES, st.integers(0, 2**62))
def test_a_table_folder_carries_the_table_id(namespace: str, table: str, table_id: int) -> None:
    """Whatever the table is called."""
    folder = table_folder(Path("/t"), table_called(TableName(namespace, table), table_id))
    assert table_id_of_folder(folder.name) == table_id


@pytest.mark.parametrize("name", ["t", "t.", ".t", "t.x", "t.1x", "t.²", "t.-1"])
def test_other_folders_are_no_table_folders(name: str) -> None:
    """Reclaiming never removes what it does not know."""
    assert table_id_of_folder(name) is None


@given(NAMES, NAMES)
def test_users_never_share_a_folder(one: str, other: str) -> None:
    """Each user's scope is a folder of its own below the table's, and no user's is the table's own."""
    table = table_called(TableName("public", "t"))
    folders = [scope_folder(Path("/t"), table, Scope(1, user)) for user in (one, other, None)]
    assert (folders[0] == folders[1]) == (one == other)
    assert folders[2] not in folders[:2]
    assert folders[0].parent == folders[2]


@given(NAMES)
def test_no_user_is_called_like_a_file(user: str) -> None:
    """A user's folder is never taken for a manifest or a batch."""
    name = scope_folder(Path("/t"), table_called(TableName("public", "t")), Scope(1, user)).name
    assert name.startswith("u-")
    assert batch_of_file(name) is None


def test_a_successor_has_a_folder_of_its_own() -> None:
    """A dropped table's files are not those of the next table of that name."""
    name = TableName("public", "t")
    assert table_folder(Path("/t"), table_called(name, 1)) != table_folder(Path("/t"), table_called(name, 2))


def test_a_table_called_like_another_with_an_id_stays_apart() -> None:
    """Dots in names are encoded, so `t.1` of id 2 is not table 1 called `t`."""
    folder = table_folder(Path("/t"), table_called(TableName("public", "t.1"), 2))
    assert folder.name.count(".") == 1
    assert folder.name.endswith(".2")
