"""Rows that are older than their table keeps them are deleted, wherever they are, and nothing else is."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from catalog.definition import Retention, TableKind, TableOptions
from catalog.errors import DatabaseError, ErrorKind
from catalog.evolution import drop_column
from flush.jobs import tasks
from flush.rebuild import rebuild_scope
from flush.retention import Retained, retain
from flush.work import Work
from providers.commit.resolve import OnExisting
from providers.commit.transaction import Transaction
from providers.rows.sequence import unix_ms
from tests.storage_fixtures import Database, TableAccess, kv

DAY_MS = 86_400_000
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
AT = (("k", pa.int64()), ("v", pa.int64()), ("at", pa.timestamp("us", "UTC")))


@pytest.fixture
def aged(db: Database) -> TableAccess:
    """A table that keeps its rows for ten days by `at`, which is its third column."""
    return db.create(AT, ["k"], options=TableOptions(retention=Retention(10 * 86_400.0, column=3)))


def row(k: int, days: float | None, v: int = 0) -> dict[str, object]:
    """A row that is so many days old."""
    return {"k": k, "v": v, "at": None if days is None else NOW - timedelta(days=days)}


def pass_over(table: TableAccess, now_ms: int = NOW_MS) -> Retained:
    """What the job does to a table."""
    return retain(table.db.store, table.state, now_ms, Work())


def keys(table: TableAccess) -> list[int]:
    """The keys of all rows."""
    return sorted(table.values())


@pytest.fixture(params=["hot", "cold", "settled", "hot over cold"])
def filled(request: pytest.FixtureRequest, aged: TableAccess) -> TableAccess:
    """Rows of any age in memory, in batches, as they came, and old versions below new ones."""
    if request.param == "settled":
        aged.load([row(1, 30), row(2, 5)], [row(3, None), row(4, 11)])
        return aged
    if request.param == "hot over cold":
        aged.write(row(1, 1), row(2, 30), row(4, 1))
        aged.flush()
        aged.write(row(1, 30), row(2, 5), row(3, None), row(4, 11))
        return aged
    aged.write(row(1, 30), row(2, 5), row(3, None), row(4, 11))
    if request.param == "cold":
        aged.flush()
    return aged


def test_old_rows_go_wherever_they_are(filled: TableAccess) -> None:
    """NULL is never old, and the age is that of the newest version."""
    assert keys(filled) == [1, 2, 3, 4]
    assert pass_over(filled).rows == 2
    assert keys(filled) == [2, 3]
    assert pass_over(filled) == Retained()


def test_what_went_stays_away_whatever_storage_does(filled: TableAccess) -> None:
    """Flush, settle, compaction, restart, and a manifest that is made again from the files."""
    pass_over(filled)
    for step in (filled.flush, filled.settle, filled.compact, filled.reclaim, filled.db.reopen):
        step()
        assert keys(filled) == [2, 3]
    folder, definition = filled.state.head.cold.folder, filled.definition
    filled.db.reopen()
    rebuild_scope(filled.db.keyvalue, folder, definition, filled.db.store.state(definition, None).head.scope)
    filled.db.reopen()
    assert keys(filled) == [2, 3]


def test_a_batch_of_old_rows_goes_without_being_read(aged: TableAccess) -> None:
    """Its file may even be damaged. The others stay as they are."""
    aged.write(row(1, 20), row(2, 30))
    aged.flush()
    aged.write(row(3, 1))
    aged.flush()
    (old,) = [aged.folder / entry.path for entry in aged.snapshot.manifest.batches if entry.batch == 1]
    old.write_bytes(b"damaged")
    assert pass_over(aged) == Retained(2, 1)
    assert [entry.batch for entry in aged.snapshot.manifest.batches] == [2]
    assert keys(aged) == [3]


def test_the_age_is_since_the_last_change_where_no_column_says_it(db: Database) -> None:
    """An UPDATE makes a row young again."""
    table = db.create(options=TableOptions(retention=Retention(3_600.0)))
    offset = -2 * DAY_MS
    db.store.allocator._clock_ms = lambda: unix_ms() + offset
    table.write(kv(1), kv(2), kv(3))
    table.flush()
    table.write(kv(4))
    offset = 0
    table.write(kv(2, 7))
    assert pass_over(table, unix_ms()) == Retained(3, 1)
    assert table.values() == {2: 7}


def test_a_day_is_old_when_it_has_ended(db: Database) -> None:
    """A DATE has no time of day."""
    columns = (("k", pa.int64()), ("v", pa.int64()), ("at", pa.date32()))
    table = db.create(columns, ["k"], options=TableOptions(retention=Retention(10 * 86_400.0, column=3)))
    table.write(*({"k": day, "v": 0, "at": date(2026, 11, day)} for day in (16, 17, 18, 19)))
    pass_over(table)
    assert keys(table) == [18, 19]


def test_a_transaction_that_writes_such_a_row_loses(filled: TableAccess) -> None:
    """As against any DELETE."""
    transaction = Transaction(filled.db.catalog, filled.db.store)
    change = filled.part(row(1, 0, v=5))
    transaction.write((filled.definition, None), lambda _: change, OnExisting.REPLACE)
    pass_over(filled)
    with pytest.raises(DatabaseError) as caught:
        transaction.commit()
    assert caught.value.kind is ErrorKind.CONFLICT
    assert keys(filled) == [2, 3]


def test_a_reader_keeps_what_it_reads(filled: TableAccess) -> None:
    """Until it is done."""
    before = filled.snapshot
    pass_over(filled)
    filled.reclaim()
    assert sorted(filled.values(before)) == [1, 2, 3, 4]


def test_the_job_is_about_all_tables_and_all_their_users(db: Database) -> None:
    """Loaded or not, hot or in files; those without a retention are left alone."""
    options = TableOptions(retention=Retention(10 * 86_400.0, column=3))
    of_users = db.create(AT, ["k"], name="u", kind=TableKind.USER, options=options)
    kept = db.create(AT, ["k"], name="kept")
    for table in (of_users.of_user("ann"), of_users.of_user("bob"), kept):
        table.write(row(1, 30_000), row(2, -30_000))
    of_users.of_user("ann").flush()
    db.reopen()
    assert db.jobs().do(tasks.Retention(), "").message == "2 rows, 0 whole batches"
    assert [keys(table) for table in (of_users.of_user("ann"), of_users.of_user("bob"), kept)] == [[2], [2], [1, 2]]


def test_a_column_that_says_the_age_is_not_dropped(aged: TableAccess) -> None:
    """Rows would become immortal."""
    with pytest.raises(DatabaseError, match="retention_column"):
        drop_column(aged.definition, "at")
