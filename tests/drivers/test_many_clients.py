"""Many clients at once, each with a connection of its own."""

import random
import threading
from collections.abc import Callable

import pyarrow as pa
import pytest

from tests.e2e.client import Client
from tests.server_process import ServerProcess

Make = Callable[..., str]


@pytest.mark.proof
def test_many_clients_at_once_lose_nothing(server: ServerProcess, db: Client, make: Make) -> None:
    """16 clients that write, read, flush and compact: the end is the sum of what was acknowledged."""
    t = make("id BIGINT PRIMARY KEY, n BIGINT, sum BIGINT")
    db.run(f"INSERT INTO {t} VALUES (0, 0, 0)")
    added = [0] * 16
    rows = [0] * 16
    faults: list[BaseException] = []

    def work(number: int) -> None:
        rnd = random.Random(number)
        try:
            with server.connect() as connection:
                client = Client(connection)
                for step in range(12):
                    amount = rnd.randrange(100)
                    client.run(f"UPDATE {t} SET n = n + 1, sum = sum + {amount} WHERE id = 0")
                    added[number] += amount
                    key = 1 + number * 10_000 + step * 100
                    keys = range(key, key + 50)
                    client.ingest(t, pa.table({"id": keys, "n": [1] * 50, "sum": [0] * 50}))
                    rows[number] += 50
                    assert client.one(f"SELECT count(*) FROM {t} WHERE id BETWEEN {key} AND {key + 49}") == 50
                    if step % 6 == number % 6:
                        client.run(f"{rnd.choice(['FLUSH', 'COMPACT'])} TABLE {t}")
        except BaseException as fault:  # noqa: BLE001 - shown by the test's own thread
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not faults
    assert db.rows(f"SELECT n, sum FROM {t} WHERE id = 0") == [(16 * 12, sum(added))]
    assert db.count(t) == 1 + sum(rows)
