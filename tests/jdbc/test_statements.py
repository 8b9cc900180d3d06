"""Statement and ResultSet: queries, changes, types, a million rows, cancellation, errors."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from tests.jdbc.driver import Jdbc, failure, java, records
from tests.processes import HANGS_SECONDS
from tests.server_process import ServerProcess

Make = Callable[..., str]

MANY_ROWS = 1_000_000

VALUES = [
    ("CAST(-128 AS TINYINT)", "TINYINT", -128),
    ("CAST(7 AS INT)", "INTEGER", 7),
    ("9223372036854775807", "BIGINT", 2**63 - 1),
    ("CAST(1.5 AS FLOAT)", "FLOAT", 1.5),
    ("CAST(1.5 AS DOUBLE)", "DOUBLE", 1.5),
    ("CAST(1.50 AS DECIMAL(9,2))", "DECIMAL", "1.50"),
    ("TRUE", "BOOLEAN", True),
    ("'text'", "VARCHAR", "text"),
    ("concat('a', 'b')", "VARCHAR", "ab"),
    ("arrow_cast('view', 'Utf8View')", "VARCHAR", "view"),
    ("DATE '2024-02-29'", "DATE", "2024-02-29"),
    ("TIME '12:34:56'", "TIME", "12:34:56"),
    ("TIMESTAMP '2024-02-29 12:34:56.123456'", "TIMESTAMP", "2024-02-29 12:34:56.123456"),
    ("[1, 2]", "ARRAY", "[1,2]"),
    ("named_struct('a', 1)", "JAVA_OBJECT", '{"a":1}'),
    ("NULL", "NULL", None),
]
"""An expression, the name of its type, and its value as Python or text has it."""

ERRORS = [
    ("SELEC 1", "line 1:1: expected a statement, found 'SELEC'"),
    ("SELECT * FROM no_such_table", "table 'no_such_table' not found"),
    ("SELECT nope FROM {t}", "No field named nope"),
    ("SELECT 1 / 0", "Divide by zero error"),
    ("SELECT CAST('x' AS INT)", "Cannot cast string 'x' to value of Int32 type"),
    ("INSERT INTO {t} VALUES (1, 'again')", "duplicate key in table public.{t}: id = 1 exists already"),
    ("INSERT INTO {t} VALUES (NULL, 'none')", "NULL"),
    ("DROP TABLE no_such_table", "no_such_table"),
]


@pytest.fixture(scope="module")
def many(server: ServerProcess) -> str:
    """A table with a million rows."""
    numbers = pa.array(range(MANY_ROWS))
    rows = pa.table({"id": numbers, "s": numbers.cast(pa.string())})
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("many", rows.to_reader(max_chunksize=65_536), mode="create")
    return "many"


def test_execute_tells_queries_from_changes(db: Jdbc, make: Make) -> None:
    """It says whether there is a result, or how many rows changed."""
    t = make()
    statement = db.statement()
    assert not statement.execute(f"INSERT INTO {t} VALUES (1, 'a'), (2, 'b')")
    assert statement.getUpdateCount() == 2
    assert statement.execute(f"SELECT id FROM {t} ORDER BY id")
    assert list(records(db.keep(statement.getResultSet()), "getLong")) == [(1,), (2,)]


def test_definitions_change_no_rows(db: Jdbc, t: str) -> None:
    """A definition returns 0."""
    assert db.run(f"CREATE TABLE {t} (id INT PRIMARY KEY)") == 0
    assert db.run(f"ALTER TABLE {t} ADD COLUMN v INT") == 0
    assert db.run(f"DROP TABLE {t}") == 0


def test_changes_count_their_rows(db: Jdbc, make: Make) -> None:
    """INSERT, UPDATE, DELETE and upserts say how many rows they wrote."""
    t = make()
    assert db.run(f"INSERT INTO {t} VALUES (1, 'a'), (2, 'b')") == 2
    assert db.run(f"UPDATE {t} SET s = 'c'") == 2
    assert db.run(f"INSERT INTO {t} VALUES (2, 'd'), (3, 'd') ON CONFLICT (id) DO UPDATE SET s = excluded.s") == 2
    assert db.run(f"DELETE FROM {t} WHERE s = 'd'") == 2
    assert db.rows(f"SELECT id, s FROM {t}") == [(1, "c")]


def test_transactions_are_statements(server: ServerProcess, db: Jdbc, make: Make) -> None:
    """BEGIN, COMMIT and ROLLBACK hold for their connection; the driver has no calls for them."""
    t = make()
    with Jdbc(server.uri) as jdbc:
        for end, seen in [("ROLLBACK", []), ("COMMIT", [(1, "a")])]:
            jdbc.run("BEGIN")
            jdbc.run(f"INSERT INTO {t} VALUES (1, 'a')")
            assert jdbc.rows(f"SELECT id, s FROM {t}") == [(1, "a")]
            assert db.rows(f"SELECT id, s FROM {t}") == []
            jdbc.run(end)
            assert db.rows(f"SELECT id, s FROM {t}") == seen


def test_show_and_explain_are_queries(db: Jdbc, make: Make) -> None:
    """Statements that return rows without being SELECT."""
    t = make()
    assert t in {name for row in db.rows("SHOW TABLES") for name in row}
    assert [row[0] for row in db.rows(f"DESCRIBE {t}")] == ["id", "s"]
    assert db.rows(f"EXPLAIN SELECT * FROM {t}")


@pytest.mark.parametrize(("expression", "type_name", "expected"), VALUES, ids=[case[0] for case in VALUES])
def test_values_arrive(db: Jdbc, expression: str, type_name: str, expected: Any) -> None:
    """Each type has its JDBC type and value."""
    found = db.query(f"SELECT {expression} AS c")
    assert found.getMetaData().getColumnTypeName(1) == type_name
    assert found.next()
    value = found.getString(1) if isinstance(expected, str) else found.getObject(1)
    assert value == expected


def test_moments_with_a_zone_arrive(db: Jdbc, make: Make) -> None:
    """As a Timestamp, as an Instant and as text; the driver has no getObject without a class for them."""
    t = make("id INT PRIMARY KEY, c TIMESTAMP WITH TIME ZONE")
    db.run(f"INSERT INTO {t} VALUES (1, '2024-02-29 12:34:56.789012+02:00')")
    found = db.query(f"SELECT c FROM {t}")
    assert found.next()
    assert found.getString(1) == "2024-02-29 10:34:56.789012"
    assert found.getTimestamp(1) == java("java.sql.Timestamp").valueOf("2024-02-29 10:34:56.789012")
    assert str(found.getObject(1, java("java.time.Instant").class_)) == "2024-02-29T10:34:56.789012Z"


def test_columns_are_found_by_name(db: Jdbc) -> None:
    """Getters take labels."""
    found = db.query("SELECT 1 AS one, 'x' AS \"Two\"")
    assert found.next()
    assert (found.getInt("one"), found.getString("Two")) == (1, "x")
    assert found.findColumn("Two") == 2


def test_result_metadata_describes_columns(db: Jdbc, make: Make) -> None:
    """Names, labels, type names and nullability of a result."""
    t = make("id BIGINT PRIMARY KEY, price DECIMAL(9,2), at TIMESTAMP")
    described = db.query(f"SELECT id AS key, price, at FROM {t}").getMetaData()
    found = [
        (described.getColumnLabel(n), described.getColumnName(n), described.getColumnTypeName(n)) for n in range(1, 4)
    ]
    assert found == [("key", "key", "BIGINT"), ("price", "price", "DECIMAL"), ("at", "at", "TIMESTAMP")]


@pytest.mark.parametrize("ask", [Jdbc.prepare, Jdbc.query], ids=["prepared", "running"])
def test_result_metadata_names_the_table_of_a_column(db: Jdbc, make: Make, ask: Callable[[Jdbc, str], Any]) -> None:
    """A plain column says where it comes from, a computed one says nothing."""
    t = make()
    described = ask(db, f"SELECT r.s AS text, upper(r.s) FROM {t} AS r WHERE r.id = 1").getMetaData()
    assert [described.getTableName(1), described.getSchemaName(1), described.getCatalogName(1)] == [t, "public", "main"]
    assert not described.getTableName(2)


@pytest.mark.parametrize("ask", [Jdbc.prepare, Jdbc.query], ids=["prepared", "running"])
def test_plain_columns_can_be_edited(db: Jdbc, make: Make, ask: Callable[[Jdbc, str], Any]) -> None:
    """Grids of tools lock what is read-only: computed columns, and those of views."""
    t = make()
    db.run(f"CREATE VIEW {t}_v AS SELECT id FROM {t}")
    described = ask(db, f"SELECT id, s, upper(s) FROM {t}").getMetaData()
    assert [described.isReadOnly(number) for number in (1, 2, 3)] == [False, False, True]
    assert ask(db, f"SELECT id FROM {t}_v").getMetaData().isReadOnly(1)


@pytest.mark.parametrize("ask", [Jdbc.prepare, Jdbc.query], ids=["prepared", "running"])
def test_decimals_say_their_digits(db: Jdbc, ask: Callable[[Jdbc, str], Any]) -> None:
    """Tools format numbers by precision and scale, which are known before a query runs."""
    described = ask(db, "SELECT CAST(1 AS DECIMAL(9,2)) AS price").getMetaData()
    assert (described.getPrecision(1), described.getScale(1)) == (9, 2)


def test_a_million_rows_arrive(db: Jdbc, many: str) -> None:
    """All of them, in order, over many messages."""
    found = db.query(f"SELECT id FROM {many} ORDER BY id")
    step, value = found.next, found.getLong
    fetched = []
    while step():
        fetched.append(value(1))
    assert fetched == list(range(MANY_ROWS))


def test_a_result_may_be_left_early(db: Jdbc, many: str) -> None:
    """Closing a result after its first row leaves the connection usable."""
    found = db.query(f"SELECT id FROM {many} ORDER BY id")
    assert found.next()
    found.close()
    assert db.row("SELECT 1") == (1,)


def test_the_first_rows_are_enough(db: Jdbc, many: str) -> None:
    """The driver keeps setMaxRows."""
    statement = db.statement()
    statement.setMaxRows(10)
    assert len(list(records(db.keep(statement.executeQuery(f"SELECT id FROM {many}"))))) == 10


@pytest.fixture
def endless(server: ServerProcess, many: str) -> Iterator[tuple[Jdbc, str]]:
    """A connection of its own, and a query that would run for hours."""
    with Jdbc(server.uri) as jdbc:
        yield jdbc, "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def test_a_running_query_is_cancelled(server: ServerProcess, endless: tuple[Jdbc, str]) -> None:
    """Statement.cancel from another thread ends the query here and in the server."""
    jdbc, sql = endless
    statement = jdbc.statement()
    messages: list[str] = []

    def wait() -> None:
        messages.append(failure(lambda: jdbc.keep(statement.executeQuery(sql)).next()))

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.5)
    before = server.cpu_seconds()
    time.sleep(0.5)
    assert server.cpu_seconds() > before
    statement.cancel()
    waiting.join(HANGS_SECONDS)
    assert len(messages) == 1
    assert "ancel" in messages[0]
    assert server.is_idle_within(15)


def test_a_query_times_out(server: ServerProcess, endless: tuple[Jdbc, str]) -> None:
    """A timeout ends the query here and in the server."""
    jdbc, sql = endless
    statement = jdbc.statement()
    statement.setQueryTimeout(1)
    assert "timed out" in failure(lambda: jdbc.keep(statement.executeQuery(sql)).next())
    statement.close()
    assert server.is_idle_within(15)


def test_large_unsigned_numbers_are_right_as_text(db: Jdbc, make: Make) -> None:
    """The driver's own objects and longs of them are negative."""
    t = make("id INT PRIMARY KEY, u BIGINT UNSIGNED")
    db.run(f"INSERT INTO {t} VALUES (1, 18446744073709551615)")
    assert db.row(f"SELECT u FROM {t}", "getString") == ("18446744073709551615",)
    assert db.row(f"SELECT u FROM {t}", "getLong") == (-1,)


def test_the_namespace_is_a_statement(server: ServerProcess, db: Jdbc, t: str) -> None:
    """The driver does nothing for setSchema, but USE holds for the connection."""
    db.run(f"CREATE NAMESPACE ns_{t}")
    db.run(f"CREATE TABLE ns_{t}.{t} (id INT PRIMARY KEY)")
    with Jdbc(server.uri) as jdbc:
        jdbc.connection.setSchema(f"ns_{t}")
        assert "not found" in failure(lambda: jdbc.rows(f"SELECT * FROM {t}"))
        jdbc.run(f"USE ns_{t}")
        assert jdbc.rows(f"SELECT * FROM {t}") == []


@pytest.mark.parametrize(("sql", "message"), ERRORS, ids=[case[0] for case in ERRORS])
def test_errors_are_one_line(db: Jdbc, make: Make, sql: str, message: str) -> None:
    """An SQLException with the server's message, without a traceback; the connection stays usable."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 'a')")
    found = failure(lambda: list(records(db.query(sql.format(t=t)))))
    assert message.format(t=t) in found
    assert "Detail:" not in found
    assert "\n" not in found
    assert db.row("SELECT 1") == (1,)


def test_errors_of_prepared_statements_are_one_line(db: Jdbc, make: Make) -> None:
    """When it is prepared, and when it runs."""
    t = make()
    assert "No field named nope" in failure(lambda: db.prepare(f"SELECT nope FROM {t} WHERE id = ?"))
    statement = db.prepare(f"INSERT INTO {t} VALUES (?, ?)")
    statement.setLong(1, 1)
    statement.setString(2, "a")
    assert statement.executeUpdate() == 1
    found = failure(statement.executeUpdate)
    assert f"duplicate key in table public.{t}: id = 1 exists already" in found
    assert "\n" not in found


def test_a_query_cannot_be_an_update(db: Jdbc, make: Make) -> None:
    """A change as a query is an error."""
    assert "did not return a result set" in failure(lambda: db.query(f"DELETE FROM {make()}"))
