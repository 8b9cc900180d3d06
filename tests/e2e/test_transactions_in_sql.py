"""Transactions and savepoints as statements."""

from collections.abc import Callable

import pyarrow as pa
import pytest

from tests.e2e.client import Client
from tests.server_process import ServerProcess

Make = Callable[..., str]

Row = tuple[object, ...]


def values(client: Client, table: str) -> list[Row]:
    """All keys and values."""
    return client.rows(f"SELECT id, v FROM {table} ORDER BY id")


def test_begin_and_commit_in_sql(mine: Client, db: Client, make: Make) -> None:
    """All spellings."""
    t = make()
    pairs = [("BEGIN", "COMMIT"), ("START TRANSACTION", "COMMIT WORK"), ("BEGIN TRANSACTION", "END")]
    for number, (begin, commit) in enumerate(pairs):
        mine.run(begin)
        mine.run(f"INSERT INTO {t} (id) VALUES ({number})")
        assert (mine.count(t), db.count(t)) == (number + 1, number)
        mine.run(commit)
        assert db.count(t) == number + 1


def test_rollback_in_sql(mine: Client, db: Client, make: Make) -> None:
    """Nothing is left, and statements commit by themselves again."""
    t = make()
    mine.run("BEGIN")
    mine.run(f"INSERT INTO {t} (id) VALUES (1)")
    mine.ingest(t, pa.table({"id": [2]}))
    assert mine.count(t) == 2
    mine.run("ROLLBACK")
    assert mine.count(t) == 0
    mine.run(f"INSERT INTO {t} (id) VALUES (3)")
    assert db.count(t) == 1


def test_savepoints_in_sql(mine: Client, db: Client, make: Make) -> None:
    """SAVEPOINT, ROLLBACK TO, RELEASE; unknown names are errors that end nothing."""
    t = make()
    mine.run("BEGIN")
    mine.run(f"INSERT INTO {t} (id) VALUES (1)")
    mine.run("SAVEPOINT a")
    mine.run(f"INSERT INTO {t} (id) VALUES (2)")
    mine.run("SAVEPOINT b")
    mine.run(f"INSERT INTO {t} (id) VALUES (3)")
    mine.run("ROLLBACK TO SAVEPOINT b")
    assert mine.column(f"SELECT id FROM {t} ORDER BY id") == [1, 2]
    mine.run("RELEASE SAVEPOINT b")
    assert "savepoint b" in mine.error("ROLLBACK TO b")
    mine.run("ROLLBACK TO a")
    mine.run("COMMIT")
    assert db.column(f"SELECT id FROM {t}") == [1]


def test_savepoints_in_the_drivers_transaction(tx: Client, db: Client, make: Make) -> None:
    """SQL savepoints work in the transaction that the driver has opened."""
    t = make()
    tx.run(f"INSERT INTO {t} (id) VALUES (1)")
    tx.run("SAVEPOINT a")
    tx.run(f"INSERT INTO {t} (id) VALUES (2)")
    tx.run("ROLLBACK TO a")
    tx.connection.commit()
    assert db.column(f"SELECT id FROM {t}") == [1]


@pytest.mark.parametrize("statement", ["BEGIN", "COMMIT", "ROLLBACK"])
def test_the_drivers_transaction_is_ended_by_the_driver(tx: Client, db: Client, make: Make, statement: str) -> None:
    """SQL that would end it behind the driver's back is refused, and changes nothing."""
    t = make()
    tx.run(f"INSERT INTO {t} (id) VALUES (1)")
    assert "transaction" in tx.error(statement)
    tx.connection.commit()
    assert db.count(t) == 1


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK", "SAVEPOINT a", "RELEASE a", "ROLLBACK TO a"])
def test_without_begin_there_is_nothing_to_end(mine: Client, statement: str) -> None:
    """The message says how to begin."""
    assert "BEGIN" in mine.error(statement)


def test_begin_twice_is_an_error(mine: Client, db: Client, make: Make) -> None:
    """The transaction that is open stays."""
    t = make()
    mine.run("BEGIN")
    mine.run(f"INSERT INTO {t} (id) VALUES (1)")
    assert "open already" in mine.error("BEGIN")
    mine.run("COMMIT")
    assert db.count(t) == 1


def test_a_conflict_in_sql_can_be_retried(mine: Client, db: Client, make: Make) -> None:
    """COMMIT fails with the reason; BEGIN starts again."""
    t = make()
    db.run(f"INSERT INTO {t} (id, v) VALUES (1, 1)")
    mine.run("BEGIN")
    mine.run(f"UPDATE {t} SET v = v + 1")
    db.run(f"UPDATE {t} SET v = 10")
    assert "run it again" in mine.error("COMMIT")
    mine.run("BEGIN")
    mine.run(f"UPDATE {t} SET v = v + 1")
    mine.run("COMMIT")
    assert values(db, t) == [(1, 11)]


def test_transactions_of_two_sessions_are_two(server: ServerProcess, mine: Client, db: Client, make: Make) -> None:
    """BEGIN of one connection is not that of another."""
    t = make()
    mine.run("BEGIN")
    with server.connect() as connection:
        Client(connection).run(f"INSERT INTO {t} (id) VALUES (1)")
        assert "BEGIN" in Client(connection).error("COMMIT")
    assert db.count(t) == 1
    mine.run("ROLLBACK")
    assert db.count(t) == 1
