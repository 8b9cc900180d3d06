"""Statements of others go on while a table's definition changes."""

import threading

import pyarrow as pa

from tests.e2e.client import Client
from tests.server_process import ServerProcess

ROUNDS = 12


def test_writers_do_not_notice_columns_that_come_and_go(server: ServerProcess, db: Client, t: str) -> None:
    """Inserts, updates and streams that name none of them all succeed, and every row is there."""
    db.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY, v BIGINT)")
    done = threading.Event()
    written: list[int] = []

    def write(start: int) -> None:
        with server.connect() as connection:
            client, number = Client(connection), start
            while not done.is_set():
                client.run(f"INSERT INTO {t} (id, v) VALUES ({number}, 0)")
                client.ingest(t, pa.table({"id": [number + 1], "v": [1]}))
                client.run(f"UPDATE {t} SET v = v + 1 WHERE id = {number}")
                number += 2
            written.append(number - start)

    writers = [threading.Thread(target=write, args=(10**9 * number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    for number in range(ROUNDS):
        db.run(f"ALTER TABLE {t} ADD COLUMN c{number} BIGINT DEFAULT {number}")
        if number % 2:
            db.run(f"ALTER TABLE {t} DROP COLUMN c{number}")
    done.set()
    for writer in writers:
        writer.join()
    assert len(written) == len(writers)
    assert db.rows(f"SELECT count(*), count(c0), sum(v) FROM {t}") == [(sum(written),) * 3]
