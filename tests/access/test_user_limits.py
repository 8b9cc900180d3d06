"""Limits of single users: what each bounds, whose counts, and what is said beyond it."""

import time
from collections.abc import Iterator

import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi

from tests.e2e.client import Client, failure
from tests.server_process import ServerProcess

USER = "bounded"


@pytest.fixture(scope="module", autouse=True)
def tables(system: Client) -> Iterator[None]:
    """A USER table, and a shared one that its owner may read."""
    system.run("CREATE USER TABLE notes (id BIGINT PRIMARY KEY, s TEXT)")
    yield
    system.run(f"DROP USER IF EXISTS {USER} CASCADE")
    system.run("DROP TABLE notes")


@pytest.fixture
def bounded(server: ServerProcess, system: Client, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A user with the limit that the test names."""
    name, value = request.param
    system.run(f"CREATE USER {USER} WITH PASSWORD 'word of {USER}'")
    system.run(f"ALTER USER {USER} SET LIMIT {name} = {value}")
    login = {"username": USER, "password": f"word of {USER}"}
    try:
        with dbapi.connect(server.uri, db_kwargs=login, autocommit=True) as connection:
            yield Client(connection)
    finally:
        system.run(f"DROP USER {USER} CASCADE")


@pytest.mark.parametrize("bounded", [("result_rows", 10)], indirect=True)
def test_a_result_has_no_more_rows(bounded: Client) -> None:
    """As many are fine."""
    texts = ", ".join(f"({number})" for number in range(11))
    assert len(bounded.rows(f"SELECT a FROM (VALUES {texts}) v(a) LIMIT 10")) == 10
    assert "may have result_rows = 10" in bounded.error(f"SELECT a FROM (VALUES {texts}) v(a)")


@pytest.mark.parametrize("bounded", [("result_mb", 1)], indirect=True)
def test_a_result_is_not_larger(bounded: Client) -> None:
    """Its bytes are those of its columns."""
    bounded.connection.cursor().adbc_ingest("notes", texts(3), mode="append")
    assert len(bounded.rows("SELECT s FROM notes LIMIT 1")) == 1
    assert "may have result_mb = 1" in bounded.error("SELECT s FROM notes")


@pytest.mark.parametrize("bounded", [("result_rows", 1)], indirect=True)
def test_under_as_user_the_limits_of_the_subject_count(bounded: Client, system: Client) -> None:
    """Whoever sends the statement."""
    assert bounded.rows("SELECT 1") == [(1,)]
    query = "SELECT a FROM (VALUES (1), (2)) v(a)"
    assert len(system.rows(query)) == 2
    assert f"{USER} may have result_rows = 1" in system.error(f"EXECUTE AS USER '{USER}' ({query})")


@pytest.mark.parametrize("bounded", [("hot_mb", 0)], indirect=True)
def test_nothing_is_added_to_too_much_unflushed(bounded: Client, system: Client) -> None:
    """DELETE and other users go on, and so does INSERT after a flush."""
    bounded.run("INSERT INTO notes VALUES (1, 'a'), (2, 'b')")
    for change in ("INSERT INTO notes VALUES (3, 'c')", "UPDATE notes SET s = 'c'"):
        assert "may have hot_mb = 0" in bounded.error(change)
    assert "may have hot_mb = 0" in failure(
        lambda: bounded.connection.cursor().adbc_ingest("notes", texts(1), mode="append")
    )
    bounded.run("DELETE FROM notes WHERE id = 1")
    system.run("INSERT INTO notes VALUES (1, 'a')")
    system.run("FLUSH TABLE notes")
    bounded.run("INSERT INTO notes VALUES (3, 'c')")
    assert bounded.rows("SELECT id FROM notes ORDER BY id") == [(2,), (3,)]


@pytest.mark.parametrize("bounded", [("ingest_mb_s", 1)], indirect=True)
def test_what_is_sent_too_fast_waits(bounded: Client) -> None:
    """Three batches of half a megabyte are there after a second at the earliest."""
    began = time.monotonic()
    reader = pa.RecordBatchReader.from_batches(texts(1).schema, texts(3, size=1 << 19).to_batches(max_chunksize=1))
    bounded.connection.cursor().adbc_ingest("notes", reader, mode="append")
    assert time.monotonic() - began >= 0.9
    assert len(bounded.rows("SELECT id FROM notes")) == 3


def test_limits_that_there_are_not_are_told(system: Client) -> None:
    """With those that there are."""
    error = system.error("ALTER USER ann SET LIMIT rows = 5")
    assert "no limit rows" in error
    assert "hot_mb, ingest_mb_s, memory_mb, result_mb, result_rows, sessions, statements" in error


def texts(count: int, size: int = 1_000_000) -> pa.Table:
    """Long texts."""
    return pa.table({"id": pa.array(range(count), pa.int64()), "s": ["x" * size] * count})
