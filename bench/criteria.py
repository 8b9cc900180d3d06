"""What KalamDB asks of itself: the success criteria of its specification that have numbers, in one table.

Its identifiers stand before each line. Times are medians through a client of this machine: ADBC for single rows, as a
service would send them, and Flight for the others. Nothing is merged meanwhile, so that there are many batches.
"""

import statistics
from collections.abc import Callable
from contextlib import closing, suppress

import numpy as np
import pyarrow as pa
from adbc_driver_flightsql import dbapi

from bench import data
from bench.lookup import kept
from bench.report import Figure, at_least, at_most, compare, milliseconds, number
from bench.scale import Scale
from bench.server import KEEP_BATCHES, Server
from bench.timing import each, in_turns
from catalog.errors import DatabaseError
from flush.jobs.kinds import make_task
from providers.rows.sequence import SeqAllocator

BATCHES, TINY_BATCHES = 100, 10
ROWS_OF_BATCH = 1_000
VERSIONS = 10
SINGLE, TINY_SINGLE = 200, 5
SCANS = 9
CHANGED, MANY_CHANGED, TINY_CHANGED = 10_000, 100_000, 1_000
IDS = 2_000_000


def run(scale: Scale) -> list[Figure]:
    """One server, its tables one after another."""
    single = scale.of(SINGLE, TINY_SINGLE)
    with Server(KEEP_BATCHES) as server, closing(server.connect()) as connection:
        return [
            *single_rows(server, connection, single),
            *versions(server, scale.of(20 * ROWS_OF_BATCH, ROWS_OF_BATCH)),
            *pruned(server, scale.of(BATCHES, TINY_BATCHES)),
            *changed_since(server, scale.of(CHANGED, TINY_CHANGED), "SC-008", 50.0),
            *changed_since(server, scale.of(MANY_CHANGED, TINY_CHANGED), "SC-020", 20.0),
            own_rows(server, scale.of(CHANGED, TINY_CHANGED)),
            as_user(connection, single),
            wrong_parameters(single),
            ids(),
        ]


def within(what: str, seconds: float, bound_ms: float) -> Figure:
    """A time that has a bound."""
    return Figure(what, milliseconds(seconds), "-", seconds * 1e3, at_most(bound_ms, "ms"), "ms")


def single_rows(server: Server, connection: dbapi.Connection, count: int) -> list[Figure]:
    """One row at a time, those that are changed out of files."""
    server.client.execute(f"CREATE TABLE one ({data.COLUMNS})")
    server.client.ingest("one", data.rows(data.sorted_keys(10 * count)))
    server.client.execute("FLUSH TABLE one")
    with connection.cursor() as cursor:

        def timed(statement: str, parameters: Callable[[int], tuple[object, ...]]) -> float:
            return statistics.median(each(lambda turn: cursor.execute(statement, parameters(turn)), count))

        def repeated(turn: int) -> None:
            with suppress(dbapi.Error):
                cursor.execute("INSERT INTO one VALUES (?, 0, 0, 0, 's')", (count + turn,))
                raise AssertionError("a key was taken twice")

        insert = timed("INSERT INTO one VALUES (?, 0.5, 1.5, 7, 'name')", lambda turn: (10 * count + turn,))
        update = timed("UPDATE one SET a = 9 WHERE k = ?", lambda turn: (count + turn,))
        delete = timed("DELETE FROM one WHERE k = ?", lambda turn: (3 * count + turn,))
        refused = statistics.median(each(repeated, count))
    return [
        within("SC-001: INSERT of a row, durable", insert, 5.0),
        within("SC-002, FR-106: UPDATE of a row in files, durable", update, 10.0),
        within("SC-003: DELETE of a row in files, durable", delete, 10.0),
        within("SC-009: a key that exists is refused", refused, 5.0),
    ]


def versions(server: Server, rows: int) -> list[Figure]:
    """A table whose every row was written ten times, hot and in files, next to one that was written once."""
    for name, count in (("clean", 1), ("often", VERSIONS)):
        server.client.execute(f"CREATE TABLE {name} ({data.COLUMNS}) WITH (flush_policy = 'none')")
        for version in range(count):
            server.client.ingest(name, data.rows(data.sorted_keys(rows), version))
            if version % 3 == 0:
                server.client.execute(f"FLUSH TABLE {name}")
    works = {
        name: lambda name=name: server.client.query(f"SELECT count(*), sum(a) FROM {name} WHERE b > 0")
        for name in ("clean", "often")
    }
    times = in_turns(works, SCANS)
    server.client.execute("FLUSH TABLE often")
    manifest = server.client.query("SHOW MANIFEST FOR often")
    newest = manifest["rows"].to_pylist()[-1]
    what = f"SC-004: scan of {rows:,} rows with {VERSIONS} versions each"
    return [
        compare(what, times["often"], times["clean"], "one version", at_most(2.0)),
        Figure(
            "SC-007: rows that a flush writes, of three versions each",
            f"{newest:,}",
            f"keys {rows:,}",
            newest / rows,
            at_most(1.0),
        ),
    ]


def pruned(server: Server, batches: int) -> list[Figure]:
    """How many files are not opened, for a range and for a key; and how long a look-up takes for each file."""
    rows = batches * ROWS_OF_BATCH
    keys = data.random(3).permutation(rows).astype(np.int64)
    table = data.rows(keys).set_column(1, "a", pa.array(np.arange(rows, dtype=np.float64)))
    server.client.execute(f"CREATE TABLE many ({data.COLUMNS}) WITH (flush_policy = 'none')")
    for first in range(0, rows, ROWS_OF_BATCH):
        server.client.ingest("many", table.slice(first, ROWS_OF_BATCH))
        server.client.execute("FLUSH TABLE many")

    def skipped(condition: str) -> float:
        return 100 - 100 * kept(server, f"SELECT * FROM many WHERE {condition}") / batches

    by_key = statistics.mean(skipped(f"k = {key}") for key in keys[:: rows // 20].tolist())
    by_range = skipped(f"a BETWEEN {rows // 2} AND {rows // 2 + rows // 20}")
    look_up = statistics.median(
        each(lambda turn: server.client.query(f"SELECT * FROM many WHERE k = {keys[turn]}"), ROWS_OF_BATCH // 20)
    )
    return [
        Figure(
            "SC-005: files skipped, range of 5 %",
            f"{number(by_range)} %",
            "-",
            by_range,
            at_least(80 if batches > TINY_BATCHES else 0, "%"),
            "%",
        ),
        Figure("SC-006, SC-019: files skipped, key", f"{number(by_key)} %", "-", by_key, at_least(90, "%"), "%"),
        within(f"SC-006: look-up by key in {batches} files, for each of them", look_up / batches, 1.0),
        within(f"SC-019: look-up by key in {batches} files, all of it", look_up, 5.0),
    ]


def changed_since(server: Server, changed: int, criterion: str, bound_ms: float) -> list[Figure]:
    """Everything that was written after some row, which is how clients follow a table."""
    feed = f"feed_{criterion[-2:]}"
    server.client.execute(f"CREATE TABLE {feed} ({data.COLUMNS}) WITH (flush_policy = 'none')")
    server.client.ingest(feed, data.rows(data.sorted_keys(5 * changed)))
    server.client.execute(f"FLUSH TABLE {feed}")
    last = server.client.query(f"SELECT max(_seq) AS s FROM {feed}")["s"][0].as_py()
    server.client.ingest(feed, data.rows(data.sorted_keys(changed), 1))
    server.client.execute(f"FLUSH TABLE {feed}")
    text = f"SELECT * FROM {feed} WHERE _seq > {last}"
    assert len(server.client.query(text)) == changed
    taken = statistics.median(each(lambda _: server.client.query(text), SCANS))
    return [within(f"{criterion}: {changed:,} changed rows by _seq, of {5 * changed:,}", taken, bound_ms)]


def own_rows(server: Server, rows: int) -> Figure:
    """What one user has in a table of many."""
    server.client.execute(f"CREATE USER TABLE each ({data.COLUMNS})")
    server.client.ingest("each", data.rows(data.sorted_keys(rows)))
    taken = statistics.median(each(lambda _: server.client.query("SELECT * FROM each"), SCANS))
    return within(f"SC-019: all {rows:,} rows of a user, hot", taken, 10.0)


def as_user(connection: dbapi.Connection, count: int) -> Figure:
    """What it takes to become somebody else for a statement."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE USER somebody WITH PASSWORD 'a long password' ROLE user")
        plain = statistics.median(each(lambda _: cursor.execute("SELECT 1"), count))
        acting = "EXECUTE AS USER 'somebody' (SELECT 1)"
        other = statistics.median(each(lambda _: cursor.execute(acting), count))
    return within("SC-010: EXECUTE AS USER, beyond the statement", max(other - plain, 0.0), 10.0)


def wrong_parameters(count: int) -> Figure:
    """A job that makes no sense is refused before it is one."""

    def refused(_: int) -> None:
        with suppress(DatabaseError):
            make_task("flush", {"table_id": "none"})
            raise AssertionError("nonsense was taken")

    return within("SC-012: a job with wrong parameters is refused", statistics.median(each(refused, count)), 100.0)


def ids() -> Figure:
    """Numbers for rows."""
    allocator = SeqAllocator(lambda _: None)
    taken = statistics.median(each(lambda _: allocator.reserve(IDS), SCANS))
    return Figure("SC-017: ids a second", number(IDS / taken), "-", IDS / taken, at_least(1e6, "ids/s"), "ids/s")
