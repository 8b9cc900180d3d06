"""Tables that other engines read: what publishing costs writers, how far it is behind, and what its log comes to.

- Upserts of random keys into a table that is published and into one that is not, in turns, by the clock and by the
  processor time of the servers; the second is what remains on a machine that does other things, too.
- How old the newest manifest is that is not shown yet, asked again and again beside continuous upserts.
- The log after many versions, each of one batch with one more dead row, and how long deltalake takes to open it.
"""

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import deltalake
import numpy as np

from bench import data
from bench.report import Figure, at_most, compare, milliseconds
from bench.scale import Scale
from bench.server import Server
from bench.timing import seconds
from catalog.definition import ColumnSpec, Format, Publication, TableDef, TableKind, TableOptions
from catalog.evolution import create_table
from catalog.identifiers import TableName
from flightserver.database import Database
from flightserver.settings import Settings
from flush.hot_flush import flush
from flush.publish.publish import publish
from providers.commit.resolve import OnExisting
from providers.commit.scope_state import ScopeState
from providers.rows.conversion import Strictness
from providers.rows.offered import admitted
from providers.snapshot import Snapshot

ROWS, TINY_ROWS = 500_000, 2_000
CHANGED, TINY_CHANGED = 1_000, 50
UPSERTS, TINY_UPSERTS = 200, 3
TURNS, TINY_TURNS = 7, 1
LAG_SECONDS, TINY_LAG_SECONDS = 30, 2
POLL_SECONDS = 0.02
VERSIONS, TINY_VERSIONS = 10_000, 25
BATCHES = 20
BATCH_ROWS = 1_000
MADE = f"CREATE TABLE t ({data.COLUMNS}) WITH (flush_policy = 'rows:20000,interval:1', publish = '{{}}')"


def run(scale: Scale) -> list[Figure]:
    """Writers, lag, log."""
    return [*writers(scale), *lag(scale), *log(scale.of(VERSIONS, TINY_VERSIONS))]


def writers(scale: Scale) -> list[Figure]:
    """Upserts beside publishing, over those beside none."""
    upserts, changed = scale.of(UPSERTS, TINY_UPSERTS), scale.of(CHANGED, TINY_CHANGED)
    clock: dict[str, list[float]] = {"delta": [], "none": []}
    processor: dict[str, list[float]] = {"delta": [], "none": []}
    with Server() as published, Server() as plain:
        servers = {"delta": published, "none": plain}
        for kind, server in servers.items():
            fill(server, kind, scale)
        for turn in range(scale.of(TURNS, TINY_TURNS)):
            for kind in list(servers) if turn % 2 else reversed(servers):
                server, begun = servers[kind], servers[kind].cpu_seconds()
                taken = seconds(lambda server=server, turn=turn: upsert(server, turn, upserts, changed, scale))
                clock[kind].append(taken)
                processor[kind].append(server.cpu_seconds() - begun)
        assert shown_rows(published) == scale.of(ROWS, TINY_ROWS)
    what = f"{upserts} upserts of {changed:,} random keys into {scale.of(ROWS, TINY_ROWS):,} rows"
    return [
        cost(f"{what}, published", clock["delta"], clock["none"]),
        cost(f"{what}, published: processor time", processor["delta"], processor["none"]),
    ]


def cost(what: str, ours: list[float], other: list[float]) -> Figure:
    """How much more it is, in percent."""
    mine, theirs = statistics.median(ours), statistics.median(other)
    share, unit = 100 * (mine / max(theirs, 1e-9) - 1), "% more"
    return Figure(what, milliseconds(mine), f"not published {milliseconds(theirs)}", share, at_most(3, unit), unit)


def fill(server: Server, kind: str, scale: Scale) -> None:
    """A table with rows in files."""
    server.client.execute(MADE.format(kind))
    server.client.ingest("t", data.rows(data.shuffled_keys(scale.of(ROWS, TINY_ROWS))))
    server.client.execute("COMPACT TABLE t")
    server.client.execute("FLUSH TABLE t")


def upsert(server: Server, turn: int, upserts: int, changed: int, scale: Scale) -> None:
    """Commit after commit, and the last flush."""
    for number in range(upserts):
        stream = turn * upserts + number
        keys = data.random(stream).choice(scale.of(ROWS, TINY_ROWS), changed, replace=False)
        server.client.ingest("t", data.rows(keys, stream))


def shown_rows(server: Server) -> int:
    """How many rows other engines are shown once everything is."""
    server.client.execute("PUBLISH TABLE t")
    return int(server.client.query("SELECT rows FROM system.published").column("rows")[0].as_py())


def lag(scale: Scale) -> list[Figure]:
    """How long a manifest has been waiting, at moments that are spread evenly over continuous upserts."""
    with Server() as server, upserting(server, scale):
        found: list[float] = []
        until = time.perf_counter() + scale.of(LAG_SECONDS, TINY_LAG_SECONDS)
        while time.perf_counter() < until:
            found += server.client.query("SELECT lag_s FROM system.published").column("lag_s").to_pylist()
            time.sleep(POLL_SECONDS)
        versions = server.client.query("SELECT delta_version FROM system.published").column(0)[0].as_py()
    middle, late = np.quantile(found, [0.5, 0.99])
    what = f"lag of what is published beside continuous upserts, {versions} versions"
    return [
        Figure(f"{what}: p50", milliseconds(middle), "-", float(middle), None, "s"),
        Figure(f"{what}: p99", milliseconds(late), "-", float(late), at_most(2, "s"), "s"),
    ]


@contextmanager
def upserting(server: Server, scale: Scale) -> Iterator[None]:
    """Somebody changes a published table all the time."""
    fill(server, "delta", scale)
    shown_rows(server)
    ended = threading.Event()

    def change() -> None:
        turn = 0
        while not ended.is_set():
            upsert(server, turn, 1, scale.of(CHANGED, TINY_CHANGED), scale)
            turn += 1

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def log(versions: int) -> list[Figure]:
    """The log after so many versions, all of which may still be read."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        database = Database(Settings(data_dir=Path(folder, "data")))
        try:
            state = small(database)
            first = [seconds(lambda number=number: one_more(database, state, number)) for number in range(10)]
            few = opened(state)
            then = [seconds(lambda number=number: one_more(database, state, number)) for number in range(10, versions)]
            many = opened(state)
            sizes = [file.stat().st_size for file in (state.head.cold.folder.root / "_delta_log").iterdir()]
        finally:
            database.close()
    last, made = statistics.median(then[-max(versions // 10, 1) :]), f"{versions:,} versions"
    return [
        compare(f"the last of {made} of {BATCHES} batches", last, statistics.median(first), "the first"),
        compare(f"deltalake opens it after {made}", many, few, "after 10"),
        Figure(f"log of {made}, all still promised", f"{len(sizes):,} files", "-", sum(sizes) / 2**20, None, "MB"),
    ]


def small(database: Database) -> ScopeState:
    """A published table of small batches, of which a row is in memory, so that it shows what it is told to."""
    specs = [ColumnSpec(field.name, field.type) for field in data.rows(data.sorted_keys(1)).schema]
    options = TableOptions(publication=Publication(Format.DELTA))
    table_id = database.catalog.reserve_table_id()
    table = create_table(table_id, TableName("public", "t"), TableKind.SHARED, specs, ("k",), options)
    database.catalog.change(lambda registry: registry.with_table(table))
    state = database.store.state(table, None)
    for number in range(BATCHES):
        write(database, table, state, data.sorted_keys(BATCH_ROWS, number * BATCH_ROWS))
        flush(database.store, state)
    publish(database.store, state)
    write(database, table, state, data.sorted_keys(1, BATCHES * BATCH_ROWS))
    return state


def write(database: Database, table: TableDef, state: ScopeState, keys: data.Integers) -> None:
    """A commit."""
    change = admitted(table, data.rows(keys), "root", database.store.allocator, Strictness.STREAM)
    database.store.write(state, lambda _: change, OnExisting.REPLACE)


def one_more(database: Database, state: ScopeState, number: int) -> None:
    """A version in which one more row of one batch is dead."""
    assert state.in_files is not None
    state.has_in_files(with_dead_row(state.in_files, number))
    assert publish(database.store, state).changed


def with_dead_row(before: Snapshot, number: int) -> Snapshot:
    """The next state: of each batch in turn, the next row is dead."""
    entry = before.manifest.batches[number % BATCHES]
    dead = before.dead_in(entry).with_positions(np.array([number // BATCHES]))
    manifest = replace(before.manifest, version=before.manifest.version + 1)
    cold = replace(before.cold, manifest=manifest)
    return replace(before, version=before.version + 1, cold=cold, dead={**before.dead, entry.batch: dead})


def opened(state: ScopeState) -> float:
    """How long deltalake takes to find out which files there are."""
    place = str(state.head.cold.folder.root)
    return statistics.median(seconds(lambda: deltalake.DeltaTable(place)) for _ in range(5))
