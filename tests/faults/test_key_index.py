"""A stream that was refused leaves nothing in memory that the next stream's rows are looked up by."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi

from tests.e2e.client import Client
from tests.server_process import ServerProcess

ROWS = 60_000
"""Enough for a stream to be written to files at once."""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A session on a server that keeps no partition in memory that is not used."""
    with (
        ServerProcess(tmp_path / "data", settings={"manifest_cache_mb": 0}) as process,
        process.connect() as connection,
    ):
        yield Client(connection)


def rows(ids: range) -> pa.Table:
    """Rows of an ingest."""
    return pa.table({"id": pa.array(ids, pa.int64()), "v": pa.array([1] * len(ids), pa.int32())})


def test_rows_of_a_stream_after_a_refused_one_are_found(client: Client) -> None:
    """Look-ups, changes and upserts meet each key where it is, and once."""
    for table in ("a", "source", "other"):
        client.run(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, v INT) WITH (flush_policy = 'none')")
    client.run(f"INSERT INTO a VALUES ({ROWS}, 0)")
    client.run("FLUSH a")
    client.ingest("source", rows(range(0, 2 * ROWS, 2)))
    with pytest.raises(dbapi.Error, match="exists already"):
        client.run("INSERT INTO a SELECT * FROM source")
    client.run("INSERT INTO other VALUES (1, 1)")
    client.run("FLUSH other")
    assert client.count("other") == 1
    client.ingest("a", rows(range(1, 2 * ROWS, 2)))
    client.ingest("a", rows(range(8, 9)))
    assert client.column("SELECT id FROM a WHERE id IN (7, 8, 9, 11) ORDER BY id") == [7, 8, 9, 11]
    client.run("UPDATE a SET v = 2 WHERE id = 11")
    client.run("DELETE FROM a WHERE id = 13")
    assert client.rows("SELECT id, v FROM a WHERE id IN (11, 13)") == [(11, 2)]
    assert client.rows("SELECT count(*), count(DISTINCT id) FROM a") == [(ROWS + 1, ROWS + 1)]
