"""Growth: what something costs at a size, over what it costs at a tenth of it.

Most costs are processor time of the server process, which a busy machine disturbs least, others its memory.

- Upserts of 10,000 random keys into tables whose keys do, and do not, fit the memory for keys.
- A USER table of many users with three hot rows each: the start, FLUSH ALL, and a second with nothing to do.
- Memory for each of many small batches.
- UPDATE and look-up of one row among hot ones.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench import data
from bench.report import Figure, Target, at_most, milliseconds, number
from bench.scale import Scale
from bench.server import KEEP_BATCHES, Server
from catalog.identifiers import TableName
from flightserver.database import Database
from flightserver.settings import Settings
from providers.commit.resolve import OnExisting
from providers.commit.scope_store import Durability
from providers.rows.change import Change

TENTH = 10
LEAST = 0.001
"""Of what is divided by: processor time is counted in steps."""

UPSERTED = 10_000
UPSERTS = 7
PART_ROWS = 1_000_000
KEY_GAP = 7
"""Between keys: what is next to each other takes no memory worth speaking of."""

ROWS, TINY_ROWS = 10_000_000, 200_000
TEXT_ROWS = 5_000_000
CACHE_MB = 64
"""Too little for the keys of the larger tables."""

USERS, TINY_USERS = 10_000, 100
ROWS_OF_USER = 3
IDLE_SECONDS, TINY_IDLE_SECONDS = 15, 2

HOT_ROWS, TINY_HOT_ROWS = 1_000_000, 20_000
CHANGES, TINY_CHANGES = 50, 5

BATCHES, TINY_BATCHES = 1_000, 20
ROWS_OF_BATCH = 100


def run(scale: Scale) -> list[Figure]:
    """One question after another, each at two sizes."""
    return [
        *upserts("BIGINT", scale.of(ROWS, TINY_ROWS)),
        *upserts("TEXT", scale.of(TEXT_ROWS, TINY_ROWS)),
        *users(scale),
        *hot(scale),
        *batches(scale.of(BATCHES, TINY_BATCHES)),
    ]


def grown(what: str, small: float, large: float, show: Callable[[float], str], target: Target | None = None) -> Figure:
    """A cost at a size in terms of the cost at a tenth of it."""
    return Figure(what, show(large), f"at a tenth {show(small)}", large / max(small, LEAST), target)


def cpu_of(server: Server, work: Callable[[], object]) -> float:
    """Seconds of processor time that the server spends while some work is done."""
    before = server.cpu_seconds()
    work()
    return server.cpu_seconds() - before


def upserts(key_type: str, rows: int) -> list[Figure]:
    """Random keys that exist into a table that was flushed."""
    small, large = (_upserts(key_type, count) for count in (rows // TENTH, rows))
    what = f"upsert of {UPSERTED:,} random {key_type} keys into {rows:,} rows, {CACHE_MB} MB for keys, processor time"
    return [grown(what, small, large, milliseconds, at_most(3.0))]


def _upserts(key_type: str, rows: int) -> float:
    with Server({"cache_mb": CACHE_MB}) as server:
        server.client.execute(
            f"CREATE TABLE t (k {key_type} NOT NULL PRIMARY KEY, v INT NOT NULL) WITH (flush_policy = 'none')"
        )
        for first in range(0, rows, PART_ROWS):
            count = min(PART_ROWS, rows - first)
            server.client.ingest("t", _keyed(data.sorted_keys(count, first), key_type, 0))
        server.client.execute("FLUSH TABLE t")
        generator, taken = data.random(5), []
        for turn in range(UPSERTS):
            keys = np.unique(generator.integers(0, rows, UPSERTED))
            changes = _keyed(keys, key_type, turn + 1)
            taken.append(cpu_of(server, lambda changes=changes: server.client.ingest("t", changes)))
        found = server.client.query("SELECT count(*) AS n FROM t").to_pylist()
        assert found == [{"n": rows}], found
    return statistics.mean(taken[2:])


def _keyed(numbers: data.Integers, key_type: str, value: int) -> pa.Table:
    keys = pa.array(numbers * KEY_GAP)
    if key_type == "TEXT":
        keys = pa.array([f"user-{key:014d}" for key in keys.to_pylist()])
    return pa.table({"k": keys, "v": pa.array(np.full(len(numbers), value, dtype=np.int32))})


def users(scale: Scale) -> list[Figure]:
    """A start with everybody's rows hot, then nothing to do, then FLUSH ALL, then nothing to do, and DROP."""
    many = scale.of(USERS, TINY_USERS)
    idle = scale.of(IDLE_SECONDS, TINY_IDLE_SECONDS)
    small, large = (_users(count, idle) for count in (many // TENTH, many))
    rows = {
        "start": ("start with the hot rows of {} users, by the clock", milliseconds, None),
        "first": ("first query of one of {} users after it", milliseconds, at_most(1.5)),
        "hot": ("share of a core while {} users have hot rows and nothing happens", _percent, None),
        "flush": ("FLUSH ALL of {} users with three rows each, by the clock", milliseconds, None),
        "flush cpu": ("FLUSH ALL of {} users with three rows each, processor time", milliseconds, None),
        "files": ("FLUSH TABLE after it, which makes files of them, by the clock", milliseconds, None),
        "cold": ("share of a core while {} users have flushed rows and nothing happens", _percent, None),
        "drop": ("until the files of {} users are gone after DROP TABLE", milliseconds, None),
    }
    return [
        grown(what.format(f"{many:,}"), small[name], large[name], show, target)
        for name, (what, show, target) in rows.items()
    ]


def _percent(share: float) -> str:
    return f"{number(share * 100)} %"


def _users(count: int, idle: int) -> dict[str, float]:
    found = {}
    with tempfile.TemporaryDirectory(prefix="users-") as folder:
        path = Path(folder, "data")
        with Server(data=path) as server:
            server.client.execute(
                "CREATE USER TABLE t (k BIGINT NOT NULL PRIMARY KEY, v TEXT NOT NULL) "
                "WITH (flush_policy = 'interval:3600')"
            )
        _insert(path, count)
        begin = time.perf_counter()
        with Server(data=path) as server:
            found["start"] = time.perf_counter() - begin
            found["first"] = cpu_of(server, lambda: server.client.query("SELECT max(k) AS n FROM t"))
            found["hot"] = cpu_of(server, lambda: time.sleep(idle)) / idle
            begin = time.perf_counter()
            found["flush cpu"] = cpu_of(server, lambda: server.client.execute("FLUSH ALL"))
            found["flush"] = time.perf_counter() - begin
            begin = time.perf_counter()
            server.client.execute("FLUSH TABLE t")
            found["files"] = time.perf_counter() - begin
            time.sleep(3)
            found["cold"] = cpu_of(server, lambda: time.sleep(idle)) / idle
            begin = time.perf_counter()
            server.client.execute("DROP TABLE t")
            while any(server.data.glob("tables/*/*")):
                time.sleep(0.02)
            found["drop"] = time.perf_counter() - begin
    return found


def _insert(path: Path, users: int) -> None:
    """Commit three rows for each of many users, without a server."""
    database = Database(Settings(data_dir=path, durability=Durability.ASYNC))
    table = database.catalog.registry.table(TableName("public", "t"))
    for user in range(users):
        keys, texts = range(ROWS_OF_USER), [f"row {key} of {user}" for key in range(ROWS_OF_USER)]
        rows = pa.table([pa.array(keys, pa.int64()), pa.array(texts)], names=table.row_schema.names)
        change = Change(rows)
        database.store.write(
            database.store.state(table, f"user-{user}"), lambda _, change=change: change, OnExisting.REPLACE
        )
    database.close()


def hot(scale: Scale) -> list[Figure]:
    """UPDATE of one row and a query of another, by turns, in a table that is not flushed."""
    rows, changes = scale.of(HOT_ROWS, TINY_HOT_ROWS), scale.of(CHANGES, TINY_CHANGES)
    small, large = (_changes(count, changes) for count in (rows // TENTH, rows))
    what = f"UPDATE of one row and a sum over a few, by turns, at {rows:,} hot rows, processor time of a pair"
    return [grown(what, small, large, milliseconds)]


def _changes(rows: int, changes: int) -> float:
    with Server() as server:
        server.client.execute(f"CREATE TABLE t ({data.COLUMNS}) WITH (flush_policy = 'none')")
        step = 40_000
        for first in range(0, rows, step):
            server.client.ingest("t", data.rows(data.sorted_keys(min(step, rows - first), first), first))

        def by_turns() -> None:
            for turn in range(changes):
                server.client.execute(f"UPDATE t SET g = 7 WHERE k = {turn * (rows // changes)}")
                found = server.client.query_once(f"SELECT count(s) AS n FROM t WHERE k < {turn + 1}").to_pylist()
                assert found == [{"n": turn + 1}], found

        by_turns()
        return cpu_of(server, by_turns) / changes


def batches(count: int) -> list[Figure]:
    """Memory after look-ups in a table of many small batches, over that of one with few."""
    few, many = (_memory_kb(batches) for batches in (count // TENTH, count))
    each = (many - few) / (count - count // TENTH)
    what = f"memory for each of {count:,} batches of {ROWS_OF_BATCH} rows"
    sizes = f"{number(many / 1024)} MB in all", f"at a tenth {number(few / 1024)} MB"
    return [Figure(what, *sizes, each, at_most(20.0, "KB"), "KB")]


def _memory_kb(count: int) -> float:
    with Server({"memory_limit_mb": 256, "cache_mb": 64, **KEEP_BATCHES}) as server:
        server.client.execute(f"CREATE TABLE t ({data.COLUMNS}) WITH (flush_policy = 'none')")
        keys = data.shuffled_keys(count * ROWS_OF_BATCH, 6)
        rows = data.rows(keys)
        for first in range(0, len(rows), ROWS_OF_BATCH):
            server.client.ingest("t", rows.slice(first, ROWS_OF_BATCH))
            server.client.execute("FLUSH TABLE t")
        for key in keys[:20].tolist():
            found = server.client.query_once(f"SELECT k FROM t WHERE k = {key}").to_pylist()
            assert found == [{"k": key}], found
        return server.memory_mb("VmRSS") * 1024
