"""Rows by their keys, over more batches than are asked one by one."""

from collections.abc import Sequence

import pyarrow as pa
import pytest

from providers.lookup import FoundRows, StoredRows
from providers.rows.keys import Keys
from tests.storage_fixtures import Database, TableAccess, kv

BATCHES = 12


def filled(table: TableAccess) -> TableAccess:
    """Batches whose keys lie among each other, each with a row that was overwritten since, and hot rows."""
    for number in range(BATCHES):
        table.write(*[kv(number + BATCHES * place, place) for place in range(10)])
        table.flush()
    table.write(*[kv(number, -1) for number in range(BATCHES)], kv(1_000, 1_000))
    return table


def find(table: TableAccess, keys: Sequence[int]) -> FoundRows:
    """Look keys up, and read both columns."""
    definition = table.definition
    columns = [definition.by_name["k"], definition.by_name["v"]]
    found = StoredRows(table.snapshot, columns, table.db.store.files).by_key(Keys.of([pa.array(keys, pa.int64())]))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "keys", [[5], [5, 17], [17, 18, 29, 5_000], list(range(119, -1, -1)), list(range(-1_000, 1_001)), [40, 41, 40]]
)
def test_every_key_has_its_newest_row(table: TableAccess, keys: list[int]) -> None:
    """However many are asked for, and whichever comes twice."""
    found = find(filled(table), keys)
    expected = {k: -1 if k < BATCHES else k // BATCHES for k in range(10 * BATCHES)} | {1_000: 1_000}
    rows = zip(*(column.to_pylist() for column in found.columns), found.keys.tolist(), strict=True)
    wanted = [(key, expected[key], place) for place, key in enumerate(keys) if key in expected]
    assert sorted(rows, key=lambda row: row[2]) == wanted


def test_texts_that_are_dictionaries_in_files_come_plain(db: Database) -> None:
    """One row, and several; what is kept of them is no larger than the dictionary."""
    table = db.create([("k", pa.int64()), ("s", pa.string()), ("b", pa.binary())])
    table.write(*[{"k": k, "s": "text" * (k % 3) or None, "b": b"\0" * (k % 2)} for k in range(100)])
    table.flush()
    columns = [table.definition.by_name[name] for name in ("s", "b")]
    for keys in ([7], [3, 5, 98]):
        looked_up = StoredRows(table.snapshot, columns, db.store.files).by_key(Keys.of([pa.array(keys, pa.int64())]))
        assert looked_up is not None
        assert looked_up.columns[0] == pa.array(["text" * (k % 3) or None for k in keys])
        assert looked_up.columns[1] == pa.array([b"\0" * (k % 2) for k in keys])


def test_what_was_looked_at_is_told(table: TableAccess) -> None:
    """Blooms leave the batch that has the key, and seldom another."""
    pruned = find(filled(table), [30]).pruned
    assert pruned.total == BATCHES
    assert pruned.by_bloom >= BATCHES - 3
    assert len(pruned.kept) + pruned.by_range + pruned.by_bloom == BATCHES
