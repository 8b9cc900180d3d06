"""Batch files that somebody damages while the server runs: an error that names them, and never a wrong answer."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.e2e.client import Client
from tests.server_process import ServerProcess

ROWS = 2_100_000
"""More than a short query reads: SELECT * of so many is an export."""

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "another footer": lambda data: data[:-100] + bytes(92) + data[-8:],
    "other pages": lambda data: data[:4] + b"\xff" * (len(data) * 3 // 4) + data[4 + len(data) * 3 // 4 :],
    "zeros": lambda data: b"PAR1" + bytes(len(data) - 8) + b"PAR1",
}

READS = [
    "SELECT * FROM {t} WHERE k = 7",
    "SELECT max(s) FROM {t}",
    "SELECT count(DISTINCT t.s) FROM {t} AS t JOIN clean AS c ON t.k = c.k",
    "UPDATE {t} SET s = 'new' WHERE s = 'x7'",
    "SELECT * FROM {t}",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that keeps no decoded rows, with a table of one short batch, one of a long one, and one to join."""
    with ServerProcess(tmp_path_factory.mktemp("damage") / "data", settings={"decoded_mb": 0}) as process:
        with process.connect() as connection:
            db = Client(connection)
            for name, count in (("short", 1_000), ("long", ROWS), ("clean", 10)):
                db.run(f"CREATE TABLE {name} (k BIGINT PRIMARY KEY, s TEXT)")
                keys = np.arange(count)
                db.ingest(name, pa.table({"k": keys, "s": pa.array(np.char.add("x", keys.astype(str)))}))
                db.run(f"FLUSH TABLE {name}")
                assert db.count(name) == count
        yield process


@pytest.fixture
def damaged(server: ServerProcess) -> Iterator[Callable[[str, Callable[[bytes], bytes] | None], int]]:
    """Damages a batch of a table, or removes it, and says which; it is put back afterwards."""
    kept: dict[Path, bytes] = {}

    def damage(table: str, change: Callable[[bytes], bytes] | None) -> int:
        path = min((server.data_dir / "tables" / "public").glob(f"{table}*/batch-*.parquet"))
        kept[path] = path.read_bytes()
        path.unlink() if change is None else path.write_bytes(change(kept[path]))
        return int(path.stem.removeprefix("batch-"))

    yield damage
    for path, data in kept.items():
        path.write_bytes(data)


def assert_named(server: ServerProcess, table: str, batch: int, sql: str) -> None:
    """The error of a statement names the table and the batch, and no path of the server."""
    with server.connect() as connection:
        message = Client(connection).error(sql.format(t=table))
    assert f"batch {batch} of table public.{table} is damaged" in message
    assert message.startswith("INTERNAL")
    assert str(server.data_dir) not in message


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("sql", READS)
def test_a_damaged_batch_is_named(server: ServerProcess, damaged: Callable[..., int], sql: str, how: str) -> None:
    """Whatever the engine says of a file, and whenever, the error says which one it is."""
    assert_named(server, "short", damaged("short", DAMAGES[how]), sql)


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_batch_of_an_export_is_named(server: ServerProcess, damaged: Callable[..., int], how: str) -> None:
    """Arrow's reader is understood like the engine."""
    assert_named(server, "long", damaged("long", DAMAGES[how]), "SELECT * FROM {t}")


@pytest.mark.parametrize("sql", READS)
def test_a_missing_batch_is_an_error(server: ServerProcess, damaged: Callable[..., int], sql: str) -> None:
    """The engine takes a file that is gone for an empty one; the rows of a table must not vanish like that."""
    assert_named(server, "short", damaged("short", None), sql)
