"""Growth of what scopes and batches cost that lie still: a flush beside them, and a start.

Flushes are timed in process, as processor time: a sync takes as long as the disk likes. The scopes beside them are
those of users with three hot rows each, whose records are put into RocksDB as their commits would have.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from bench import pruning
from bench.report import Figure, Target, at_most, milliseconds
from bench.scale import Scale
from bench.server import Server
from catalog.definition import Scope, TableDef
from catalog.identifiers import TableName
from catalog.keyvalue import AtomicWrite, Family
from flightserver.database import Database
from flightserver.settings import Settings
from flush.change import ColdChange, publish_change
from flush.hot_flush import flush
from manifest.batch_entry import ColumnRange
from providers.commit.resolve import OnExisting
from providers.hot import record
from providers.hot.record import HotRecord
from providers.rows.change import Change

SCOPES, TINY_SCOPES = (100, 10_000, 100_000), (10, 20, 40)
BATCHES, TINY_BATCHES = (10, 1_000, 10_000), (10, 20, 40)
STARTS, TINY_STARTS = (10_000, 100_000), (20, 40)
FLUSHES, TINY_FLUSHES = 31, 3
TOGETHER = 10_000
HOT = "CREATE USER TABLE t (k BIGINT NOT NULL PRIMARY KEY, v BIGINT) WITH (flush_policy = 'interval:3600')"
FLUSHED = "CREATE TABLE s (k BIGINT NOT NULL PRIMARY KEY, v BIGINT) WITH (flush_policy = 'none')"


def run(scale: Scale) -> list[Figure]:
    """Flushes beside scopes and beside batches, then starts."""
    flushes = scale.of(FLUSHES, TINY_FLUSHES)
    scopes, batches = (SCOPES, BATCHES) if flushes == FLUSHES else (TINY_SCOPES, TINY_BATCHES)
    starts = STARTS if flushes == FLUSHES else TINY_STARTS
    beside = [beside_scopes(count, flushes) for count in scopes]
    into = [into_batches(count, flushes) for count in batches]
    return [
        _grown("flush of one scope beside {} others, processor time", scopes, beside, at_most(1.2)),
        _grown("flush into a table of {} batches, processor time", batches, into, at_most(1.5)),
        *started(starts),
    ]


def _grown(what: str, sizes: tuple[int, ...], taken: list[float], target: Target) -> Figure:
    others = ", ".join(f"{size:,}: {milliseconds(cost)}" for size, cost in zip(sizes[:-1], taken[:-1], strict=True))
    return Figure(what.format(f"{sizes[-1]:,}"), milliseconds(taken[-1]), others, taken[-1] / taken[0], target)


@contextmanager
def opened(path: Path) -> Iterator[tuple[Database, TableDef, TableDef]]:
    """A data folder with two tables, one of them for users, and nobody at work in it."""
    with Server(data=path) as server:
        server.client.execute(HOT)
        server.client.execute(FLUSHED)
    database = Database(Settings(data_dir=path))
    try:
        of_users, shared = (database.catalog.registry.table(TableName("public", name)) for name in "ts")
        yield database, of_users, shared
    finally:
        database.close()


def put_users(database: Database, table: TableDef, count: int) -> None:
    """Three hot rows for each of so many users."""
    seqs = database.store.allocator.reserve(3)
    names = table.version_schema.names
    columns = {"k": pa.array([0, 1, 2]), "v": pa.array([7, 8, 9]), "_seq": pa.array(seqs)}
    rows = pa.record_batch([columns.get(name, pa.array([False] * 3)) for name in names], table.version_schema)
    stored = record.encode(HotRecord(rows, {}))
    for first in range(0, count, TOGETHER):
        batch = AtomicWrite()
        for user in range(first, min(first + TOGETHER, count)):
            scope = Scope(table.id, f"user-{user}")
            batch.put(Family.HOT, record.record_key(scope, int(seqs[0])), stored)
        database._keyvalue.commit(batch)  # noqa: SLF001 - as commits of their own, it would take minutes


def beside_scopes(count: int, flushes: int) -> float:
    """Seconds of processor time of a flush, of which a hundred others are in memory."""
    with tempfile.TemporaryDirectory(prefix="scopes-") as folder, opened(Path(folder, "data")) as found:
        database, of_users, shared = found
        put_users(database, of_users, count)
        for user in range(min(count, SCOPES[0])):
            database.store.snapshot(of_users, f"user-{user}")
        return median_flush(database, shared, flushes)


def into_batches(count: int, flushes: int) -> float:
    """The same of a table with so many batches, which are known and not there."""
    with tempfile.TemporaryDirectory(prefix="batches-") as folder, opened(Path(folder, "data")) as found:
        database, _, shared = found
        state = database.store.state(shared, None)
        entries = [
            replace(pruning.entry(batch, count), bloom=None, min_seq=1, max_seq=1, columns=_apart(batch))
            for batch in (database.store.names.next_batch(state) for _ in range(count))
        ]
        with database.store.exclusive(state):
            publish_change(database.store, state, ColdChange(added=entries, flushed_seq=1))
        return median_flush(database, shared, flushes)


def _apart(batch: int) -> dict[int, ColumnRange]:
    """Ranges of keys that nobody writes."""
    return {1: ColumnRange(str(-batch - 1), str(-batch - 1), 0), 2: ColumnRange("0", "9", 0)}


def median_flush(database: Database, table: TableDef, flushes: int) -> float:
    """What a flush of three rows takes, each into a batch of its own."""
    state, taken = database.store.state(table, None), []
    for number in range(flushes):
        keys = pa.array([number * 3, number * 3 + 1, number * 3 + 2])
        rows = pa.table([keys, keys], names=table.row_schema.names)
        database.store.write(state, lambda _, rows=rows: Change(rows), OnExisting.REPLACE)
        begin = time.process_time()
        flush(database.store, state)
        taken.append(time.process_time() - begin)
    return statistics.median(taken)


def started(sizes: tuple[int, ...]) -> list[Figure]:
    """Seconds until a server answers that finds so many users' hot rows."""
    found = []
    for count, bound in zip(sizes, (2.0, 5.0), strict=True):
        with tempfile.TemporaryDirectory(prefix="starts-") as folder:
            path = Path(folder, "data")
            with opened(path) as (database, of_users, _):
                put_users(database, of_users, count)
            begin = time.perf_counter()
            with Server(data=path) as server:
                server.client.query("SELECT max(k) AS n FROM s")
                seconds = time.perf_counter() - begin
                cpu = server.cpu_seconds()
        what = f"start with the hot rows of {count:,} users, until a query is answered"
        other = f"processor time {milliseconds(cpu)}"
        found.append(Figure(what, milliseconds(seconds), other, seconds, at_most(bound, "s"), "s"))
    return found
