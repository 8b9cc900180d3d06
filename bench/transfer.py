"""How fast 4,000,000 rows of eight columns leave and arrive, against a Flight server that only moves them.

Out: a flushed table, to a client that drops the rows; the other server streams the same rows from its memory. Ours
reads the files at first, and from then on sends what it has kept decoded; a second one is told to keep nothing. In: a
DoPut of the same rows into an empty table, until it is acknowledged, which means on disk; the other server keeps them
in its memory. Ours is timed with everything: planning, reading Parquet, checking, sorting, blooms, syncs.
"""

import time

import numpy as np
import pyarrow as pa
from pyarrow import flight

from bench import data
from bench.bare import BareServer
from bench.report import Figure, Target, at_least, number
from bench.scale import Scale
from bench.server import Server
from bench.timing import in_turns

ROWS, TINY_ROWS = 4_000_000, 100_000
ROUNDS, TINY_ROUNDS = 9, 1
"""More than usual: the other server is done in a tenth of a second."""

COLUMNS = f"{data.COLUMNS}, n BIGINT NOT NULL, at TIMESTAMP NOT NULL, flag BOOLEAN NOT NULL"
SECONDS_OF_YEAR = 31_536_000
CHECK = "SELECT count(*) AS rows, sum(k) AS k FROM filled"


def run(scale: Scale) -> list[Figure]:
    """Both directions, in turns with the other server."""
    rows, rounds = wide_rows(scale.of(ROWS, TINY_ROWS)), scale.of(ROUNDS, TINY_ROUNDS)
    with Server() as server, Server({"decoded_mb": 0}) as forgetful, BareServer() as bare:
        for one in (server, forgetful):
            one.client.execute(f"CREATE TABLE t ({COLUMNS})")
            one.client.ingest("t", rows)
            one.client.execute("FLUSH TABLE t")

        def empty() -> None:
            server.client.execute("DROP TABLE IF EXISTS filled")
            while len(list((server.data / "tables").glob("*/*"))) > 1:  # t, and what is not deleted yet
                time.sleep(0.05)
            server.client.execute(f"CREATE TABLE filled ({COLUMNS})")

        def check() -> None:
            found = server.client.query_once(CHECK).to_pylist()
            assert found == [{"rows": len(rows), "k": sum(range(len(rows)))}], found

        put = in_turns(
            {"ours": lambda: server.client.ingest("filled", rows), "bare": lambda: bare.client.ingest("", rows)},
            rounds,
            before={"ours": empty},
            after={"ours": check},
        )
        got = in_turns(
            {
                "ours": lambda: drain(server.client.reader("SELECT * FROM t"), rows),
                "files": lambda: drain(forgetful.client.reader("SELECT * FROM t"), rows),
                "bare": lambda: drain(bare.reader(), rows),
            },
            rounds,
        )
    what = f"of {len(rows):,} rows of {rows.num_columns} columns, against a Flight server"
    return [
        share(f"export {what} that streams them from memory", rows, got, at_least(0.6)),
        share(f"export {what} that streams them from memory, nothing kept decoded", rows, got, None, "files"),
        share(f"DoPut {what} that keeps them in memory", rows, put, at_least(0.5)),
    ]


def wide_rows(count: int) -> pa.Table:
    """The usual five columns, and a wide integer, a time and a flag."""
    generator = data.random(5)
    seconds = generator.integers(0, SECONDS_OF_YEAR, count)
    return (
        data.rows(data.sorted_keys(count))
        .append_column("n", pa.array(generator.integers(0, 2**48, count)))
        .append_column("at", pa.array(np.datetime64("2026-01-01", "us") + seconds * np.timedelta64(1, "s")))
        .append_column("flag", pa.array(generator.random(count) < 0.5))
    )


def drain(reader: flight.FlightStreamReader, rows: pa.Table) -> None:
    """Read to the end and count."""
    assert sum(chunk.data.num_rows for chunk in reader) == len(rows)


def share(what: str, rows: pa.Table, times: dict[str, float], target: Target | None, ours: str = "ours") -> Figure:
    """Both rates; the value is ours as a share of the other."""
    rates = {name: f"{number(rows.nbytes / taken / 1e6)} MB/s" for name, taken in times.items()}
    return Figure(what, rates[ours], f"bare {rates['bare']}", times["bare"] / times[ours], target)
