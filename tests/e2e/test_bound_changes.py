"""Parameters in changes, wherever they stand."""

from collections.abc import Callable
from datetime import datetime

import pytest

from tests.e2e.client import Client, failure
from tests.server_process import ServerProcess

UPSERT = "INSERT INTO {t} VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET v = {t}.v + ? WHERE {t}.v < ?"


@pytest.fixture
def numbers(db: Client, t: str) -> str:
    """A table with the row 1, 10."""
    db.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY, v BIGINT)")
    db.run(f"INSERT INTO {t} VALUES (1, 10)")
    return t


@pytest.mark.parametrize(("row", "expected"), [((1, 0, 5, 99), 15), ((1, 0, 5, 3), 10), ((2, 7, 5, 99), 7)])
def test_on_conflict_takes_parameters(db: Client, numbers: str, row: tuple[int, ...], expected: int) -> None:
    """In SET and in WHERE."""
    db.run(UPSERT.format(t=numbers), row)
    assert db.rows(f"SELECT v FROM {numbers} WHERE id = {row[0]}") == [(expected,)]


def test_on_conflict_with_parameters_must_name_the_key(db: Client, numbers: str) -> None:
    """As it must without them; nothing is written."""
    sql = f"INSERT INTO {numbers} VALUES (?, ?) ON CONFLICT (v) DO UPDATE SET v = ?"
    assert "must name the key" in db.error(sql, (1, 10, 11))
    assert db.rows(f"SELECT * FROM {numbers}") == [(1, 10)]


def test_a_constant_beside_parameters_is_what_each_column_makes_of_it(db: Client, t: str) -> None:
    """It is read once for a column, and another table's may have the same name, or its own another type by now."""
    sql = "INSERT INTO {t} VALUES (?, 1.50)"
    found = []
    for number, kind in enumerate(["TEXT", "INT", "DECIMAL(9, 1)", "TEXT"]):
        db.run(f"DROP TABLE IF EXISTS {t}")
        db.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY, v {kind})")
        db.run(sql.format(t=t), (number,))
        db.run(sql.format(t=t), (number + 10,))
        found.append(db.column(f"SELECT CAST(v AS TEXT) FROM {t}"))
    assert found == [["1.50"] * 2, ["2"] * 2, ["1.5"] * 2, ["1.50"] * 2]


def test_a_constant_beside_parameters_that_does_not_fit_names_its_column(db: Client, numbers: str) -> None:
    """Every time."""
    sql = f"INSERT INTO {numbers} VALUES (?, 'x')"
    assert [" v of " in db.error(sql, (key,)) for key in (2, 3)] == [True, True]


def test_rows_of_parameters_update_one_after_another(db: Client, numbers: str) -> None:
    """A later row sees what an earlier one did."""
    db.many(UPSERT.format(t=numbers), [(1, 0, 5, 99), (1, 0, 5, 99), (3, 1, 5, 99), (3, 1, 5, 99)])
    assert db.rows(f"SELECT * FROM {numbers} ORDER BY id") == [(1, 20), (3, 6)]


MANY = {
    "what SET changes is asked for": ("UPDATE {t} SET v = v + ? WHERE id = ? AND v < ?", [(9, 2, 50), (5, 1, 11)]),
    "of one row twice": ("UPDATE {t} SET v = v + ? WHERE id = ? AND v < ?", [(5, 1, 11), (5, 1, 11), (5, 2, 99)]),
    "of rows that one made to match": ("UPDATE {t} SET v = v + ? WHERE v = ?", [(1, 10), (1, 11), (1, 12)]),
    "a value computed": ("INSERT INTO {t} VALUES (? + 10, abs(?))", [(1, -1), (2, -2), (3, 3)]),
    "the first of a key": ("INSERT INTO {t} VALUES (? + 10, ? + 0) ON CONFLICT DO NOTHING", [(1, 7), (1, 8), (2, 9)]),
    "a name where a value must stand": (
        "INSERT INTO {t} VALUES (? + 10, date_part(?, TIMESTAMP '2024-05-06 00:00:00'))",
        [(1, "day"), (2, "month")],
    ),
    "rows that exist and others": (UPSERT, [(1, 0, 5, 99), (2, 0, 5, 3), (7, 8, 5, 99)]),
}


@pytest.mark.parametrize("change", MANY)
def test_many_rows_of_parameters_do_what_each_does(db: Client, numbers: str, change: str) -> None:
    """Whether they are taken at once or one after another."""
    text, rows = MANY[change]

    def after(act: Callable[[str], object]) -> list[tuple[int, int]]:
        db.run(f"TRUNCATE TABLE {numbers}")
        db.run(f"INSERT INTO {numbers} VALUES (1, 10), (2, 20)")
        act(text.format(t=numbers))
        return db.rows(f"SELECT * FROM {numbers} ORDER BY id")

    assert after(lambda sql: db.many(sql, rows)) == after(lambda sql: [db.run(sql, row) for row in rows])


def test_the_moment_of_a_statement_fits_its_column(db: Client, t: str) -> None:
    """`now()` has nine digits, TIMESTAMP six."""
    db.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY, at TIMESTAMP)")
    db.run(f"INSERT INTO {t} VALUES (1, now())")
    ((found,),) = db.rows(f"SELECT at FROM {t}")
    assert isinstance(found, datetime)


CHANGES = [
    "INSERT INTO {t} (v, id) VALUES (?, ?)",
    "INSERT INTO {t} (v, id) VALUES (? + 1, ?)",
    "INSERT INTO {t} (v, id) VALUES (?, ?) ON CONFLICT DO NOTHING",
    "INSERT INTO {t} (v, id) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET v = {t}.v + excluded.v",
    "UPDATE {t} SET v = v + ? WHERE id < ?",
    "DELETE FROM {t} WHERE v > ? AND id < ?",
]


@pytest.mark.parametrize("sql", CHANGES)
def test_repeated_parameters_with_an_idempotency_key_are_a_no_op(
    server: ServerProcess, db: Client, numbers: str, sql: str
) -> None:
    """A stream of parameters is one by its header, too: the first count comes back, whatever happened since."""
    with server.connect(**{"x-idempotency-key": f"{numbers} {sql}"}) as connection:
        client = Client(connection)
        first = client.many(sql.format(t=numbers), [(5, 20), (6, 30)])
        db.run(f"DELETE FROM {numbers}")
        assert client.many(sql.format(t=numbers), [(5, 20), (6, 30)]) == first > 0
    assert db.count(numbers) == 0


def test_other_parameters_under_an_idempotency_key_are_refused(server: ServerProcess, db: Client, numbers: str) -> None:
    """And another statement with the same ones."""
    sql = f"INSERT INTO {numbers} VALUES (?, ?)"
    with server.connect(**{"x-idempotency-key": f"once in {numbers}"}) as connection:
        client = Client(connection)
        client.many(sql, [(2, 5)])
        assert "idempotency" in failure(lambda: client.many(sql, [(3, 5)]))
        assert "idempotency" in failure(lambda: client.many(f"{sql} ON CONFLICT DO NOTHING", [(2, 5)]))
    assert db.count(numbers) == 2


@pytest.mark.parametrize("lock", ["FOR UPDATE", "FOR SHARE", "FOR NO KEY UPDATE"])
def test_locks_are_refused(db: Client, numbers: str, lock: str) -> None:
    """A lock that is not taken would be a wrong answer."""
    assert "nothing is locked" in failure(lambda: db.rows(f"SELECT * FROM {numbers} {lock}"))


def test_what_cannot_be_planned_with_parameters_says_why(db: Client, numbers: str) -> None:
    """Drivers take UNIMPLEMENTED for the lack of prepared statements, and would show something else."""
    assert "IngestTargetTable" not in failure(lambda: db.rows(f"SELECT ~(v + ?) FROM {numbers}", (1,)))
