"""The DB-API of the ADBC driver: every method of a connection and of a cursor."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi

from tests.e2e.client import Client, failure
from tests.e2e.endless import COUNTING, working
from tests.server_process import ServerProcess

Make = Callable[..., str]

FIVE = "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, NULL), (5, 'e')) AS v(id, s) ORDER BY id"
ROWS = [(1, "a"), (2, "b"), (3, "c"), (4, None), (5, "e")]
TABLE = pa.table({"id": [1, 2, 3, 4, 5], "s": ["a", "b", "c", None, "e"]})
ENDLESS = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS {name} FROM n"


# -- fetching


def test_rows_come_one_by_one(cursor: dbapi.Cursor) -> None:
    """Fetchone gives a tuple each time, and None after the last."""
    cursor.execute(FIVE)
    assert [cursor.fetchone() for _ in range(6)] == [*ROWS, None]


def test_rows_come_in_pieces(cursor: dbapi.Cursor) -> None:
    """Fetchmany takes a size, or arraysize, which is 1 unless it is set."""
    cursor.execute(FIVE)
    assert cursor.fetchmany() == ROWS[:1]
    assert cursor.fetchmany(2) == ROWS[1:3]
    cursor.arraysize = 7
    assert cursor.fetchmany() == ROWS[3:]
    assert cursor.fetchmany() == []


def test_rows_come_at_once(cursor: dbapi.Cursor) -> None:
    """Fetchall gives what is left."""
    cursor.execute(FIVE)
    cursor.fetchone()
    assert cursor.fetchall() == ROWS[1:]
    assert cursor.fetchall() == []


def test_a_cursor_is_an_iterator(cursor: dbapi.Cursor) -> None:
    """A loop over what execute returns, and next()."""
    assert list(cursor.execute(FIVE)) == ROWS
    assert cursor.execute(FIVE).next() == ROWS[0]


def test_rownumber_counts_what_was_fetched(cursor: dbapi.Cursor) -> None:
    """From 0, as PEP 249 asks."""
    cursor.execute(FIVE)
    seen = [cursor.rownumber]
    cursor.fetchone()
    seen.append(cursor.rownumber)
    cursor.fetchmany(2)
    assert [*seen, cursor.rownumber] == [0, 1, 3]


@pytest.mark.parametrize("fetch", ["fetch_arrow_table", "fetchallarrow"])
def test_results_come_as_an_arrow_table(cursor: dbapi.Cursor, fetch: str) -> None:
    """Both names of the same."""
    assert getattr(cursor.execute(FIVE), fetch)().equals(TABLE)


def test_results_come_as_a_record_batch_reader(cursor: dbapi.Cursor) -> None:
    """A reader that is read while the cursor lives."""
    with cursor.execute(FIVE).fetch_record_batch() as reader:
        assert reader.read_all().equals(TABLE)


def test_results_come_as_an_arrow_stream(cursor: dbapi.Cursor) -> None:
    """fetch_arrow hands out the C stream, for any library that takes one."""
    assert pa.table(cursor.execute(FIVE).fetch_arrow()).equals(TABLE)


def test_results_come_as_a_pandas_frame(cursor: dbapi.Cursor) -> None:
    """fetch_df, with NULL as missing."""
    frame = cursor.execute(FIVE).fetch_df()
    pd.testing.assert_frame_equal(frame, TABLE.to_pandas())
    assert frame["s"].isna().tolist() == [False, False, False, True, False]


def test_results_come_as_a_polars_frame(cursor: dbapi.Cursor) -> None:
    """fetch_polars."""
    assert (
        cursor.execute(FIVE).fetch_polars().equals(pl.DataFrame({"id": range(1, 6), "s": ["a", "b", "c", None, "e"]}))
    )


def test_a_result_without_rows_has_columns(cursor: dbapi.Cursor) -> None:
    """Every way of fetching knows the columns of an empty result."""
    sql = f"SELECT * FROM ({FIVE}) AS f WHERE id > 9"
    assert cursor.execute(sql).fetchone() is None
    assert cursor.execute(sql).fetch_arrow_table().schema.names == ["id", "s"]
    assert list(cursor.execute(sql).fetch_df().columns) == ["id", "s"]
    assert cursor.execute(sql).fetch_polars().shape == (0, 2)


def test_description_has_names_and_types(cursor: dbapi.Cursor) -> None:
    """Seven items for each column, of which drivers of Arrow fill two."""
    cursor.execute(FIVE)
    assert [(column[0], len(column)) for column in cursor.description or []] == [("id", 7), ("s", 7)]
    first, second = [column[1] for column in cursor.description or []]
    assert first == dbapi.NUMBER
    assert second == dbapi.STRING


def test_a_fresh_cursor_knows_nothing(cursor: dbapi.Cursor) -> None:
    """No description and no count, and fetching says what to do."""
    assert (cursor.description, cursor.rowcount) == (None, -1)
    assert failure(cursor.fetchall) == "Cannot fetchall() before execute()"


# -- changes


def test_rowcount_after_execute(cursor: dbapi.Cursor, make: Make) -> None:
    """Changes say how many rows they changed, definitions none, queries nothing."""
    t = make()
    counts = []
    for sql in (
        f"INSERT INTO {t} (id) VALUES (1), (2), (3)",
        f"UPDATE {t} SET v = 0 WHERE id < 3",
        f"DELETE FROM {t} WHERE id = 1",
        f"CREATE TABLE {t}_b (a INT)",
        f"SELECT * FROM {t}",
    ):
        cursor.execute(sql)
        counts.append(cursor.rowcount)
    assert counts == [3, 2, 1, 0, -1]


def test_a_change_has_no_rows_to_fetch(cursor: dbapi.Cursor, make: Make) -> None:
    """After INSERT the description has no column, and fetching yields nothing."""
    cursor.execute(f"INSERT INTO {make()} (id) VALUES (1)")
    assert (cursor.description, cursor.fetchall()) == ([], [])


def test_a_change_with_returning_runs_once_and_yields_rows(cursor: dbapi.Cursor, make: Make) -> None:
    """As a text, with one row of parameters, and with many, of which the driver wants the count alone."""
    name = make("id INT PRIMARY KEY, x INT DEFAULT 7")
    cursor.execute(f"INSERT INTO {name} (id) VALUES (1) RETURNING x, id + 1 AS n")
    assert cursor.fetchall() == [(7, 2)]
    cursor.execute(f"UPDATE {name} SET x = x + ? WHERE id = ? RETURNING x", (3, 1))
    assert cursor.fetchall() == [(10,)]
    cursor.executemany(f"INSERT INTO {name} VALUES (?, ?) RETURNING id", [(2, 2), (3, 3)])
    cursor.execute(f"DELETE FROM {name} WHERE id < 4 RETURNING id")
    assert sorted(cursor.fetchall()) == [(1,), (2,), (3,)]
    merge = f"MERGE INTO {name} USING (SELECT ? AS k) b ON id = k WHEN NOT MATCHED THEN INSERT (id) VALUES (k)"
    cursor.execute(f"{merge} RETURNING id, x", (9,))
    assert cursor.fetchall() == [(9, 7)]


def test_rowcount_after_executemany(cursor: dbapi.Cursor, make: Make) -> None:
    """The rows of all rows of parameters; without parameters it runs once."""
    t = make()
    cursor.executemany(f"INSERT INTO {t} VALUES (?, ?, ?)", [(1, 1, "a"), (2, 2, "b"), (3, 3, "c")])
    assert cursor.rowcount == 3
    cursor.executemany(f"UPDATE {t} SET v = ? WHERE id >= ?", [(0, 1), (1, 3)])
    assert cursor.rowcount == 4
    cursor.executemany(f"DELETE FROM {t}", None)
    assert cursor.rowcount == 3


def test_executemany_over_no_rows_does_nothing(cursor: dbapi.Cursor, db: Client, make: Make) -> None:
    """An empty list is no reason to run."""
    t = make()
    cursor.executemany(f"INSERT INTO {t} (id) VALUES (?)", [])
    assert db.count(t) == 0


def test_executemany_refuses_a_query(cursor: dbapi.Cursor) -> None:
    """It has no place for rows."""
    assert "run it as a query" in failure(lambda: cursor.executemany("SELECT ?", [(1,)]))


def test_a_statement_is_prepared_once_for_many_runs(cursor: dbapi.Cursor, make: Make) -> None:
    """The same text with other parameters, on the same cursor, changes and queries in turn."""
    t = make()
    for number in range(5):
        cursor.execute(f"INSERT INTO {t} (id, v) VALUES (?, ?)", (number, number * number))
    found = [cursor.execute(f"SELECT v FROM {t} WHERE id = ?", (number,)).fetchall() for number in range(5)]
    assert found == [[(0,)], [(1,)], [(4,)], [(9,)], [(16,)]]


def test_a_cursor_goes_on_after_an_error(cursor: dbapi.Cursor) -> None:
    """An error leaves no trace in the cursor."""
    for _ in range(2):
        assert "nope" in failure(lambda: cursor.execute("SELECT nope"))
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]


# -- scripts


def test_a_script_is_one_statement_or_several(cursor: dbapi.Cursor, db: Client, t: str) -> None:
    """Executescript runs them in order; semicolons in strings and comments end none."""
    cursor.executescript(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY, s TEXT)")
    cursor.executescript(f"""
        INSERT INTO {t} VALUES (1, 'a;b'); -- one; and
        INSERT INTO {t} VALUES (2, 'c');
        UPDATE {t} SET s = 'd' WHERE id = 2;;
    """)
    assert db.rows(f"SELECT * FROM {t} ORDER BY id") == [(1, "a;b"), (2, "d")]


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ("INSERT INTO {t} (id) VALUES (1)", "statement 3: duplicate key"),
        ("SELEC 1", "statement 3: line 1:1"),
        ("SELECT 1", "statement 3: the statement returns rows; run it as a query"),
    ],
)
def test_a_script_that_fails_leaves_nothing(
    cursor: dbapi.Cursor, db: Client, make: Make, last: str, words: str
) -> None:
    """The error says which statement it was; those before it are undone, definitions too."""
    t = make()
    script = f"CREATE TABLE {t}_b (a INT); INSERT INTO {t} (id) VALUES (1); {last.format(t=t)}"
    assert words in failure(lambda: cursor.executescript(script))
    assert db.count(t) == 0
    assert "not found" in db.error(f"SELECT * FROM {t}_b")


def test_a_script_that_fails_is_no_part_of_its_transaction(own: Client, db: Client, make: Make) -> None:
    """What the transaction did before the script stays."""
    t = make()
    own.run("BEGIN")
    with own.connection.cursor() as cursor:
        cursor.executescript(f"INSERT INTO {t} (id) VALUES (1); INSERT INTO {t} (id) VALUES (2)")
        assert "statement 2" in failure(
            lambda: cursor.executescript(f"INSERT INTO {t} (id) VALUES (3); INSERT INTO {t} (id) VALUES (1)")
        )
    assert db.count(t) == 0
    own.run("COMMIT")
    assert db.column(f"SELECT id FROM {t} ORDER BY id") == [1, 2]


def test_the_driver_commits_before_a_script(tx: Client, db: Client, make: Make) -> None:
    """Its transaction ends, and the script is a part of the next."""
    t = make()
    with tx.connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {t} (id) VALUES (1)")
        cursor.executescript(f"INSERT INTO {t} (id) VALUES (2); INSERT INTO {t} (id) VALUES (3)")
    assert db.column(f"SELECT id FROM {t}") == [1]
    tx.connection.rollback()
    assert tx.column(f"SELECT id FROM {t}") == [1]


def test_a_script_may_begin_and_commit(own: Client, db: Client, make: Make) -> None:
    """Then what it commits is committed, whatever comes later."""
    t = make()
    script = f"BEGIN; INSERT INTO {t} (id) VALUES (1); COMMIT; INSERT INTO {t} (id) VALUES (1)"
    with own.connection.cursor() as cursor:
        assert "statement 4" in failure(lambda: cursor.executescript(script))
    assert db.count(t) == 1


# -- preparing, schemas, partitions


def test_preparing_tells_the_parameters(cursor: dbapi.Cursor, make: Make) -> None:
    """adbc_prepare: their types are those of the columns that they meet."""
    t = make("id BIGINT PRIMARY KEY, d DECIMAL(9,2), at TIMESTAMP")
    expected = [pa.decimal128(9, 2), pa.timestamp("us")]
    for sql in (
        f"SELECT * FROM {t} WHERE d = ? AND at < ?",
        f"INSERT INTO {t} (d, at) VALUES (?, ?)",
        f"UPDATE {t} SET d = $1 WHERE at = $2",
    ):
        found = cursor.adbc_prepare(sql)
        assert found is not None
        assert [field.type for field in found] == expected
    assert cursor.adbc_prepare("SELECT 1") == pa.schema([])


def test_a_prepared_statement_can_be_executed(cursor: dbapi.Cursor) -> None:
    """Preparing first saves nothing and costs nothing."""
    cursor.adbc_prepare("SELECT ? + 1 AS x")
    assert cursor.execute("SELECT ? + 1 AS x", (1,)).fetchall() == [(2,)]


def test_a_schema_without_running(cursor: dbapi.Cursor, db: Client, make: Make) -> None:
    """adbc_execute_schema tells a query's columns; a change has none, and does not run."""
    t = make()
    schema = cursor.adbc_execute_schema(f"SELECT id, s FROM {t}")
    assert [(field.name, field.type) for field in schema] == [("id", pa.int64()), ("s", pa.string())]
    with pytest.raises(dbapi.NotSupportedError):
        cursor.adbc_execute_schema(f"INSERT INTO {t} (id) VALUES (1)")
    assert db.count(t) == 0


def test_a_partition_is_read_elsewhere(cursor: dbapi.Cursor, own: Client) -> None:
    """adbc_execute_partitions gives one, which another connection of the user may read."""
    partitions, schema = cursor.adbc_execute_partitions(FIVE)
    assert schema is not None
    assert schema.names == ["id", "s"]
    (partition,) = partitions
    with own.connection.cursor() as other:
        other.adbc_read_partition(partition)
        assert other.fetchall() == ROWS


def test_a_partition_of_a_query_with_parameters(cursor: dbapi.Cursor) -> None:
    """Parameters are bound before a result is cut up."""
    partitions, _ = cursor.adbc_execute_partitions(f"SELECT id FROM ({FIVE}) AS f WHERE id > ? ORDER BY id", (3,))
    cursor.adbc_read_partition(partitions[0])
    assert cursor.fetchall() == [(4,), (5,)]


def test_a_partition_of_another_user_is_not_there(cursor: dbapi.Cursor, alice: Client) -> None:
    """A result belongs to the user who asked."""
    partitions, _ = cursor.adbc_execute_partitions(FIVE)
    with alice.connection.cursor() as other:
        message = failure(lambda: (other.adbc_read_partition(partitions[0]), other.fetchall()))
    assert "the result does not exist or has expired" in message


# -- cancelling


def cancelled_by(cursor: dbapi.Cursor, observer: Client, name: str, cancel: Callable[[], None]) -> dbapi.Error:
    """What an endless query ends with when it is cancelled as soon as it runs."""

    def wait_and_cancel() -> None:
        while not observer.column(
            f"SELECT 1 FROM system.queries WHERE state = 'streaming' AND text LIKE '%AS {name} %'"
        ):
            time.sleep(0.02)
        cancel()

    thread = threading.Thread(target=wait_and_cancel)
    thread.start()
    with pytest.raises(dbapi.OperationalError) as caught:
        cursor.execute(ENDLESS.format(name=name)).fetchall()
    thread.join(30)
    return caught.value


def test_a_cursor_is_cancelled(server: ServerProcess, own: Client, db: Client, t: str) -> None:
    """adbc_cancel from another thread: the query ends as cancelled, the server comes to rest, the cursor goes on."""
    with own.connection.cursor() as cursor:
        error = cancelled_by(cursor, db, t, cursor.adbc_cancel)
        assert error.status_code == 11
        assert server.is_idle_within(15)
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]


def test_a_change_is_cancelled(server: ServerProcess, own: Client, db: Client, t: str) -> None:
    """As a query is; nothing of it remains."""
    db.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY, v BIGINT)")
    with own.connection.cursor() as cursor, ThreadPoolExecutor() as pool:
        change = pool.submit(cursor.execute, f"INSERT INTO {t} {COUNTING}")
        working(db, t)
        cursor.adbc_cancel()
        assert isinstance(change.exception(30), dbapi.OperationalError)
    assert server.is_idle_within(15)
    assert db.count(t) == 0


def test_cancelling_nothing_is_fine(own: Client) -> None:
    """Neither a cursor nor a connection minds."""
    with own.connection.cursor() as cursor:
        cursor.execute("SELECT 1").fetchall()
        cursor.adbc_cancel()
        own.connection.adbc_cancel()
        assert cursor.execute("SELECT 2").fetchall() == [(2,)]


# -- connections


def test_a_connection_executes(db: Client) -> None:
    """Connection.execute makes a cursor and returns it."""
    with db.connection.execute("SELECT ? AS x", (1,)) as cursor:
        assert cursor.fetchall() == [(1,)]


def test_a_connection_is_cloned(own: Client) -> None:
    """A clone is another session of the same user."""
    own.run("SET query_timeout_s = 7")
    with own.connection.adbc_clone() as clone, clone.cursor() as cursor:
        assert cursor.execute("SHOW query_timeout_s").fetchall() != [("7.0",)]
        assert cursor.execute("SELECT current_user").fetchall() == [(own.one("SELECT current_user"),)]


def test_blocks_close_what_they_opened(server: ServerProcess, db: Client, t: str) -> None:
    """With a cursor's block its statement ends, with a connection's block its session."""
    with server.connect() as connection:
        Client(connection).run(f"SELECT 1 AS {t}")
        session = db.one(f"SELECT session_id FROM system.queries WHERE text = 'SELECT 1 AS {t}'")
        assert db.column("SELECT 1 FROM system.sessions WHERE session_id = ?", (session,)) == [1]
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        assert "must call AdbcStatementNew" in failure(lambda: cursor.execute("SELECT 1"))
    assert db.column("SELECT 1 FROM system.sessions WHERE session_id = ?", (session,)) == []


def test_an_error_in_a_block_rolls_back(server: ServerProcess, db: Client, make: Make) -> None:
    """What a connection did not commit is gone when its block is left by an exception."""
    t = make()

    def work() -> None:
        with server.connect(autocommit=False) as connection, connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {t} (id) VALUES (1)")
            cursor.execute("SELECT nope")

    assert "nope" in failure(work)
    assert db.count(t) == 0


@pytest.mark.filterwarnings("error")
def test_the_default_connection_is_compliant(server: ServerProcess, db: Client, make: Make) -> None:
    """Without autocommit the driver has nothing to warn of, and commit and rollback mean what they say."""
    t = make()
    with dbapi.connect(server.uri) as connection, connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {t} (id) VALUES (1)")
        connection.rollback()
        cursor.execute(f"INSERT INTO {t} (id) VALUES (2)")
        connection.commit()
        cursor.execute(f"INSERT INTO {t} (id) VALUES (3)")
    assert db.column(f"SELECT id FROM {t}") == [2]


def test_autocommit_can_be_switched(server: ServerProcess, db: Client, make: Make) -> None:
    """Off begins a transaction; on commits what is open."""
    t = make()
    with server.connect() as connection, connection.cursor() as cursor:
        connection.adbc_connection.set_autocommit(False)
        cursor.execute(f"INSERT INTO {t} (id) VALUES (1)")
        assert db.count(t) == 0
        connection.adbc_connection.set_autocommit(True)
        cursor.execute(f"INSERT INTO {t} (id) VALUES (2)")
        assert db.column(f"SELECT id FROM {t} ORDER BY id") == [1, 2]


def test_with_autocommit_there_is_nothing_to_commit(own: Client, db: Client, make: Make) -> None:
    """Commit and rollback of the DB-API do nothing; what was written stays."""
    t = make()
    own.run(f"INSERT INTO {t} (id) VALUES (1)")
    own.connection.rollback()
    own.connection.commit()
    assert db.count(t) == 1


def test_what_the_driver_has_not(cursor: dbapi.Cursor) -> None:
    """Stored procedures, further result sets and parameters by name."""
    for call in (
        lambda: cursor.callproc("p", ()),
        cursor.nextset,
        lambda: cursor.execute("SELECT $x", {"x": 1}),
    ):
        with pytest.raises((dbapi.NotSupportedError, dbapi.ProgrammingError)):
            call()
    cursor.setinputsizes([1])
    cursor.setoutputsize(1)


@pytest.mark.parametrize("statement", ["SELECT 1 AS x", b"SELECT 1"], ids=["text", "bytes"])
def test_text_is_sql_and_bytes_are_substrait(cursor: dbapi.Cursor, statement: str | bytes) -> None:
    """Bytes that are no plan are refused by that name."""
    if isinstance(statement, str):
        assert cursor.execute(statement).fetchall() == [(1,)]
    else:
        assert "Plan" in failure(lambda: cursor.execute(statement))
