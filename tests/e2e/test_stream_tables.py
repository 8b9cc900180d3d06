"""STREAM tables as clients have them: loaded, read, shown, and in transactions."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from tests.e2e.client import Client, failure

MADE = "CREATE STREAM TABLE events (n BIGINT, v TEXT) WITH (ttl_seconds = 3600, max_rows = 100000)"


@pytest.fixture
def events(db: Client) -> Iterator[str]:
    """A STREAM table of root's."""
    db.run(MADE)
    yield "events"
    db.run("DROP STREAM TABLE events")


def rows(count: int, start: int = 0) -> pa.Table:
    """So many rows."""
    numbers = np.arange(start, start + count)
    return pa.table({"n": numbers, "v": pa.array([f"v{n}" for n in numbers.tolist()])})


def test_a_load_of_any_size_stays_hot_and_the_newest_rows_stay(db: Client, events: str) -> None:
    """It is one commit, and its count is of all rows."""
    assert db.ingest(events, rows(10)) == 10
    assert db.ingest(events, rows(120_000, 10)) == 120_000
    assert db.count(events) == 100_000
    assert db.rows(f"SELECT min(n), max(n), count(DISTINCT v) FROM {events}") == [(20_010, 120_009, 100_000)]
    assert db.rows(f"SHOW MANIFEST FOR {events}") == []


def test_nothing_replaces_or_marks_its_rows(db: Client, events: str) -> None:
    """Rows are only appended."""
    db.ingest(events, rows(3))
    assert "only appended" in failure(lambda: db.ingest(events, rows(2), mode="replace"))
    deleting = rows(1).append_column("_deleted", pa.array([True]))
    assert "has no key" in failure(lambda: db.ingest(events, deleting))
    assert "only appended" in db.error(f"UPDATE {events} SET v = 'x'")
    assert db.count(events) == 3


def test_rows_are_each_users_own(db: Client, alice: Client, bob: Client, events: str) -> None:
    """Whoever made the table."""
    alice.run(f"INSERT INTO {events} VALUES (1, 'a')")
    bob.ingest(events, rows(2))
    assert [client.count(events) for client in (db, alice, bob)] == [0, 1, 2]
    alice.run(f"DELETE FROM {events} WHERE n = 1")
    assert [client.count(events) for client in (db, alice, bob)] == [0, 0, 2]


def test_it_is_known_by_its_kind(db: Client, events: str) -> None:
    """In lists, and by its definition."""
    assert ("public", events, "STREAM") in db.rows("SHOW TABLES")
    assert db.column(f"SELECT kind FROM system.tables WHERE \"table\" = '{events}'") == ["STREAM"]
    assert "max_rows = 100000" in db.rows(f"SHOW CREATE TABLE {events}")[0][1]
    assert [row[:2] for row in db.rows(f"DESCRIBE {events}")] == [("n", "BIGINT"), ("v", "TEXT")]


def test_what_a_transaction_appends_comes_with_it(tx: Client, db: Client, events: str) -> None:
    """Or never does."""
    tx.run(f"INSERT INTO {events} VALUES (1, 'kept')")
    assert (tx.count(events), db.count(events)) == (1, 0)
    tx.connection.commit()
    tx.run(f"INSERT INTO {events} VALUES (2, 'not')")
    tx.run(f"DELETE FROM {events} WHERE n = 1")
    tx.connection.rollback()
    assert db.rows(f"SELECT * FROM {events}") == [(1, "kept")]
    tx.run(f"DELETE FROM {events} WHERE n = 1")
    tx.connection.commit()
    assert db.count(events) == 0
