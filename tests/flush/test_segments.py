"""Segments: a large stream's rows stay as they came for a while, and are then settled into sorted batches."""

import gc
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.definition import ColumnSpec, Default
from catalog.errors import DatabaseError, ErrorKind
from catalog.evolution import add_column, drop_column
from flush import bulk, change, compaction
from flush.compaction import Compacted
from flush.jobs.scheduler import Plan
from manifest.entries import ManifestFile
from manifest.layout import is_segment
from manifest.predicate import Unknown
from providers.cold.pruning import prune
from providers.cold.scope_folder import ScopeFolder
from providers.engine.export import export
from providers.rows.change import Change
from tests.storage_fixtures import Database, TableAccess, kv


def numbers(table: TableAccess, keys: np.ndarray) -> None:
    """Load rows with these keys, each with its key as its value."""
    load = table.bulk()
    load.add(Change(pa.table({"v": keys, "k": keys})))
    load.commit()


def paths(table: TableAccess) -> list[str]:
    """Row files of the manifest."""
    return [entry.path for entry in table.snapshot.manifest.batches]


def versions(table: TableAccess) -> list[dict[str, int]]:
    """Every live row with its `_seq`."""
    return table.query("SELECT k, v, _seq, _deleted FROM t ORDER BY k").to_pylist()


def test_a_load_stays_as_it_came(table: TableAccess) -> None:
    """Its rows are in an Arrow file in the order of the stream, without a bloom."""
    table.load([kv(3, 3), kv(1, 1), kv(2, 2)])
    (entry,) = table.snapshot.manifest.batches
    assert is_segment(entry.path)
    assert entry.bloom is None
    assert table.db.store.files.rows(table.snapshot.cold, entry, ["k"])["k"].to_pylist() == [3, 1, 2]


def test_settling_changes_no_value_and_no_seq(table: TableAccess) -> None:
    """Every row keeps its version."""
    table.load([kv(3, 3), kv(1, 1)], [kv(2, 2)])
    before = versions(table)
    assert table.settle() == Compacted(2, 1)
    assert versions(table) == before
    table.db.reopen()
    assert versions(table) == before


def test_a_settled_batch_is_sorted_and_has_a_bloom(table: TableAccess) -> None:
    """It is a batch like any other."""
    table.load([kv(3), kv(1)], [kv(2)])
    table.settle()
    (entry,) = table.snapshot.manifest.batches
    assert not is_segment(entry.path)
    assert entry.bloom is not None
    assert pq.read_table(table.folder / entry.path)["k"].to_pylist() == [1, 2, 3]


def test_parts_of_one_stream_are_settled_together(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that came in random order end up in batches whose ranges do not overlap."""
    monkeypatch.setattr(compaction, "BATCH_ROWS_MAX", 500)
    keys = np.random.default_rng(1).permutation(1_000)
    load = table.bulk()
    for part in np.split(keys, 4):
        load.add(Change(pa.table({"v": part, "k": part})))
    load.commit()
    assert table.settle() == Compacted(4, 2)
    bounds = [(entry.columns[2].min, entry.columns[2].max) for entry in table.snapshot.manifest.batches]
    assert bounds == [("0", "499"), ("500", "999")]


def test_settling_without_segments_does_nothing(table: TableAccess) -> None:
    """There is nothing to gain."""
    table.write(kv(1))
    table.flush()
    assert table.settle() == Compacted(0, 0)


def test_a_job_takes_no_more_segments_than_fit(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest first, and at least one."""
    monkeypatch.setattr(compaction, "JOB_SEGMENT_BYTES_MAX", 1)
    table.load([kv(1)], [kv(2)])
    table.settle()
    assert [is_segment(path) for path in paths(table)] == [True, False]
    assert table.values() == {1: 0, 2: 0}


@pytest.mark.parametrize("settled", [False, True])
def test_rows_of_segments_can_be_replaced_and_deleted(table: TableAccess, settled: bool) -> None:
    """By key, whatever the order of the rows in the file, before and after a restart."""
    table.load([kv(5, 5), kv(1, 1), kv(9, 9), kv(3, 3)])
    table.write(kv(9, 90))
    table.delete(kv(1))
    if settled:
        table.settle()
    assert table.values() == {5: 5, 9: 90, 3: 3}
    table.db.reopen()
    assert table.values() == {5: 5, 9: 90, 3: 3}
    table.flush()
    assert table.values() == {5: 5, 9: 90, 3: 3}


def test_a_delete_that_races_settling_is_not_lost(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that died while the job ran are dead in what it wrote."""
    table.load([kv(2, 2), kv(1, 1)])
    monkeypatch.setattr(compaction, "_write_outputs", _first(lambda: table.delete(kv(2)), compaction._write_outputs))
    table.settle()
    assert table.values() == {1: 1}
    table.db.reopen()
    assert table.values() == {1: 1}


def _first(before: Callable[[], object], function: Callable[..., object]) -> Callable[..., object]:
    def both(*arguments: object) -> object:
        before()
        return function(*arguments)

    return both


def test_a_reader_goes_on_while_its_segment_is_settled_and_reclaimed(table: TableAccess) -> None:
    """A pinned snapshot keeps its files."""
    table.load([kv(2, 2), kv(1, 1)])
    pinned = table.snapshot
    table.settle()
    table.reclaim()
    table.write(kv(1, 10))
    assert table.values(pinned) == {1: 1, 2: 2}
    assert table.values() == {1: 10, 2: 2}


def test_reclamation_removes_a_settled_segment(table: TableAccess) -> None:
    """Nobody reads it any more."""
    table.load([kv(1)])
    (path,) = paths(table)
    table.settle()
    table.reclaim()
    assert not (table.folder / path).exists()


def test_the_last_of_repeated_keys_wins_before_anything_is_settled(table: TableAccess) -> None:
    """Within a part the older row is not stored, and between parts it is dead."""
    table.load([kv(1, 1), kv(2, 2), kv(1, 3)], [kv(2, 4)])
    assert table.all() == [kv(1, 3), kv(2, 4)]
    assert [(entry.rows, entry.dead) for entry in table.snapshot.manifest.batches] == [(2, 1), (1, 0)]


@pytest.mark.parametrize("where", ["k = 2", "v = 20", "k > 1", "k IN (2, 7)", "v > 10 AND k < 3"])
def test_segments_are_filtered(table: TableAccess, where: str) -> None:
    """Conditions on the key and on other columns."""
    table.load([kv(3, 5), kv(2, 20), kv(1, 1)])
    assert table.select(f"SELECT count(*) FROM t WHERE {where}") == [{"k > 1": 2}.get(where, 1)]


def test_segments_are_pruned_by_their_keys(table: TableAccess) -> None:
    """A look-up opens none whose keys lie elsewhere."""
    table.load([kv(2), kv(1)])
    table.load([kv(8), kv(9)])
    pruned = table.pruned("k = 8")
    assert (len(pruned.kept), pruned.by_range) == (1, 1)


def test_limits_and_counts_leave_dead_rows_out(table: TableAccess) -> None:
    """Statistics of a file are not those of its live rows."""
    table.load([kv(key, key) for key in range(10)])
    table.delete(*[kv(key) for key in range(9)])
    assert table.select("SELECT count(*) FROM t") == [1]
    assert table.select("SELECT k FROM t LIMIT 5") == [9]


def test_a_column_that_is_younger_than_a_segment_holds_its_default(table: TableAccess) -> None:
    """And one that was dropped is gone; settling keeps both so."""
    table.load([kv(1, 1)])
    table.alter(lambda d: add_column(d, ColumnSpec("x", pa.int64(), default=Default(literal="7"))))
    table.alter(lambda d: add_column(d, ColumnSpec("n", pa.string())))
    table.alter(lambda d: drop_column(d, "v"))
    expected = [{"k": 1, "x": 7, "n": None}]
    assert table.all() == expected
    table.settle()
    assert table.all() == expected


def test_every_kind_of_value_survives_a_segment(db: Database) -> None:
    """Texts, bytes, decimals, moments, lists, structs and NULL, before and after settling."""
    columns = [
        ("s", pa.string()),
        ("b", pa.binary()),
        ("d", pa.decimal128(20, 3)),
        ("at", pa.timestamp("us", "UTC")),
        ("l", pa.list_(pa.string())),
        ("st", pa.struct([("x", pa.float64()), ("y", pa.string())])),
        ("flag", pa.bool_()),
    ]
    table = db.create([("k", pa.string()), *columns], ("k",))
    full = {"s": "é" * 20, "b": b"\0x", "d": Decimal("1.250"), "at": 0, "l": ["a", None], "st": {"x": 1.5, "y": None}}
    rows = [{"k": "b", **full, "flag": True}, {"k": "a", **dict.fromkeys(["flag", *full])}]
    table.load(rows)
    before = table.all()
    assert [row["k"] for row in before] == ["a", "b"]
    assert {name: before[1][name] for name in ("s", "b", "d", "l", "st")} == {
        name: full[name] for name in ("s", "b", "d", "l", "st")
    }
    assert table.select("SELECT k FROM t WHERE s IS NULL") == ["a"]
    table.settle()
    assert table.all() == before


def test_keys_of_text_are_found_in_segments(db: Database) -> None:
    """Through an index of hashes, as in batches."""
    table = db.create([("v", pa.int64()), ("k", pa.string())], ("k",))
    table.load([kv("b", 1), kv("a", 2)])
    table.write(kv("a", 3))
    table.delete(kv("b"))
    assert table.values() == {"a": 3}


def test_a_stream_of_tiny_batches_is_stored_in_large_ones(table: TableAccess) -> None:
    """Readers do not pay for the way in which a client cuts its rows."""
    pieces = [pa.record_batch({"v": [key], "k": [key]}) for key in range(100)]
    load = table.bulk()
    load.add(Change(pa.Table.from_batches(pieces)))
    load.commit()
    (entry,) = table.snapshot.manifest.batches
    with pa.memory_map(str(table.folder / entry.path)) as file:
        assert pa.ipc.open_file(file).num_record_batches == 1


def test_an_export_reads_segments(table: TableAccess) -> None:
    """Without the engine, in their order, without dead rows."""
    table.load([kv(3, 3), kv(1, 1), kv(2, 2)])
    table.delete(kv(1))
    snapshot = table.snapshot
    pruned = prune(snapshot, Unknown(), table.db.store.files)
    schema = pa.schema([("k", pa.int64()), ("v", pa.int64())])
    batches = export(snapshot, pruned, schema.names, schema, table.db.store.files, lambda: None)
    assert pa.Table.from_batches(batches).to_pylist() == [kv(3, 3), kv(2, 2)]


@pytest.mark.parametrize(("name", "most"), [("SEGMENTS_MAX", 2), ("SEGMENT_ROWS_MAX", 2), ("SEGMENT_BYTES_MAX", 1)])
def test_streams_are_encoded_at_once_when_too_much_waits(
    table: TableAccess, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    """So the work that is left for later is bounded."""
    monkeypatch.setattr(bulk, name, most)
    for key in range(4):
        table.load([kv(key)])
    kinds = [is_segment(path) for path in paths(table)]
    assert kinds == [True] * min(most, 2) + [False] * (4 - min(most, 2))
    assert sorted(table.values()) == [0, 1, 2, 3]


def test_segments_are_settled_after_a_while(table: TableAccess) -> None:
    """Not at once: the next stream would like to have the cores."""
    table.load([kv(1)])
    patient = table.db.jobs(Plan(settle_after_seconds=1e9))
    patient.tick()
    assert table.snapshot.manifest.segments
    eager = table.db.jobs(Plan(settle_after_seconds=0, compacts=False))
    eager.tick()
    assert not table.snapshot.manifest.segments


def test_a_damaged_segment_is_an_error(table: TableAccess) -> None:
    """Its checksum is compared when a process first opens it."""
    table.load([kv(1)])
    path = table.folder / paths(table)[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    table.db.reopen()
    with pytest.raises(DatabaseError) as caught:
        table.all()
    assert caught.value.kind is ErrorKind.CORRUPT


def test_a_scope_with_segments_stays_in_memory(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker looks at what is in memory only."""
    other = table.db.create(name="other")
    table.load([kv(1)])
    monkeypatch.setattr(table.db.store.residents, "bytes_max", 0)
    for each in (table, other):
        each.all()
    gc.collect()
    assert [state.head.table.name for state in table.db.store.loaded()] == [table.name]


@pytest.mark.parametrize("between", [False, True])
def test_a_segment_is_durable_before_a_manifest_names_it(
    table: TableAccess, monkeypatch: pytest.MonkeyPatch, between: bool
) -> None:
    """Also when it was written again, because another commit came in between."""
    synced: set[int] = set()
    named: list[int] = []
    sync, publish = os.fsync, change.next_manifest

    def synced_file(descriptor: int) -> None:
        sync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    def published(folder: ScopeFolder, manifest: ManifestFile, wanted: change.ColdChange, version: int) -> object:
        for entry in wanted.added:
            named.append(Path(folder.local_path(entry.path)).stat().st_ino)
            assert named[-1] in synced
        return publish(folder, manifest, wanted, version)

    monkeypatch.setattr(os, "fsync", synced_file)
    monkeypatch.setattr(change, "next_manifest", published)
    load = table.bulk()
    load.add(table.part(kv(1), kv(2)))
    load.add(table.part(kv(3)))
    if between:
        load.finish()
        table.write(kv(4))
    load.commit()
    assert len(named) == 2 + between


def test_a_load_leaves_no_file_open(table: TableAccess) -> None:
    """Whether it is committed or given up."""
    table.load([kv(1)])
    before = len(list(Path("/proc/self/fd").iterdir()))
    table.load([kv(2)], [kv(3)])
    load = table.bulk()
    load.add(table.part(kv(4)))
    load.abort()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
