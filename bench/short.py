"""Short statements: look-ups and changes of single rows, next to what the same client pays for `SELECT 1`.

Rows have random keys, so that all batches may hold each of them. Rates are those of client processes of their own on
the same cores, each with one connection, which run one statement after another; how many take part changes in turns.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pyarrow as pa
from adbc_driver_flightsql import dbapi

from bench import data
from bench.client import PlainClient
from bench.report import Figure, at_least, at_most, compare, milliseconds, number
from bench.scale import SEED, Scale
from bench.server import KEEP_BATCHES, Server
from bench.timing import each

ROWS, TINY_ROWS = 1_000_000, 20_000
BATCHES = {"10 batches": 10, "1,000 batches": 1_000}
TINY_BATCHES = {"10 batches": 2, "1,000 batches": 10}
EVENTS_OF_USER, TINY_EVENTS_OF_USER = 1_000, 50
CALLS, TINY_CALLS = 300, 10
CHANGES, TINY_CHANGES = 300, 10
SECONDS, TINY_SECONDS = 3.0, 0.2
LEVELS, TINY_LEVELS = (1, 4, 16, 64), (1, 2)
WRITERS, TINY_WRITERS = {1: 450, 16: 1_000, 64: 1_000}, {1: 450, 2: 1_000}
"""How many take part at once; of writers with the rows a second that are wanted."""

KEYS_AT_ONCE = 100
NEWEST = 100
ROW_BYTES = 512

Call = Callable[[int], object]


def run(scale: Scale) -> list[Figure]:
    """Look-ups first, then changes, then many clients."""
    figures: list[Figure] = []
    batches = TINY_BATCHES if scale.tiny else BATCHES
    for name, count in batches.items():
        with Server(KEEP_BATCHES) as server, closing(server.connect()) as connection:
            keys = build(server, scale.of(ROWS, TINY_ROWS), count)
            figures += lookups(server, connection, keys, name, scale)
            if count == max(batches.values()):
                figures += several(server, connection, keys, scale)
            else:
                figures += rates(server, keys, scale)
    with Server() as server, closing(server.connect()) as connection:
        figures += changes(server, connection, scale)
        figures += inserts(server, scale)
    return figures


def build(server: Server, rows: int, batches: int) -> data.Integers:
    """Fill the table by as many flushes as it shall have batches; return its keys."""
    keys = data.random(5).choice(2**40, rows, replace=False).astype(np.int64)
    content = data.rows(keys)
    server.client.execute(f"CREATE TABLE t ({data.COLUMNS}) WITH (flush_policy = 'none')")
    for first in range(0, rows, rows // batches):
        server.client.ingest("t", content.slice(first, rows // batches), batch_rows=16_384)
        server.client.execute("FLUSH TABLE t")
    return keys


def timed(calls: Mapping[str, Call], count: int, server: Server) -> dict[str, tuple[float, float]]:
    """The median time of each call, and the server's processor time for one, in turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    spent = dict.fromkeys(calls, 0.0)
    for call in calls.values():
        each(call, min(count, 20))
    turns = 5
    for turn in range(turns):
        for name, call in calls.items():
            before = server.cpu_seconds()
            times[name] += each(lambda place, call=call, turn=turn: call(turn * count // turns + place), count // turns)
            spent[name] += server.cpu_seconds() - before
    return {name: (statistics.median(taken), spent[name] / len(taken)) for name, taken in times.items()}


def lookups(server: Server, connection: dbapi.Connection, keys: data.Integers, name: str, scale: Scale) -> list[Figure]:
    """One row by its key, as text and prepared."""
    count = scale.of(CALLS, TINY_CALLS)
    wanted = data.random(6).choice(keys, 2 * count).tolist()
    with connection.cursor() as cursor, connection.cursor() as prepared:

        def by_parameter(turn: int) -> None:
            prepared.execute("SELECT * FROM t WHERE k = ?", (wanted[turn],))
            assert prepared.fetchone()[0] == wanted[turn]

        found = timed(
            {
                "SELECT 1": _fetching(cursor, lambda _: "SELECT 1"),
                "text": _fetching(cursor, lambda turn: f"SELECT * FROM t WHERE k = {wanted[turn]}"),
                "parameter": by_parameter,
            },
            count,
            server,
        )
    figures = []
    one, one_spent = found.pop("SELECT 1")
    for way, (p50, spent) in found.items():
        what = f"look-up by key of {len(keys):,} rows in {name}, {way}, through ADBC"
        other = f"SELECT 1 {milliseconds(one)}"
        figures.append(Figure(f"{what}, p50", milliseconds(p50), other, p50 / one, at_most(1.3)))
        more = (spent - one_spent) * 1e3
        other = f"SELECT 1 {milliseconds(one_spent)}"
        figures.append(
            Figure(f"{what}, processor time", milliseconds(spent), other, more, at_most(0.5, "ms more"), "ms more")
        )
    return figures


def several(server: Server, connection: dbapi.Connection, keys: data.Integers, scale: Scale) -> list[Figure]:
    """Many keys at once, and the newest rows of a part of a key, next to one row by its key."""
    count, per_user = scale.of(CALLS, TINY_CALLS), scale.of(EVENTS_OF_USER, TINY_EVENTS_OF_USER)
    users = 100
    server.client.execute("CREATE TABLE e (u BIGINT, n BIGINT, v DOUBLE, PRIMARY KEY (u, n))")
    for part in range(10):
        numbers = np.arange(per_user // 10 * users)
        rows = {"u": numbers % users, "n": numbers // users + part * per_user // 10, "v": numbers.astype(np.float64)}
        server.client.ingest("e", pa.table(rows), batch_rows=16_384)
        server.client.execute("FLUSH TABLE e")
    wanted = data.random(7).choice(keys, count).tolist()
    some = [", ".join(map(str, data.random(turn).choice(keys, KEYS_AT_ONCE, replace=False))) for turn in range(count)]
    newest = min(NEWEST, per_user)
    with connection.cursor() as cursor:
        found = timed(
            {
                "one": _fetching(cursor, lambda turn: f"SELECT * FROM t WHERE k = {wanted[turn]}"),
                "keys": _fetching(cursor, lambda turn: f"SELECT * FROM t WHERE k IN ({some[turn]})", KEYS_AT_ONCE),
                "newest": _fetching(
                    cursor,
                    lambda turn: f"SELECT n, v FROM e WHERE u = {turn % users} ORDER BY n DESC LIMIT {newest}",
                    newest,
                ),
            },
            count,
            server,
        )
    one, _ = found["one"]
    what = {
        "keys": f"IN of {KEYS_AT_ONCE} keys in 1,000 batches, p50",
        "newest": f"the newest {newest} rows of a part of a key, p50",
    }
    return [compare(what[name], found[name][0], one, "one key", at_most(2.0)) for name in what]


def _fetching(cursor: dbapi.Cursor, text: Callable[[int], str], rows: int = 1) -> Call:
    """Run a text and fetch all of its rows, which must be so many."""

    def call(turn: int) -> None:
        cursor.execute(text(turn))
        assert len(cursor.fetchall()) == rows

    return call


def changes(server: Server, connection: dbapi.Connection, scale: Scale) -> list[Figure]:
    """Prepared changes of one row, each durable, next to what the disk asks for an append."""
    count = scale.of(CHANGES, TINY_CHANGES)
    server.client.execute(f"CREATE TABLE w ({data.COLUMNS})")
    texts = {
        "INSERT": "INSERT INTO w VALUES (?, 0.5, 1.5, 7, 'name')",
        "UPDATE": "UPDATE w SET a = 2.5, s = 'other' WHERE k = ?",
        "DELETE": "DELETE FROM w WHERE k = ?",
    }
    times: dict[str, list[float]] = {name: [] for name in ("append", *texts)}
    with ExitStack() as stack:
        cursors = {name: stack.enter_context(connection.cursor()) for name in texts}
        probe = stack.enter_context((server.data / "probe").open("wb", buffering=0))

        def append(_: int) -> None:
            probe.write(b"x" * ROW_BYTES)
            os.fsync(probe.fileno())

        for key in range(count):
            times["append"] += each(append, 1)
            times["INSERT"] += each(lambda _, key=key: cursors["INSERT"].execute(texts["INSERT"], (key,)), 1)
            for name in ("UPDATE", "DELETE"):
                old = key // 2
                if key % 2:
                    times[name] += each(lambda _, name=name, old=old: cursors[name].execute(texts[name], (old,)), 1)
    left = server.client.query("SELECT count(*) AS n FROM w").column(0).to_pylist()
    assert left == [count - count // 2], left
    p50 = {name: statistics.median(taken) for name, taken in times.items()}
    disk, insert = f"write and fsync {milliseconds(p50['append'])}", f"INSERT {milliseconds(p50['INSERT'])}"
    more = (p50["INSERT"] - p50["append"]) * 1e3
    what, ours = "durable INSERT of one row, prepared, p50", milliseconds(p50["INSERT"])
    figures = [Figure(what, ours, disk, more, at_most(1, "ms more"), "ms more")]
    for name in ("UPDATE", "DELETE"):
        what = f"durable {name} by key, prepared, p50"
        figures.append(Figure(what, milliseconds(p50[name]), insert, p50[name] / p50["INSERT"], at_most(1.5)))
    return figures


def rates(server: Server, keys: data.Integers, scale: Scale) -> list[Figure]:
    """Look-ups a second."""
    folder = Path(server.data.parent, "keys.npy")
    np.save(folder, keys)
    levels = TINY_LEVELS if scale.tiny else LEVELS
    many = min(levels[-1], 16)
    by_driver = _rates(server, ["adbc", str(folder)], levels, scale)
    (by_ticket,) = _rates(server, ["ticket", str(folder)], (min(levels[-1], 4),), scale).values()
    others = ", ".join(f"{level}: {number(rate)}" for level, rate in by_driver.items())
    best = max(by_driver.values())
    what = "look-ups by key a second, prepared, through ADBC"
    return [
        Figure(f"{what}, 1 client", others, "-", by_driver[1], at_least(250, "/s"), "/s"),
        Figure(f"{what}, {many} clients", others, "-", by_driver[many], at_least(500, "/s"), "/s"),
        Figure(f"{what}, {many} clients, share of the best", others, "-", by_driver[many] / best, at_least(0.95)),
        Figure("look-ups by key a second, one DoGet each, 4 clients", "-", "-", by_ticket, at_least(1_200, "/s"), "/s"),
    ]


def inserts(server: Server, scale: Scale) -> list[Figure]:
    """Durable rows a second."""
    wanted = TINY_WRITERS if scale.tiny else WRITERS
    found = _rates(server, ["insert", "-"], tuple(wanted), scale)
    what = "durable INSERTs of one row a second, prepared, through ADBC"
    return [
        Figure(f"{what}, {level} clients", number(rate), "-", rate, at_least(wanted[level], "/s"), "/s")
        for level, rate in found.items()
    ]


def _rates(server: Server, what: list[str], levels: tuple[int, ...], scale: Scale) -> dict[int, float]:
    """How much some numbers of clients do in a second together, in turns."""
    if what[0] == "insert":
        server.client.execute(f"CREATE TABLE i ({data.COLUMNS})")
    seconds = TINY_SECONDS if scale.tiny else SECONDS
    done: dict[int, list[float]] = {level: [] for level in levels}
    with ExitStack() as stack:
        clients = [stack.enter_context(_Client(server.uri, place, what)) for place in range(max(levels))]
        for turn in range(scale.rounds):
            for level in levels if turn % 2 == 0 else reversed(levels):
                for client in clients[:level]:
                    client.start(seconds)
                done[level].append(sum(client.rate() for client in clients[:level]))
    return {level: statistics.median(rates) for level, rates in done.items()}


class _Client:
    """A client in a process of its own that runs statements for a while whenever it is told to."""

    def __init__(self, uri: str, place: int, what: list[str]) -> None:
        command = [sys.executable, "-m", "bench.short", uri, str(place), *what]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "_Client":
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def start(self, seconds: float) -> None:
        """Let it run; what it has done is asked for apart."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()

    def rate(self) -> float:
        """Statements a second."""
        assert self._process.stdout is not None
        return float(json.loads(self._process.stdout.readline()))


def main() -> None:
    """One client: for each line with a number of seconds, run so long, and print how much was done in a second."""
    uri, place, what, path = sys.argv[1:]
    with ExitStack() as stack:
        call = _work(stack, uri, int(place), what, path)
        call(0)
        print("ready", flush=True)
        turn = 1
        for line in sys.stdin:
            first, start = turn, time.perf_counter()
            while time.perf_counter() < start + float(line):
                call(turn)
                turn += 1
            print(json.dumps((turn - first) / (time.perf_counter() - start)), flush=True)


def _work(stack: ExitStack, uri: str, place: int, what: str, path: str) -> Call:
    choice = random.Random(SEED + place)
    if what == "ticket":
        client = stack.enter_context(closing(PlainClient(uri)))
        keys = np.load(path)
        return lambda _: client.query_once(f"SELECT * FROM t WHERE k = {keys[choice.randrange(len(keys))]}")
    connection = stack.enter_context(closing(dbapi.connect(uri, autocommit=True)))
    cursor = stack.enter_context(connection.cursor())
    if what == "insert":
        row = "INSERT INTO i VALUES (?, 0.5, 1.5, 7, 'name')"
        return lambda turn: cursor.execute(row, (place * 10_000_000 + turn,))
    keys = np.load(path)

    def look_up(_: int) -> None:
        key = int(keys[choice.randrange(len(keys))])
        cursor.execute("SELECT * FROM t WHERE k = ?", (key,))
        assert cursor.fetchone()[0] == key

    return look_up


if __name__ == "__main__":
    main()
