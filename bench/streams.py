"""STREAM tables: how fast rows come in over Flight, how much of them stays in memory, and what it costs to let them go.

Each round sends streams of rows one after the other into a new table; each is a commit, durable when it is
acknowledged. Evictions are measured without a server around them, with the sync that each waits for.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import pyarrow as pa

from bench import data
from bench.report import Figure, Target, at_least, at_most, milliseconds
from bench.scale import Scale
from bench.server import Server
from bench.timing import in_turns
from catalog.definition import ColumnSpec, StreamLimits, TableDef, TableKind, TableOptions
from catalog.evolution import create_table, set_options
from catalog.identifiers import TableName
from flightserver.database import Database
from flightserver.settings import Settings
from flush.stream_eviction import evict
from providers.commit.resolve import OnExisting
from providers.rows.conversion import Strictness
from providers.rows.offered import admitted

ROWS, TINY_ROWS = 3_000_000, 20_000
COMMITS: Mapping[int, Target | None] = {100_000: at_least(1, "M rows/s"), 10_000: None}
"""Rows of a commit, and what is asked for. Small commits are about calls and syncs."""
MAX_BYTES = 64 << 20
EVICTED, TINY_EVICTED = 1_000_000, 20_000
ROUNDS = 7
IDS_AHEAD_SECONDS = 1.0
"""Ids of so many rows at once are ahead of the clock for a while."""
COLUMNS = data.COLUMNS.replace(" NOT NULL PRIMARY KEY", "")
MADE = f"CREATE SHARED STREAM TABLE t ({COLUMNS}) WITH (ttl_seconds = 3600, max_bytes = {MAX_BYTES})"


def run(scale: Scale) -> list[Figure]:
    """In, and out."""
    rows = data.rows(data.sorted_keys(scale.of(ROWS, TINY_ROWS)))
    evicted = scale.of(EVICTED, TINY_EVICTED)
    return [*(incoming(rows, count, scale) for count in COMMITS), eviction(evicted)]


def incoming(rows: pa.Table, commit_rows: int, scale: Scale) -> Figure:
    """Rows a second, so many in each commit, into a table that keeps only the newest of them."""
    with Server() as server:

        def start() -> None:
            server.client.execute("DROP TABLE IF EXISTS t")
            server.client.execute(MADE)

        def send() -> None:
            for first in range(0, len(rows), commit_rows):
                server.client.ingest("t", rows.slice(first, commit_rows))

        taken = in_turns({"t": send}, scale.rounds, before={"t": start})["t"]
        kept = server.client.query("SELECT k FROM t ORDER BY k").column("k")
    assert kept.to_pylist() == rows.column("k").slice(len(rows) - len(kept)).to_pylist()
    what = f"STREAM ingest over Flight, {commit_rows:,} rows a commit, of which {MAX_BYTES >> 20} MiB stay"
    speed = len(rows) / taken / 1e6
    return Figure(what, milliseconds(taken), "-", speed, COMMITS[commit_rows], "M rows/s")


def eviction(rows: int) -> Figure:
    """Letting rows go that have expired, from memory and from the log."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        database = Database(Settings(data_dir=Path(folder, "data")))
        try:
            taken = median(seconds_to_evict(database, turn, rows) for turn in range(ROUNDS))
        finally:
            database.close()
    what = f"eviction of {rows:,} rows of a STREAM, durable"
    return Figure(what, milliseconds(taken), "-", taken * 1e3, at_most(10, "ms"), "ms")


def seconds_to_evict(database: Database, turn: int, rows: int) -> float:
    """Fill a new table, let its rows expire, and let them go."""
    table = stream(database, f"t{turn}")
    offered = data.rows(data.sorted_keys(rows))
    change = admitted(table, offered, "root", database.store.allocator, Strictness.STREAM)
    database.store.write(database.store.state(table, None), lambda _: change, OnExisting.REFUSE)
    short = set_options(table, TableOptions(stream=StreamLimits(ttl_seconds=0.001)))
    database.catalog.change(lambda registry: registry.with_table(short))
    state = database.store.state(short, None)
    time.sleep(IDS_AHEAD_SECONDS)
    begin = time.perf_counter()
    found = evict(database.store, state)
    taken = time.perf_counter() - begin
    assert found.rows == rows
    return taken


def stream(database: Database, name: str) -> TableDef:
    """A new table of the columns of `data`."""
    specs = [ColumnSpec(field.name, field.type) for field in data.rows(data.sorted_keys(1)).schema]
    limits = TableOptions(stream=StreamLimits(ttl_seconds=3_600, max_bytes=1 << 30))
    table_id = database.catalog.reserve_table_id()
    table = create_table(table_id, TableName("public", name), TableKind.SHARED, specs, (), limits)
    database.catalog.change(lambda registry: registry.with_table(table))
    return table
