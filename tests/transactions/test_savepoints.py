"""Savepoints: returning to a state of the transaction, rows and definitions alike."""

import pyarrow as pa

from catalog.definition import ColumnSpec
from catalog.errors import ErrorKind
from catalog.evolution import add_column
from tests.storage_fixtures import TableAccess, kv
from tests.transactions.inside import inside, put, refusal

EXTRA = ColumnSpec("extra", pa.int64())


def test_rolling_back_to_a_savepoint_undoes_what_came_after(both: TableAccess) -> None:
    """Inserts, updates and deletes in both tiers; what came before stays, and is committed."""
    transaction, mine = inside(both)
    put(mine, 1, 50)
    transaction.savepoint("s")
    before = mine.values()
    put(mine, 1, 11, 51, v=7)
    mine.delete(kv(2), kv(12), kv(50))
    transaction.rollback_to("s")
    assert mine.values() == before
    transaction.commit()
    assert both.values() == before


def test_rolling_back_to_an_empty_beginning_writes_nothing(both: TableAccess) -> None:
    """A savepoint before any change leaves a transaction without changes, which cannot conflict."""
    transaction, mine = inside(both)
    transaction.savepoint("s")
    put(mine, 1)
    transaction.rollback_to("s")
    put(both, 1, v=8)
    before = both.snapshot
    transaction.commit()
    assert both.snapshot is before


def test_what_was_undone_cannot_conflict(both: TableAccess) -> None:
    """Only keys that the transaction still writes are compared."""
    transaction, mine = inside(both)
    put(mine, 2)
    transaction.savepoint("s")
    put(mine, 1)
    transaction.rollback_to("s")
    put(both, 1, v=8)
    transaction.commit()
    assert (both.values()[1], both.values()[2]) == (8, 100)


def test_a_savepoint_can_be_returned_to_again(both: TableAccess) -> None:
    """Rolling back keeps it."""
    transaction, mine = inside(both)
    transaction.savepoint("s")
    for key in (50, 51):
        put(mine, key)
        transaction.rollback_to("s")
    assert mine.values() == {k: k for k in range(20)}


def test_savepoints_nest(both: TableAccess) -> None:
    """An inner one undoes its part; the outer one undoes both and forgets the inner one."""
    transaction, mine = inside(both)
    transaction.savepoint("outer")
    put(mine, 50)
    transaction.savepoint("inner")
    put(mine, 51)
    transaction.rollback_to("inner")
    assert 50 in mine.values()
    assert 51 not in mine.values()
    transaction.rollback_to("outer")
    assert 50 not in mine.values()
    assert "inner" in refusal(ErrorKind.NOT_FOUND, lambda: transaction.rollback_to("inner"))


def test_a_savepoint_hides_an_older_one_of_its_name(both: TableAccess) -> None:
    """Releasing the newer one brings the older one back."""
    transaction, mine = inside(both)
    transaction.savepoint("s")
    put(mine, 50)
    transaction.savepoint("s")
    put(mine, 51)
    transaction.rollback_to("s")
    assert 50 in mine.values()
    transaction.release("s")
    transaction.rollback_to("s")
    assert 50 not in mine.values()


def test_releasing_keeps_what_was_written(both: TableAccess) -> None:
    """The savepoint and those after it are gone, their rows are not."""
    transaction, mine = inside(both)
    transaction.savepoint("outer")
    put(mine, 50)
    transaction.savepoint("inner")
    put(mine, 51)
    transaction.release("outer")
    for name in ("outer", "inner"):
        refusal(ErrorKind.NOT_FOUND, lambda name=name: transaction.rollback_to(name))
    transaction.commit()
    assert {50, 51} <= both.values().keys()


def test_an_unknown_savepoint_changes_nothing(both: TableAccess) -> None:
    """Neither rolling back to it nor releasing it ends the transaction."""
    transaction, mine = inside(both)
    put(mine, 50)
    assert "nowhere" in refusal(ErrorKind.NOT_FOUND, lambda: transaction.rollback_to("nowhere"))
    refusal(ErrorKind.NOT_FOUND, lambda: transaction.release("nowhere"))
    transaction.commit()
    assert 50 in both.values()


def test_a_savepoint_covers_all_tables(both: TableAccess, other: TableAccess) -> None:
    """Also one that the transaction had not touched when it was set."""
    transaction, mine, theirs = inside(both, other)
    put(mine, 50)
    transaction.savepoint("s")
    put(theirs, 1, 2, v=9)
    put(mine, 51)
    transaction.rollback_to("s")
    transaction.commit()
    assert other.values() == {1: 1}
    assert 51 not in both.values()


def test_a_savepoint_covers_definitions(both: TableAccess) -> None:
    """A column that was added after it is gone, and another can be added in its place."""
    transaction, mine = inside(both)
    transaction.savepoint("s")
    mine.alter(lambda table: add_column(table, EXTRA))
    mine.write({"k": 50, "v": 1, "extra": 5})
    assert mine.all()[-1]["extra"] == 5
    transaction.rollback_to("s")
    assert mine.all()[-1] == kv(19, 19)
    mine.alter(lambda table: add_column(table, ColumnSpec("second", pa.string())))
    mine.write({"k": 51, "v": 1, "second": "x"})
    assert mine.all()[-1] == {"k": 51, "v": 1, "second": "x"}
    transaction.commit()
    assert both.all()[-2:] == [{"k": 19, "v": 19, "second": None}, {"k": 51, "v": 1, "second": "x"}]


def test_flush_and_compaction_do_not_disturb_a_savepoint(both: TableAccess) -> None:
    """What a savepoint remembers keeps its files."""
    transaction, mine = inside(both)
    put(mine, 1)
    transaction.savepoint("s")
    mine.delete(kv(1), kv(2), kv(12))
    both.write(*[kv(k, 1) for k in range(100, 110)])
    both.flush()
    both.compact()
    both.reclaim()
    transaction.rollback_to("s")
    assert mine.values() == {k: k for k in range(20)} | {1: 100}
    transaction.commit()
    assert both.values() == {k: k for k in range(20)} | {1: 100} | dict.fromkeys(range(100, 110), 1)
