"""What happens to rows whose key exists: the rules, over hot and cold rows, duplicates and tombstones."""

import pyarrow as pa
import pytest

from catalog.errors import DatabaseError, ErrorKind
from providers.commit.resolve import OnExisting
from providers.commit.uniqueness import resolve
from tests.storage_fixtures import Database, TableAccess, kv

TIERS = pytest.mark.parametrize("cold", [False, True], ids=["hot", "cold"])


def settle(table: TableAccess, cold: bool) -> None:
    """Flush, when the rows are to be cold."""
    if cold:
        table.flush()


@TIERS
def test_insert_of_an_existing_key_names_it_and_writes_nothing(table: TableAccess, cold: bool) -> None:
    """One duplicate refuses the whole change, and the message names table, column and key."""
    table.write(kv(7, 1))
    settle(table, cold)
    with pytest.raises(DatabaseError, match=r"public\.t.*k = 7 exists already") as caught:
        table.insert(kv(1), kv(7), kv(8))
    assert caught.value.kind is ErrorKind.ALREADY_EXISTS
    assert table.values() == {7: 1}


def test_insert_that_repeats_a_key_of_its_own_is_refused(table: TableAccess) -> None:
    """Two rows of one statement with the same key are an error."""
    with pytest.raises(DatabaseError, match="k = 3 occurs twice"):
        table.insert(kv(3, 1), kv(4, 1), kv(3, 2))
    assert table.all() == []


@TIERS
def test_deleted_key_may_be_inserted_again(table: TableAccess, cold: bool) -> None:
    """After a delete the key is free, whichever tier the row and its tombstone are in."""
    table.insert(kv(1, 1))
    settle(table, cold)
    table.delete(kv(1))
    table.insert(kv(1, 2))
    assert table.values() == {1: 2}
    table.flush()
    table.delete(kv(1))
    table.flush()
    table.insert(kv(1, 3))
    table.db.reopen()
    assert table.all() == [kv(1, 3)]


@TIERS
def test_replace_gives_the_key_its_new_version(table: TableAccess, cold: bool) -> None:
    """An upsert replaces what is there, in either tier."""
    table.write(kv(1, 1), kv(2, 1))
    settle(table, cold)
    assert table.write(kv(1, 2), kv(3, 2)).affected == 2
    assert table.values() == {1: 2, 2: 1, 3: 2}


def test_replace_takes_the_last_of_several(table: TableAccess) -> None:
    """Of several rows with one key in one change, the last one counts."""
    table.write(kv(1, 1), kv(2, 2), kv(1, 3), kv(1, 4))
    assert table.all() == [kv(1, 4), kv(2, 2)]


@TIERS
def test_skip_leaves_existing_rows_alone(table: TableAccess, cold: bool) -> None:
    """DO NOTHING writes new keys only and counts only those."""
    table.write(kv(1, 1))
    settle(table, cold)
    assert table.write(kv(1, 9), kv(2, 9), rule=OnExisting.SKIP).affected == 1
    assert table.values() == {1: 1, 2: 9}


def test_skip_takes_the_first_of_several(table: TableAccess) -> None:
    """DO NOTHING with a repeated key keeps the first row, as PostgreSQL does."""
    assert table.write(kv(1, 1), kv(1, 2), rule=OnExisting.SKIP).affected == 1
    assert table.values() == {1: 1}


@TIERS
def test_tombstone_deletes(table: TableAccess, cold: bool) -> None:
    """A row marked deleted removes its key."""
    table.write(kv(1), kv(2))
    settle(table, cold)
    assert table.delete(kv(1)).affected == 1
    assert table.values() == {2: 0}


def test_tombstone_and_row_of_one_key_in_one_change(table: TableAccess) -> None:
    """The last word counts: delete then write lives, write then delete does not."""
    table.write(kv(1, 1), kv(2, 1))
    table.write(kv(1), kv(1, 2), kv(2, 2), kv(2), deleted=[True, False, False, True])
    assert table.values() == {1: 2}
    table.db.reopen()
    assert table.values() == {1: 2}


def test_tombstone_of_an_absent_key_writes_no_version(table: TableAccess) -> None:
    """Deleting what is not there leaves no trace in the log."""
    table.write(kv(1))
    seq = table.snapshot.last_seq
    table.delete(kv(5))
    assert table.snapshot.last_seq == seq


def test_hot_version_hides_no_other_scope_of_cold_rows(table: TableAccess) -> None:
    """A change that touches hot, cold and new keys at once does all three."""
    table.write(kv(1, 1), kv(2, 1))
    table.flush()
    table.write(kv(3, 1), kv(4, 1))
    table.write(kv(1, 2), kv(3, 2), kv(5, 2), kv(2), kv(4), deleted=[False, False, False, True, True])
    assert table.values() == {1: 2, 3: 2, 5: 2}
    table.flush()
    assert table.values() == {1: 2, 3: 2, 5: 2}


def test_resolved_change_names_what_dies(table: TableAccess) -> None:
    """Older versions are given by `_seq` when hot, and by position in their batch when cold."""
    table.write(kv(10), kv(11), kv(12))
    table.flush()
    hot_seq = table.write(kv(20)).seq
    change = table.part(kv(12, 1), kv(20, 1), kv(10, 1), kv(30, 1))
    found = resolve(table.snapshot, change, OnExisting.REPLACE, table.db.store.files)
    assert found.dead_hot.tolist() == [hot_seq]
    assert {batch: positions.tolist() for batch, positions in found.dead_cold.items()} == {1: [0, 2]}


def test_key_is_found_in_the_newest_batch_only(table: TableAccess) -> None:
    """Dead versions in older batches are not found again."""
    for version in range(4):
        table.write(kv(1, version), kv(100 + version, version))
        table.flush()
    found = resolve(table.snapshot, table.part(kv(1, 9)), OnExisting.REPLACE, table.db.store.files)
    assert {batch: positions.tolist() for batch, positions in found.dead_cold.items()} == {4: [0]}


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        (pa.int8(), [-128, 0, 127]),
        (pa.uint64(), [0, 2**63, 2**64 - 1]),
        (pa.bool_(), [False, True]),
        (pa.float32(), [-1.5, 0.0, 3e38]),
        (pa.float64(), [-float("inf"), 0.0, 0.1]),
        (pa.string(), ["", "a", "x" * 500, "ä"]),
        (pa.binary(), [b"", b"\x00", b"\xff" * 300]),
        (pa.decimal128(38, 4), ["-1.5000", "0", "12345678901234567890.1234"]),
        (pa.date32(), [-1, 0, 2_932_896, 10_000_000]),
        (pa.time32("ms"), [0, 1, 86_399_999]),
        (pa.time64("ns"), [0, 1, 86_399_999_999_999]),
        (pa.timestamp("ns"), [-1, 0, 1_700_000_000_123_456_789]),
        (pa.timestamp("us", "Europe/Berlin"), [-1, 0, 1_700_000_000_123_456]),
    ],
    ids=lambda value: None if isinstance(value, list) else str(value),
)
def test_every_key_type_is_matched_over_both_tiers(db: Database, type_: pa.DataType, values: list[object]) -> None:
    """For a key of any type: insert, flush, refuse, replace, delete, and the right rows remain."""
    column = _array(values, type_)
    table = db.create([("v", pa.int64()), ("k", type_)])

    def write(version: int, rule: OnExisting) -> None:
        rows = pa.table({"v": pa.array([version] * len(column)), "k": column})
        db.store.write(table.state, lambda _: type(table.part())(rows), rule)

    write(1, OnExisting.REFUSE)
    for _ in range(2):
        with pytest.raises(DatabaseError, match="exists already"):
            write(2, OnExisting.REFUSE)
        table.flush()
    write(3, OnExisting.REPLACE)
    table.flush()
    table.compact()
    db.reopen()
    found = table.query("SELECT k, v FROM t ORDER BY k")
    assert found["v"].to_pylist() == [3] * len(values)
    assert found["k"].cast(type_).combine_chunks().equals(column)


def _array(values: list[object], type_: pa.DataType) -> pa.Array:
    if pa.types.is_temporal(type_):
        width = pa.int32() if type_.bit_width == 32 else pa.int64()
        return pa.array(values, width).cast(type_)
    return pa.array(values).cast(type_) if pa.types.is_decimal(type_) else pa.array(values, type_)


def test_minus_zero_replaces_zero(db: Database) -> None:
    """Keys that compare equal are one key, hot and cold."""
    table = db.create([("v", pa.int64()), ("k", pa.float64())])
    table.write(kv(0.0, 1))
    table.write(kv(-0.0, 2))
    assert len(table.all()) == 1
    table.flush()
    table.write(kv(0.0, 3))
    assert [row["v"] for row in table.all()] == [3]


def test_composite_key_in_declared_order(db: Database) -> None:
    """Rows that share a part of the key are different rows; the key's order is the declared one."""
    table = db.create([("b", pa.string()), ("v", pa.int64()), ("a", pa.int64())], ["a", "b"])
    rows = [{"a": a, "b": b, "v": a} for a in (1, 2) for b in ("x", "y")]
    table.insert(*rows)
    table.flush()
    with pytest.raises(DatabaseError, match=r"a, b = \(2, 'x'\) exists"):
        table.insert({"a": 2, "b": "x", "v": 0})
    table.delete({"a": 1, "b": "y"})
    assert [(row["a"], row["b"]) for row in table.all()] == [(1, "x"), (2, "x"), (2, "y")]


def test_many_keys_over_many_batches(table: TableAccess) -> None:
    """Large changes, which skip the blooms, find every older version."""
    for start in range(0, 3000, 500):
        table.write(*[kv(i, 0) for i in range(start, start + 500)])
        table.flush()
    table.write(*[kv(i, 1) for i in range(0, 3000, 2)])
    values = table.values()
    assert len(table.all()) == len(values) == 3000
    assert sum(values.values()) == 1500
