"""Five queries over 200,000 rows in 20 batches, in turns: the mix of KalamDB's `flushed_parquet_query`.

Each goes through ADBC, next to duckdb on the same rows in its process, which pays for no way to the client.
"""

import statistics
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial

import duckdb
import numpy as np
import pyarrow as pa
from adbc_driver_flightsql import dbapi

from bench.report import Figure, at_most, milliseconds
from bench.scale import Scale
from bench.server import KEEP_BATCHES, Server

BATCHES, TINY_BATCHES = 20, 2
BATCH_ROWS = 10_000
CATEGORIES = 100
TURNS, TINY_TURNS = 60, 4
WARM = 3
COLUMNS = "id INT PRIMARY KEY, category TEXT, amount INT, description TEXT"
QUERIES = {
    "count": "SELECT count(*) AS n FROM t",
    "one category": "SELECT * FROM t WHERE category = 'cat_42'",
    "ten largest groups": "SELECT category, CAST(sum(amount) AS BIGINT) AS total FROM t GROUP BY category"
    " ORDER BY total DESC, category LIMIT 10",
    "one key": "SELECT * FROM t WHERE id = 9999",
    "a hundred largest": "SELECT * FROM t WHERE amount > 5000 ORDER BY amount DESC, id LIMIT 100",
}

Ask = Callable[[str], pa.Table]


def run(scale: Scale) -> list[Figure]:
    """Ask both in turns; the mean is that of the medians."""
    turns = scale.of(TURNS, TINY_TURNS)
    parts = [part(number) for number in range(scale.of(BATCHES, TINY_BATCHES))]
    with Server(KEEP_BATCHES) as server, closing(server.connect()) as connection, connection.cursor() as cursor:
        server.client.execute(f"CREATE TABLE t ({COLUMNS}) WITH (flush_policy = 'none')")
        for rows in parts:
            server.client.ingest("t", rows, batch_rows=BATCH_ROWS)
            server.client.execute("FLUSH TABLE t")
        with duckdb.connect() as duck:
            duck.execute(f"CREATE TABLE t ({COLUMNS})")
            duck.from_arrow(pa.concat_tables(parts)).insert_into("t")
            medians = _medians(partial(_asked, cursor), lambda text: duck.sql(text).to_arrow_table(), turns)
    figures = [
        Figure(f"{name}, p50", milliseconds(ours), f"duckdb {milliseconds(other)}", ours * 1e3, None, "ms")
        for name, (ours, other) in medians.items()
    ]
    ours, other = (statistics.mean(column) for column in zip(*medians.values(), strict=True))
    what = f"five queries over {len(parts) * BATCH_ROWS:,} rows in {len(parts)} batches, through ADBC, mean"
    mean = Figure(what, milliseconds(ours), f"duckdb {milliseconds(other)}", ours * 1e3, at_most(5.0, "ms"), "ms")
    return [mean, *figures]


def part(number: int) -> pa.Table:
    """The rows of one batch."""
    ids = np.arange(number * BATCH_ROWS, (number + 1) * BATCH_ROWS)
    return pa.table(
        {
            "id": pa.array(ids, pa.int32()),
            "category": [f"cat_{key % CATEGORIES}" for key in ids],
            "amount": pa.array(ids * 7_919 % 10_007, pa.int32()),
            "description": [f"description of item {key}" for key in ids],
        }
    )


def _medians(ours: Ask, other: Ask, turns: int) -> dict[str, tuple[float, float]]:
    """The median times of each query, ours and the other's; both must say the same."""
    for name, text in QUERIES.items():
        assert _sorted(ours(text)) == _sorted(other(text)), name
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in QUERIES}
    for _ in range(WARM + turns):
        for name, text in QUERIES.items():
            times[name].append((_seconds(ours, text), _seconds(other, text)))
    return {
        name: (statistics.median(own for own, _ in both[WARM:]), statistics.median(its for _, its in both[WARM:]))
        for name, both in times.items()
    }


def _seconds(ask: Ask, text: str) -> float:
    start = time.perf_counter()
    ask(text)
    return time.perf_counter() - start


def _sorted(answer: pa.Table) -> list[str]:
    return sorted(map(str, answer.to_pylist()))


def _asked(cursor: dbapi.Cursor, text: str) -> pa.Table:
    cursor.execute(text)
    return cursor.fetch_arrow_table()
