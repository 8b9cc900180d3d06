"""What storage does for itself while a table is changed at random, and what that leaves to its readers.

- Rounds of upserts of random keys: the last over the first, and a scan after them over one before.
- What was written to disk, over what the client sent.
- COMPACT TABLE: the scan after it, and the memory that it takes beside the server.
- Dead rows that are left when nobody changes the table any more.
"""

import statistics
import time

import pyarrow as pa

from bench import data
from bench.report import Figure, at_most, compare, number
from bench.scale import Scale
from bench.server import Server

ROWS, TINY_ROWS = 10_000_000, 100_000
PART_ROWS = 1_000_000
ROUNDS, TINY_ROUNDS = 20, 3
CHANGED, TINY_CHANGED = 100_000, 1_000
SCANS = 5
REST_SECONDS, TINY_REST_SECONDS = 300.0, 0.0
SCAN = "SELECT sum(a), sum(b), count(*) FROM t"


def run(scale: Scale) -> list[Figure]:
    """One table, from its load to its rest."""
    rows, rounds, changed = scale.of(ROWS, TINY_ROWS), scale.of(ROUNDS, TINY_ROUNDS), scale.of(CHANGED, TINY_CHANGED)
    with Server() as server:
        server.client.execute(f"CREATE TABLE t ({data.COLUMNS})")
        keys = data.shuffled_keys(rows)
        for first in range(0, rows, PART_ROWS):
            server.client.ingest("t", data.rows(keys[first : first + PART_ROWS], first))
        server.client.execute("COMPACT TABLE t")
        before = scan_seconds(server)
        written_before, taken, sent = server.written_bytes(), [], 0
        for number_of_round in range(rounds):
            chosen = data.random(number_of_round).choice(rows, changed, replace=False)
            changes = data.rows(chosen, number_of_round)
            sent += changes.nbytes
            begun = time.perf_counter()
            server.client.ingest("t", changes)
            taken.append(time.perf_counter() - begun)
        server.client.execute("FLUSH TABLE t")
        after = scan_seconds(server)
        written = server.written_bytes() - written_before
        what = f"of {rounds} upserts of {changed:,} random keys into {rows:,} rows"
        few = max(rounds // 5, 1)
        first, last = statistics.median(taken[:few]), statistics.median(taken[-few:])
        figures = [
            compare(f"the last {few} {what}", last, first, "the first", at_most(1.3)),
            compare(f"scan after {rounds} upserts, flushed", after, before, "before", at_most(1.3)),
            Figure(
                f"written to disk in {rounds} such upserts",
                megabytes(written),
                f"sent {megabytes(sent)}",
                written / sent,
            ),
            *compaction(server, before),
            rest(server, scale.of(REST_SECONDS, TINY_REST_SECONDS)),
        ]
        assert server.client.query("SELECT count(*) AS n FROM t").to_pylist() == [{"n": rows}]
    return figures


def compaction(server: Server, scan_before: float) -> list[Figure]:
    """COMPACT TABLE, its memory, and the scan after it."""
    resident = server.memory_mb("VmRSS")
    server.forget_memory_peak()
    server.client.execute("COMPACT TABLE t")
    peak = server.memory_mb("VmHWM")
    shown = f"{resident:.0f} MB before, {peak:.0f} MB at most"
    return [
        Figure("memory during COMPACT TABLE", shown, "-", peak - resident, at_most(128, "MB more"), "MB more"),
        compare("scan after COMPACT TABLE", scan_seconds(server), scan_before, "before", at_most(1.1)),
    ]


def rest(server: Server, seconds: float) -> Figure:
    """Change a tenth of the table once more, and leave it alone."""
    rows = int(server.client.query("SELECT count(*) AS n FROM t")["n"][0].as_py())
    server.client.ingest("t", data.rows(data.random(99).choice(rows, rows // 10, replace=False), 99))
    server.client.execute("FLUSH TABLE t")
    time.sleep(seconds)
    manifest = server.client.query("SHOW MANIFEST FOR t")
    dead, stored = sum_of(manifest, "dead"), sum_of(manifest, "rows")
    what = f"dead rows {seconds:.0f} s after a tenth of all rows was changed"
    return Figure(what, f"{dead:,}", f"of {stored:,} in files", 100 * dead / stored, at_most(5.0, "%"), "%")


def sum_of(rows: pa.Table, column: str) -> int:
    """The sum of a column of whole numbers."""
    return sum(value or 0 for value in rows.column(column).to_pylist())


def scan_seconds(server: Server) -> float:
    """The median time of a few scans."""
    taken = []
    for _ in range(SCANS):
        begun = time.perf_counter()
        server.client.query(SCAN)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def megabytes(size: float) -> str:
    """Bytes for people."""
    return f"{number(size / 2**20)} MB"
