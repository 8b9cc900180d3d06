"""Streams of rows: ingest in its four modes, change feeds, one stream as one commit, idempotency keys."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi
from pyarrow import flight

from flightserver.protocol.commands import IfExists, IfNotExist, StatementIngest, TableDefinitionOptions
from tests.e2e.client import Client, failure
from tests.e2e.wire import Wire
from tests.server_process import ServerProcess

Make = Callable[..., str]

IDS = pa.schema([("id", pa.int64()), ("v", pa.int64()), ("s", pa.string())])


def rows(start: int, count: int, value: int = 0) -> pa.Table:
    """Rows with the keys from `start` on."""
    keys = np.arange(start, start + count)
    return pa.table([keys, np.full(count, value), pa.array(["x"] * count)], schema=IDS)


def test_create_makes_a_table_and_refuses_a_second_one(db: Client, t: str) -> None:
    """Mode create: the stream's schema becomes the table's; an existing table is named and untouched."""
    assert db.ingest(t, rows(0, 10), mode="create") == 10
    assert t in failure(lambda: db.ingest(t, rows(10, 10), mode="create"))
    assert db.arrow(f"SELECT * FROM {t} ORDER BY id").equals(rows(0, 10))


def test_append_needs_a_table(db: Client, t: str) -> None:
    """Mode append names the table that is missing, and makes none."""
    assert t in failure(lambda: db.ingest(t, rows(0, 10)))
    assert t in db.error(f"SELECT * FROM {t}")


def test_append_is_an_upsert_by_key(db: Client, make: Make) -> None:
    """An existing key gets a new version, hot or cold; a repeated key in the stream ends as its last row."""
    t = make()
    db.ingest(t, rows(0, 10))
    db.run(f"FLUSH TABLE {t}")
    assert db.ingest(t, pa.concat_tables([rows(5, 10, 1), rows(5, 1, 2)])) == 11
    assert db.count(t) == 15
    assert db.column(f"SELECT v FROM {t} WHERE id IN (4, 5, 6) ORDER BY id") == [0, 2, 1]


def test_replace_swaps_the_rows_as_a_whole(db: Client, make: Make) -> None:
    """Mode replace: old rows are gone, hot and cold; columns that are not sent have their default."""
    t = make()
    db.ingest(t, rows(0, 10))
    db.run(f"FLUSH TABLE {t}")
    db.ingest(t, rows(10, 10))
    assert db.ingest(t, pa.table({"id": [5, 30], "v": [1, 2]}), mode="replace") == 2
    assert db.rows(f"SELECT * FROM {t} ORDER BY id") == [(5, 1, None), (30, 2, None)]


def test_a_replacement_that_fails_leaves_the_old_table(db: Client, make: Make) -> None:
    """A stream of a type that cannot be stored, or that breaks, replaces nothing."""
    t = make()
    db.ingest(t, rows(0, 10))
    bad = pa.table({"culprit": pa.array([1], pa.duration("s"))})
    assert "culprit" in failure(lambda: db.ingest(t, bad, mode="replace"))
    assert db.count(t) == 10


def test_create_append_creates_and_then_appends(db: Client, t: str) -> None:
    """Mode create_append works with and without a table. A table made by a stream has no key: it only grows."""
    for _ in range(2):
        assert db.ingest(t, rows(0, 10), mode="create_append") == 10
    assert db.count(t) == 20


def test_ingest_goes_into_the_schema_that_is_named(db: Client, t: str) -> None:
    """db_schema_name and catalog_name say where; a wrong one is named."""
    db.run(f"CREATE NAMESPACE ns_{t}")
    db.ingest("a", rows(0, 10), mode="create", db_schema_name=f"ns_{t}", catalog_name="main")
    assert db.count(f"ns_{t}.a") == 10
    assert "nowhere" in failure(lambda: db.ingest("a", rows(0, 1), mode="create", db_schema_name="nowhere"))
    assert "other" in failure(lambda: db.ingest("a", rows(0, 1), mode="create", catalog_name="other"))


def test_a_temporary_table_is_made_by_a_stream(db: Client, alice: Client, t: str) -> None:
    """It is the session's own and not made permanent: nobody else finds it."""
    assert db.ingest(t, rows(0, 3), mode="create", temporary=True) == 3
    assert db.count(t) == 3
    assert "not found" in alice.error(f"SELECT * FROM {t}")
    db.run(f"DROP TABLE {t}")


def test_an_empty_stream_makes_an_empty_table(db: Client, wire: Wire, t: str) -> None:
    """No row, and not even a batch, are fine."""
    command = StatementIngest(t, TableDefinitionOptions(IfNotExist.CREATE, IfExists.APPEND))
    assert wire.put(command, IDS, []) == 0
    assert wire.put(command, IDS, [pa.RecordBatch.from_pylist([], IDS)]) == 0
    assert db.arrow(f"SELECT * FROM {t}").schema.names == IDS.names


def test_a_key_can_be_given_to_a_table_that_a_stream_makes(db: Client, wire: Wire, t: str) -> None:
    """The ingest option primary_key declares a key, of several columns too."""
    how = TableDefinitionOptions(IfNotExist.CREATE, IfExists.APPEND)
    command = StatementIngest(t, how, options={"primary_key": "s, id"})
    for value in (1, 2):
        assert wire.put(command, IDS, rows(0, 10, value).to_batches()) == 10
    assert db.rows(f"SELECT DISTINCT v FROM {t}") == [(2,)]
    keyed = db.rows(f"DESCRIBE {t}")
    assert [row[3] for row in keyed] == [2, None, 1]


def test_an_unknown_ingest_option_is_refused(db: Client, wire: Wire, t: str) -> None:
    """A misspelt key must not make a table without one."""
    how = TableDefinitionOptions(IfNotExist.CREATE, IfExists.APPEND)
    command = StatementIngest(t, how, options={"primary-key": "id"})
    with pytest.raises(pa.ArrowInvalid, match="primary-key is not known; there are primary_key, idempotency_key"):
        wire.put(command, IDS, rows(0, 10).to_batches())
    assert f"'{t}' not found" in db.error(f"SELECT * FROM {t}")


def test_columns_come_in_any_order_and_number(db: Client, make: Make) -> None:
    """A stream matches columns by name; what it lacks gets its default."""
    t = make("id BIGINT PRIMARY KEY, v BIGINT DEFAULT 7, s TEXT")
    db.ingest(t, pa.table({"s": ["a"], "id": [1]}))
    assert db.rows(f"SELECT * FROM {t}") == [(1, 7, "a")]


@pytest.mark.parametrize(
    ("offered", "culprit"),
    [
        (pa.table({"id": [1, 2], "nope": [1, 1]}), "nope"),
        (pa.table({"id": [1, None]}), "id"),
        (pa.table({"v": [1, 2]}), "id"),
        (pa.table({"id": [1, 2], "v": ["a", "b"]}), "v"),
        (pa.table({"id": [1, 2], "s": [1, 2]}), "s"),
        (pa.table({"id": pa.array([1, 2**63], pa.uint64())}), "id"),
        (pa.table({"id": [1, 2], "v": [1.0, 1.5]}), "v"),
        (pa.table({"id": [1, 2], "v": [1.0, float("inf")]}), "v"),
        (pa.table({"id": [1, 2], "v": [[1], [2]]}), "v"),
        (pa.table([[1, 2], [1, 2]], names=["id", "id"]), "id"),
        (pa.table({"id": [1, 2], "_deleted": [1, 0]}), "_deleted"),
        (pa.table({"id": [1, 2], "_seq": [1, 2]}), "_seq"),
    ],
)
def test_a_stream_that_does_not_fit_is_refused_by_column(
    db: Client, make: Make, offered: pa.Table, culprit: str
) -> None:
    """Unknown and repeated columns, NULL in a key, wrong types and losses name the column and write nothing."""
    t = make()
    assert culprit in failure(lambda: db.ingest(t, offered))
    assert db.count(t) == 0


@pytest.mark.parametrize("size", [1_000, 200_000])
def test_a_bad_row_at_the_end_undoes_a_stream(db: Client, make: Make, size: int) -> None:
    """A NULL key in the last row of a stream, small or large enough to be staged as files, leaves nothing."""
    t = make()
    db.ingest(t, rows(0, 10))
    bad = pa.concat_tables([rows(5, size, 1), pa.table([[None], [1], ["x"]], schema=IDS)])
    assert "id" in failure(lambda: db.ingest(t, bad))
    assert db.rows(f"SELECT count(*), sum(v) FROM {t}") == [(10, 0)]
    db.run(f"FLUSH TABLE {t}")
    db.run(f"COMPACT TABLE {t}")
    assert db.rows(f"SELECT count(*), sum(v) FROM {t}") == [(10, 0)]


@pytest.mark.parametrize("flushed", [False, True])
def test_a_column_deleted_makes_rows_tombstones(db: Client, make: Make, flushed: bool) -> None:
    """A change feed: inserts, updates and deletes in one stream, over hot and cold rows; NULL means not deleted."""
    t = make()
    db.ingest(t, rows(0, 10))
    if flushed:
        db.run(f"FLUSH TABLE {t}")
    feed = pa.table({"id": [1, 2, 3, 20, 21], "v": [5, None, 6, 7, None], "_deleted": [False, True, None, False, True]})
    assert db.ingest(t, feed) == 5
    expected = {n: 0 for n in range(10) if n != 2} | {1: 5, 3: 6, 20: 7}
    assert dict(db.rows(f"SELECT id, v FROM {t}")) == expected
    db.run(f"FLUSH TABLE {t}")
    assert dict(db.rows(f"SELECT id, v FROM {t}")) == expected


def test_a_feed_counts_the_last_row_of_each_key(db: Client, make: Make) -> None:
    """Insert, delete, insert of one key in one stream is a row; insert, delete is none."""
    t = make()
    feed = pa.table({"id": [1, 1, 1, 2, 2], "v": [1, 2, 3, 4, 5], "_deleted": [False, True, False, False, True]})
    db.ingest(t, feed)
    assert db.rows(f"SELECT id, v FROM {t}") == [(1, 3)]


def test_a_tombstone_needs_only_the_key(db: Client, make: Make) -> None:
    """NOT NULL columns may be missing in rows that are deletes."""
    t = make("id BIGINT PRIMARY KEY, needed TEXT NOT NULL")
    db.ingest(t, pa.table({"id": [1], "needed": ["a"]}))
    db.ingest(t, pa.table({"id": [1], "needed": pa.array([None], pa.string()), "_deleted": [True]}))
    assert db.count(t) == 0


def test_a_large_feed_deletes_from_large_batches(db: Client, make: Make) -> None:
    """100,000 tombstones over a bulk-loaded table, and then the same keys again."""
    t = make()
    db.ingest(t, rows(0, 150_000))
    feed = rows(0, 100_000).append_column("_deleted", pa.array(np.ones(100_000, dtype=bool)))
    db.ingest(t, feed)
    assert db.count(t) == 50_000
    db.ingest(t, rows(0, 60_000, 1))
    db.run(f"FLUSH TABLE {t}")
    assert db.rows(f"SELECT count(*), sum(v) FROM {t}") == [(110_000, 60_000)]


def test_a_hidden_key_table_refuses_deletes_by_stream(db: Client, t: str) -> None:
    """Without a key no row of a stream can say whom it deletes."""
    db.ingest(t, rows(0, 10), mode="create")
    feed = rows(0, 1).append_column("_deleted", pa.array([True]))
    assert "key" in failure(lambda: db.ingest(t, feed))
    assert db.count(t) == 10


DYING_CLIENT = """
import os, sys, time
import numpy as np, pyarrow as pa
from pyarrow import flight
from flightserver.protocol.commands import StatementIngest, encode_command
uri, table, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
schema = pa.schema([("id", pa.int64()), ("v", pa.int64()), ("s", pa.string())])
client = flight.FlightClient(uri)
writer, _ = client.do_put(flight.FlightDescriptor.for_command(encode_command(StatementIngest(table))), schema)
for start in range(0, count, 10_000):
    keys = np.arange(start, start + 10_000)
    writer.write_batch(pa.record_batch([keys, keys * 0 + 1, pa.array(["x"] * 10_000)], schema=schema))
time.sleep(0.3)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("count", [10_000, 500_000])
def test_a_client_that_is_killed_in_its_stream_leaves_nothing(
    server: ServerProcess, db: Client, make: Make, count: int
) -> None:
    """A stream whose client dies before its end is no commit, however much of it had arrived."""
    t = make()
    db.ingest(t, rows(0, 10))
    command = [sys.executable, "-c", DYING_CLIENT, server.uri, t, str(count)]
    assert subprocess.run(command, check=False).returncode == -9
    assert server.is_idle_within(20)
    assert db.rows(f"SELECT count(*), sum(v) FROM {t}") == [(10, 0)]


def test_a_source_that_breaks_leaves_nothing(db: Client, make: Make) -> None:
    """When the client's own reader fails in the middle, the driver cancels the call and nothing is written."""
    t = make()

    def source() -> Iterator[pa.RecordBatch]:
        yield from rows(0, 1000).to_batches()
        raise ValueError("the source broke")

    with pytest.raises((dbapi.Error, ValueError, pa.ArrowException, OSError)):
        db.ingest(t, pa.RecordBatchReader.from_batches(IDS, source()))
    assert db.count(t) == 0


def test_nobody_sees_half_a_stream(server: ServerProcess, db: Client, wire: Wire, make: Make) -> None:
    """While a stream is open its rows are invisible; afterwards all are there."""
    t = make()
    seen = []

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, 300_000, 50_000):
            yield from rows(start, 50_000).to_batches()
            seen.append(db.count(t))

    assert wire.put(StatementIngest(t), IDS, batches()) == 300_000
    assert set(seen) == {0}
    assert db.count(t) == 300_000


@pytest.mark.parametrize("count", [10, 100_000])
def test_a_repeated_stream_is_a_no_op_by_header(server: ServerProcess, db: Client, make: Make, count: int) -> None:
    """The same x-idempotency-key and rows: the first result comes back and nothing changes, even after updates."""
    t = make()
    with server.connect(**{"x-idempotency-key": f"key of {t}"}) as connection:
        client = Client(connection)
        assert client.ingest(t, rows(0, count)) == count
        db.run(f"UPDATE {t} SET v = 9 WHERE id = 1")
        assert client.ingest(t, rows(0, count)) == count
    assert db.rows(f"SELECT v FROM {t} WHERE id = 1") == [(9,)]
    assert db.count(t) == count


def test_an_idempotency_key_works_as_an_ingest_option(db: Client, wire: Wire, make: Make) -> None:
    """The option idempotency_key does what the header does."""
    t = make()
    command = StatementIngest(t, options={"idempotency_key": f"option of {t}"})
    assert wire.put(command, IDS, rows(0, 10).to_batches()) == 10
    db.run(f"DELETE FROM {t}")
    assert wire.put(command, IDS, rows(0, 10).to_batches()) == 10
    assert db.count(t) == 0


@pytest.mark.parametrize("count", [10, 100_000])
def test_an_idempotency_key_with_other_rows_is_refused(db: Client, wire: Wire, make: Make, count: int) -> None:
    """The same key with different data is a mistake that is named, not a no-op and not a write."""
    t = make()
    command = StatementIngest(t, options={"idempotency_key": f"reused {t}"})
    wire.put(command, IDS, rows(0, count).to_batches())
    with pytest.raises((flight.FlightError, pa.ArrowException, KeyError), match="idempotency"):
        wire.put(command, IDS, rows(0, count, 1).to_batches())
    assert db.one(f"SELECT sum(v) FROM {t}") == 0


def test_an_idempotency_key_of_a_failed_stream_is_free(db: Client, wire: Wire, make: Make) -> None:
    """A stream that failed has used up nothing."""
    t = make()
    command = StatementIngest(t, options={"idempotency_key": f"failed {t}"})
    bad = pa.table([[None], [1], ["x"]], schema=IDS)
    with pytest.raises((flight.FlightError, pa.ArrowException), match="id"):
        wire.put(command, IDS, bad.to_batches())
    assert wire.put(command, IDS, rows(0, 3).to_batches()) == 3
    assert db.count(t) == 3


def test_an_idempotency_key_belongs_to_its_table(db: Client, wire: Wire, make: Make, t: str) -> None:
    """The same key for another table is another key."""
    make()
    db.run(f"CREATE TABLE {t}_b (id BIGINT PRIMARY KEY, v BIGINT, s TEXT)")
    for table in (t, f"{t}_b"):
        command = StatementIngest(table, options={"idempotency_key": "shared"})
        assert wire.put(command, IDS, rows(0, 3).to_batches()) == 3
        assert db.count(table) == 3


def test_a_repeated_create_by_idempotency_key_is_a_no_op(wire: Wire, db: Client, t: str) -> None:
    """A create-or-append stream that is sent again after a lost answer does not double a table without a key."""
    how = TableDefinitionOptions(IfNotExist.CREATE, IfExists.APPEND)
    command = StatementIngest(t, how, options={"idempotency_key": f"create {t}"})
    for _ in range(2):
        assert wire.put(command, IDS, rows(0, 10).to_batches()) == 10
    assert db.count(t) == 10


def test_a_stream_of_many_tiny_batches_is_one_commit(db: Client, wire: Wire, make: Make) -> None:
    """2,000 batches of one row, some of none."""
    t = make()
    batches = [rows(n, n % 2).to_batches(max_chunksize=1) for n in range(2_000)]
    flat = [batch for group in batches for batch in group]
    assert wire.put(StatementIngest(t), IDS, flat) == 1_000
    assert db.count(t) == 1_000


def test_a_user_table_takes_streams_for_the_user_who_sends_them(
    db: Client, alice: Client, bob: Client, make: Make
) -> None:
    """Ingest into a USER table lands in the sender's own row set."""
    t = make(kind="USER")
    alice.ingest(t, rows(0, 5))
    bob.ingest(t, rows(3, 100_000, 1))
    assert [client.count(t) for client in (db, alice, bob)] == [0, 5, 100_000]
    assert alice.one(f"SELECT sum(v) FROM {t}") == 0
