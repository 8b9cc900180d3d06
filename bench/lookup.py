"""Point look-ups and narrow ranges at 1,000 batches: how fast, and how many batches are opened.

Keys are random, so that the key ranges of all batches overlap and only blooms tell them apart; column `a` rises with
time, so that its ranges decide. Compaction would merge these small batches and is held off.
"""

import re
import statistics
from contextlib import closing

import numpy as np
import pyarrow as pa
from adbc_driver_flightsql import dbapi

from bench import data
from bench.report import Figure, at_most, milliseconds
from bench.scale import Scale
from bench.server import KEEP_BATCHES, Server
from bench.timing import each

BATCHES, TINY_BATCHES = 1_000, 20
ROWS_OF_BATCH = 500
LOOKUPS, TINY_LOOKUPS = 300, 20
KEY_MAX = 2**40

_PRUNING = re.compile(r"total=(\d+) kept=(\d+)")


def run(scale: Scale) -> list[Figure]:
    """Build the table, then look things up in turns with SELECT 1."""
    batches = scale.of(BATCHES, TINY_BATCHES)
    rows = batches * ROWS_OF_BATCH
    keys = data.random(3).choice(KEY_MAX, rows, replace=False).astype(np.int64)
    with Server(KEEP_BATCHES) as server:
        build(server, data.rows(keys).set_column(1, "a", pa.array(np.arange(rows, dtype=np.float64))), batches)
        figures = opened(server, keys, batches)
        with closing(server.connect()) as connection:
            return figures + timed(connection, keys, scale, batches)


def build(server: Server, rows: pa.Table, batches: int) -> None:
    """Fill the table by as many flushes as it shall have batches."""
    server.client.execute(f"CREATE TABLE t ({data.COLUMNS}) WITH (flush_policy = 'none')")
    for first in range(0, len(rows), ROWS_OF_BATCH):
        server.client.ingest("t", rows.slice(first, ROWS_OF_BATCH))
        server.client.execute("FLUSH TABLE t")
    assert kept(server, "SELECT * FROM t") == batches


def kept(server: Server, text: str) -> int:
    """How many batches a query over one table opens."""
    found = _PRUNING.search(server.client.explain(text)[0])
    assert found is not None
    return int(found[2])


def opened(server: Server, keys: data.Integers, batches: int) -> list[Figure]:
    """What EXPLAIN says that is read."""
    rows = len(keys)
    by_key = [kept(server, f"SELECT * FROM t WHERE k = {key}") for key in keys[:: rows // 20].tolist()]
    first, last = rows // 3, rows // 3 + rows // 100 - 1
    share = kept(server, f"SELECT * FROM t WHERE a BETWEEN {first} AND {last}") / batches * 100
    median = statistics.median(by_key)
    of = f"of {batches:,}"
    return [
        Figure(
            "batches opened, key look-up, random keys",
            f"median {median:g}, most {max(by_key)}",
            of,
            median,
            at_most(2, "batches"),
            "batches",
        ),
        Figure("batches opened, range of 1 % of the rows", f"{share:.3g} %", of, share, at_most(2, "%"), "%"),
    ]


def timed(connection: dbapi.Connection, keys: data.Integers, scale: Scale, batches: int) -> list[Figure]:
    """Latency of a look-up through ADBC: by text, and by a prepared statement."""
    count = scale.of(LOOKUPS, TINY_LOOKUPS)
    wanted = data.random(4).choice(keys, count).tolist()
    with connection.cursor() as cursor, connection.cursor() as prepared:

        def select_one(_: int) -> None:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)

        def by_text(turn: int) -> None:
            cursor.execute(f"SELECT * FROM t WHERE k = {wanted[turn]}")
            assert cursor.fetchone()[0] == wanted[turn]

        def by_parameter(turn: int) -> None:
            prepared.execute("SELECT * FROM t WHERE k = ?", (wanted[turn],))
            assert prepared.fetchone()[0] == wanted[turn]

        works = {"SELECT 1": select_one, "text": by_text, "parameter": by_parameter}
        times: dict[str, list[float]] = {name: [] for name in works}
        each(lambda turn: [work(turn) for work in works.values()], 10)
        for turn in range(count):
            for name, work in works.items():
                times[name] += each(lambda _, work=work, turn=turn: work(turn), 1)
    p50 = {name: statistics.median(taken) for name, taken in times.items()}
    what = f"look-up by key at {batches:,} batches through ADBC, p50"
    return [
        Figure(
            f"{what}, {name}",
            milliseconds(p50[name]),
            f"SELECT 1 {milliseconds(p50['SELECT 1'])}",
            p50[name] / p50["SELECT 1"],
            at_most(3.0),
        )
        for name in ("text", "parameter")
    ]
