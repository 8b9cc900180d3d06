"""A backup that is taken while everything goes on is one moment of it: what is restored is a state that was.

A writer makes commits over several tables, bulk loads, and tables that come and go, and remembers the state after each.
Others flush and compact all the time. `FLIGHTSERVER_BACKUPS` is how many backups are taken.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi

from flightserver.backup.restoring import restore
from tests.server_process import ServerProcess

pytestmark = pytest.mark.proof

BACKUPS = int(os.environ.get("FLIGHTSERVER_BACKUPS", "4"))
KEYS = 400
BULK_ROWS = 60_000
"""More than what passes through RocksDB."""

Rows = dict[int, int]


@dataclass
class State:
    """All rows of all tables, by key. `bulk` is what every row of the table `bulk` has."""

    moment: int = 0
    tables: dict[str, Rows] = field(default_factory=lambda: {"a": {}, "b": {}, "own": {}})
    bulk: int = 0


class Writer:
    """Makes commits one after another. `states` are all that there were, by when they began and were acknowledged."""

    def __init__(self, cursor: dbapi.Cursor, seed: int) -> None:
        self._random = random.Random(seed)
        self._cursor = cursor
        self.states = [State()]
        for sql in (
            "CREATE TABLE a (id BIGINT PRIMARY KEY, v BIGINT) WITH (flush_policy = 'rows:300')",
            "CREATE TABLE b (id BIGINT PRIMARY KEY, v BIGINT)",
            "CREATE USER TABLE own (id BIGINT PRIMARY KEY, v BIGINT) WITH (flush_policy = 'rows:100')",
            "CREATE TABLE moment (id BIGINT PRIMARY KEY, n BIGINT)",
            "CREATE TABLE bulk (id BIGINT PRIMARY KEY, v BIGINT)",
            "INSERT INTO moment VALUES (1, 0)",
        ):
            self._cursor.execute(sql)

    @property
    def acknowledged(self) -> int:
        """The number of the newest state."""
        return len(self.states) - 1

    def step(self) -> None:
        """Make one commit."""
        after = deepcopy(self.states[-1])
        if self._random.random() < 0.04:
            after.bulk += 1
            rows = pa.table({"id": range(BULK_ROWS), "v": pa.array([after.bulk] * BULK_ROWS, pa.int64())})
            self._cursor.adbc_ingest("bulk", rows, mode="append")
        else:
            self._transaction(after)
        self.states.append(after)

    def _transaction(self, after: State) -> None:
        after.moment += 1
        self._cursor.execute("BEGIN")
        self._cursor.execute(f"UPDATE moment SET n = {after.moment} WHERE id = 1")
        for name in self._random.sample(sorted(after.tables), 2):
            self._change(name, after.tables[name])
        if self._random.random() < 0.1:
            made = f"made_{after.moment}"
            self._cursor.execute(f"CREATE TABLE {made} (id BIGINT PRIMARY KEY, v BIGINT)")
            self._cursor.execute(f"INSERT INTO {made} VALUES (1, {after.moment})")
            after.tables[made] = {1: after.moment}
        if self._random.random() < 0.1 and len(after.tables) > 4:
            gone = self._random.choice(sorted(name for name in after.tables if name.startswith("made_")))
            self._cursor.execute(f"DROP TABLE {gone}")
            del after.tables[gone]
        self._cursor.execute("COMMIT")

    def _change(self, name: str, rows: Rows) -> None:
        if rows and self._random.random() < 0.4:
            key = self._random.choice(list(rows))
            self._cursor.execute(f"DELETE FROM {name} WHERE id = {key}")
            del rows[key]
        new = {self._random.randrange(KEYS): self._random.randrange(1000) for _ in range(self._random.randint(1, 40))}
        values = ", ".join(f"({key}, {value})" for key, value in new.items())
        self._cursor.execute(f"INSERT INTO {name} VALUES {values} ON CONFLICT (id) DO UPDATE SET v = excluded.v")
        rows.update(new)


@contextmanager
def connected(server: ServerProcess) -> Iterator[dbapi.Cursor]:
    """A cursor of a connection of its own."""
    with server.connect() as connection, connection.cursor() as cursor:
        yield cursor


@contextmanager
def in_background(*steps: Callable[[], None]) -> Iterator[None]:
    """Repeat steps on threads of their own; fail when one fails."""
    stopping, failures = threading.Event(), []

    def repeat(step: Callable[[], None]) -> None:
        try:
            while not stopping.is_set():
                step()
        except Exception as error:  # noqa: BLE001 - it is raised where it can be seen
            failures.append(error)

    threads = [threading.Thread(target=repeat, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    assert not failures, failures


def state_of(cursor: dbapi.Cursor) -> State:
    """What a server has."""
    cursor.execute("SHOW TABLES")
    names = {row[1] for row in cursor.fetchall()} - {"moment", "bulk"}
    found = State(cursor.execute("SELECT n FROM moment").fetchall()[0][0], {})
    for name in names:
        found.tables[name] = dict(cursor.execute(f"SELECT id, v FROM {name}").fetchall())
    low, high, count = cursor.execute("SELECT min(v), max(v), count(*) FROM bulk").fetchall()[0]
    assert (low, count) in {(high, BULK_ROWS), (None, 0)}
    found.bulk = low or 0
    return found


@pytest.mark.parametrize("seed", [1])
def test_a_backup_is_a_moment_of_what_went_on(tmp_path: Path, seed: int) -> None:
    """Between its beginning and its end; every backup, whole, with an audit log that is."""
    choice = random.Random(seed)
    server = ServerProcess(tmp_path / "data", settings={"backup_dir": str(tmp_path / "shelf")})
    with server, connected(server) as writing, connected(server) as keeping, connected(server) as taking:
        writer = Writer(writing, seed)
        spans: dict[str, tuple[int, int]] = {}

        def tidy() -> None:
            keeping.execute(choice.choice(["FLUSH ALL", "FLUSH TABLE a", "COMPACT TABLE a", "COMPACT ALL"]))

        with in_background(writer.step, tidy):
            for number in range(BACKUPS):
                time.sleep(choice.random() * 2)
                first = writer.acknowledged
                taking.execute(f"BACKUP TO 'b{number}'")
                spans[f"b{number}"] = first, writer.acknowledged + 1
                assert taking.fetchall()[0][-1] is None
        for name in spans:
            assert taking.execute(f"CHECK BACKUP '{name}'").fetchall() == []
    for name, (first, last) in spans.items():
        restore(tmp_path / "shelf" / name, tmp_path / name)
        restored = ServerProcess(tmp_path / name)
        with restored, connected(restored) as cursor:
            assert state_of(cursor) in writer.states[first : last + 1], (name, first, last)
            assert cursor.execute("CHECK AUDIT LOG").fetchall()[0][-1] is None
            cursor.execute("INSERT INTO a VALUES (-1, -1)")
            cursor.execute("COMPACT ALL")
