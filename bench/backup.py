"""What a backup of many bytes costs, by the clock, and what commits beside it wait.

The backup lies on the file system of the data folder, where files are linked. The values cannot be compressed, so
that their size on disk is known. Beside some of the backups somebody commits single rows.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa

from bench import data
from bench.report import Figure, Target, at_most, milliseconds
from bench.scale import Scale
from bench.server import Server

ROWS, TINY_ROWS = 1_000_000, 2_000
PART_ROWS = 50_000
VALUE_BYTES = 1_000
BACKUPS = 5


def run(scale: Scale) -> list[Figure]:
    """One table, in large files."""
    return large(scale.of(ROWS, TINY_ROWS))


def large(rows: int) -> list[Figure]:
    """The backup of a table, first and again, and what commits beside it wait."""
    with served() as server, server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (k BIGINT PRIMARY KEY, v BYTEA)")
        for start in range(0, rows, PART_ROWS):
            cursor.adbc_ingest("t", part(start, min(PART_ROWS, rows - start)).to_reader(10_000), mode="append")
        cursor.execute("FLUSH TABLE t")
        first = backup(server, "first")
        again = [backup(server, f"again_{number}") for number in range(BACKUPS)]
        with committing(server) as waits:
            beside = [backup(server, f"beside_{number}") for number in range(BACKUPS)]
        size = server.client.query("SHOW BACKUPS").column("bytes")[0].as_py()
        batches = server.client.query("SHOW MANIFEST FOR t").num_rows
        start = time.perf_counter()
        assert not server.client.query("CHECK TABLE t").num_rows
        checked = time.perf_counter() - start
    of = f"{size / 1e9:.2f} GB"
    return [
        took(f"first backup of {of}, by links", first),
        took(f"backup of {of} with nothing new", median(again), at_most(2, "s")),
        took(f"backup of {of} beside commits of single rows", median(beside)),
        took(f"longest commit of a row beside backups of {of}", max(waits)),
        took(f"CHECK TABLE of {batches} batches, {of}: for 100 of them", checked * 100 / batches, at_most(1, "s")),
    ]


def part(start: int, rows: int) -> pa.Table:
    """So many rows with random values, from a key on."""
    values = pa.py_buffer(data.random(start).bytes(rows * VALUE_BYTES))
    offsets = pa.array(np.arange(rows + 1) * VALUE_BYTES, pa.int32())
    blobs = pa.Array.from_buffers(pa.binary(), rows, [None, offsets.buffers()[1], values])
    return pa.table({"k": np.arange(start, start + rows), "v": blobs})


def backup(server: Server, name: str) -> float:
    """Seconds that a backup takes."""
    start = time.perf_counter()
    found = server.client.query(f"BACKUP TO '{name}'")
    seconds = time.perf_counter() - start
    assert found.column("problem").to_pylist() == [None]
    return seconds


@contextmanager
def served() -> Iterator[Server]:
    """A server with a place for backups beside its data folder."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        Server({"backup_dir": f"{folder}/shelf", "password_memory_kib": 8}, data=Path(folder, "data")) as server,
    ):
        yield server


@contextmanager
def committing(server: Server) -> Iterator[list[float]]:
    """Commit rows one after another; the seconds that each takes."""
    stopping, waits = threading.Event(), [0.0]

    def commit() -> None:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE beside (k BIGINT PRIMARY KEY)")
            number = 0
            while not stopping.is_set():
                start = time.perf_counter()
                cursor.execute(f"INSERT INTO beside VALUES ({number})")
                waits.append(time.perf_counter() - start)
                number += 1

    thread = threading.Thread(target=commit)
    thread.start()
    try:
        yield waits
    finally:
        stopping.set()
        thread.join()


def took(what: str, seconds: float, target: Target | None = None) -> Figure:
    """A time, in seconds where a target is about it."""
    return Figure(what, milliseconds(seconds), "-", seconds, target, "s")
