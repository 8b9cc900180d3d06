"""Many clients at once: what 1 to 16 of them get done together with short queries, and whether anything fails.

Each client is a process of its own with one connection, so that no client waits for another. It runs look-ups by key
and, every fifth time, an aggregate over a thousand keys, one after another, and checks each answer. How many take part
changes from round to round, in turns.
"""

import json
import random
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack

import pyarrow as pa
from pyarrow import flight

from bench import data
from bench.client import PlainClient
from bench.report import Figure, at_least, at_most, number
from bench.scale import SEED, Scale
from bench.server import Server

LEVELS, TINY_LEVELS = (1, 2, 4, 8, 16), (1, 2)
ROWS, TINY_ROWS = 1_000_000, 20_000
SECONDS, TINY_SECONDS = 4.0, 0.3
RANGE_KEYS = 1_000
AGGREGATE_EVERY = 5


class ClientProcess:
    """A client that runs queries for a while whenever it is told to."""

    def __init__(self, uri: str, rows: int, number: int) -> None:
        command = [sys.executable, "-m", "bench.clients", uri, str(rows), str(number)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "ClientProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def start(self, seconds: float) -> None:
        """Let it run; the answer is awaited apart."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()

    def done(self) -> dict[str, float]:
        """What it has done: queries, errors and the seconds that they took."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def run(scale: Scale) -> list[Figure]:
    """Every number of clients, in turns."""
    rows, seconds = scale.of(ROWS, TINY_ROWS), TINY_SECONDS if scale.tiny else SECONDS
    levels = TINY_LEVELS if scale.tiny else LEVELS
    with ExitStack() as stack:
        server = stack.enter_context(Server())
        server.client.execute(f"CREATE TABLE t ({data.COLUMNS})")
        server.client.ingest("t", data.rows(data.sorted_keys(rows)))
        server.client.execute("FLUSH TABLE t")
        clients = [stack.enter_context(ClientProcess(server.uri, rows, number)) for number in range(levels[-1])]
        together(clients, seconds / 4)
        rates: dict[int, list[float]] = {level: [] for level in levels}
        errors = 0.0
        for turn in range(scale.rounds):
            for level in levels if turn % 2 == 0 else reversed(levels):
                rate, failed = together(clients[:level], seconds)
                rates[level].append(rate)
                errors += failed
    medians = {level: statistics.median(taken) for level, taken in rates.items()}
    best, most = max(medians, key=lambda level: medians[level]), levels[-1]
    others = ", ".join(f"{level}: {number(rate)}" for level, rate in medians.items())
    ours = f"{number(medians[most])} queries/s"
    what = f"short queries of {most} clients at once"
    return [
        Figure(
            f"{what}, share of the best of 1-{most}",
            ours,
            f"queries/s by clients {others}",
            medians[most] / medians[best],
            at_least(0.8),
        ),
        Figure(f"{what} and fewer, errors", ours, "-", errors, at_most(0, "errors"), "errors"),
    ]


def together(clients: list[ClientProcess], seconds: float) -> tuple[float, float]:
    """Let clients run at once; how many queries a second they did, and how many failed."""
    for client in clients:
        client.start(seconds)
    done = [client.done() for client in clients]
    return sum(one["queries"] / one["seconds"] for one in done), sum(one["errors"] for one in done)


def query(client: PlainClient, rows: int, turn: int, choice: random.Random) -> None:
    """One short query with a checked answer."""
    key = choice.randrange(rows - RANGE_KEYS)
    if turn % AGGREGATE_EVERY:
        found = client.query(f"SELECT * FROM t WHERE k = {key}")
        assert found.column("k").to_pylist() == [key], found
        return
    last = key + RANGE_KEYS - 1
    found = client.query(f"SELECT count(*) AS n, sum(k) AS k, avg(a) AS a FROM t WHERE k BETWEEN {key} AND {last}")
    assert found.select(["n", "k"]).to_pylist() == [{"n": RANGE_KEYS, "k": (key + last) * RANGE_KEYS // 2}], found


def main() -> None:
    """One client: for each line with a number of seconds, run so long, and print what was done."""
    uri, rows, own_number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    client, choice = PlainClient(uri), random.Random(SEED + own_number)
    for line in sys.stdin:
        queries = errors = 0
        start = time.perf_counter()
        while time.perf_counter() < start + float(line):
            try:
                query(client, rows, queries, choice)
                queries += 1
            except (flight.FlightError, pa.ArrowException, AssertionError) as error:
                errors += 1
                print(error, file=sys.stderr)
        taken = time.perf_counter() - start
        print(json.dumps({"queries": queries, "errors": errors, "seconds": taken}), flush=True)
    client.close()


if __name__ == "__main__":
    main()
