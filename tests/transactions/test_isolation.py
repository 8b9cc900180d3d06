"""Snapshot isolation: what a transaction sees of others, of itself, and others of it."""

import threading

from catalog.definition import TableKind
from catalog.errors import ErrorKind
from providers.commit.resolve import OnExisting
from providers.rows.change import Change
from tests.storage_fixtures import Database, TableAccess, kv, run_together
from tests.transactions.inside import Inside, begin, commits, inside, put, refusal


def test_nobody_reads_what_is_not_committed(both: TableAccess) -> None:
    """No dirty read, by another transaction or by none, of inserts, updates and deletes."""
    _, mine = inside(both)
    put(mine, 1, 11, 50)
    mine.delete(kv(2), kv(12))
    _, theirs = inside(both)
    expected = {k: k for k in range(20)}
    assert both.values() == expected
    assert theirs.values() == expected


def test_a_row_stays_as_it_was_when_the_transaction_began(both: TableAccess) -> None:
    """No non-repeatable read: what others update and delete later keeps its old value, hot and cold."""
    _, mine = inside(both)
    put(both, 1, 11)
    both.delete(kv(2), kv(12))
    assert mine.values() == {k: k for k in range(20)}


def test_rows_that_others_add_stay_out(both: TableAccess) -> None:
    """No phantom: neither in a table that was read before nor in one that was not."""
    _, mine = inside(both)
    assert mine.select("SELECT count(*) FROM t WHERE k >= 20") == [0]
    put(both, 20, 21)
    assert mine.select("SELECT count(*) FROM t WHERE k >= 20") == [0]
    assert mine.select("SELECT count(*) FROM t") == [20]


def test_all_tables_are_seen_as_of_one_moment(both: TableAccess, other: TableAccess) -> None:
    """A table that is read for the first time later shows what it held when the transaction began."""
    _, mine, second = inside(both, other)
    put(both, 1)
    put(other, 1)
    assert mine.values()[1] == 1
    put(other, 2)
    assert second.values() == {1: 1}


def test_the_moment_is_that_of_the_first_statement(both: TableAccess) -> None:
    """A transaction that was begun and not used yet has seen nothing and holds nothing."""
    _, mine = inside(both)
    later = Inside(both, type(mine.transaction)(both.db.catalog, both.db.store))
    put(both, 1)
    assert later.values()[1] == 100
    assert mine.values()[1] == 1


def test_write_skew_is_allowed(both: TableAccess) -> None:
    """Two transactions that read each other's row and change their own both commit: only written keys conflict."""
    first, a = inside(both)
    second, b = inside(both)
    put(a, 1, v=a.values()[11] + 1000)
    put(b, 11, v=b.values()[1] + 1000)
    first.commit()
    second.commit()
    assert both.values() | {1: 1011, 11: 1001} == both.values()


def test_a_transaction_reads_its_own_writes(both: TableAccess) -> None:
    """Inserts, updates and deletes, hot and cold, in scans, counts and look-ups."""
    _, mine = inside(both)
    put(mine, 1, 11, 50)
    mine.delete(kv(2), kv(12))
    expected = {k: k for k in range(20) if k not in (2, 12)} | {1: 100, 11: 100, 50: 100}
    assert mine.values() == expected
    assert mine.select("SELECT count(*) FROM t") == [len(expected)]
    assert mine.select("SELECT v FROM t WHERE k = 1") == [100]
    assert mine.select("SELECT v FROM t WHERE k = 12") == []
    assert mine.snapshot.live_count == len(expected)


def test_a_key_can_be_deleted_and_written_again_in_any_order(both: TableAccess) -> None:
    """Delete and insert, update and delete, insert and delete and insert: the last word counts, inside and after."""
    transaction, mine = inside(both)
    mine.delete(kv(1), kv(11))
    mine.insert(kv(1, 7), kv(11, 7))
    put(mine, 2, 12)
    mine.delete(kv(2), kv(12))
    for value in (8, 9):
        mine.insert(kv(30, value))
        mine.delete(kv(30))
    mine.insert(kv(30, 10))
    mine.insert(kv(31, 1))
    mine.delete(kv(31))
    expected = {k: k for k in range(20) if k not in (2, 12)} | {1: 7, 11: 7, 30: 10}
    assert mine.values() == expected
    transaction.commit()
    assert both.values() == expected
    assert both.snapshot.live_count == len(expected)
    both.db.reopen()
    assert both.values() == expected


def test_inserts_meet_the_keys_that_the_transaction_sees(both: TableAccess) -> None:
    """A key of the transaction's own is a duplicate, one that it deleted is free, one that others added is unseen."""
    _, mine = inside(both)
    put(mine, 50)
    mine.delete(kv(1))
    put(both, 60)
    refusal(ErrorKind.ALREADY_EXISTS, lambda: mine.insert(kv(50)))
    refusal(ErrorKind.ALREADY_EXISTS, lambda: mine.insert(kv(2)))
    mine.insert(kv(1, 5))
    mine.insert(kv(60, 5))
    assert mine.write(kv(2, 9), kv(70, 9), rule=OnExisting.SKIP).affected == 1
    assert {k: v for k, v in mine.values().items() if k in (1, 2, 50, 60, 70)} == {1: 5, 2: 2, 50: 100, 60: 5, 70: 9}


def test_a_change_is_derived_from_what_the_transaction_sees(both: TableAccess) -> None:
    """`build` gets the working snapshot, with own changes and without those of others."""
    transaction, mine = inside(both)
    put(mine, 1)
    put(both, 2)

    def doubled(snapshot: object) -> Change:
        rows = mine.query("SELECT v, k FROM t WHERE k < 4", snapshot)  # type: ignore[arg-type]
        return Change(mine.rows([kv(row["k"], row["v"] * 2) for row in rows.to_pylist()]))

    transaction.write((mine.definition, None), doubled, OnExisting.REPLACE)
    assert {k: v for k, v in mine.values().items() if k < 4} == {0: 0, 1: 200, 2: 4, 3: 6}


def test_a_failed_statement_leaves_nothing(both: TableAccess) -> None:
    """The transaction goes on as if the statement had never been."""
    transaction, mine = inside(both)
    put(mine, 50)
    before = mine.values()
    refusal(ErrorKind.ALREADY_EXISTS, lambda: mine.insert(kv(60), kv(50)))
    assert mine.values() == before
    transaction.commit()
    assert both.values() == before


def test_rollback_leaves_nothing(both: TableAccess) -> None:
    """Neither rows nor marks nor keys that are taken, also after a restart."""
    transaction, mine = inside(both)
    put(mine, 1, 50)
    mine.delete(kv(2), kv(12))
    transaction.rollback()
    for _ in range(2):
        assert both.values() == {k: k for k in range(20)}
        both.db.reopen()
    both.insert(kv(50))


def test_a_transaction_that_has_ended_says_how(both: TableAccess) -> None:
    """Every later use names the end: committed, rolled back."""
    for end, word in (("commit", "was committed"), ("rollback", "was rolled back")):
        transaction, mine = inside(both)
        getattr(transaction, end)()
        assert word in refusal(ErrorKind.NOT_FOUND, lambda mine=mine: put(mine, 1))
        assert word in refusal(ErrorKind.NOT_FOUND, transaction.commit)


def test_users_do_not_see_each_others_transactions(db: Database) -> None:
    """Two users' scopes of a USER table are two tables to a transaction."""
    ann = db.create(kind=TableKind.USER).of_user("ann")
    bob = ann.of_user("bob")
    transaction, mine = inside(ann)
    put(mine, 1)
    assert Inside(bob, transaction).values() == {}
    put(bob, 1, v=2)
    transaction.commit()
    assert (ann.values(), bob.values()) == ({1: 100}, {1: 2})


def test_readers_never_see_a_part_of_a_commit(db: Database) -> None:
    """A reader of three scopes of both kinds sees the same number everywhere, while commits and flushes go on."""
    shared = [db.create(name="a"), db.create(name="b")]
    ann = db.create(name="c", kind=TableKind.USER).of_user("ann")
    tables = [*shared, ann]
    for table in tables:
        put(table, 1, v=0)
    stopped = threading.Event()

    def commit() -> None:
        try:
            for number in range(1, 60):
                transaction, *mine = inside(*tables)
                for table in mine:
                    put(table, 1, v=number)
                transaction.commit()
                if number % 20 == 0:
                    shared[number % 2].flush()
        finally:
            stopped.set()

    def read() -> None:
        scopes = [(table.definition, table.user) for table in tables]
        while not stopped.is_set():
            seen = db.store.snapshots(scopes)
            values = {v for table, snapshot in zip(tables, seen, strict=True) for v in table.values(snapshot).values()}
            assert len(values) == 1
            _, *mine = inside(*tables)
            assert len({table.values()[1] for table in mine}) == 1
            mine[0].transaction.rollback()

    run_together(commit, read)
    assert [table.values() for table in tables] == [{1: 59}] * 3


def test_transactions_of_many_threads_lose_no_update(db: Database) -> None:
    """Threads that add to the same counters in two tables, and retry when they lose, end with the exact sum."""
    a, b = db.create(name="a"), db.create(name="b")
    for table in (a, b):
        put(table, 1, v=0)

    def add_once() -> bool:
        transaction, x, y = inside(a, b)
        put(x, 1, v=x.values()[1] + 1)
        put(y, 1, v=y.values()[1] + 1)
        return commits(transaction)

    def add() -> None:
        for _ in range(15):
            while not add_once():
                pass

    run_together(add, add, add)
    assert (a.values(), b.values()) == ({1: 45}, {1: 45})


def test_opposite_orders_of_writing_do_not_lock_each_other_out(db: Database) -> None:
    """Transactions over the same tables in opposite orders, with flushes between, all end."""
    a, b = db.create(name="a"), db.create(name="b")

    def work(first: TableAccess, second: TableAccess, start: int) -> None:
        for number in range(start, start + 30):
            transaction, x, y = inside(first, second)
            put(x, number)
            put(y, number)
            transaction.commit()
            if number % 10 == 0:
                second.flush()

    run_together(lambda: work(a, b, 0), lambda: work(b, a, 1000))
    assert len(a.values()) == len(b.values()) == 60


def test_a_transaction_that_only_reads_writes_nothing(both: TableAccess) -> None:
    """Its commit succeeds whatever others did meanwhile, and leaves no trace."""
    transaction, mine = inside(both)
    assert mine.values()[1] == 1
    put(both, 1)
    before = both.snapshot
    transaction.commit()
    assert both.snapshot is before


def test_writes_that_come_to_nothing_commit(both: TableAccess) -> None:
    """Deleting what is not there, and skipping what is, are no writes and cannot conflict."""
    transaction, mine = inside(both)
    mine.delete(kv(999))
    assert mine.write(kv(1, 5), rule=OnExisting.SKIP).affected == 0
    put(both, 1, 999)
    transaction.commit()
    assert both.values()[1] == 100


def test_an_idle_transaction_holds_no_lock(both: TableAccess) -> None:
    """Others write the same keys and tables, flush, compact and truncate while it is open."""
    transaction, mine = inside(both)
    put(mine, 1)
    put(both, 1)
    both.flush()
    both.compact()
    assert begin(both.db).registry is both.db.catalog.registry
    assert mine.values()[1] == 100
    transaction.rollback()
