"""A stream that takes the place of every row of its scope, as one commit."""

from collections.abc import Mapping

import pyarrow as pa
import pytest

from catalog.definition import ColumnSpec, TableKind
from catalog.errors import ErrorKind
from catalog.evolution import add_column, rename_column
from flush.bulk import BulkLoad
from flush.reclaim import reclaim_leftovers
from providers.commit.definitions import StaleDefinitionError
from providers.commit.idempotency import Idempotency, Outcome
from providers.commit.request import Request
from providers.commit.transaction import Transaction
from providers.commit.work import Autocommit
from tests.storage_fixtures import Database, TableAccess, kv
from tests.transactions.inside import Inside, begin, conflict

REQUEST = Idempotency("load-1", "hash")
NEW = {k: -k for k in range(5, 15)}


@pytest.fixture
def mixed(table: TableAccess) -> TableAccess:
    """A table with cold, hot, changed and deleted rows."""
    table.write(*[kv(k, k) for k in range(10)])
    table.flush()
    table.write(*[kv(k, 2 * k) for k in range(5, 20)])
    table.delete(kv(1), kv(15))
    return table


def replace(
    work: Transaction | Autocommit, table: TableAccess, values: Mapping[int, int], request: Idempotency | None = None
) -> Outcome:
    """Replace all rows."""
    scope = (table.definition, table.user)
    load = BulkLoad(table.db.store, work.staging(scope), table.definition, replaces=True)
    load.add(table.part(*[kv(k, v) for k, v in values.items()]))
    return work.take(scope, load, Request(request))


def replace_now(table: TableAccess, values: Mapping[int, int], request: Idempotency | None = None) -> Outcome:
    """Replace all rows outside of transactions."""
    return replace(Autocommit(table.db.catalog, table.db.store), table, values, request)


@pytest.mark.parametrize("values", [NEW, {}])
def test_every_row_is_replaced(mixed: TableAccess, values: dict[int, int]) -> None:
    """Hot and cold ones, by other keys or by nothing; after a restart, a flush and a compaction it is the same."""
    pinned = mixed.snapshot
    before = mixed.values()
    assert replace_now(mixed, values).affected == len(values)
    assert mixed.values() == values
    assert mixed.values(pinned) == before
    for bring in (mixed.db.reopen, mixed.flush, mixed.compact, mixed.db.reopen):
        bring()
        assert mixed.values() == values
    mixed.insert(kv(1, 1))
    assert mixed.values() == values | {1: 1}


def test_the_files_of_the_replaced_rows_go(mixed: TableAccess) -> None:
    """Nobody reads them any more."""
    replace_now(mixed, NEW)
    mixed.reclaim()
    assert len(list(mixed.folder.glob("batch-*"))) == 1


def test_other_users_rows_stay(db: Database) -> None:
    """What is replaced is a scope."""
    ann = db.create(kind=TableKind.USER).of_user("ann")
    ben = ann.of_user("ben")
    ann.write(kv(1, 1))
    ben.write(kv(1, 2))
    replace_now(ann, NEW)
    assert (ann.values(), ben.values()) == (NEW, {1: 2})


def test_a_replacement_that_comes_again_changes_nothing(mixed: TableAccess) -> None:
    """Not even what was written since."""
    first = replace_now(mixed, NEW, REQUEST)
    mixed.write(kv(1, 1))
    again = replace_now(mixed, NEW, REQUEST)
    assert (again.replayed, again.affected) == (True, first.affected)
    assert mixed.values() == NEW | {1: 1}


def test_a_commit_in_between_is_replaced_too(mixed: TableAccess) -> None:
    """What was there at the end of the stream goes, and ids are in the order of commits."""
    work, scope = Autocommit(mixed.db.catalog, mixed.db.store), (mixed.definition, None)
    load = BulkLoad(mixed.db.store, work.staging(scope), mixed.definition, replaces=True)
    load.add(mixed.part(kv(1, 1)))
    between = mixed.write(kv(100, 100)).seq
    assert work.take(scope, load).seq > between
    assert mixed.values() == {1: 1}
    assert mixed.snapshot.manifest.batches[0].min_seq > between


def test_an_abort_leaves_the_rows(mixed: TableAccess) -> None:
    """Nothing of the stream remains."""
    before = mixed.values()
    load = BulkLoad(mixed.db.store, mixed.state, mixed.definition, replaces=True)
    load.add(mixed.part(kv(1, 1)))
    load.abort()
    assert mixed.values() == before


def test_a_transaction_replaces_for_itself_alone(mixed: TableAccess) -> None:
    """It goes on with what it has put there; others see it with the commit, or never."""
    before = mixed.values()
    for end in ("rollback", "commit"):
        transaction = begin(mixed.db)
        mine = Inside(mixed, transaction)
        mine.write(kv(300, 300))
        replace(transaction, mixed, {1: 1})
        replace(transaction, mixed, NEW)
        assert mine.values() == NEW
        mine.write(kv(5, 55), kv(200, 200))
        mine.delete(kv(6))
        after = {k: v for k, v in NEW.items() if k != 6} | {5: 55, 200: 200}
        assert (mine.values(), mixed.values()) == (after, before)
        getattr(transaction, end)()
    for _ in range(2):
        assert mixed.values() == after
        mixed.db.reopen()


@pytest.mark.parametrize("values", [NEW, {}])
def test_a_replacement_alone_in_a_transaction_is_one_manifest(mixed: TableAccess, values: dict[int, int]) -> None:
    """It writes no tombstones, however many rows go."""
    transaction = begin(mixed.db)
    replace(transaction, mixed, values, REQUEST)
    transaction.commit()
    assert mixed.values() == values
    assert mixed.snapshot.hot.version_count == 0
    assert replace_now(mixed, values, REQUEST).replayed


def test_a_savepoint_brings_the_rows_back(mixed: TableAccess) -> None:
    """And what was written before it."""
    transaction = begin(mixed.db)
    mine = Inside(mixed, transaction)
    mine.write(kv(100, 1))
    before = mine.values()
    transaction.savepoint("s")
    replace(transaction, mixed, NEW)
    transaction.rollback_to("s")
    assert mine.values() == before
    transaction.commit()
    assert mixed.values() == before
    assert not reclaim_leftovers(mixed.db.store, mixed.state)


@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize("change", ["insert", "delete", "truncating"])
def test_a_replacement_loses_against_any_other_commit(mixed: TableAccess, change: str, more: bool) -> None:
    """Whatever its key, also where it only took rows away."""
    transaction = begin(mixed.db)
    replace(transaction, mixed, NEW)
    if more:
        Inside(mixed, transaction).write(kv(200, 200))
    if change == "insert":
        mixed.insert(kv(1000, 0))
    elif change == "delete":
        mixed.delete(kv(19))
    else:
        replace_now(mixed, {})
    left = mixed.values()
    assert "another transaction changed public.t first" in conflict(transaction.commit)
    assert mixed.values() == left


def test_a_flush_in_between_is_no_conflict(mixed: TableAccess) -> None:
    """It changes no row."""
    transaction = begin(mixed.db)
    replace(transaction, mixed, NEW)
    mixed.flush()
    mixed.compact()
    transaction.commit()
    assert mixed.values() == NEW


def test_deletes_in_a_stream_conflict_like_its_rows(table: TableAccess) -> None:
    """A stream that is alone in its transaction deletes a key that another commit has changed since: it loses."""
    table.write(kv(1, 1), kv(2, 2))
    transaction = begin(table.db)
    scope = (table.definition, None)
    load = BulkLoad(table.db.store, transaction.staging(scope), table.definition)
    load.add(table.part(kv(1), kv(3, 3), deleted=[True, False]))
    transaction.take(scope, load)
    table.write(kv(1, 10))
    assert "at key 1" in conflict(transaction.commit)
    assert table.values() == {1: 10, 2: 2}


def test_a_load_and_a_column_that_came_after_it_are_committed_together(table: TableAccess) -> None:
    """The staged files lack the column, and hold it under its new name."""
    transaction = begin(table.db)
    mine = Inside(table, transaction)
    scope = (table.definition, None)
    load = BulkLoad(table.db.store, transaction.staging(scope), table.definition)
    load.add(table.part(kv(1, 1)))
    transaction.take(scope, load)
    mine.alter(lambda definition: add_column(definition, ColumnSpec("x", pa.int64())))
    mine.alter(lambda definition: rename_column(definition, "v", "w"))
    transaction.commit()
    assert table.all() == [{"w": 1, "k": 1, "x": None}]


def test_a_stream_that_names_a_renamed_column_is_refused_inside(table: TableAccess) -> None:
    """As it is outside of transactions."""
    transaction = begin(table.db)
    scope = (table.definition, None)
    load = BulkLoad(table.db.store, transaction.staging(scope), table.definition, named=["v", "k"])
    load.add(table.part(kv(1, 1)))
    Inside(table, transaction).alter(lambda definition: rename_column(definition, "v", "w"))
    renamed = (transaction.registry.table(table.name), None)
    with pytest.raises(StaleDefinitionError) as caught:
        transaction.take(renamed, load)
    assert caught.value.kind is ErrorKind.CONFLICT
    load.abort()
    transaction.rollback()
