"""ALTER TABLE with hot records and batches of older definitions."""

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from catalog.definition import ColumnSpec, Default
from catalog.evolution import add_column, drop_column, rename_column
from flush.bulk import BulkLoad
from providers.commit.definitions import StaleDefinitionError
from providers.commit.resolve import OnExisting
from providers.commit.work import Autocommit
from providers.rows.change import Change
from tests.processes import HANGS_SECONDS
from tests.storage_fixtures import Database, Row, TableAccess, kv

STAGES = pytest.mark.parametrize("stage", ["hot", "reopened", "flushed", "flushed after", "compacted", "mixed"])


def with_column(name: str, default: str | None = None, type_: pa.DataType | None = None) -> object:
    """An ADD COLUMN."""
    spec = ColumnSpec(name, type_ or pa.int64(), default=Default(literal=default) if default else None)
    return lambda definition: add_column(definition, spec)


def bring_to(table: TableAccess, stage: str, change: object) -> None:
    """Write rows 1 and 2, apply `change` to the definition, and bring the rows to a stage of their life."""
    table.write(kv(1, 10))
    if stage in {"flushed", "compacted", "mixed"}:
        table.flush()
    table.write(kv(2, 20))
    if stage in {"flushed", "compacted"}:
        table.flush()
    table.alter(change)
    if stage == "reopened":
        table.db.reopen()
    if stage == "flushed after":
        table.flush()
    if stage == "compacted":
        table.compact()


@STAGES
def test_added_column_is_null_in_older_rows(table: TableAccess, stage: str) -> None:
    """Rows from before ADD COLUMN hold NULL in it, wherever they are."""
    bring_to(table, stage, with_column("x"))
    assert table.all() == [{"v": 10, "k": 1, "x": None}, {"v": 20, "k": 2, "x": None}]
    assert table.select("SELECT k FROM t WHERE x IS NULL ORDER BY k") == [1, 2]
    assert table.select("SELECT k FROM t WHERE x IS NOT NULL") == []


@STAGES
def test_added_column_holds_its_default_in_older_rows(table: TableAccess, stage: str) -> None:
    """Rows from before ADD COLUMN … DEFAULT hold the default, and predicates find them by it."""
    bring_to(table, stage, with_column("x", "7"))
    table.write({"k": 3, "v": 30, "x": 8})
    assert [row["x"] for row in table.all()] == [7, 7, 8]
    assert table.select("SELECT k FROM t WHERE x = 7 ORDER BY k") == [1, 2]
    assert table.select("SELECT k FROM t WHERE x > 7") == [3]
    assert table.select("SELECT k FROM t WHERE x IS NULL") == []


@STAGES
def test_added_column_with_default_null(table: TableAccess, stage: str) -> None:
    """DEFAULT NULL is no default: IS NULL finds the older rows."""
    bring_to(table, stage, with_column("x", "NULL"))
    assert table.select("SELECT k FROM t WHERE x IS NULL ORDER BY k") == [1, 2]


@STAGES
def test_added_text_column_with_default(table: TableAccess, stage: str) -> None:
    """Defaults of text columns take the engine's own text type."""
    bring_to(table, stage, with_column("x", "'it''s'", pa.string()))
    assert table.select("SELECT DISTINCT x FROM t") == ["it's"]
    assert table.select("SELECT k FROM t WHERE x LIKE 'it%' ORDER BY k") == [1, 2]


@STAGES
def test_dropped_column_is_gone(table: TableAccess, stage: str) -> None:
    """Rows from before DROP COLUMN are readable without it."""
    table.alter(with_column("x"))
    bring_to(table, stage, lambda definition: drop_column(definition, "v"))
    table.write({"k": 3, "x": 1})
    assert table.all() == [{"k": 1, "x": None}, {"k": 2, "x": None}, {"k": 3, "x": 1}]


@STAGES
def test_renamed_column_keeps_its_values(table: TableAccess, stage: str) -> None:
    """RENAME changes the name only."""
    bring_to(table, stage, lambda definition: rename_column(definition, "v", "w"))
    table.write({"k": 3, "w": 30})
    assert [row["w"] for row in table.all()] == [10, 20, 30]
    assert table.select("SELECT k FROM t WHERE w > 15 ORDER BY k") == [2, 3]


@STAGES
def test_renamed_key_is_still_the_key(table: TableAccess, stage: str) -> None:
    """After renaming the key column, updates still find their older versions."""
    bring_to(table, stage, lambda definition: rename_column(definition, "k", "id"))
    table.write({"id": 1, "v": 11})
    assert table.all() == [{"v": 11, "id": 1}, {"v": 20, "id": 2}]


@STAGES
def test_column_dropped_and_added_again_is_a_new_one(table: TableAccess, stage: str) -> None:
    """Old values never come back under an old name, and do not prune the new column."""
    table.alter(with_column("x"))

    def replace(definition: object) -> object:
        return with_column("v")(drop_column(definition, "v"))

    bring_to(table, stage, replace)
    table.write({"k": 3, "v": 30})
    assert [row["v"] for row in table.all()] == [None, None, 30]
    assert table.select("SELECT k FROM t WHERE v = 10") == []
    assert table.select("SELECT k FROM t WHERE v IS NULL ORDER BY k") == [1, 2]


def test_names_swapped_by_renaming(table: TableAccess) -> None:
    """Columns are tracked by id: swapping two names swaps what they show, and what they prune."""
    table.alter(with_column("x"))
    table.write({"k": 1, "v": 1, "x": 100})
    table.flush()
    for old, new in (("v", "tmp"), ("x", "v"), ("tmp", "x")):
        table.alter(lambda definition, old=old, new=new: rename_column(definition, old, new))
    assert table.all() == [{"x": 1, "k": 1, "v": 100}]
    assert table.select("SELECT k FROM t WHERE v = 100") == [1]
    assert table.select("SELECT k FROM t WHERE v = 1") == []


def test_batches_of_several_definitions_in_one_scan(table: TableAccess) -> None:
    """Each group of batches is filled with the defaults that it lacks."""
    table.write(kv(1, 1))
    table.flush()
    table.alter(with_column("x", "5"))
    table.write({"k": 2, "v": 2, "x": 6})
    table.flush()
    table.alter(with_column("y"))
    table.write({"k": 3, "v": 3, "x": 7, "y": 8})
    table.flush()
    table.delete(kv(2))
    assert [(row["k"], row["x"], row["y"]) for row in table.all()] == [(1, 5, None), (3, 7, 8)]
    table.compact()
    assert [(row["k"], row["x"], row["y"]) for row in table.all()] == [(1, 5, None), (3, 7, 8)]


def test_pinned_reader_keeps_its_definition(table: TableAccess) -> None:
    """A snapshot from before an ALTER still has the old columns."""
    table.write(kv(1, 10))
    table.flush()
    table.write(kv(2, 20))
    pinned = table.snapshot
    table.alter(lambda definition: rename_column(definition, "v", "w"))
    table.alter(with_column("x"))
    table.flush()
    table.compact()
    assert table.all(pinned) == [kv(1, 10), kv(2, 20)]


def test_adopting_a_definition_shows_nothing_that_is_not_durable(table: TableAccess) -> None:
    """ALTER publishes a snapshot, and a commit before it is part of it."""
    table.write(kv(1))
    table.alter(with_column("x"))
    assert table.snapshot.table.version == 2
    assert table.snapshot.version > 1
    assert [row["k"] for row in table.all()] == [1]


def test_batches_before_and_after_a_dropped_column_are_read_together(db: Database) -> None:
    """Their files have different columns, whether some of their rows are dead or not."""
    table = db.create([("v", pa.int64()), ("k", pa.int64()), ("x", pa.int64())])
    table.write({"k": 1, "v": 1, "x": 1}, {"k": 2, "v": 2, "x": 2})
    table.flush()
    table.alter(lambda definition: drop_column(definition, "x"))
    table.write({"k": 3, "v": 3}, {"k": 4, "v": 4})
    table.flush()
    assert table.values() == {1: 1, 2: 2, 3: 3, 4: 4}
    table.delete({"k": 1}, {"k": 3})
    assert table.values() == {2: 2, 4: 4}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (with_column("x", "7"), {"v": 10, "k": 1, "y": None, "x": 7}),
        (with_column("x"), {"v": 10, "k": 1, "y": None, "x": None}),
        (lambda definition: drop_column(definition, "y"), {"v": 10, "k": 1}),
    ],
    ids=["added with a default", "added", "another one dropped"],
)
def test_rows_made_before_a_change_are_written_after_it(table: TableAccess, change: object, found: Row) -> None:
    """A column may come, or one that they do not name may go, while a statement works."""
    table.alter(with_column("y"))
    made, scope = Change(table.rows([kv(1, 10)])), (table.definition, None)
    table.alter(change)
    _autocommit(table).offer(scope, made, ["v", "k"], OnExisting.REFUSE)
    assert table.all() == [found]


@pytest.mark.parametrize(
    "change",
    [
        lambda definition: drop_column(definition, "v"),
        lambda definition: rename_column(definition, "v", "w"),
        lambda definition: with_column("v")(drop_column(definition, "v")),
    ],
    ids=["dropped", "renamed", "dropped and added again"],
)
def test_rows_that_name_a_column_which_is_another_by_then_are_refused(table: TableAccess, change: object) -> None:
    """Nothing of them is written, by a small commit and by a large one."""
    made, scope, work = Change(table.rows([kv(1, 10)])), (table.definition, None), _autocommit(table)
    load = BulkLoad(table.db.store, table.state, table.definition, named=["v", "k"])
    load.add(made)
    table.alter(change)
    assert table.all() == []
    for write in (lambda: work.offer(scope, made, ["v", "k"], OnExisting.REFUSE), load.commit):
        with pytest.raises(StaleDefinitionError, match="definition of public"):
            write()
    load.abort()
    assert table.all() == []


def test_a_change_of_the_tables_own_rows_is_for_one_definition(table: TableAccess) -> None:
    """It was made of columns that it found, and others are there by then."""
    scope = (table.definition, None)
    table.alter(with_column("x"))
    assert table.all() == []
    with pytest.raises(StaleDefinitionError):
        _autocommit(table).write(scope, lambda _: Change(table.rows([kv(1, 10)])), OnExisting.REPLACE)


def _autocommit(table: TableAccess) -> Autocommit:
    return Autocommit(table.db.catalog, table.db.store)


def test_a_reader_with_a_newer_definition_waits_for_no_writer(table: TableAccess) -> None:
    """Two writers that read each other's tables after an ALTER would wait for each other."""
    table.write(kv(1, 10))
    state = table.state
    with table.db.store.exclusive(state), ThreadPoolExecutor(1) as reader:
        table.alter(with_column("x", "7"))
        seen = reader.submit(lambda: table.snapshot).result(timeout=HANGS_SECONDS)
    assert seen.table.version == table.definition.version
    assert seen.hot.batches[0].column(table.definition.by_name["x"].physical).to_pylist() == [7]


def test_a_large_stream_goes_on_over_a_new_column(table: TableAccess) -> None:
    """Its batches are older than the column; the manifest is not."""
    load = BulkLoad(table.db.store, table.state, table.definition)
    load.add(Change(table.rows(kv(k, k) for k in range(5))))
    table.alter(with_column("x", "7"))
    table.write({"k": 9, "v": 9, "x": 9})
    load.commit()
    assert table.select("SELECT x FROM t ORDER BY k") == [7] * 5 + [9]
    table.db.reopen()
    assert table.select("SELECT x FROM t ORDER BY k") == [7] * 5 + [9]
    assert table.snapshot.manifest.schema_version == table.definition.version
