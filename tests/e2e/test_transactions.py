"""Transactions through a driver that does not commit by itself, its default."""

import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi

from tests.e2e.client import Client, failure
from tests.server_process import ServerProcess

Make = Callable[..., str]

Row = tuple[object, ...]


def values(client: Client, table: str) -> list[Row]:
    """All keys and values."""
    return client.rows(f"SELECT id, v FROM {table} ORDER BY id")


def numbers(start: int, count: int, v: int = 0) -> pa.Table:
    """Rows to ingest."""
    return pa.table({"id": range(start, start + count), "v": [v] * count})


def _work_until_killed(server: ServerProcess, number: int) -> int:
    """Insert a number into two tables again and again; return how many times that was acknowledged."""
    killer = threading.Timer(0.7, server.kill)
    killer.start()
    with suppress(dbapi.Error), server.connect(autocommit=False) as connection:
        while True:
            for table in ("a", "b"):
                Client(connection).run(f"INSERT INTO {table} VALUES ({number}, {number})")
            connection.commit()
            number += 1
    killer.join()
    return number


def test_commit_shows_everything_at_once(tx: Client, db: Client, make: Make) -> None:
    """Inserts, updates, deletes and streams over two tables are seen by the client itself, then by all."""
    t = make()
    tx.run(f"CREATE TABLE {t}_b (id BIGINT PRIMARY KEY, v BIGINT)")
    tx.run(f"INSERT INTO {t} (id, v) VALUES (1, 1), (2, 2), (3, 3)")
    assert tx.update(f"UPDATE {t} SET v = v * 10 WHERE id > 1") == 2
    assert tx.update(f"DELETE FROM {t} WHERE id = 3") == 1
    assert tx.ingest(t, numbers(4, 2, 9)) == 2
    tx.run(f"INSERT INTO {t}_b SELECT id, v FROM {t}")
    expected = [(1, 1), (2, 20), (4, 9), (5, 9)]
    assert values(tx, t) == values(tx, f"{t}_b") == expected
    assert values(db, t) == []
    assert "not found" in db.error(f"SELECT * FROM {t}_b")
    tx.connection.commit()
    assert values(db, t) == values(db, f"{t}_b") == expected


def test_rollback_undoes_everything(tx: Client, db: Client, make: Make) -> None:
    """Rows and definitions; the connection goes on with a new transaction."""
    t = make()
    tx.run(f"INSERT INTO {t} (id) VALUES (1)")
    tx.run(f"ALTER TABLE {t} ADD COLUMN extra INT DEFAULT 5")
    tx.run(f"INSERT INTO {t} (id) VALUES (2)")
    assert tx.rows(f"SELECT id, extra FROM {t} ORDER BY id") == [(1, 5), (2, 5)]
    tx.run(f"CREATE TABLE {t}_b AS SELECT * FROM {t}")
    assert tx.count(f"{t}_b") == 2
    tx.connection.rollback()
    assert tx.count(t) == 0
    assert "extra" in tx.error(f"SELECT extra FROM {t}")
    assert "not found" in db.error(f"SELECT * FROM {t}_b")
    tx.run(f"INSERT INTO {t} (id) VALUES (3)")
    tx.connection.commit()
    assert db.column(f"SELECT id FROM {t}") == [3]


def test_a_column_added_inside_is_nobody_elses(tx: Client, db: Client, make: Make) -> None:
    """Streams, inserts and FLUSH after an ALTER of the same transaction leave other readers their columns."""
    t = make()
    db.run(f"INSERT INTO {t} (id, v) VALUES (1, 1)")
    tx.run(f"ALTER TABLE {t} ADD COLUMN extra BIGINT")
    tx.run(f"INSERT INTO {t} (id, extra) VALUES (2, 2)")
    tx.ingest(t, pa.table({"id": [3], "extra": [3]}))
    tx.run(f"FLUSH TABLE {t}")
    tx.run(f"COMPACT TABLE {t}")
    assert db.arrow(f"SELECT * FROM {t}").schema.names == ["id", "v", "s"]
    db.run(f"INSERT INTO {t} (id) VALUES (4)")
    tx.connection.commit()
    assert db.rows(f"SELECT id, extra FROM {t} ORDER BY id") == [(1, None), (2, 2), (3, 3), (4, None)]


@pytest.mark.parametrize("what", ["FLUSH", "COMPACT"])
def test_what_is_not_committed_is_not_flushed(tx: Client, db: Client, t: str, what: str) -> None:
    """A table of the same transaction has no files yet; the refusal says what to do."""
    tx.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY)")
    assert f"table public.{t} is not committed yet; COMMIT" in tx.error(f"{what} TABLE {t}")
    tx.connection.commit()
    db.run(f"{what} TABLE {t}")


def test_closing_a_connection_rolls_back(server: ServerProcess, db: Client, make: Make) -> None:
    """What was not committed is gone, and its keys are free."""
    t = make()
    with server.connect(autocommit=False) as connection:
        Client(connection).run(f"INSERT INTO {t} (id) VALUES (1)")
    assert db.count(t) == 0
    db.run(f"INSERT INTO {t} (id) VALUES (1)")


VANISHING_CLIENT = """
import os, sys
from adbc_driver_flightsql import dbapi
uri, table = sys.argv[1:]
cursor = dbapi.connect(uri).cursor()
cursor.execute(f"INSERT INTO {table} (id) VALUES (1)")
os.kill(os.getpid(), 9)
"""


def test_a_client_that_vanishes_leaves_nothing(server: ServerProcess, db: Client, make: Make) -> None:
    """Killed inside its transaction, it holds no key and shows no row, from the moment that it is gone."""
    t = make()
    command = [sys.executable, "-c", VANISHING_CLIENT, server.uri, t]
    assert subprocess.run(command, check=False).returncode == -9
    assert db.count(t) == 0
    db.run(f"INSERT INTO {t} (id, v) VALUES (1, 2)")
    assert values(db, t) == [(1, 2)]


def test_a_transaction_sees_its_moment(tx: Client, db: Client, make: Make) -> None:
    """What others commit after its first statement stays out until its own end."""
    t = make()
    db.run(f"INSERT INTO {t} (id, v) VALUES (1, 1)")
    assert values(tx, t) == [(1, 1)]
    db.run(f"UPDATE {t} SET v = 2")
    db.run(f"INSERT INTO {t} (id, v) VALUES (2, 2)")
    db.run(f"FLUSH TABLE {t}")
    assert values(tx, t) == [(1, 1)]
    tx.connection.commit()
    assert values(tx, t) == [(1, 2), (2, 2)]


def test_the_second_to_commit_is_told_and_can_retry(
    tx: Client, rival: Client, server: ServerProcess, make: Make
) -> None:
    """The error names the table and the key and says to run it again.

    That needs a new connection: the driver takes a transaction that it could not commit for ended and opens no other.
    """
    t = make()
    tx.run(f"INSERT INTO {t} (id, v) VALUES (1, 0)")
    tx.connection.commit()
    for client in (tx, rival):
        client.run(f"UPDATE {t} SET v = v + 1 WHERE id = 1")
    tx.connection.commit()
    message = failure(rival.connection.commit)
    assert f"public.{t} first, at key 1" in message
    assert "run it again" in message
    assert "missing a valid transaction" in failure(rival.connection.rollback)
    with server.connect(autocommit=False) as connection:
        Client(connection).run(f"UPDATE {t} SET v = v + 1 WHERE id = 1")
        connection.commit()
    assert values(tx, t) == [(1, 2)]


def test_two_clients_that_retry_lose_no_update(server: ServerProcess, db: Client, make: Make) -> None:
    """Concurrent increments of one row, each until it is committed."""
    t = make()
    db.run(f"INSERT INTO {t} (id, v) VALUES (1, 0)")

    def add_once() -> bool:
        with server.connect(autocommit=False) as connection:
            Client(connection).run(f"UPDATE {t} SET v = v + 1")
            try:
                connection.commit()
            except dbapi.Error as error:
                assert "run it again" in str(error)  # noqa: PT017 - the fact is the sum at the end
                return False
            return True

    def add() -> None:
        for _ in range(10):
            while not add_once():
                pass

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values(db, t) == [(1, 30)]


def test_bound_rows_join_the_transaction(tx: Client, db: Client, make: Make) -> None:
    """`executemany` with rows of parameters, and queries with parameters, run inside."""
    t = make()
    assert tx.many(f"INSERT INTO {t} (id, v) VALUES (?, ?)", [(1, 1), (2, 2)]) == 2
    assert tx.many(f"UPDATE {t} SET v = ? WHERE id = ?", [(10, 1), (20, 2)]) == 2
    assert tx.column(f"SELECT v FROM {t} WHERE id = ?", (2,)) == [20]
    assert db.count(t) == 0
    tx.connection.rollback()
    assert db.count(t) == 0


def test_a_prepared_statement_outlives_its_transaction(tx: Client, db: Client, make: Make) -> None:
    """Prepared in one transaction, it runs in whichever is open: its writes are committed and rolled back there."""
    t = make()
    with tx.connection.cursor() as cursor:
        statement = cursor.adbc_statement
        statement.set_sql_query(f"INSERT INTO {t} (id, v) VALUES (?, ?)")
        statement.prepare()
        for number, end in enumerate((tx.connection.commit, tx.connection.rollback, tx.connection.commit)):
            statement.bind(pa.record_batch({"1": [number], "2": [number]}))
            statement.execute_update()
            end()
    assert values(db, t) == [(0, 0), (2, 2)]


def test_every_mode_of_ingest_joins_the_transaction(tx: Client, db: Client, make: Make) -> None:
    """create, append, replace and create_append: seen inside, gone with the rollback, there after the commit."""
    t = make("id BIGINT PRIMARY KEY, v BIGINT")
    db.ingest(t, numbers(0, 3))
    for end in (tx.connection.rollback, tx.connection.commit):
        tx.ingest(f"{t}_made", numbers(0, 5), mode="create")
        tx.ingest(f"{t}_made", numbers(5, 5), mode="create_append")
        tx.ingest(t, numbers(2, 3, 1), mode="append")
        assert values(tx, t) == [(0, 0), (1, 0), (2, 1), (3, 1), (4, 1)]
        tx.ingest(t, numbers(7, 1), mode="replace")
        assert (tx.count(f"{t}_made"), values(tx, t)) == (10, [(7, 0)])
        assert values(db, t) == [(0, 0), (1, 0), (2, 0)]
        end()
    assert (db.count(f"{t}_made"), values(db, t)) == (10, [(7, 0)])


def test_a_large_stream_joins_the_transaction(tx: Client, db: Client, make: Make) -> None:
    """Seen inside at once, by nobody else before the commit, and not at all after a rollback."""
    t = make("id BIGINT PRIMARY KEY, v BIGINT")
    for end, count in ((tx.connection.rollback, 0), (tx.connection.commit, 120_000)):
        assert tx.ingest(t, numbers(0, 120_000)) == 120_000
        assert tx.one(f"SELECT sum(id) FROM {t}") == 119_999 * 60_000
        assert db.count(t) == 0
        end()
        assert db.count(t) == count


def test_truncate_is_a_change_like_others(tx: Client, db: Client, make: Make) -> None:
    """It empties the table for the transaction, and conflicts by key."""
    t = make()
    db.run(f"INSERT INTO {t} (id, v) VALUES (1, 1), (2, 2)")
    assert tx.update(f"TRUNCATE {t}") == 2
    tx.run(f"INSERT INTO {t} (id, v) VALUES (2, 3)")
    assert values(tx, t) == [(2, 3)]
    tx.connection.rollback()
    tx.run(f"DELETE FROM {t}")
    db.run(f"UPDATE {t} SET v = 9 WHERE id = 2")
    assert "at key 2" in failure(tx.connection.commit)
    assert values(db, t) == [(1, 1), (2, 9)]


def test_a_failed_statement_does_not_end_the_transaction(tx: Client, db: Client, make: Make) -> None:
    """The statements before and after it are committed."""
    t = make()
    tx.run(f"INSERT INTO {t} (id) VALUES (1)")
    assert "exists already" in tx.error(f"INSERT INTO {t} (id) VALUES (2), (1)")
    tx.run(f"INSERT INTO {t} (id) VALUES (3)")
    tx.connection.commit()
    assert db.column(f"SELECT id FROM {t} ORDER BY id") == [1, 3]


def test_a_result_is_read_on_after_the_commit(tx: Client, db: Client, make: Make) -> None:
    """A cursor over many rows that was opened inside gives them all, whatever happens to the table."""
    t = make("id BIGINT PRIMARY KEY, v BIGINT")
    db.ingest(t, numbers(0, 400_000))
    with tx.connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {t}")
        reader = cursor.fetch_record_batch()
        first = reader.read_next_batch().num_rows
        tx.connection.commit()
        db.run(f"TRUNCATE {t}")
        db.run(f"COMPACT TABLE {t}")
        assert first + sum(batch.num_rows for batch in reader) == 400_000


def test_users_rows_stay_apart_in_transactions(server: ServerProcess, make: Make) -> None:
    """A USER table in a transaction is the user's own rows; two users never conflict."""
    t = make(kind="USER")
    with server.connect("alice", autocommit=False) as a, server.connect("bob", autocommit=False) as b:
        alice, bob = Client(a), Client(b)
        alice.run(f"INSERT INTO {t} (id, v) VALUES (1, 1)")
        bob.run(f"INSERT INTO {t} (id, v) VALUES (1, 2)")
        assert (values(alice, t), values(bob, t)) == ([(1, 1)], [(1, 2)])
        a.commit()
        b.commit()
        assert (values(alice, t), values(bob, t)) == ([(1, 1)], [(1, 2)])


def test_metadata_shows_what_the_session_would_see(mine: Client, db: Client, make: Make) -> None:
    """A table that was created after BEGIN is listed for its session alone until COMMIT."""
    t = make()
    mine.run("BEGIN")
    mine.run(f"CREATE TABLE {t}_b (id BIGINT PRIMARY KEY)")

    def listed(client: Client) -> bool:
        objects = client.connection.adbc_get_objects(table_name_filter=f"{t}_b").read_all().to_pylist()
        return f"{t}_b" in str(objects)

    assert (listed(mine), listed(db)) == (True, False)
    mine.run("COMMIT")
    assert listed(db)


def test_an_idle_transaction_is_rolled_back(tmp_path: Path) -> None:
    """It says so to whoever uses it then, in SQL and by the driver; others were never held up."""
    settings = {"transaction_idle_timeout_s": 0.5}
    with ServerProcess(tmp_path / "data", settings=settings) as server, server.connect() as connection:
        client = Client(connection)
        client.run("CREATE TABLE t (id BIGINT PRIMARY KEY)")
        with server.connect() as one, server.connect(autocommit=False) as two:
            Client(one).run("BEGIN")
            for idle in (one, two):
                Client(idle).run(f"INSERT INTO t VALUES ({id(idle)})")
            seen = "SELECT sum(open_transactions) FROM system.sessions"
            while client.one(seen):
                threading.Event().wait(0.1)
            assert "idle" in Client(one).error("SELECT count(*) FROM t")
            assert "idle" in Client(two).error("SELECT count(*) FROM t")
            assert "idle" in failure(two.commit)
        assert client.count("t") == 0


@pytest.mark.filterwarnings("ignore:Failed to close cursor:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.proof
def test_a_killed_server_keeps_whole_transactions(tmp_path: Path) -> None:
    """Kill -9 under transactions over two tables: both tables hold the same, and all that was acknowledged."""
    with ServerProcess(tmp_path / "data") as server:
        with server.connect() as connection:
            for table in ("a", "b"):
                Client(connection).run(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, v BIGINT)")
        acknowledged = 0
        for _ in range(3):
            acknowledged = _work_until_killed(server, acknowledged)
            server.start()
            with server.connect() as connection:
                a, b = values(Client(connection), "a"), values(Client(connection), "b")
                assert a == b
                assert len(a) in (acknowledged, acknowledged + 1)
                acknowledged = len(a)
    assert "Traceback" not in server.log
