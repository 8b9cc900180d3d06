"""What rights cost: a grant a look-up and an insert, a policy a query, and one greedy user everybody else.

Who has the role system is asked least, so statements of a user to whom something was granted are held against root's,
in turns. A thousand other grants are there, of other users on the same table.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import pyarrow as pa
from pyarrow import flight

from bench.client import PlainClient
from bench.report import Figure, at_most, compare
from bench.scale import Scale
from bench.server import Server
from bench.timing import each, in_turns

PASSWORD = "correct horse"
CHEAP = {"password_memory_kib": 8, "password_passes": 1}
ROWS, GRANTS, ROUNDS, LOOKUPS = 1_000_000, 1_000, 1_500, 1_500
GREEDY_CONNECTIONS = 32


def run(scale: Scale) -> list[Figure]:
    """Fill a table, then measure."""
    with Server(CHEAP) as server:
        furnish(server.client, scale)
        with logged_in(server, "ann") as ann:
            return [
                *granted(server.client, ann, scale.of(ROUNDS, 3)),
                *policed(server.client, ann, scale.of(ROUNDS // 30, 2)),
                beside_greed(server, ann, scale),
            ]


def furnish(root: PlainClient, scale: Scale) -> None:
    """A table that everybody may use, by many grants, and one with a policy."""
    rows = scale.of(ROWS, 2_000)
    numbers = np.arange(rows)
    names = pa.array(["ann" if number % 100 == 0 else f"user{number % 977}" for number in range(rows)])
    for name in ("ann", "eve", *(f"other{number}" for number in range(scale.of(GRANTS, 3)))):
        root.execute(f"CREATE USER {name} WITH PASSWORD '{PASSWORD}'")
    for table in ("free", "policed"):
        root.execute(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, who TEXT, v BIGINT)")
        root.ingest(table, pa.table({"id": numbers, "who": names, "v": numbers % 1000}))
        root.execute(f"FLUSH TABLE {table}")
        root.execute(f"COMPACT TABLE {table}")
        root.execute(f"GRANT SELECT, INSERT ON {table} TO ann")
        root.execute(f"GRANT SELECT, INSERT ON {table} TO eve")
    for number in range(scale.of(GRANTS, 3)):
        root.execute(f"GRANT SELECT ON free TO other{number}")
    root.execute("CREATE POLICY own ON policed USING (who = CURRENT_USER)")


@contextmanager
def logged_in(server: Server, name: str) -> Iterator[PlainClient]:
    """A connection of a user."""
    client = PlainClient(server.uri, name, PASSWORD)
    try:
        yield client
    finally:
        client.close()


def granted(root: PlainClient, ann: PlainClient, rounds: int) -> list[Figure]:
    """A look-up and an insert of one row, of who needs a grant and of who needs none."""
    keys = iter(range(10_000_000, 20_000_000))

    def insert(client: PlainClient) -> Callable[[], None]:
        return lambda: client.execute(f"INSERT INTO free VALUES ({next(keys)}, 'x', 1)")

    look = "SELECT * FROM free WHERE id = 500"
    found = in_turns({"root": lambda: root.query(look), "ann": lambda: ann.query(look)}, rounds)
    made = in_turns({"root": insert(root), "ann": insert(ann)}, rounds)
    return [
        compare("a look-up by key, by a grant", found["ann"], found["root"], "role system", at_most(1.03)),
        compare("an INSERT of one row, by a grant", made["ann"], made["root"], "role system", at_most(1.03)),
    ]


def policed(root: PlainClient, ann: PlainClient, rounds: int) -> list[Figure]:
    """Queries of a table that does not change, and of one that does, of who has a policy and of who is above it."""
    lines = []
    for what, sql in (
        ("one row by key", "SELECT * FROM policed WHERE id = 500"),
        ("count(*)", "SELECT count(*) FROM policed"),
        ("two aggregates", "SELECT sum(v), max(who) FROM policed"),
    ):
        assert ann.query(sql).num_rows == 1, sql
        times = in_turns({"ann": lambda sql=sql: ann.query(sql), "root": lambda sql=sql: root.query(sql)}, rounds)
        lines.append(compare(f"{what}, with a policy that leaves 1 %", times["ann"], times["root"], "no policy"))
    keys = iter(range(30_000_000, 40_000_000))
    change = {"ann": lambda: root.execute(f"INSERT INTO policed VALUES ({next(keys)}, 'x', 1)")}
    look = "SELECT * FROM policed WHERE id = 500"
    times = in_turns({"ann": lambda: ann.query(look), "root": lambda: root.query(look)}, rounds, before=change)
    return [*lines, compare("one row by key, after each change", times["ann"], times["root"], "no policy")]


def beside_greed(server: Server, ann: PlainClient, scale: Scale) -> Figure:
    """The 99th percentile of a look-up, alone and beside somebody with as many connections as they may have."""
    count = scale.of(LOOKUPS, 5)

    def p99() -> float:
        return float(np.quantile(each(lambda n: ann.query(f"SELECT * FROM free WHERE id = {n}"), count), 0.99))

    p99()
    alone = p99()
    stopped = threading.Event()

    def greedy(number: int) -> None:
        with logged_in(server, "eve") as client:
            sql = (
                "SELECT who, count(*), sum(v), max(id) FROM free GROUP BY who ORDER BY 2",
                "SELECT * FROM free ORDER BY v, who",
                "SELECT count(*) FROM free a JOIN free b ON a.v = b.id WHERE a.who <> b.who",
            )[number % 3]
            while not stopped.is_set():
                with suppress(flight.FlightError, pa.ArrowException):
                    client.query_once(sql)

    workers = [threading.Thread(target=greedy, args=(number,)) for number in range(scale.of(GREEDY_CONNECTIONS, 2))]
    for worker in workers:
        worker.start()
    try:
        beside = p99()
    finally:
        stopped.set()
        for worker in workers:
            worker.join()
    return compare("p99 of a look-up beside one greedy user", beside, alone, "alone", at_most(3))
