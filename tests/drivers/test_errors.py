"""Errors as drivers show them: the status, the class of the DB-API, one line that says what to do, and no innards."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi
from adbc_driver_manager import AdbcStatusCode
from pyarrow import flight

from catalog.errors import ErrorKind
from flightserver.protocol.actions import BeginTransaction, CloseSession
from tests.e2e.client import Client
from tests.e2e.wire import Wire
from tests.server_process import ServerProcess

INNARDS = re.compile(
    r"datafusion|arrow::|pyarrow|rocksdict|rocksdb|rust|python|traceback|\.py\b|\.parquet|/tmp|/home|/work|panick|\bdefect\b"
    r"|polars|object store|0x[0-9a-f]{6}|AppendScalar",
    re.IGNORECASE,
)
ENVELOPE = re.compile(
    r"^(?P<code>[A-Z_]+): \[FlightSQL\] (?P<line>.*) \((?P<grpc>\w+); [^()]+\)(?:\. Vendor code: \d+)?$"
)
"""What the driver puts around the server's line."""

STATUS: dict[ErrorKind, tuple[str, AdbcStatusCode, type[dbapi.Error]]] = {
    ErrorKind.SYNTAX: ("InvalidArgument", AdbcStatusCode.INVALID_ARGUMENT, dbapi.ProgrammingError),
    ErrorKind.INVALID: ("InvalidArgument", AdbcStatusCode.INVALID_ARGUMENT, dbapi.ProgrammingError),
    ErrorKind.NOT_FOUND: ("NotFound", AdbcStatusCode.NOT_FOUND, dbapi.ProgrammingError),
    ErrorKind.ALREADY_EXISTS: ("InvalidArgument", AdbcStatusCode.INVALID_ARGUMENT, dbapi.ProgrammingError),
    ErrorKind.CONFLICT: ("Unavailable", AdbcStatusCode.IO, dbapi.OperationalError),
    ErrorKind.UNSUPPORTED: ("Unimplemented", AdbcStatusCode.NOT_IMPLEMENTED, dbapi.NotSupportedError),
    ErrorKind.UNAUTHENTICATED: ("Unauthenticated", AdbcStatusCode.UNAUTHENTICATED, dbapi.ProgrammingError),
    ErrorKind.UNAVAILABLE: ("Unavailable", AdbcStatusCode.IO, dbapi.OperationalError),
    ErrorKind.RESOURCES: ("Unknown", AdbcStatusCode.UNKNOWN, dbapi.OperationalError),
    ErrorKind.CANCELLED: ("Canceled", AdbcStatusCode.CANCELLED, dbapi.OperationalError),
    ErrorKind.TIMEOUT: ("DeadlineExceeded", AdbcStatusCode.TIMEOUT, dbapi.OperationalError),
    ErrorKind.CORRUPT: ("Internal", AdbcStatusCode.INTERNAL, dbapi.InternalError),
}
"""How each kind that a client can meet reaches it. DENIED is used by no statement yet; INTERNAL is a defect."""


def refused(kind: ErrorKind, call: Callable[[], object]) -> str:
    """The server's line of a call that fails with a kind; the form of the error is checked."""
    grpc, code, error = STATUS[kind]
    with pytest.raises(dbapi.Error) as caught:
        call()
    shown = ENVELOPE.match(str(caught.value))
    assert shown is not None, str(caught.value)
    assert (shown["grpc"], caught.value.status_code, type(caught.value)) == (grpc, code, error), str(caught.value)
    assert shown["line"].strip()
    assert len(shown["line"]) <= 600
    assert not INNARDS.search(shown["line"]), shown["line"]
    return shown["line"]


STATEMENTS: list[tuple[ErrorKind, str, str]] = [
    # the statement cannot be parsed
    (ErrorKind.SYNTAX, "", "there is no statement"),
    (ErrorKind.SYNTAX, "SELEC 1", "expected a statement"),
    (ErrorKind.SYNTAX, "SELECT 1 +", "expression"),
    (ErrorKind.SYNTAX, "SELECT 'open", "this string has no end"),
    (ErrorKind.SYNTAX, "SELECT (1", "is not closed"),
    (ErrorKind.SYNTAX, "SELECT 1; SELECT 2", "one statement at a time"),
    (ErrorKind.SYNTAX, "CREATE TABLE x (a DECIMAL(1)", "expected"),
    (ErrorKind.SYNTAX, "INSERT {t} VALUES (1)", "INTO"),
    (ErrorKind.SYNTAX, "UPDATE {t} v = 1", "SET"),
    (ErrorKind.SYNTAX, "SELECT ? + $1", "either ? or $1"),
    # the request makes no sense
    (ErrorKind.INVALID, "SELECT id / 0 FROM {t}", "zero"),
    (ErrorKind.INVALID, "SELECT CAST(s AS INT) FROM {t}", "cast"),
    (ErrorKind.INVALID, "SELECT sum(s) FROM {t}", "'sum' takes no arguments of these types"),
    (ErrorKind.INVALID, "SELECT id FROM {t} GROUP BY s", "GROUP BY"),
    (ErrorKind.INVALID, "SELECT id FROM {t} WHERE id = (SELECT id FROM {t})", "more than one"),
    (ErrorKind.INVALID, "SELECT ?", "none were bound"),
    (ErrorKind.INVALID, "INSERT INTO {t} (id) VALUES (NULL)", "column id"),
    (ErrorKind.INVALID, "INSERT INTO {t} (id, v) VALUES (9, 'x')", "column v"),
    (ErrorKind.INVALID, "INSERT INTO {t} (id, id) VALUES (9, 9)", "twice"),
    (ErrorKind.INVALID, "INSERT INTO {t} VALUES (9)", "3 columns"),
    (ErrorKind.INVALID, "INSERT INTO {t} (id) VALUES (9) ON CONFLICT (v) DO NOTHING", "(id)"),
    (ErrorKind.INVALID, "UPDATE {t} SET v = s", "column v"),
    (ErrorKind.INVALID, "UPDATE {t} SET id = 7", "delete the row and insert it anew"),
    (ErrorKind.INVALID, "UPDATE {t} SET v = 1, v = 2", "twice"),
    (ErrorKind.INVALID, "ALTER TABLE {t} DROP COLUMN id", "primary key"),
    (ErrorKind.INVALID, "CREATE TABLE {t}_x (a INT, a INT)", "a"),
    (ErrorKind.INVALID, "CREATE TABLE {t}_x (a INT) WITH (flush_policy = 'sometimes')", "flush_policy"),
    (ErrorKind.INVALID, "CREATE NAMESPACE system", "reserved"),
    (ErrorKind.INVALID, "DROP NAMESPACE public", "cannot be dropped"),
    (ErrorKind.INVALID, "COMMIT", "BEGIN"),
    (ErrorKind.INVALID, "SET query_timeout_s = 'soon'", "number of seconds"),
    # it does not exist
    (ErrorKind.NOT_FOUND, "SELECT * FROM nope", "'nope' not found"),
    (ErrorKind.NOT_FOUND, "SELECT * FROM nope.nope", "nope"),
    (ErrorKind.NOT_FOUND, "SELECT nope FROM {t}", "Valid fields are"),
    (ErrorKind.NOT_FOUND, "SELECT nope(1)", "nope"),
    (ErrorKind.NOT_FOUND, "INSERT INTO nope VALUES (1)", "table public.nope does not exist"),
    (ErrorKind.NOT_FOUND, "INSERT INTO {t} (nope) VALUES (1)", "its columns are"),
    (ErrorKind.NOT_FOUND, "UPDATE {t} SET nope = 1", "its columns are"),
    (ErrorKind.NOT_FOUND, "DELETE FROM nope", "table public.nope does not exist"),
    (ErrorKind.NOT_FOUND, "DROP TABLE nope", "table public.nope does not exist"),
    (ErrorKind.NOT_FOUND, "DROP VIEW nope", "view public.nope does not exist"),
    (ErrorKind.NOT_FOUND, "DROP NAMESPACE nope", "namespace nope does not exist"),
    (ErrorKind.NOT_FOUND, "ALTER TABLE {t} DROP COLUMN nope", "its columns are"),
    (ErrorKind.NOT_FOUND, "CREATE TABLE nope.x (a INT)", "CREATE NAMESPACE"),
    (ErrorKind.NOT_FOUND, "FLUSH TABLE nope", "table public.nope does not exist"),
    (ErrorKind.NOT_FOUND, "SHOW MANIFEST FOR nope", "table public.nope does not exist"),
    (ErrorKind.NOT_FOUND, "DESCRIBE nope", "nope"),
    (ErrorKind.NOT_FOUND, "USE nope", "CREATE NAMESPACE"),
    (ErrorKind.NOT_FOUND, "SET nope = 1", "there are application_name"),
    (ErrorKind.NOT_FOUND, "KILL QUERY 999999999", "system.queries"),
    (ErrorKind.NOT_FOUND, "KILL SESSION 'nope'", "system.sessions"),
    # it exists already
    (ErrorKind.ALREADY_EXISTS, "CREATE TABLE {t} (a INT)", "exists already"),
    (ErrorKind.ALREADY_EXISTS, "CREATE VIEW {t} AS SELECT 1", "table public.{t} exists already"),
    (ErrorKind.ALREADY_EXISTS, "CREATE NAMESPACE public", "exists already"),
    (ErrorKind.ALREADY_EXISTS, "ALTER TABLE {t} ADD COLUMN v INT", "has a column v already"),
    (ErrorKind.ALREADY_EXISTS, "INSERT INTO {t} (id) VALUES (1)", "duplicate key in table public.{t}: id = 1"),
    # the server does not do that
    (ErrorKind.UNSUPPORTED, "CALL {t}()", "CALL is not supported"),
    (ErrorKind.UNSUPPORTED, "COPY {t} TO 'x'", "COPY is not supported"),
    (ErrorKind.UNSUPPORTED, "SELECT * FROM {t} TABLESAMPLE (10)", "TABLESAMPLE"),
    (ErrorKind.UNSUPPORTED, "SELECT * FROM {t} FOR UPDATE", "nothing is locked"),
    (ErrorKind.UNSUPPORTED, "CREATE TABLE {t}_x (a INTERVAL)", "INTERVAL"),
    (ErrorKind.UNSUPPORTED, "DELETE FROM {t} RETURNING _seq", "when it is committed"),
    # too much
    (ErrorKind.RESOURCES, "SELECT " + "+".join("1" * 1200), "at most"),
    (ErrorKind.RESOURCES, "SELECT " + "(" * 80 + "1" + ")" * 80, "deep"),
]


@pytest.fixture(scope="module")
def filled(db: Client) -> Iterator[str]:
    """A table of two flushed rows and a hot one."""
    t = "errors_of_drivers"
    db.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY, v BIGINT, s TEXT)")
    db.run(f"INSERT INTO {t} VALUES (1, 1, 'a'), (2, 2, 'b')")
    db.run(f"FLUSH TABLE {t}")
    db.run(f"INSERT INTO {t} VALUES (3, 3, 'c')")
    yield t
    db.run(f"DROP TABLE {t}")


@pytest.mark.parametrize(("kind", "sql", "words"), STATEMENTS, ids=[f"{k.name}-{s[:40]}" for k, s, _ in STATEMENTS])
def test_a_statement_is_refused(db: Client, filled: str, kind: ErrorKind, sql: str, words: str) -> None:
    """With the status of its kind, and words that help; nothing has changed."""
    line = refused(kind, lambda: db.run(sql.format(t=filled) if sql else " "))
    assert words.format(t=filled) in line
    assert db.column(f"SELECT id FROM {filled} ORDER BY id") == [1, 2, 3]


def ingest(**options: Any) -> Callable[[dbapi.Cursor, str], object]:
    """A load of one row."""
    data = options.pop("data", {"id": [9]})
    return lambda cursor, t: cursor.adbc_ingest(options.pop("table", t), pa.table(data), **options)


CALLS: list[tuple[str, ErrorKind, Callable[[dbapi.Cursor, str], object], str]] = [
    ("prepare", ErrorKind.NOT_FOUND, lambda c, _: c.adbc_prepare("SELECT nope"), "nope"),
    ("schema", ErrorKind.NOT_FOUND, lambda c, _: c.adbc_execute_schema("SELECT nope"), "nope"),
    ("partitions", ErrorKind.NOT_FOUND, lambda c, _: c.adbc_execute_partitions("SELECT nope"), "nope"),
    ("script", ErrorKind.NOT_FOUND, lambda c, _: c.executescript("DROP TABLE nope"), "nope"),
    ("script query", ErrorKind.INVALID, lambda c, _: c.executescript("SELECT 1"), "run it as a query"),
    (
        "many",
        ErrorKind.ALREADY_EXISTS,
        lambda c, t: c.executemany(f"INSERT INTO {t} (id) VALUES (?)", [(9,), (9,)]),
        "id = 9",
    ),
    ("many query", ErrorKind.INVALID, lambda c, _: c.executemany("SELECT ?", [(1,)]), "run it as a query"),
    ("bound", ErrorKind.INVALID, lambda c, t: c.execute(f"UPDATE {t} SET v = ?", ("x",)), "x"),
    ("bound view", ErrorKind.INVALID, lambda c, _: c.execute("CREATE VIEW x AS SELECT ?", (1,)), "take parameters"),
    ("too many bound", ErrorKind.INVALID, lambda c, _: c.execute("SELECT ?", (1, 2)), "has 1 parameters, but 2"),
    ("plan", ErrorKind.INVALID, lambda c, _: c.execute(b"\xff\xff"), "Plan"),
    ("ingest create", ErrorKind.ALREADY_EXISTS, ingest(mode="create"), "exists already"),
    ("ingest append", ErrorKind.NOT_FOUND, ingest(table="nope", mode="append"), "table public.nope does not exist"),
    ("ingest schema", ErrorKind.NOT_FOUND, ingest(mode="append", db_schema_name="nope"), "nope"),
    ("ingest catalog", ErrorKind.NOT_FOUND, ingest(mode="append", catalog_name="nope"), "use main"),
    ("ingest column", ErrorKind.NOT_FOUND, ingest(mode="append", data={"id": [9], "nope": [1]}), "its columns are"),
    ("ingest type", ErrorKind.INVALID, ingest(mode="append", data={"id": ["x"]}), "column id"),
    ("ingest NULL", ErrorKind.INVALID, ingest(mode="append", data={"id": [None]}), "column id"),
    (
        "ingest duration",
        ErrorKind.INVALID,
        ingest(mode="replace", data={"culprit": pa.array([1], pa.duration("s"))}),
        "culprit",
    ),
    ("catalog", ErrorKind.NOT_FOUND, lambda c, _: setattr(c.connection, "adbc_current_catalog", "nope"), "main"),
    ("namespace", ErrorKind.NOT_FOUND, lambda c, _: setattr(c.connection, "adbc_current_db_schema", "nope"), "CREATE"),
]


@pytest.mark.parametrize(("kind", "call", "words"), [case[1:] for case in CALLS], ids=[case[0] for case in CALLS])
def test_a_call_is_refused(
    cursor: dbapi.Cursor,
    db: Client,
    filled: str,
    kind: ErrorKind,
    call: Callable[[dbapi.Cursor, str], object],
    words: str,
) -> None:
    """Whatever method of the driver it was."""
    assert words in refused(kind, lambda: call(cursor, filled))
    assert db.count(filled) == 3


@pytest.mark.parametrize(
    "options",
    [
        {"username": "alice", "password": "wrong"},
        {"username": "nobody", "password": ""},
        {"adbc.flight.sql.authorization_header": "Bearer nope"},
        {"adbc.flight.sql.authorization_header": "Digest nope"},
    ],
)
def test_wrong_credentials(server: ServerProcess, options: dict[str, str]) -> None:
    """UNAUTHENTICATED, without saying which part was wrong."""

    def call() -> None:
        with dbapi.connect(server.uri, db_kwargs=options, autocommit=True) as connection:
            connection.execute("SELECT 1").close()

    with pytest.raises(dbapi.Error) as caught:
        call()
    assert caught.value.status_code == AdbcStatusCode.UNAUTHENTICATED
    assert not INNARDS.search(str(caught.value))
    assert "\n" not in str(caught.value)


def test_a_conflict(tx: Client, db: Client, filled: str) -> None:
    """The second to commit is told to run it again."""
    tx.run(f"UPDATE {filled} SET v = 10 WHERE id = 2")
    db.run(f"UPDATE {filled} SET v = 20 WHERE id = 2")
    line = refused(ErrorKind.CONFLICT, tx.connection.commit)
    assert re.search(r"retry|again", line)
    assert filled in line
    assert db.column(f"SELECT v FROM {filled} WHERE id = 2") == [20]


def test_a_timeout(own: Client) -> None:
    """The setting is named."""
    own.run("SET query_timeout_s = 0.3")
    sql = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    assert "query_timeout_s = 0.3" in refused(ErrorKind.TIMEOUT, lambda: own.run(sql))


def test_a_killed_query(own: Client, db: Client, t: str) -> None:
    """Who ended it is told."""

    def kill() -> None:
        while not (
            found := db.column(f"SELECT query_id FROM system.queries WHERE state = 'streaming' AND text LIKE '%{t}x'")
        ):
            time.sleep(0.02)
        db.run(f"KILL QUERY {found[0]}")

    thread = threading.Thread(target=kill)
    thread.start()
    sql = f"WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n AS {t}x"
    assert "was killed by" in refused(ErrorKind.CANCELLED, lambda: own.run(sql))
    thread.join(30)


def test_too_many_transactions(server: ServerProcess) -> None:
    """A session cannot open transactions without end."""

    def begin() -> None:
        for _ in range(10_000):
            wire.act(BeginTransaction())

    with Wire(server) as wire:
        with pytest.raises(flight.FlightServerError, match="a session may have") as caught:
            begin()
        wire.act(CloseSession())
    assert "Traceback" not in str(caught.value)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with little memory."""
    settings: dict[str, str | int | float] = {"memory_limit_mb": 64, "spill_limit_mb": 16}
    with ServerProcess(tmp_path_factory.mktemp("small") / "data", settings=settings) as process:
        yield process


def test_too_little_memory(small: ServerProcess) -> None:
    """A query that would need more says so, and the server goes on."""
    numbers = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 10)"
    wide = ", ".join(f"{letter}.i AS {letter}" for letter in "abcdefg")
    joined = " CROSS JOIN ".join(f"n AS {letter}" for letter in "abcdefg")
    sql = f"{numbers} SELECT count(*) FROM (SELECT DISTINCT {wide}, uuid() AS u FROM {joined}) AS d"
    with small.connect() as connection:
        client = Client(connection)
        assert "raise memory_limit_mb or spill_limit_mb" in refused(ErrorKind.RESOURCES, lambda: client.run(sql))
        assert client.one("SELECT 1") == 1


def test_a_damaged_file(small: ServerProcess, t: str) -> None:
    """It is said that a file is damaged, not where it is; other queries go on."""
    with small.connect() as connection:
        client = Client(connection)
        client.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY, s TEXT)")
        client.ingest(t, pa.table({"id": range(1000), "s": ["x" * 50] * 1000}))
        client.run(f"FLUSH TABLE {t}")
        damage(small.data_dir)
        assert "damaged" in refused(ErrorKind.CORRUPT, lambda: client.run(f"SELECT sum(id), max(s) FROM {t}"))
        assert client.one("SELECT 1") == 1


def damage(folder: Path) -> None:
    """Overwrite the middle of every Parquet file."""
    files = list(folder.rglob("*.parquet"))
    assert files
    for file in files:
        content = bytearray(file.read_bytes())
        content[100 : len(content) - 100] = b"\xff" * (len(content) - 200)
        file.write_bytes(bytes(content))


def test_a_server_that_is_gone(tmp_path: Path) -> None:
    """The driver's own error, as IO."""
    with ServerProcess(tmp_path / "data") as process, process.connect() as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        process.stop()
        with pytest.raises(dbapi.OperationalError) as caught, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        assert caught.value.status_code == AdbcStatusCode.IO


def test_every_kind_is_covered() -> None:
    """A new kind of error has to be added here."""
    assert set(ErrorKind) - set(STATUS) == {ErrorKind.DENIED, ErrorKind.INTERNAL}
