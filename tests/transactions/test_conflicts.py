"""The first committer wins, key by key; moving rows between tiers and files is no change."""

from collections.abc import Callable, Sequence

import pytest

from catalog.errors import ErrorKind
from flush.truncate import truncate
from providers.commit.idempotency import Idempotency
from tests.storage_fixtures import Database, TableAccess, kv
from tests.transactions.inside import Inside, begin, conflict, inside, put, refusal

Act = Callable[[TableAccess], object]

CHANGES: dict[str, Act] = {
    "update": lambda table: put(table, 1, 11, v=5),
    "delete": lambda table: table.delete(kv(1), kv(11)),
    "delete and insert": lambda table: (table.delete(kv(1), kv(11)), table.insert(kv(1, 1), kv(11, 11))),
    "bulk load": lambda table: table.load([kv(1, 5), kv(11, 5)]),
    "bulk delete": lambda table: _bulk_delete(table, 1, 11),
    "truncate": lambda table: truncate(table.db.store, table.state),
    "transaction": lambda table: _in_a_transaction(table, lambda mine: put(mine, 1, 11)),
}
"""What others do to the keys 1 (cold) and 11 (hot)."""

WRITES: dict[str, Act] = {
    "update": lambda table: put(table, 1),
    "update hot": lambda table: put(table, 11),
    "delete": lambda table: table.delete(kv(1)),
    "delete hot": lambda table: table.delete(kv(11)),
    "delete and insert": lambda table: (table.delete(kv(1)), table.insert(kv(1, 7))),
}
"""What the transaction does to one of them."""

MOVES: dict[str, Sequence[str]] = {
    "flush": ["flush"],
    "compaction": ["compact"],
    "flush and compaction": ["flush", "compact"],
    "twice": ["flush", "compact", "flush", "compact", "reclaim"],
}


def _bulk_delete(table: TableAccess, *keys: int) -> None:
    load = table.bulk()
    load.add(table.part(*[kv(key) for key in keys], deleted=[True] * len(keys)))
    load.commit()


def _in_a_transaction(table: TableAccess, act: Act) -> None:
    transaction, mine = inside(table)
    act(mine)
    transaction.commit()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("write", WRITES)
def test_a_key_that_another_changed_first_is_a_conflict(both: TableAccess, change: str, write: str) -> None:
    """Whatever the two did to the key: the second to commit loses, and nothing of it is written."""
    transaction, mine = inside(both)
    put(mine, 77)
    WRITES[write](mine)
    CHANGES[change](both)
    expected = both.values()
    message = conflict(transaction.commit)
    assert "public.t first" in message
    assert f"at key {11 if 'hot' in write else 1};" in message
    assert "run it again" in message
    assert both.values() == expected
    both.db.reopen()
    assert both.values() == expected


@pytest.mark.parametrize("change", CHANGES)
def test_the_loser_can_try_again(both: TableAccess, change: str) -> None:
    """The same work in a new transaction, which sees what the winner wrote, commits."""
    transaction, mine = inside(both)
    put(mine, 1)
    CHANGES[change](both)
    conflict(transaction.commit)
    _in_a_transaction(both, lambda again: put(again, 1, v=8))
    assert both.values()[1] == 8


@pytest.mark.parametrize("how", ["insert", "bulk load", "transaction", "insert and flush", "insert, flush, compact"])
def test_a_key_that_both_inserted_is_a_conflict(both: TableAccess, how: str) -> None:
    """Nobody had the key when the transaction began; where it stands now does not matter."""
    transaction, mine = inside(both)
    mine.insert(kv(50, 1))
    if how == "bulk load":
        both.load([kv(50, 2)])
    elif how == "transaction":
        _in_a_transaction(both, lambda theirs: theirs.insert(kv(50, 2)))
    else:
        both.insert(kv(50, 2))
        if "flush" in how:
            both.flush()
        if "compact" in how:
            both.compact()
    assert "at key 50" in conflict(transaction.commit)
    assert both.values()[50] == 2


@pytest.mark.parametrize("change", [name for name in CHANGES if name != "truncate"])
def test_other_keys_are_no_conflict(both: TableAccess, change: str) -> None:
    """Changes of the same table at other keys, hot and cold, are kept on both sides."""
    transaction, mine = inside(both)
    put(mine, 2, 12, 52)
    mine.delete(kv(3), kv(13))
    CHANGES[change](both)
    expected = both.values() | {2: 100, 12: 100, 52: 100}
    del expected[3], expected[13]
    transaction.commit()
    assert both.values() == expected
    both.db.reopen()
    assert both.values() == expected


@pytest.mark.parametrize("change", [name for name in CHANGES if name != "bulk delete"])
def test_what_a_transaction_holds_nobody_else_may_have_written(both: TableAccess, change: str) -> None:
    """Whatever the keys, and if it wrote nothing itself: it is about rows that were not there."""
    transaction, _ = inside(both)
    transaction.hold((both.definition, None))
    CHANGES[change](both)
    expected = both.values()
    conflict(transaction.commit)
    assert both.values() == expected


def test_another_tables_keys_are_no_conflict(both: TableAccess, other: TableAccess) -> None:
    """Keys are compared table by table."""
    transaction, mine = inside(both)
    put(mine, 1)
    put(other, 1)
    transaction.commit()
    assert (both.values()[1], other.values()[1]) == (100, 100)


@pytest.mark.parametrize("moves", MOVES)
@pytest.mark.parametrize("write", WRITES)
def test_moving_a_row_is_no_conflict(both: TableAccess, moves: str, write: str) -> None:
    """Flush and compaction keep versions, so a transaction that writes what they moved commits on top."""
    transaction, mine = inside(both)
    WRITES[write](mine)
    expected = mine.values()
    for move in MOVES[moves]:
        getattr(both, move)()
    assert mine.values() == expected
    transaction.commit()
    assert both.values() == expected
    both.db.reopen()
    assert both.values() == expected
    assert both.snapshot.live_count == len(expected)


def test_a_change_of_other_rows_of_the_same_batch_is_no_conflict(table: TableAccess) -> None:
    """Dead rows next to the key, newer rows in its new batch: versions are compared, not batches."""
    table.write(*[kv(k, k) for k in range(10)])
    table.flush()
    transaction, mine = inside(table)
    put(mine, 1)
    table.delete(kv(2))
    put(table, 3, v=9)
    table.flush()
    table.compact()
    transaction.commit()
    assert table.values() == {k: k for k in range(10) if k != 2} | {1: 100, 3: 9}


@pytest.mark.parametrize("flushed", [False, True])
def test_a_key_that_came_and_went_is_no_conflict(both: TableAccess, flushed: bool) -> None:
    """It was not there when the transaction began, and it is not there now."""
    transaction, mine = inside(both)
    mine.insert(kv(50, 1))
    both.insert(kv(50, 2))
    if flushed:
        both.flush()
    both.delete(kv(50))
    if flushed:
        both.flush()
    transaction.commit()
    assert both.values()[50] == 1


def test_a_row_that_went_and_came_back_is_a_conflict(both: TableAccess) -> None:
    """Even with the same values it is another row."""
    transaction, mine = inside(both)
    put(mine, 1)
    both.delete(kv(1))
    both.flush()
    both.compact()
    both.insert(kv(1, 1))
    both.flush()
    conflict(transaction.commit)


def test_a_conflict_in_one_table_keeps_the_others_clean(both: TableAccess, other: TableAccess) -> None:
    """All tables or none: the table that would have been first in order gets nothing either."""
    for first, second in ((both, other), (other, both)):
        transaction, mine, theirs = inside(first, second)
        put(mine, 70)
        put(theirs, 1)
        put(second, 1)
        conflict(transaction.commit)
        assert 70 not in first.values()
        assert "another transaction" in refusal(ErrorKind.NOT_FOUND, lambda mine=mine: put(mine, 1))


def test_a_truncated_table_takes_what_is_new(both: TableAccess) -> None:
    """Keys that were not there before do not meet the truncation."""
    transaction, mine = inside(both)
    mine.insert(kv(50, 1))
    truncate(both.db.store, both.state)
    transaction.commit()
    assert both.values() == {50: 1}


def test_truncation_of_an_empty_table_is_no_change(table: TableAccess) -> None:
    """Nothing was there, nothing went."""
    transaction, mine = inside(table)
    mine.insert(kv(1, 1))
    truncate(table.db.store, table.state)
    transaction.commit()
    assert table.values() == {1: 1}


def test_a_bulk_load_that_began_before_the_transaction_conflicts(both: TableAccess) -> None:
    """Its rows got their ids before the transaction began, but it committed after."""
    load = both.bulk()
    load.add(both.part(kv(1, 5), kv(60, 5)))
    both.write(kv(90))
    transaction, mine = inside(both)
    put(mine, 1)
    load.commit()
    conflict(transaction.commit)
    again, mine = inside(both)
    put(mine, 60)
    again.commit()
    assert both.values()[60] == 100


def test_a_transaction_between_the_parts_of_a_bulk_load_is_kept(both: TableAccess) -> None:
    """What it wrote is replaced where the load has the key, by the later commit, and stays elsewhere."""
    load = both.bulk()
    load.add(both.part(kv(1, 5), kv(60, 5)))
    _in_a_transaction(both, lambda mine: put(mine, 1, 2))
    load.commit()
    assert {k: v for k, v in both.values().items() if k in (1, 2, 60)} == {1: 5, 2: 100, 60: 5}


def test_the_scope_may_leave_memory_meanwhile(db: Database) -> None:
    """With room for no scope, what others change while the transaction is open is seen by the conflict check."""
    db.store.residents.bytes_max = 0
    tables = [db.create(name=f"t{n}") for n in range(4)]
    for table in tables:
        put(table, 1, 2)
        table.flush()
    transaction, mine, theirs = inside(tables[0], tables[1])
    assert mine.values() == {1: 100, 2: 100}
    put(theirs, 1, v=5)
    for table in tables:
        put(table, 2, v=6)
        table.flush()
    assert theirs.values() == {1: 5, 2: 100}
    assert mine.values() == {1: 100, 2: 100}
    assert Inside(tables[2], transaction).values() == {1: 100, 2: 100}
    transaction.commit()
    assert tables[1].values() == {1: 5, 2: 6}


def test_an_open_transaction_survives_others_of_the_same_scope(both: TableAccess) -> None:
    """Many transactions at different moments of one table each see their own moment."""
    seen = []
    for value in range(5):
        put(both, 1, v=value)
        seen.append((value, inside(both)))
        if value == 2:
            both.flush()
    for value, (transaction, mine) in reversed(seen):
        assert mine.values()[1] == value
        transaction.rollback()


def test_an_idempotent_write_is_recognised_in_its_transaction_and_later(table: TableAccess) -> None:
    """The second of two equal requests does nothing, before and after the commit."""
    request = Idempotency("once", "hash")
    transaction, mine = inside(table)
    first = mine.write(kv(1, 1), kv(2, 2), idempotency=request)
    assert not first.replayed
    mine.delete(kv(1))
    again = mine.write(kv(1, 1), kv(2, 2), idempotency=request)
    assert (again.replayed, again.affected) == (True, 2)
    transaction.commit()
    assert table.values() == {2: 2}
    assert table.write(kv(1, 1), kv(2, 2), idempotency=request).replayed
    later, mine = inside(table)
    assert mine.write(kv(1, 1), kv(2, 2), idempotency=request).replayed
    later.commit()
    assert table.values() == {2: 2}


def test_an_idempotency_key_of_a_transaction_that_failed_is_free(table: TableAccess) -> None:
    """Rolled back, rolled back to a savepoint, or lost to another: the request was never made."""
    request = Idempotency("once", "hash")
    transaction, mine = inside(table)
    transaction.savepoint("s")
    mine.write(kv(1), idempotency=request)
    transaction.rollback_to("s")
    assert not mine.write(kv(2), idempotency=request).replayed
    transaction.rollback()
    transaction, mine = inside(table)
    mine.write(kv(1), idempotency=request)
    put(table, 1)
    conflict(transaction.commit)
    assert not table.write(kv(3), idempotency=request).replayed


def test_the_same_request_in_two_transactions_is_made_once(table: TableAccess) -> None:
    """The second to commit loses; when it tries again its request is recognised."""
    request = Idempotency("once", "hash")
    first, a = inside(table)
    second, b = inside(table)
    a.write(kv(1), idempotency=request)
    b.write(kv(2), idempotency=request)
    first.commit()
    assert "'once'" in conflict(second.commit)
    again, mine = inside(table)
    assert mine.write(kv(2), idempotency=request).replayed
    again.commit()
    assert table.values() == {1: 0}


def test_an_idempotency_key_with_another_request_is_refused(table: TableAccess) -> None:
    """In the same transaction just as later."""
    transaction, mine = inside(table)
    mine.write(kv(1), idempotency=Idempotency("once", "hash"))
    refusal(ErrorKind.INVALID, lambda: mine.write(kv(2), idempotency=Idempotency("once", "other")))
    transaction.commit()
    refusal(ErrorKind.INVALID, lambda: table.write(kv(2), idempotency=Idempotency("once", "other")))
    assert table.values() == {1: 0}


def test_a_dropped_table_cannot_be_written(both: TableAccess) -> None:
    """Who wrote to a table that another dropped is told so, and nothing is written."""
    transaction, mine = inside(both)
    put(mine, 1)
    dropper = begin(both.db)
    Inside(both, dropper).drop()
    dropper.commit()
    assert "was dropped" in refusal(ErrorKind.NOT_FOUND, transaction.commit)
