"""Queries on a cluster that has no more cores than the server: what it costs to go there.

Sail, with two workers on this machine, reads the files of the server's published tables. The 22 queries of TPC-H run in
turns here and there; each is checked once. One of a table of 25 rows shows what every query there costs, however
small it is.
"""

import tempfile
from pathlib import Path

import pyarrow as pa

from bench.report import Figure, compare, milliseconds, number, print_rows
from bench.sail import Sail, free_port
from bench.scale import Scale
from bench.server import Server
from bench.timing import geometric_mean, in_turns
from bench.tpch import QUERIES, check, generate, load

SMALL = "SELECT count(*) AS n, max(n_name) AS s FROM nation"
ENGINES = ("cluster", "local")
SILENCE_SECONDS = 600
TINY_QUERIES = 2


def run(scale: Scale) -> list[Figure]:
    """The fixed cost of a query, and TPC-H."""
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        sail = Sail(Path(folder), free_port())
        try:
            with Server({"cluster.url": sail.url, "cluster.silence_s": SILENCE_SECONDS}) as server:
                generate(Path(folder), "0.01" if scale.tiny else "1")
                load(server, Path(folder), "publish = 'delta'")
                asked = dict(list(QUERIES.items())[: scale.of(len(QUERIES), TINY_QUERIES)])
                return measure(server, asked | {"small": SMALL}, scale.rounds)
        finally:
            sail.kill()


def measure(server: Server, queries: dict[str, str], rounds: int) -> list[Figure]:
    """Check every query once, then time it, here and there in turns."""
    with server.connect() as there, server.connect() as here:
        cursors = {"cluster": there.cursor(), "local": here.cursor()}
        for engine, cursor in cursors.items():
            cursor.executescript(f"SET engine = '{engine}'")

        def answer(engine: str, text: str) -> pa.Table:
            cursors[engine].execute(text)
            return cursors[engine].fetch_arrow_table()

        times = {}
        for name, text in queries.items():
            check(name, answer("cluster", text), answer("local", text))
            works = {engine: lambda engine=engine, text=text: answer(engine, text) for engine in ENGINES}
            times[name] = in_turns(works, rounds, warm=False)
        for cursor in cursors.values():
            cursor.close()
    rows = [
        f"| {name} | {milliseconds(taken['cluster'])} | {milliseconds(taken['local'])} "
        f"| {number(taken['cluster'] / taken['local'])} |"
        for name, taken in times.items()
    ]
    print_rows(("query", "Sail, two workers", "here", "Sail / here"), rows)
    print()
    small = times.pop("small")
    there_, here_ = (geometric_mean([taken[engine] for taken in times.values()]) for engine in ENGINES)
    return [
        compare("a query of 25 rows through the server to Sail", small["cluster"], small["local"], "here"),
        compare(f"TPC-H, {len(times)} queries to Sail with two workers, geometric mean", there_, here_, "here"),
    ]
