"""A disk that is full: every change says so in one line and changes nothing; with room again, the server goes on.

The disk is full by a limit on the size of the files that the server writes, which is lowered and raised while it runs.
"""

import resource
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi

from tests.e2e.client import Client, failure
from tests.server_process import PATIENCE_SECONDS, ServerProcess

ROWS = 60_000
"""Enough to be written to files of their own."""

FULL = "the disk of the server is full, and nothing was changed; make room there, then retry"


@contextmanager
def full_disk(server: ServerProcess, room: int = 0) -> Iterator[None]:
    """Let the log grow by `room` bytes at most, and no other file be larger than it then is."""
    logs = (server.data_dir / "rocksdb").glob("*.log")
    most = max(path.stat().st_size for path in logs) + room
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)


@pytest.fixture
def table(client: Client) -> Iterator[str]:
    """A table with a hot row, and with two batches that can become one."""
    name = f"t{secrets.token_hex(4)}"
    client.run(f"CREATE TABLE {name} (id INT PRIMARY KEY, v TEXT)")
    for start in (0, ROWS):
        client.ingest(name, texts(start))
        client.run(f"FLUSH {name}")
    client.run(f"INSERT INTO {name} VALUES (-1, 'hot')")
    yield name
    client.run(f"DROP TABLE {name}")


def texts(start: int) -> pa.Table:
    """Rows whose texts do not compress."""
    return pa.table(
        {"id": pa.array(range(start, start + ROWS), pa.int32()), "v": [secrets.token_hex(16) for _ in range(ROWS)]}
    )


def refusal(client: Client, sql: str) -> str | None:
    """The message of a statement that fails, None when it does not."""
    try:
        client.run(sql)
    except dbapi.Error as error:
        return str(error)
    return None


def written_again(client: Client, sql: str) -> None:
    """Wait until a change is taken, as long as it may take."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (message := refusal(client, sql)) is not None:
        assert time.monotonic() < deadline, message
        time.sleep(0.2)


def test_a_server_goes_on_after_its_log_had_no_room(server: ServerProcess, client: Client, other: Client) -> None:
    """A commit that was not taken is not there, those before are, and the next ones are taken without a restart."""
    client.run("CREATE TABLE log (id INT PRIMARY KEY, v TEXT)")
    client.run("INSERT INTO log VALUES (1, 'before')")
    with full_disk(server, room=10_000):
        taken, message = 1, None
        while message is None:
            taken += 1
            message = refusal(client, f"INSERT INTO log VALUES ({taken}, '{secrets.token_hex(500)}')")
        assert FULL in message
        assert str(server.data_dir) not in message
        assert FULL in other.error("INSERT INTO log VALUES (0, '')")
        assert FULL in other.error("CREATE TABLE late (id INT PRIMARY KEY)")
        assert client.column("SELECT id FROM log ORDER BY id") == list(range(1, taken))
    written_again(client, "INSERT INTO log VALUES (0, 'after')")
    other.run(f"INSERT INTO log VALUES ({taken}, 'after')")
    assert client.column("SELECT id FROM log ORDER BY id") == list(range(taken + 1))
    server.kill()
    server.start()
    with server.connect() as connection:
        assert Client(connection).column("SELECT id FROM log ORDER BY id") == list(range(taken + 1))


@pytest.mark.parametrize("sql", ["FLUSH {}", "COMPACT {}", "TRUNCATE TABLE {}", "UPDATE {} SET v = v || 'x'"])
def test_statements_on_a_full_disk_say_so(server: ServerProcess, client: Client, table: str, sql: str) -> None:
    """They are no defect of the server, show no path, and leave every row as it was."""
    before = client.arrow(f"SELECT * FROM {table} ORDER BY id")
    with full_disk(server):
        message = client.error(sql.format(table))
        assert FULL in message
        assert str(server.data_dir) not in message
        assert client.arrow(f"SELECT * FROM {table} ORDER BY id").equals(before)
    written_again(client, f"COMPACT {table}")
    assert client.arrow(f"SELECT * FROM {table} ORDER BY id").equals(before)


def test_a_large_stream_on_a_full_disk_says_so(server: ServerProcess, client: Client, table: str) -> None:
    """Nothing of it is there, and none of its files stays."""
    with full_disk(server, room=10_000):
        assert FULL in failure(lambda: client.ingest(table, texts(5 * ROWS)))
        assert client.count(table) == 2 * ROWS + 1
        assert not list((server.data_dir / "tables").rglob("batch-*.tmp"))
    written_again(client, f"INSERT INTO {table} VALUES (-2, 'after')")
    assert client.ingest(table, texts(5 * ROWS)) == ROWS
    assert client.count(table) == 3 * ROWS + 2
