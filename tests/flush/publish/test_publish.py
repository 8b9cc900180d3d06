"""What other engines find in a scope's folder, read back from its log, and by deltalake."""

import json
from datetime import UTC, datetime

import deltalake
import pyarrow as pa
import pytest

from catalog.definition import ColumnSpec, Default, Format, Publication, TableOptions
from catalog.errors import DatabaseError
from catalog.evolution import add_column, rename_column, set_options
from flush.hot_flush import flush
from flush.jobs.scheduler import Plan
from flush.publish.columns import check_publishable
from flush.publish.log import read_log
from flush.publish.publish import publish, waits_for_flush
from flush.publish.statistics import statistics
from flush.work import Work
from tests.storage_fixtures import KV_COLUMNS, Database, TableAccess, kv

PUBLISHED = TableOptions(publication=Publication(Format.DELTA))


@pytest.fixture
def table(db: Database) -> TableAccess:
    """A published (v, k) table."""
    return db.create(KV_COLUMNS, ["k"], options=PUBLISHED)


def published(table: TableAccess, columns: str = "v, k") -> list[dict[str, object]]:
    """What deltalake reads, after whatever is to be published."""
    publish(table.db.store, table.state)
    return read(table, columns)


def read(table: TableAccess, columns: str = "v, k") -> list[dict[str, object]]:
    """What deltalake reads."""
    found = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(str(table.folder)))
    return pa.table(found.execute(f"SELECT {columns} FROM t ORDER BY k").read_all()).to_pylist()


def test_what_is_published_is_what_is_in_files(table: TableAccess) -> None:
    """Dead rows are not there, and rows in memory not yet; `_seq` is a column, a row's address none."""
    table.write(*map(kv, range(5)))
    table.flush()
    table.delete({"k": 1})
    table.write(kv(2, 20))
    table.flush()
    table.write(kv(9))
    assert published(table) == [kv(0), kv(2, 20), kv(3), kv(4)]
    assert [field.name for field in deltalake.DeltaTable(str(table.folder)).schema().fields] == ["v", "k", "_seq"]


def test_a_row_that_was_changed_since_the_flush_is_there_as_it_was(table: TableAccess) -> None:
    """Though its death is recorded, or a compaction has left it out; after a restart, too."""
    load = table.bulk()
    load.add(table.part(kv(1), kv(2)))
    load.commit()
    table.settle()
    table.write(kv(3))
    flush(table.db.store, table.state, Work(lambda: table.write(kv(1, 10)) and None))
    assert published(table) == [kv(1), kv(2), kv(3)]
    assert table.compact().inputs
    assert published(table) == [kv(1), kv(2), kv(3)]
    table.db.reopen()
    assert published(table) == [kv(1), kv(2), kv(3)]
    assert waits_for_flush(table.state)
    table.flush()
    assert published(table) == [kv(1, 10), kv(2), kv(3)]


def test_writers_are_told_that_columns_are_not_null(table: TableAccess) -> None:
    """Spark reads no table whose protocol does not say so."""
    table.write(kv(1))
    table.flush()
    published(table)
    first = table.folder / "_delta_log" / f"{0:020}.json"
    (protocol,) = (json.loads(line)["protocol"] for line in first.read_text().splitlines() if '"protocol"' in line)
    assert "invariants" in protocol["writerFeatures"]
    assert "invariants" not in protocol["readerFeatures"]


def test_a_manifest_is_published_once(table: TableAccess) -> None:
    """A second time finds nothing to do, also after a start, when only the log knows."""
    table.write(kv(1))
    table.flush()
    assert publish(table.db.store, table.state).changed
    assert not publish(table.db.store, table.state).changed
    table.db.reopen()
    assert not publish(table.db.store, table.state).changed


def test_several_manifests_become_one_version(table: TableAccess) -> None:
    """Which says the version of the last."""
    for number in range(3):
        table.write(kv(number))
        table.flush()
    assert published(table) == [kv(0), kv(1), kv(2)]
    assert read_log(table.snapshot.cold.folder).version == 0
    assert read_log(table.snapshot.cold.folder).manifest == table.snapshot.manifest.version


def test_a_checkpoint_says_what_the_versions_before_it_said(table: TableAccess) -> None:
    """What is read from it is what is known to who wrote it, files that were let go included."""
    for number in range(25):
        table.write(kv(number % 7, number))
        table.flush()
        publish(table.db.store, table.state)
    known = table.state.publication
    assert known is not None
    assert known.checkpoint > 0
    assert {**known.__dict__, "at_ms": 0} == {**read_log(table.snapshot.cold.folder).__dict__, "at_ms": 0}
    assert read(table) == table.all()


def test_a_renamed_column_is_found_by_its_first_name(table: TableAccess) -> None:
    """The metadata has both names."""
    table.write(kv(1, 5))
    table.flush()
    publish(table.db.store, table.state)
    table.alter(lambda definition: rename_column(definition, "v", "other name"))
    assert published(table, '"other name", k') == [{"other name": 5, "k": 1}]


def test_files_that_were_replaced_stay_for_as_long_as_was_promised(table: TableAccess) -> None:
    """Who has opened a version reads it to its end; afterwards they go."""
    table.write(kv(1), kv(2))
    table.flush()
    table.delete({"k": 1})
    table.flush()
    publish(table.db.store, table.state)
    opened = deltalake.DeltaTable(str(table.folder))
    table.compact()
    table.reclaim()
    publish(table.db.store, table.state)
    table.reclaim()
    rows = deltalake.QueryBuilder().register("t", opened).execute("SELECT v, k FROM t").read_all()
    assert pa.table(rows).to_pylist() == [kv(2)]
    short = TableOptions(publication=Publication(Format.DELTA, 0.0))
    table.alter(lambda definition: set_options(definition, short))
    publish(table.db.store, table.state)
    table.reclaim()
    assert not list(table.folder.glob("deletion_vector_*"))
    assert len(list(table.folder.glob("*.parquet"))) == 1
    assert read(table) == [kv(2)]


def test_a_version_of_somebody_else_is_made_right(table: TableAccess) -> None:
    """Whatever another writer has put into the log, the next version shows the manifest."""
    table.write(kv(1))
    table.flush()
    publish(table.db.store, table.state)
    path = json.dumps({"remove": {"path": "batch-1.parquet", "dataChange": True, "deletionTimestamp": 1}})
    (table.folder / "_delta_log" / f"{1:020}.json").write_text(path)
    assert read(table) == []
    table.write(kv(2))
    table.flush()
    assert published(table) == [kv(1), kv(2)]


def test_what_is_not_published_any_more_is_no_delta_table(table: TableAccess) -> None:
    """Its log and its vectors go, its batches stay."""
    table.write(kv(1), kv(2))
    table.flush()
    table.delete({"k": 1})
    table.flush()
    publish(table.db.store, table.state)
    table.alter(lambda definition: set_options(definition, TableOptions()))
    publish(table.db.store, table.state)
    assert not (table.folder / "_delta_log").exists()
    assert not list(table.folder.glob("deletion_vector_*"))
    assert table.all() == [kv(2)]


@pytest.mark.parametrize(
    "data_type", [pa.uint64(), pa.time64("us"), pa.float16(), pa.timestamp("ns"), pa.list_(pa.uint64())]
)
def test_a_type_that_delta_has_not_is_refused_by_the_columns_name(db: Database, data_type: pa.DataType) -> None:
    """In nested columns, too."""
    refused = db.create([("k", pa.int64()), ("x", data_type)], ["k"])
    with pytest.raises(DatabaseError, match="column x cannot be published"):
        check_publishable(refused.definition)


def test_a_default_that_older_batches_do_not_hold_is_refused(table: TableAccess) -> None:
    """They would have NULL elsewhere."""
    table.alter(lambda definition: add_column(definition, ColumnSpec("x", pa.int64(), True, Default(literal="1"))))
    with pytest.raises(DatabaseError, match="column x cannot be published: it was added with a DEFAULT"):
        check_publishable(table.definition)


def test_the_upper_bound_of_a_moment_is_not_below_it(db: Database) -> None:
    """Bounds have milliseconds; zeros are said so that no reader's order of them prunes; infinity is unknown."""
    columns = [("k", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("x", pa.float64()), ("y", pa.float64())]
    table = db.create(columns, ["k"])
    table.write({"k": 1, "at": datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC), "x": 0.0, "y": float("inf")})
    table.flush()
    found = json.loads(statistics(table.snapshot.manifest.batches[0], table.definition.visible_columns, is_dirty=False))
    assert found["minValues"] == {"k": 1, "at": "2024-01-01T00:00:00.000Z", "x": -0.0}
    assert found["maxValues"] == {"k": 1, "at": "2024-01-01T00:00:00.001Z", "x": 0.0}
    assert str(found["minValues"]["x"]) == "-0.0"


def test_publishing_happens_by_itself(table: TableAccess) -> None:
    """After a start, a flush, and a change of the definition; a table that is not to be published any more is not."""
    table.write(kv(1))
    table.flush()
    table.db.reopen()
    jobs = table.db.jobs(Plan(publish_every_seconds=0))
    jobs.tick()
    assert read(table) == [kv(1)]
    table.write(kv(2))
    table.flush()
    jobs.tick()
    assert read(table) == [kv(1), kv(2)]
    table.alter(lambda definition: rename_column(definition, "v", "w"))
    jobs.tick()
    assert read(table, "w, k") == [{"w": 0, "k": 1}, {"w": 0, "k": 2}]
    table.alter(lambda definition: set_options(definition, TableOptions()))
    jobs.tick()
    assert not (table.folder / "_delta_log").exists()


def test_files_that_were_promised_for_long_enough_go_by_themselves(table: TableAccess) -> None:
    """Nobody needs to change anything."""
    short = TableOptions(publication=Publication(Format.DELTA, 0.0))
    table.alter(lambda definition: set_options(definition, short))
    table.write(kv(1), kv(2))
    table.flush()
    table.delete({"k": 1})
    table.flush()
    jobs = table.db.jobs(Plan(publish_every_seconds=0))
    jobs.tick()
    table.compact()
    jobs.tick()
    jobs.tick()
    assert len(list(table.folder.glob("*.parquet"))) == 1


def test_a_segment_is_published_when_it_is_a_batch(table: TableAccess) -> None:
    """Before that, what other engines read is what was there before it."""
    table.write(kv(1))
    table.flush()
    assert published(table) == [kv(1)]
    table.load([kv(1, 5), kv(2)])
    assert published(table) == [kv(1)]
    table.settle()
    assert published(table) == [kv(1, 5), kv(2)]


def test_a_batch_that_stays_for_others_is_marked_as_retired(table: TableAccess) -> None:
    """So that a manifest that is made again does not have its rows."""
    table.write(kv(1), kv(2))
    table.flush()
    table.delete({"k": 1})
    table.flush()
    publish(table.db.store, table.state)
    table.compact()
    table.reclaim()
    assert (table.folder / "batch-1.parquet").exists()
    assert (table.folder / "batch-1.retired").exists()
