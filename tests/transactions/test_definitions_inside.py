"""Definitions inside transactions: seen by nobody else, committed with the rows or not at all."""

import threading

import pyarrow as pa
import pytest

from catalog.definition import ColumnSpec, Default, TableDef, TableKind, ViewDef
from catalog.errors import ErrorKind
from catalog.evolution import add_column, create_table, drop_column, rename_column
from catalog.identifiers import TableName
from catalog.keyvalue import Family
from providers.commit.transaction import Transaction
from tests.storage_fixtures import KV_COLUMNS, Database, TableAccess, kv, run_together
from tests.transactions.inside import Inside, begin, conflict, inside, put, refusal

WITH_DEFAULT = ColumnSpec("extra", pa.int64(), default=Default(literal="7"))


def extended(table: TableDef) -> TableDef:
    """A column more."""
    return add_column(table, WITH_DEFAULT)


def create_in(
    transaction: Transaction, db: Database, name: str = "fresh", kind: TableKind = TableKind.SHARED
) -> Inside:
    """Create a table in a transaction."""
    specs = [ColumnSpec(*column) for column in KV_COLUMNS]
    table = create_table(db.catalog.reserve_table_id(), TableName("public", name), kind, specs, ["k"])
    transaction.define(lambda registry: registry.with_table(table))
    user = "ann" if kind is TableKind.USER else None
    return Inside(TableAccess(db, table.name, user), transaction)


def outside(table: TableAccess) -> TableAccess:
    """The same scope as everybody sees it."""
    return TableAccess(table.db, table.name, table.user)


@pytest.mark.parametrize("kind", TableKind)
def test_a_created_table_appears_with_its_rows(db: Database, kind: TableKind) -> None:
    """Before the commit nobody knows it; after it and after a restart it is there, whole."""
    transaction = begin(db)
    fresh = create_in(transaction, db, kind=kind)
    fresh.write(*[kv(k, k) for k in range(5)])
    fresh.delete(kv(3))
    assert fresh.values() == {0: 0, 1: 1, 2: 2, 4: 4}
    assert fresh.name not in db.catalog.registry.tables
    assert fresh.name not in begin(db).registry.tables
    transaction.commit()
    for _ in range(2):
        assert outside(fresh).values() == {0: 0, 1: 1, 2: 2, 4: 4}
        db.reopen()


def test_a_created_table_that_is_rolled_back_leaves_nothing(db: Database) -> None:
    """No definition, no records, no folder's owner; its name is free."""
    transaction = begin(db)
    fresh = create_in(transaction, db)
    put(fresh, 1)
    table_id = fresh.definition.id
    transaction.rollback()
    assert not db.catalog.registry.tables
    assert list(db.keyvalue.scan(Family.HOT, b"", b"\xff" * 9)) == []
    assert db.store.dropped_tables == {table_id}
    db.create(name="fresh").write(kv(1))


def test_a_table_that_was_created_and_dropped_inside_never_was(db: Database) -> None:
    """The commit leaves it out, with its rows."""
    transaction = begin(db)
    fresh = create_in(transaction, db)
    put(fresh, 1)
    fresh.drop()
    again = create_in(transaction, db)
    put(again, 2)
    transaction.commit()
    assert outside(again).values() == {2: 100}
    assert len(db.store.dropped_tables) == 1


def test_a_created_table_can_be_altered_and_returned(db: Database) -> None:
    """Each definition of a savepoint shows its own columns."""
    transaction = begin(db)
    fresh = create_in(transaction, db)
    put(fresh, 1)
    transaction.savepoint("s")
    fresh.alter(extended)
    assert fresh.all() == [{"v": 100, "k": 1, "extra": 7}]
    transaction.rollback_to("s")
    assert fresh.all() == [{"v": 100, "k": 1}]
    fresh.alter(lambda table: add_column(table, ColumnSpec("second", pa.string())))
    fresh.write({"k": 2, "v": 2, "second": "x"})
    transaction.commit()
    assert outside(fresh).all() == [{"v": 100, "k": 1, "second": None}, {"v": 2, "k": 2, "second": "x"}]


def test_a_dropped_table_is_gone_for_others_with_the_commit(both: TableAccess) -> None:
    """Until then they read and write it; rolled back, nothing happened."""
    for end in ("rollback", "commit"):
        transaction, mine = inside(both)
        mine.drop()
        refusal(ErrorKind.NOT_FOUND, mine.values)
        put(both, 50)
        assert 50 in both.values()
        getattr(transaction, end)()
    refusal(ErrorKind.NOT_FOUND, both.values)
    assert list(both.db.keyvalue.scan(Family.HOT, b"", b"\xff" * 9)) == []


def test_rows_of_a_table_that_is_dropped_later_inside_are_no_matter(both: TableAccess, other: TableAccess) -> None:
    """They cannot conflict either: the table goes."""
    transaction, mine, theirs = inside(both, other)
    put(mine, 1)
    put(theirs, 1)
    mine.drop()
    put(both, 1)
    transaction.commit()
    assert other.values() == {1: 100}


@pytest.mark.parametrize("commits", [True, False])
def test_columns_change_for_the_transaction_alone(both: TableAccess, commits: bool) -> None:
    """Added, dropped and renamed columns with rows of both definitions, hot and cold."""
    both.alter(lambda table: add_column(table, ColumnSpec("old", pa.int64())))
    transaction, mine = inside(both)
    put(mine, 50)
    mine.alter(extended)
    mine.write({"k": 51, "v": 1, "extra": 8})
    mine.alter(lambda table: drop_column(table, "old"))
    mine.alter(lambda table: rename_column(table, "v", "value"))
    mine.write({"k": 1, "value": 9, "extra": 9})
    rows = {k: {"value": k, "k": k, "extra": 7} for k in range(20)}
    rows |= {50: {"value": 100, "k": 50, "extra": 7}, 51: {"value": 1, "k": 51, "extra": 8}}
    rows |= {1: {"value": 9, "k": 1, "extra": 9}}
    expected = [rows[key] for key in sorted(rows)]
    before = [{"v": k, "k": k, "old": None} for k in range(20)]
    assert mine.all() == expected
    assert both.all() == before
    both.flush()
    assert both.all() == before
    if commits:
        transaction.commit()
    else:
        transaction.rollback()
    for _ in range(2):
        assert both.all() == (expected if commits else before)
        both.flush()
        both.compact()
        both.db.reopen()


def test_a_rolled_back_column_leaves_no_shape_behind(both: TableAccess) -> None:
    """The next ALTER of the same table, which gets the same version, is read by its own columns."""
    transaction, mine = inside(both)
    mine.alter(extended)
    assert mine.all()[0]["extra"] == 7
    transaction.rollback()
    both.alter(lambda table: add_column(table, ColumnSpec("another", pa.string())))
    assert both.all()[0] == {"v": 0, "k": 0, "another": None}


def test_others_may_write_rows_of_a_table_that_is_altered(both: TableAccess) -> None:
    """Rows are no definitions: both commits hold, and the new rows get the new column."""
    transaction, mine = inside(both)
    mine.alter(extended)
    mine.write({"k": 50, "v": 5, "extra": 5})
    put(both, 60)
    transaction.commit()
    assert both.all()[-2:] == [{"v": 5, "k": 50, "extra": 5}, {"v": 100, "k": 60, "extra": 7}]


def test_a_table_that_was_altered_before_is_no_conflict(both: TableAccess) -> None:
    """Nobody has used it since; the first to do so is a transaction, which reads and writes it by the new columns."""
    both.alter(extended)
    transaction, mine = inside(both)
    assert mine.all()[0] == {"v": 0, "k": 0, "extra": 7}
    mine.write({"k": 0, "v": 1, "extra": 1})
    transaction.commit()
    assert both.all()[0] == {"v": 1, "k": 0, "extra": 1}
    both.db.reopen()
    assert both.all()[0] == {"v": 1, "k": 0, "extra": 1}


def test_a_table_that_others_altered_is_read_as_it_was(both: TableAccess) -> None:
    """The transaction keeps the columns of its moment, whether it has read the table before or not."""
    _, mine = inside(both)
    both.alter(extended)
    assert both.all()[0] == {"v": 0, "k": 0, "extra": 7}
    assert mine.all()[0] == {"v": 0, "k": 0}


def test_rows_for_a_table_that_others_altered_are_a_conflict(both: TableAccess) -> None:
    """The message names the definition, and a new transaction can do it."""
    transaction, mine = inside(both)
    put(mine, 50)
    both.alter(extended)
    both.values()
    assert "definition of public.t" in conflict(transaction.commit)
    again, mine = inside(both)
    put(mine, 50)
    again.commit()
    assert both.all()[-1]["extra"] is None


def test_two_changes_of_one_definition_are_a_conflict(both: TableAccess) -> None:
    """The second ALTER, whatever the two changed, and also a DROP."""
    for act in (lambda table: table.alter(lambda t: rename_column(t, "v", "w")), lambda table: table.drop()):
        transaction, mine = inside(both)
        act(mine)
        name = f"c{both.definition.version}"
        both.alter(lambda table, name=name: add_column(table, ColumnSpec(name, pa.int64())))
        assert "definition of public.t" in conflict(transaction.commit)


def test_two_tables_of_one_name_are_a_conflict(db: Database) -> None:
    """The second one to be committed loses, and is cleaned away with its rows."""
    first, second = begin(db), begin(db)
    a, b = create_in(first, db), create_in(second, db)
    put(a, 1)
    put(b, 2)
    first.commit()
    assert "public.fresh" in conflict(second.commit)
    assert outside(a).values() == {1: 100}
    assert len(db.store.dropped_tables) == 1


def test_a_table_and_a_view_of_one_name_are_a_conflict(db: Database) -> None:
    """They share one name space."""
    transaction = begin(db)
    fresh = create_in(transaction, db)
    db.catalog.change(lambda registry: registry.with_view(ViewDef(fresh.name, "SELECT 1", "public", 1, "ann")))
    conflict(transaction.commit)


def test_a_table_in_a_namespace_that_others_dropped_is_a_conflict(db: Database) -> None:
    """Nothing may live in a namespace that is not there."""
    db.catalog.change(lambda registry: registry.with_namespace("app"))
    transaction = begin(db)
    specs = [ColumnSpec(*column) for column in KV_COLUMNS]
    table = create_table(db.catalog.reserve_table_id(), TableName("app", "x"), TableKind.SHARED, specs, ["k"])
    transaction.define(lambda registry: registry.with_table(table))
    db.catalog.change(lambda registry: registry.without_namespace("app"))
    assert "namespace app" in conflict(transaction.commit)


def test_other_definitions_may_change_meanwhile(both: TableAccess, other: TableAccess) -> None:
    """Changes of different tables are merged; tables that others make meanwhile have ids of their own."""
    db = both.db
    transaction, mine = inside(both)
    mine.alter(extended)
    fresh = create_in(transaction, db)
    other.alter(lambda table: rename_column(table, "v", "w"))
    later = db.create(name="later")
    transaction.commit()
    names = {table.name.table: table.id for table in db.catalog.registry.tables.values()}
    assert sorted(names) == ["fresh", "later", "t", "u"]
    assert len(set(names.values())) == 4
    assert other.all() == [{"w": 1, "k": 1}]
    put(outside(fresh), 1)
    put(later, 2)
    db.reopen()
    assert (outside(fresh).values(), later.values()) == ({1: 100}, {2: 100})


def test_definitions_and_rows_become_visible_together(db: Database) -> None:
    """Who sees the n-th table sees n in the row that was written with it, and the other way round."""
    counter = db.create(name="counter")
    put(counter, 1, v=0)
    stopped = threading.Event()

    def commit() -> None:
        try:
            for number in range(1, 40):
                transaction, mine = inside(counter)
                create_in(transaction, db, name=f"made{number}")
                put(mine, 1, v=number)
                transaction.commit()
        finally:
            stopped.set()

    def read() -> None:
        while not stopped.is_set():
            transaction, mine = inside(counter)
            assert len(transaction.registry.tables) == 1 + mine.values()[1]
            transaction.rollback()

    run_together(commit, read)
    assert len(db.catalog.registry.tables) == 40
