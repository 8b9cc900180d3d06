"""What a start does of tables that are not in the catalog: what is known to be gone goes, what is unknown is kept."""

from pathlib import Path

from catalog.constraints import add_check, add_unproven, constraint_names
from catalog.definition import Check, CheckSpec, Unique
from catalog.keyvalue import AtomicWrite, Family
from manifest.layout import table_folder
from tests.storage_fixtures import Database, TableAccess, kv


def flushed(db: Database, name: str) -> TableAccess:
    """A table with one flushed and one hot row."""
    table = db.create(name=name)
    table.write(kv(1))
    table.flush()
    table.write(kv(2))
    return table


def folder_of(table: TableAccess) -> Path:
    """Where a table's files are, or would be."""
    return table_folder(table.db.folder.tables, table.definition)


def lose_definition(table: TableAccess) -> None:
    """Take a table out of the catalog's records, as a restored copy of an older catalog would."""
    name = table.name
    batch = AtomicWrite()
    batch.delete(Family.CATALOG, f"t/{name.namespace}/{name.table}".encode())
    table.db.keyvalue.commit(batch)
    table.db.reopen()


def hot_tables(db: Database) -> list[int]:
    """Ids of the tables that have hot records."""
    return list(db.store.hot_records.tables())


def test_a_dropped_table_is_deleted_at_the_next_start(db: Database) -> None:
    """The catalog has put on record that it is gone, so its files and records may go after a crash."""
    dropped, kept = flushed(db, "dropped"), flushed(db, "kept")
    folder = folder_of(dropped)
    db.catalog.change(lambda registry: registry.without_table(dropped.name))
    db.reopen()
    db.clear_leftovers()
    assert not folder.exists()
    assert hot_tables(db) == [kept.definition.id]
    assert db.catalog.gone_tables() == frozenset()
    assert sorted(kept.values()) == [1, 2]


def test_a_table_that_never_came_to_be_is_deleted_at_the_next_start(db: Database) -> None:
    """An id that was handed out and never defined, as for a temporary table, keeps nothing."""
    kept = flushed(db, "kept")
    table_id = db.catalog.reserve_table_id()
    folder = db.folder.tables / "public" / f"x.{table_id}"
    folder.mkdir()
    (folder / "batch-1.parquet").write_bytes(b"x")
    db.reopen()
    db.clear_leftovers()
    assert not folder.exists()
    assert folder_of(kept).exists()


def test_what_is_unknown_is_kept_aside_and_comes_back(db: Database) -> None:
    """A table that the catalog does not know may be one that the catalog has lost: nothing of it is deleted."""
    lost, kept = flushed(db, "lost"), flushed(db, "kept")
    definition, folder = lost.definition, folder_of(lost)
    names = {path.name for path in folder.iterdir()}
    lose_definition(lost)
    db.clear_leftovers()
    assert not folder.exists()
    assert sorted(kept.values()) == [1, 2]
    assert {path.name for path in db.folder.tables.rglob(f"{folder.name}/*")} == names
    db.catalog.change(lambda registry: registry.with_table(definition))
    db.reopen()
    db.clear_leftovers()
    assert sorted(lost.values()) == [1, 2]


def test_an_empty_catalog_moves_nothing(db: Database) -> None:
    """A catalog without any table knows nothing of what it finds."""
    lost = flushed(db, "lost")
    folder = folder_of(lost)
    lose_definition(lost)
    db.clear_leftovers()
    assert (folder / "manifest.json").exists()
    assert hot_tables(db) != []


def test_the_id_of_what_is_found_is_never_handed_out(db: Database) -> None:
    """A new table does not get the files or the records of one that the catalog has lost."""
    lost = flushed(db, "lost")
    found = lost.definition.id
    folder_of(lost).rename(folder_of(lost).with_name(f"lost.{found + 7}"))
    batch = AtomicWrite()
    batch.delete(Family.CATALOG, b"next_table_id")
    db.keyvalue.commit(batch)
    lose_definition(lost)
    db.clear_leftovers()
    assert db.catalog.reserve_table_id() == found + 8
    assert flushed(db, "lost").values() == {1: 0, 2: 0}


def test_after_a_loss_nothing_is_deleted(db: Database) -> None:
    """The record that a table is gone may be older than the table."""
    kept, gone = flushed(db, "kept"), flushed(db, "gone")
    folder = folder_of(gone)
    db.catalog.change(lambda registry: registry.without_table(gone.name))
    db.reopen()
    db.clear_leftovers(after_loss=True)
    assert list(db.folder.tables.rglob(f"{folder.name}/manifest.json"))
    assert len(hot_tables(db)) == 2
    db.reopen()
    db.clear_leftovers()
    assert list(db.folder.tables.rglob(f"{folder.name}/manifest.json"))
    assert sorted(kept.values()) == [1, 2]


def test_a_table_is_gone_before_and_after_its_life(db: Database) -> None:
    """From the moment its id is handed out until it is defined, and again when it is dropped."""
    table_id = db.catalog.reserve_table_id()
    assert db.catalog.gone_tables() == {table_id}
    made = flushed(db, "t").definition
    assert db.catalog.gone_tables() == {table_id}
    db.catalog.change(lambda registry: registry.without_table(made.name))
    assert db.catalog.gone_tables() == {table_id, made.id}
    db.catalog.forget_gone([table_id])
    assert db.catalog.gone_tables() == {made.id}


def test_a_constraint_that_was_about_to_be_added_is_taken_away(db: Database) -> None:
    """Nobody has looked at all rows for it; what was proven stays."""
    table = db.create()
    table.alter(lambda now: add_check(now, CheckSpec("proven", "v < 9")))
    table.alter(lambda now: add_unproven(now, [Check("c", "v < 5")], [Unique("u", (1,))]))
    db.reopen()
    assert table.definition.unproven == {"c", "u"}
    db.clear_leftovers()
    db.reopen()
    assert constraint_names(table.definition) == {"proven"}
    assert not table.definition.unproven
