"""What an open transaction keeps alive, and that nothing is kept for longer."""

import gc

from tests.storage_fixtures import Database, TableAccess, kv
from tests.transactions.inside import Inside, begin, conflict, inside, put


def churn(table: TableAccess) -> None:
    """Replace every file of a table."""
    table.write(*[kv(k, -1) for k in range(30)])
    table.flush()
    table.compact()
    table.reclaim()


def files(table: TableAccess) -> set[str]:
    """Names of a table's batch files."""
    return {path.name for path in table.folder.glob("*.parquet")}


def test_the_files_of_a_moment_stay_while_it_is_needed(both: TableAccess) -> None:
    """Flushed, compacted and reclaimed by others: the transaction reads what it read before."""
    _, mine = inside(both)
    assert mine.values()[1] == 1
    for _ in range(2):
        churn(both)
        assert mine.values() == {k: k for k in range(20)}


def test_a_table_that_was_not_read_yet_keeps_its_files_too(both: TableAccess) -> None:
    """The first look comes after others have replaced everything."""
    transaction = begin(both.db)
    churn(both)
    assert Inside(both, transaction).values() == {k: k for k in range(20)}


def test_own_changes_keep_the_files_they_stand_on(both: TableAccess) -> None:
    """A working snapshot over cold rows, some of which it has marked dead."""
    transaction, mine = inside(both)
    mine.delete(kv(1), kv(11))
    put(mine, 2, 12)
    expected = mine.values()
    churn(both)
    assert mine.values() == expected
    transaction.rollback()


def test_a_result_is_read_on_after_its_transaction_has_ended(both: TableAccess) -> None:
    """Whoever holds a snapshot of a transaction reads it after commit or rollback, own changes included."""
    for end in ("rollback", "commit"):
        transaction, mine = inside(both)
        mine.delete(kv(1))
        put(mine, 2, v=5)
        held, expected = mine.snapshot, mine.values()
        getattr(transaction, end)()
        both.flush()
        churn(both)
        assert mine.values(held) == expected


def test_files_go_when_the_transaction_has_ended(both: TableAccess) -> None:
    """Nothing of an ended transaction keeps a file: only the newest batch stays."""
    transaction, mine = inside(both)
    mine.delete(kv(1))
    mine.values()
    churn(both)
    assert len(files(both)) == 2
    transaction.rollback()
    gc.collect()
    both.reclaim()
    assert len(files(both)) == 1


def test_the_past_of_a_scope_goes_with_the_last_transaction_that_needs_it(both: TableAccess) -> None:
    """However many commits there are, a scope keeps one snapshot for each moment in use, and none afterwards."""
    visibility = both.db.store.visibility
    transactions = []
    for number in range(3):
        transactions.append(begin(both.db))
        for _ in range(10):
            put(both, 1)
        assert len(both.state._past) == number + 1
    for left, transaction in zip((2, 1, 0), (transactions[1], transactions[0], transactions[2]), strict=True):
        transaction.rollback()
        assert len(both.state._past) == left
    assert not visibility._changed
    assert not visibility._open


def test_transactions_that_fail_leave_no_past(both: TableAccess) -> None:
    """Conflicts, commits without changes, and moments shared by many: all are let go."""
    visibility = both.db.store.visibility
    opened = [inside(both) for _ in range(3)]
    for _, mine in opened:
        put(mine, 1)
    opened[0][0].commit()
    for transaction, _ in opened[1:]:
        conflict(transaction.commit)
    begin(both.db).commit()
    assert (both.state._past, set(visibility._changed), dict(visibility._open)) == ([], set(), {})


def test_a_scope_with_a_past_leaves_memory_only_when_nobody_needs_it(db: Database) -> None:
    """With room for no scope, an open transaction still sees its moment of each; afterwards they go."""
    db.store.residents.bytes_max = 0
    tables = [db.create(name=f"t{n}") for n in range(5)]
    for table in tables:
        put(table, 1, v=1)
        table.flush()
    transaction = begin(db)
    for table in tables:
        put(table, 1, v=2)
        table.flush()
    assert [Inside(table, transaction).values() for table in tables] == [{1: 1}] * 5
    transaction.rollback()
    del transaction, table
    db.create(name="last").values()
    gc.collect()
    assert not db.store.loaded()
    assert [table.values() for table in tables] == [{1: 2}] * 5


def test_files_of_a_dropped_table_stay_while_it_is_read(both: TableAccess) -> None:
    """A transaction that has read a table reads it on after another has dropped it."""
    table_id = both.definition.id
    _, mine = inside(both)
    held = mine.snapshot
    other = begin(both.db)
    Inside(both, other).drop()
    other.commit()
    assert table_id in both.db.store.tables_in_use()
    assert mine.values(held) == {k: k for k in range(20)}
    assert mine.values() == {k: k for k in range(20)}
