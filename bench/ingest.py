"""Bulk ingest into a keyed table over Flight, against a Flight server that throws the rows away.

Each round ingests new keys into a new table; the clock stops when the server has acknowledged, which means durable.
Rows are on disk as they came then, and are sorted and encoded later; how long all of it takes is asked with a FLUSH.
The same client sends the same batches to both servers.
"""

import subprocess
import sys
from contextlib import closing

import pyarrow as pa

from bench import data
from bench.client import BATCH_ROWS, PlainClient
from bench.report import Figure, at_least, at_most, compare, number
from bench.scale import Scale
from bench.server import Server
from bench.timing import in_turns

ROWS, TINY_ROWS = 5_000_000, 200_000
ROUNDS, TINY_ROUNDS = 9, 1
"""More than usual: the other server is done in a tenth of a second."""

DISCARD = """
from pyarrow import flight
from flightserver.protocol.results import encode_update_result
import pyarrow as pa

class Discard(flight.FlightServerBase):
    def do_put(self, context, descriptor, reader, writer):
        rows = 0
        for chunk in reader:
            rows += chunk.data.num_rows
        writer.write(pa.py_buffer(encode_update_result(rows)))

server = Discard("grpc://127.0.0.1:0")
print(f"grpc://127.0.0.1:{server.port}", flush=True)
server.serve()
"""


SETTLED = "pyarrow, then FLUSH"


class Discard:
    """The server that throws rows away, as a process."""

    def __enter__(self) -> PlainClient:
        self._process = subprocess.Popen([sys.executable, "-c", DISCARD], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._client = PlainClient(self._process.stdout.readline().strip())
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._process.kill()
        self._process.__exit__(None, None, None)


class Loader:
    """Loads rows into a new table each time."""

    def __init__(self, server: Server, rows: pa.Table, how: str, clause: str = "") -> None:
        self._server, self._rows, self._how, self._clause = server, rows, how, clause

    def start(self) -> None:
        """Make an empty table in the place of the last one."""
        self._server.client.execute("DROP TABLE IF EXISTS t")
        self._server.client.execute(f"CREATE TABLE t ({data.COLUMNS}{self._clause})")

    def load(self) -> None:
        """Ingest, until it is acknowledged; SETTLED means that it is encoded, too."""
        if self._how != "ADBC":
            self._server.client.ingest("t", self._rows)
            if self._how == SETTLED:
                self._server.client.execute("FLUSH TABLE t")
            return
        with closing(self._server.connect()) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest("t", self._rows.to_reader(BATCH_ROWS), mode="append")

    def check(self) -> None:
        """Every row must be there."""
        found = self._server.client.query("SELECT count(*), sum(k) FROM t").to_pylist()[0]
        assert list(found.values()) == [len(self._rows), sum(range(len(self._rows)))], found


def run(scale: Scale) -> list[Figure]:
    """Sorted and unsorted keys, by plain pyarrow and by ADBC."""
    count = scale.of(ROWS, TINY_ROWS)
    tables = {"sorted": data.rows(data.sorted_keys(count)), "unsorted": data.rows(data.shuffled_keys(count))}
    with Server() as server, Discard() as discard:
        works = {
            f"{order} keys, {how}": Loader(server, tables[order], how)
            for order in tables
            for how in ("pyarrow", "ADBC", SETTLED)
        }
        times = in_turns(
            {
                **{name: loader.load for name, loader in works.items()},
                "sorted": lambda: discard.ingest("t", tables["sorted"]),
                "unsorted": lambda: discard.ingest("t", tables["unsorted"]),
            },
            scale.of(ROUNDS, TINY_ROUNDS),
            before={name: loader.start for name, loader in works.items()},
            after={name: loader.check for name, loader in works.items()},
        )
    figures = []
    for name in works:
        order = name.split()[0]
        rate, discarded = count / times[name] / 1e6, count / times[order] / 1e6
        ours, other = f"{number(rate)} M rows/s", f"thrown away {number(discarded)} M rows/s"
        bound = 2.0 if order == "sorted" else 1.0
        what = f"bulk ingest of {count:,} rows, {name}"
        figures.append(Figure(what, ours, other, rate, at_least(bound, "M rows/s"), "M rows/s"))
        if not name.endswith(SETTLED):
            target = at_least(0.25) if name.endswith("pyarrow") else None  # whose client sends to the other server
            figures.append(Figure(f"{what}, share of a DoPut", ours, other, rate / discarded, target))
    return [*figures, unique(scale)]


def unique(scale: Scale) -> Figure:
    """What a UNIQUE on a column without order costs a stream."""
    rows = data.rows(data.sorted_keys(scale.of(ROWS, TINY_ROWS)))
    with Server() as server:
        loaders = {clause: Loader(server, rows, "pyarrow", clause) for clause in ("", ", UNIQUE (a)")}
        times = in_turns(
            {clause: loader.load for clause, loader in loaders.items()},
            scale.rounds,
            before={clause: loader.start for clause, loader in loaders.items()},
            after={clause: loader.check for clause, loader in loaders.items()},
        )
    what = f"bulk ingest of {len(rows):,} rows with one UNIQUE, against none"
    return compare(what, times[", UNIQUE (a)"], times[""], "without", at_most(1.6))
