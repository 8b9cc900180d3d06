"""Single-row INSERT through a prepared statement, acknowledged when it is durable.

Next to it, in turns, what the disk asks for a durable append of as many bytes: a write and an fsync.
"""

import os
import statistics
from contextlib import closing

from bench import data
from bench.report import Figure, at_most, milliseconds
from bench.scale import Scale
from bench.server import Server
from bench.timing import each

COUNT, TINY_COUNT = 500, 20
ROW_BYTES = 512


def run(scale: Scale) -> list[Figure]:
    """Insert one row after another."""
    count = scale.of(COUNT, TINY_COUNT)
    with Server() as server, closing(server.connect()) as connection, connection.cursor() as cursor:
        server.client.execute(f"CREATE TABLE t ({data.COLUMNS})")
        statement = "INSERT INTO t VALUES (?, ?, ?, ?, ?)"
        with (server.data / "probe").open("wb", buffering=0) as probe:

            def append(_: int) -> None:
                probe.write(b"x" * ROW_BYTES)
                os.fsync(probe.fileno())

            inserts, appends = [], []
            for key in range(count):
                inserts += each(lambda _, key=key: cursor.execute(statement, (key, 0.5, 1.5, key % 7, "name")), 1)
                appends += each(append, 1)
        found = server.client.query("SELECT count(*) AS n, sum(k) AS k FROM t").to_pylist()[0]
        assert found == {"n": count, "k": sum(range(count))}, found
    p50 = statistics.median(inserts)
    other = f"write and fsync {milliseconds(statistics.median(appends))}"
    what = "durable single-row INSERT, prepared, through ADBC"
    p99 = sorted(inserts)[count * 99 // 100]
    return [
        Figure(f"{what}, p50", milliseconds(p50), other, p50 * 1e3, at_most(5.0, "ms"), "ms"),
        Figure(f"{what}, p99", milliseconds(p99), other, p99 * 1e3, None, "ms"),
    ]
