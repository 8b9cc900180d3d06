"""A manifest that is lost is written anew from the files: same rows, same pruning, nobody back from the dead."""

import random
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from manifest_samples import refused

from catalog.definition import ColumnSpec, TableKind, TableOptions
from catalog.errors import ErrorKind
from catalog.evolution import add_column, drop_column, set_options
from flush.rebuild import rebuild_scope
from flush.truncate import truncate
from manifest.batch_entry import BatchFileEntry
from manifest.entries import ManifestFile
from manifest.layout import MANIFEST_NAME
from tests.storage_fixtures import Database, TableAccess, kv


def rebuild(table: TableAccess) -> ManifestFile:
    """Lose the manifest, rebuild it, and open everything again."""
    snapshot = table.snapshot
    (table.folder / MANIFEST_NAME).unlink(missing_ok=True)
    manifest = rebuild_scope(table.db.keyvalue, table.state.head.cold.folder, snapshot.table, snapshot.scope)
    del snapshot
    table.db.reopen()
    assert table.snapshot.manifest == manifest
    return manifest


def flushed(table: TableAccess, *rows: dict[str, Any]) -> None:
    """Write rows and flush them to a batch of their own."""
    table.write(*rows)
    table.flush()


def described(manifest: ManifestFile) -> list[dict[str, Any]]:
    """All that a manifest says of its batches, but for the names of deletion files."""
    names = [field.name for field in fields(BatchFileEntry)]
    return [{**{name: getattr(entry, name) for name in names}, "dv": entry.dv is None} for entry in manifest.batches]


def test_a_rebuilt_manifest_describes_its_batches_as_the_lost_one(table: TableAccess) -> None:
    """Sizes, checksums, ranges, blooms and dead rows are the same."""
    for start in (0, 10, 20):
        flushed(table, *(kv(key, key % 3) for key in range(start, start + 10)))
    table.delete(kv(3), kv(13))
    table.flush()
    lost = table.snapshot.manifest
    rebuilt = rebuild(table)
    assert described(rebuilt) == described(lost)
    assert (rebuilt.flushed_seq, rebuilt.max_batch) == (lost.batches[-1].max_seq, lost.max_batch)


def test_a_rebuilt_manifest_has_ranges(table: TableAccess) -> None:
    """Nothing that matches is pruned away, and what cannot match is."""
    for start in (0, 100):
        flushed(table, *(kv(key, -key) for key in range(start, start + 10)))
    rebuild(table)
    assert len(table.pruned("k = 105").kept) == 1
    assert len(table.pruned("v >= -9").kept) == 1
    assert table.select("SELECT v FROM t WHERE k = 105") == [-105]


def test_batch_10_does_not_sort_before_batch_2(table: TableAccess) -> None:
    """Batches are in numeric order, and the newest version of a key wins."""
    for number in range(11):
        flushed(table, kv(0, number), kv(number + 1, number))
    rebuilt = rebuild(table)
    assert [entry.batch for entry in rebuilt.batches] == list(range(1, 12))
    assert table.values()[0] == 10


def test_rebuild_never_raises_a_deleted_row(table: TableAccess) -> None:
    """Deleted rows, recorded or still hot, stay away through two rebuilds."""
    flushed(table, *(kv(key) for key in range(6)))
    table.delete(kv(0))
    table.flush()
    table.delete(kv(1))
    for _ in range(2):
        rebuild(table)
        assert list(table.values()) == [2, 3, 4, 5]


def test_a_row_that_was_deleted_and_written_again_is_there(table: TableAccess) -> None:
    """The death of the old version is not that of the new one."""
    flushed(table, kv(1, 1))
    table.delete(kv(1))
    flushed(table, kv(1, 2))
    rebuild(table)
    assert table.values() == {1: 2}


def test_an_orphan_compaction_output_beside_its_inputs(table: TableAccess, tmp_path: Path) -> None:
    """Inputs that nobody has removed yet do not double or raise rows."""
    flushed(table, *(kv(key, 1) for key in range(5)))
    flushed(table, *(kv(key, 2) for key in range(3, 8)))
    table.delete(kv(0))
    kept = tmp_path / "kept"
    shutil.copytree(table.folder, kept)
    table.compact()
    table.reclaim()
    table.delete(kv(7))
    table.flush()
    expected = table.values()
    for path in kept.iterdir():
        if path.name != MANIFEST_NAME:
            shutil.copy(path, table.folder / path.name)
    assert [entry.batch for entry in rebuild(table).batches] == [3]
    assert table.values() == expected == {1: 1, 2: 1, 3: 2, 4: 2, 5: 2, 6: 2}


def test_rows_that_compaction_left_out_stay_away_while_a_reader_pins_them(table: TableAccess) -> None:
    """A batch all of whose rows were dead leaves no output behind, and is known as retired."""
    flushed(table, kv(1), kv(2))
    pinned = table.snapshot
    table.delete(kv(1), kv(2))
    table.compact()
    table.flush()
    table.reclaim()
    assert (table.folder / "batch-1.parquet").exists()
    assert pinned.live_count == 2
    assert not rebuild(table).batches
    assert table.values() == {}


def test_a_truncated_table_stays_empty(table: TableAccess) -> None:
    """Also while its batches are still on the disk."""
    flushed(table, kv(1), kv(2))
    truncate(table.db.store, table.state)
    assert (table.folder / "batch-1.parquet").exists()
    rebuild(table)
    assert table.values() == {}


def test_what_an_unfinished_stream_left_is_no_part_of_the_table(table: TableAccess) -> None:
    """A bulk load that never committed has no rows, and its batch numbers are not used again."""
    flushed(table, kv(1, 1))
    load = table.bulk()
    load.add(table.part(kv(1, 2), kv(2, 2)))
    load.finish()
    rebuilt = rebuild(table)
    assert table.values() == {1: 1}
    assert rebuilt.max_batch == 2


def test_a_committed_stream_is_there(table: TableAccess) -> None:
    """Its rows, and the deaths that it caused."""
    flushed(table, kv(1, 1), kv(2, 1))
    table.load([kv(2, 2), kv(3, 2)], [kv(3, 3)])
    rebuild(table)
    assert table.values() == {1: 1, 2: 2, 3: 3}


def test_hot_rows_stay_hot(table: TableAccess) -> None:
    """Versions after the last flush are read from the hot tier, and hide their older cold ones."""
    flushed(table, kv(1, 1), kv(2, 1))
    table.write(kv(2, 2), kv(3, 2))
    rebuild(table)
    assert table.snapshot.hot.live_count == 2
    assert table.values() == {1: 1, 2: 2, 3: 2}


def test_a_rebuilt_table_can_be_written(table: TableAccess) -> None:
    """Flush, compaction and deletes go on, and use no name twice."""
    flushed(table, kv(1, 1), kv(2, 1))
    table.delete(kv(2))
    table.flush()
    rebuild(table)
    flushed(table, kv(1, 2), kv(3, 2))
    table.compact()
    table.reclaim()
    rebuild(table)
    assert table.values() == {1: 2, 3: 2}


def test_a_scope_without_files_is_rebuilt_empty(table: TableAccess) -> None:
    """Its hot rows stay."""
    table.write(kv(1, 1))
    assert not rebuild(table).batches
    assert table.values() == {1: 1}


@pytest.mark.parametrize("damage", [None, b"", b"damage"])
def test_a_bloom_that_is_missing_or_damaged_is_written_again(table: TableAccess, damage: bytes | None) -> None:
    """The rebuilt filter finds every key."""
    flushed(table, *(kv(key) for key in range(50)))
    lost = table.snapshot.manifest
    path = table.folder / "batch-1.bloom"
    path.unlink() if damage is None else path.write_bytes(damage)
    assert described(rebuild(table)) == described(lost)
    assert [table.select(f"SELECT k FROM t WHERE k = {key}") for key in (0, 49)] == [[0], [49]]


def test_a_bloom_of_another_batch_is_written_again(table: TableAccess) -> None:
    """A readable filter that lacks a key would lose rows."""
    flushed(table, *(kv(key) for key in range(50)))
    flushed(table, *(kv(key) for key in range(50, 100)))
    shutil.copy(table.folder / "batch-1.bloom", table.folder / "batch-2.bloom")
    rebuild(table)
    assert table.select("SELECT k FROM t WHERE k = 70") == [70]


def test_filters_of_other_columns_are_rebuilt(table: TableAccess) -> None:
    """`bloom_columns` get their filters again, NULL or not."""
    column = table.definition.column("v").id
    table.alter(lambda before: set_options(before, TableOptions(bloom_columns=(column,))))
    flushed(table, kv(1, 5), kv(2, None))
    (table.folder / "batch-1.bloom").unlink()
    bloom = rebuild(table).batches[0].bloom
    assert bloom is not None
    assert bloom.columns == (0, column)
    assert table.select("SELECT k FROM t WHERE v = 5") == [1]


def test_batches_of_older_definitions_are_described(table: TableAccess) -> None:
    """Columns added and dropped since are known by their ids."""
    flushed(table, kv(1, 10))
    table.alter(lambda before: drop_column(before, "v"))
    table.alter(lambda before: add_column(before, ColumnSpec("v", pa.int64())))
    flushed(table, kv(2, 20))
    lost = table.snapshot.manifest
    assert described(rebuild(table)) == described(lost)
    assert table.values() == {1: None, 2: 20}


def test_users_are_rebuilt_apart(db: Database) -> None:
    """A user's files say whose they are, and another's are refused."""
    shared = db.create(kind=TableKind.USER)
    ann, bob = shared.of_user("ann"), shared.of_user("bob")
    flushed(ann, kv(1, 1))
    flushed(bob, kv(1, 2))
    rebuild(ann)
    rebuild(bob)
    assert (ann.values(), bob.values()) == ({1: 1}, {1: 2})
    shutil.copy(bob.folder / "batch-1.parquet", ann.folder / "batch-1.parquet")
    assert "batch-1.parquet" in refused(ErrorKind.CORRUPT, lambda: rebuild(ann))


@pytest.mark.parametrize(
    ("key_type", "keys"),
    [
        (pa.string(), ["", "é", "x" * 200, "y"]),
        (pa.float64(), [-0.0, 1.5, float("inf"), -1.0]),
        (pa.decimal128(20, 2), ["0.01", "1.00", "-5.25", "7.00"]),
        (pa.bool_(), [True, False]),
        (pa.timestamp("us", "UTC"), [0, 1, 2, 3]),
    ],
)
def test_keys_of_every_type_are_compared(db: Database, key_type: pa.DataType, keys: list[Any]) -> None:
    """The newest version of each key wins, whatever its type."""
    table = db.create([("v", pa.int64()), ("k", key_type)])
    values = pa.array(keys).cast(key_type).to_pylist()
    for version in range(2):
        flushed(table, *(kv(key, version) for key in values))
        for path in table.folder.glob("*.dv"):
            path.unlink()
    rebuild(table)
    assert table.select("SELECT count(*), min(v) FROM t") == [{"count(*)": len(values), "min(t.v)": 1}]


def test_composite_keys_are_compared_whole(db: Database) -> None:
    """Rows that share a part of the key are different rows."""
    table = db.create([("a", pa.string()), ("v", pa.int64()), ("b", pa.int64())], ("b", "a"))
    rows = [{"a": a, "b": b, "v": 0} for a in ("x", "y") for b in (1, 2)]
    flushed(table, *rows)
    flushed(table, {"a": "x", "b": 1, "v": 1})
    for path in table.folder.glob("*.dv"):
        path.unlink()
    rebuild(table)
    assert sorted(table.select("SELECT v FROM t")) == [0, 0, 0, 1]


def test_an_unreadable_batch_stops_the_rebuild(table: TableAccess) -> None:
    """Leaving it out would lose rows; the message names the file."""
    flushed(table, kv(1))
    path = table.folder / "batch-1.parquet"
    path.write_bytes(path.read_bytes()[:-10])
    assert "batch-1.parquet" in refused(ErrorKind.CORRUPT, lambda: rebuild(table))


def test_a_foreign_parquet_file_stops_the_rebuild(table: TableAccess) -> None:
    """A file without our footer is no batch, whatever its name."""
    flushed(table, kv(1))
    pq.write_table(pa.table({"k": [1]}), table.folder / "batch-2.parquet")
    assert "batch-2.parquet" in refused(ErrorKind.CORRUPT, lambda: rebuild(table))


def test_an_unreadable_deletion_file_stops_the_rebuild(table: TableAccess) -> None:
    """Leaving it out would raise rows from the dead; the message names the file."""
    flushed(table, kv(1), kv(2))
    table.delete(kv(1))
    table.flush()
    path = next(table.folder.glob("*.dv"))
    path.write_bytes(path.read_bytes()[:-1])
    assert path.name in refused(ErrorKind.CORRUPT, lambda: rebuild(table))


@pytest.mark.parametrize("seed", range(6))
def test_any_history_is_rebuilt(table: TableAccess, seed: int) -> None:
    """After every step of a random history the rebuilt table equals a dict."""
    chance = random.Random(seed)
    model: dict[int, int] = {}
    for step in range(40):
        rows = {chance.randrange(40): step for _ in range(chance.choice([1, 5, 20]))}
        match chance.choice(["write", "write", "delete", "load", "flush", "settle", "compact", "reclaim", "rebuild"]):
            case "write":
                table.write(*(kv(key, value) for key, value in rows.items()))
                model |= rows
            case "delete":
                table.delete(*(kv(key) for key in rows))
                model = {key: value for key, value in model.items() if key not in rows}
            case "load":
                load = table.bulk()
                load.add(table.part(*(kv(key, value) for key, value in rows.items())))
                load.add(table.part(kv(0), deleted=[True]))
                load.commit()
                model = {key: value for key, value in (model | rows).items() if key != 0}
            case "flush":
                table.flush()
            case "settle":
                table.settle()
            case "compact":
                table.compact()
            case "reclaim":
                table.reclaim()
            case _:
                rebuild(table)
        assert table.values() == model
    rebuild(table)
    assert table.values() == model
