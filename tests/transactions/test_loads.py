"""Large streams inside transactions: staged in files, read before they are committed, gone when they are not."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from catalog.errors import DatabaseError, ErrorKind
from flush.bulk import BulkLoad
from flush.reclaim import reclaim_leftovers
from providers.commit.transaction import Transaction
from providers.commit.work import Autocommit
from tests.storage_fixtures import Database, TableAccess, kv
from tests.transactions.inside import Inside, begin

ROWS = {k: k for k in range(100)}


def load(work: Transaction | Autocommit, table: TableAccess, values: Mapping[int, int]) -> int:
    """Stage rows and hand them over, as an ingest of a large stream does."""
    scope = (table.definition, None)
    staged = BulkLoad(table.db.store, work.staging(scope), table.definition)
    staged.add(table.part(*[kv(k, v) for k, v in values.items()]))
    return work.take(scope, staged).affected


def staged_files(table: TableAccess) -> list[Path]:
    """Files under names that no manifest has."""
    return sorted(table.folder.glob("*.tmp"))


def test_a_load_is_seen_by_its_transaction_alone(table: TableAccess) -> None:
    """Others see nothing of it before the commit, and everything after."""
    transaction = begin(table.db)
    assert load(transaction, table, ROWS) == 100
    assert Inside(table, transaction).values() == ROWS
    assert table.values() == {}
    transaction.commit()
    assert table.values() == ROWS


def test_a_load_alone_is_committed_by_its_manifest(table: TableAccess) -> None:
    """Its rows never pass through the hot tier."""
    transaction = begin(table.db)
    load(transaction, table, ROWS)
    transaction.commit()
    assert table.snapshot.hot.version_count == 0
    assert [entry.rows for entry in table.snapshot.manifest.batches] == [100]


def test_a_load_that_is_rolled_back_leaves_no_file(table: TableAccess) -> None:
    """Rows and files go."""
    transaction = begin(table.db)
    load(transaction, table, ROWS)
    assert staged_files(table)
    transaction.rollback()
    assert not reclaim_leftovers(table.db.store, table.state)
    assert staged_files(table) == []
    assert table.values() == {}


def test_changes_on_top_of_a_load_are_committed_with_it(table: TableAccess) -> None:
    """Rows that the transaction loads, changes and deletes again arrive in their last state."""
    table.insert(kv(5, -5), kv(500, -500))
    transaction = begin(table.db)
    load(transaction, table, ROWS)
    inside = Inside(table, transaction)
    inside.write(kv(7, 77))
    inside.write(kv(8), kv(500), deleted=[True, True])
    expected = {k: k for k in ROWS if k != 8} | {7: 77}
    assert inside.values() == expected
    transaction.commit()
    assert table.values() == expected


def test_the_second_of_two_loads_wins(table: TableAccess) -> None:
    """Two streams of one transaction overlap as two commits would."""
    transaction = begin(table.db)
    load(transaction, table, ROWS)
    load(transaction, table, {k: -k for k in range(50, 150)})
    transaction.commit()
    assert table.values() == ROWS | {k: -k for k in range(50, 150)}


def test_a_load_after_a_savepoint_is_rolled_back_to_it(table: TableAccess) -> None:
    """What came before the savepoint stays."""
    transaction = begin(table.db)
    load(transaction, table, {1: 1})
    transaction.savepoint("a")
    load(transaction, table, ROWS)
    transaction.rollback_to("a")
    assert Inside(table, transaction).values() == {1: 1}
    transaction.commit()
    assert table.values() == {1: 1}
    assert not reclaim_leftovers(table.db.store, table.state)


def test_a_load_conflicts_by_key(table: TableAccess) -> None:
    """Another commit to one of its keys makes it the loser; nothing of it remains."""
    transaction = begin(table.db)
    load(transaction, table, ROWS)
    table.insert(kv(99, 0))
    with pytest.raises(DatabaseError, match="another transaction changed") as lost:
        transaction.commit()
    assert lost.value.kind is ErrorKind.CONFLICT
    assert table.values() == {99: 0}
    del lost
    assert not reclaim_leftovers(table.db.store, table.state)


def test_a_load_does_not_conflict_with_other_keys(table: TableAccess) -> None:
    """A commit in between to other keys is kept, and its ids are smaller."""
    transaction = begin(table.db)
    load(transaction, table, ROWS)
    table.insert(kv(1000, 0))
    between = table.snapshot.last_seq
    transaction.commit()
    assert table.values() == ROWS | {1000: 0}
    assert min(entry.min_seq for entry in table.snapshot.manifest.batches if entry.rows == 100) > between


@pytest.mark.parametrize("end", [Transaction.commit, Transaction.rollback])
def test_a_reader_of_the_transaction_goes_on_after_its_end(table: TableAccess, end: object) -> None:
    """What a transaction saw can be read to its end; then its files go."""
    transaction = begin(table.db)
    load(transaction, table, ROWS)
    snapshot = Inside(table, transaction).snapshot
    end(transaction)
    assert reclaim_leftovers(table.db.store, table.state)
    assert table.values(snapshot) == ROWS
    del snapshot
    assert not reclaim_leftovers(table.db.store, table.state)


def test_a_reader_goes_on_when_a_commit_must_write_its_files_again(table: TableAccess) -> None:
    """Another commit in between gives the load newer ids; who reads the older files keeps them."""
    transaction = begin(table.db)
    load(transaction, table, ROWS)
    snapshot = Inside(table, transaction).snapshot
    table.insert(kv(1000, 0))
    transaction.commit()
    assert table.values(snapshot) == ROWS


def test_a_load_and_another_table_are_there_after_a_restart(table: TableAccess, other: TableAccess) -> None:
    """What is more than one load goes through the log, as one commit."""
    transaction = begin(table.db)
    load(transaction, table, ROWS)
    Inside(other, transaction).write(kv(2, 2))
    transaction.commit()
    table.db.reopen()
    assert table.values() == ROWS
    assert other.values() == {1: 1, 2: 2}


def test_an_autocommit_load_is_a_commit(db: Database, table: TableAccess) -> None:
    """The same calls outside of a transaction commit at once."""
    assert load(Autocommit(db.catalog, db.store), table, ROWS) == 100
    assert table.values() == ROWS
