"""Every storable type, with its extremes, leaves the shell and comes back through the loader as it was."""

from pathlib import Path

import pyarrow as pa
import pytest

from tests.cli.conftest import Run
from tests.cli.storable import ROWS, TYPES, leaves, values
from tests.server_process import ServerProcess

NAMES = [f"c{number}" for number in range(len(TYPES))]
DEFINITION = "(id BIGINT PRIMARY KEY, {})".format(
    ", ".join(f"{name} {sql_type}" for name, sql_type in zip(NAMES, TYPES, strict=True))
)


@pytest.fixture(scope="module")
def every(server: ServerProcess) -> dict[str, pa.Array]:
    """The columns of a table with a column for every type."""
    columns = {"id": pa.array(range(ROWS)), **{n: values(t) for n, t in zip(NAMES, TYPES, strict=True)}}
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE every {DEFINITION}")
        cursor.adbc_ingest("every", pa.table(columns), mode="append")
    return columns


@pytest.mark.parametrize("form", ["csv", "json"])
def test_every_type_comes_back(form: str, every: dict[str, pa.Array], call: Run, server: ServerProcess, tmp_path: Path):
    """NULL, extremes and what lies between, by itself, in lists and in structs."""
    path, table = tmp_path / f"every.{form}", f"every_from_{form}"
    written = call("sql", "--format", form, "-c", "SELECT * FROM every ORDER BY id")
    assert (written.returncode, written.stderr) == (0, "")
    path.write_bytes(written.stdout.encode())
    assert call("sql", "-c", f"CREATE TABLE {table} {DEFINITION}").returncode == 0
    loaded = call("load", path, "--table", table, "--mode", "append")
    assert (loaded.returncode, loaded.stderr) == (0, "")
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY id")
        again = cursor.fetch_arrow_table().combine_chunks()
    wrong = [sql_type for name, sql_type in zip(NAMES, TYPES, strict=True) if not _is_same(again, every, name)]
    assert wrong == []


def _is_same(again: pa.Table, every: dict[str, pa.Array], name: str) -> bool:
    return leaves(again.column(name).combine_chunks()) == leaves(every[name])
