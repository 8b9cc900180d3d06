"""A mixed load: clients that come, do something of everything, and go, some without a word of what they leave open."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

import numpy as np
import pyarrow as pa
from pyarrow import flight

from flightserver.protocol.actions import CreatePreparedStatement, EndTransaction, TransactionEnd
from flightserver.protocol.commands import StatementIngest, StatementQuery, StatementUpdate
from tests.e2e.wire import Wire, begin
from tests.server_process import ServerProcess

KEYS = 100_000
STREAM_ROWS, LARGE_STREAM_ROWS, BATCH_ROWS = 2_000, 60_000, 20_000
VISIT_DEEDS = 12
SET_UP = (
    "CREATE TABLE facts (id BIGINT PRIMARY KEY, g INT, s TEXT, v DOUBLE)",
    "CREATE USER TABLE notes (id BIGINT PRIMARY KEY, s TEXT)",
    "CREATE VIEW groups AS SELECT g, count(*) AS n, sum(v) AS v FROM facts GROUP BY g",
)

Deed = Callable[[Wire, random.Random], object]


def rows_of(rng: random.Random, count: int) -> pa.Table:
    """Rows of distinct random keys."""
    drawn = np.random.default_rng(rng.randrange(1 << 30))
    keys = np.sort(drawn.choice(KEYS, count, replace=False))
    texts = pa.array([f"text {number % 1_000}" for number in keys])
    return pa.table({"id": keys, "g": (keys % 50).astype("int32"), "s": texts, "v": drawn.random(count)})


def stream(wire: Wire, rng: random.Random, count: int = STREAM_ROWS) -> None:
    """Some rows, new or changed."""
    rows = rows_of(rng, count)
    wire.put(StatementIngest("facts"), rows.schema, rows.to_batches(BATCH_ROWS))


def half_stream(wire: Wire, rng: random.Random) -> None:
    """A stream whose client goes away in the middle."""
    rows = rows_of(rng, STREAM_ROWS)
    writer, _ = wire.client.do_put(flight.FlightDescriptor.for_path("public", "facts"), rows.schema, wire.options)
    writer.write_table(rows)
    del writer


def half_read(wire: Wire, _: random.Random) -> None:
    """A result of which the client wants but the beginning."""
    reader = wire.reader(wire.info(StatementQuery("SELECT * FROM facts")).endpoints[0].ticket)
    with suppress(StopIteration):
        reader.read_chunk()
    reader.cancel()


def in_transaction(wire: Wire, rng: random.Random) -> None:
    """Two changes, then a commit, a rollback, or nothing any more."""
    transaction = begin(wire)
    for _ in range(2):
        wire.put(
            StatementUpdate(f"UPDATE facts SET v = v + 1 WHERE id = {rng.randrange(KEYS)}", transaction),
            pa.schema([]),
            [],
        )
    end = rng.choice([TransactionEnd.COMMIT, TransactionEnd.ROLLBACK, None])
    if end is not None:
        wire.act(EndTransaction(transaction, end))


def definitions(wire: Wire, rng: random.Random) -> None:
    """A table that comes and goes, and one of a session."""
    name = f"passing_{rng.randrange(1 << 30)}"
    wire.query(f"CREATE TABLE {name} AS SELECT * FROM facts WHERE g = {rng.randrange(50)}")
    wire.query(f"ALTER TABLE {name} ADD COLUMN more INT DEFAULT 1")
    wire.query(f"CREATE TEMPORARY TABLE mine_{name} AS SELECT * FROM {name}")
    wire.query(f"DROP TABLE {name}")


def asked(text: str) -> Deed:
    """A statement that is run and read."""
    return lambda wire, rng: wire.query(text.format(key=rng.randrange(KEYS), group=rng.randrange(50)))


DEEDS: Mapping[str, tuple[int, Deed]] = {
    "a stream": (6, stream),
    "a large stream": (1, lambda wire, rng: stream(wire, rng, LARGE_STREAM_ROWS)),
    "half a stream": (2, half_stream),
    "a row": (6, asked("INSERT INTO facts VALUES ({key}, 1, 'one', 1.5) ON CONFLICT DO NOTHING")),
    "a note": (6, asked("INSERT INTO notes VALUES ({key}, 'mine') ON CONFLICT (id) DO UPDATE SET s = 'again'")),
    "an update": (6, asked("UPDATE facts SET v = 0 WHERE id = {key}")),
    "a wide update": (1, asked("UPDATE facts SET v = v + 1 WHERE g = {group}")),
    "a delete": (2, asked("DELETE FROM facts WHERE id BETWEEN {key} AND {key} + 100")),
    "a look-up": (10, asked("SELECT * FROM facts WHERE id = {key}")),
    "a sum": (6, asked("SELECT n, v FROM groups WHERE g = {group}")),
    "a join": (2, asked("SELECT count(*) FROM facts a JOIN facts b ON a.id = b.id + 1 WHERE a.g = {group}")),
    "a window": (
        2,
        asked("SELECT id, rank() OVER (PARTITION BY g ORDER BY v) AS r FROM facts ORDER BY r, id LIMIT 50"),
    ),
    "an export": (2, asked("SELECT * FROM facts")),
    "a mistake": (4, asked("SELECT 1 / (g - g) FROM facts WHERE id >= {key}")),
    "metadata": (2, asked("SELECT * FROM system.tables")),
    "a result that waits": (4, lambda wire, _: wire.info(StatementQuery("SELECT * FROM facts"))),
    "half a result": (3, half_read),
    "a prepared statement": (
        4,
        lambda wire, _: wire.act(CreatePreparedStatement("SELECT * FROM facts WHERE id = ?")),
    ),
    "a transaction": (4, in_transaction),
    "definitions": (2, definitions),
    "a flush": (1, asked("FLUSH TABLE facts")),
}
"""What clients do, and how often."""


class MixedLoad:
    """Clients at work for some seconds. `met` counts what they did and what they were told, by its first words."""

    def __init__(self, server: ServerProcess, clients: int) -> None:
        self._server = server
        self._clients = clients
        self.met: Counter[str] = Counter()

    def work(self, seconds: float) -> None:
        """Let them come and go; return when all are gone."""
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self._come_and_go, args=(n, end)) for n in range(self._clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _come_and_go(self, number: int, end: float) -> None:
        rng = random.Random(number)
        names, weights = list(DEEDS), [weight for weight, _ in DEEDS.values()]
        while time.monotonic() < end:
            with Wire(self._server) as wire:
                for name in rng.choices(names, weights, k=VISIT_DEEDS):
                    self._do(name, wire, rng)

    def _do(self, name: str, wire: Wire, rng: random.Random) -> None:
        try:
            DEEDS[name][1](wire, rng)
            self.met[name] += 1
        except (flight.FlightError, pa.ArrowException, KeyError) as error:
            self.met[f"refused: {str(error).partition('. ')[0][:200]}"] += 1
