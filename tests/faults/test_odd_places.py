"""What a server is given and cannot use: refused in one line, by what it is."""

from pathlib import Path

import pyarrow as pa
import pytest

from flightserver.protocol.commands import StatementIngest
from tests.e2e.client import Client
from tests.e2e.wire import Wire
from tests.server_process import ServerProcess

NAMES = [pa.field(b"\xff", pa.int32()), pa.field("s", pa.struct([pa.field(b"\xc3(", pa.int32())]))]


def test_a_file_in_the_place_of_the_data_folder_is_one_line(tmp_path: Path) -> None:
    """As is a folder that cannot be written to."""
    (tmp_path / "data").write_bytes(b"")
    message = ServerProcess(tmp_path / "data").refusal()
    assert message.startswith(f"flightserver: data folder {tmp_path / 'data'} cannot be used: ")
    assert message.count("\n") == 1


@pytest.mark.parametrize("column", NAMES, ids=["of a column", "of a field"])
def test_a_name_that_is_not_utf_8_is_refused(server: ServerProcess, client: Client, column: pa.Field) -> None:
    """It is the client's fault, and nothing is taken."""
    client.run("CREATE TABLE IF NOT EXISTS named (id INT PRIMARY KEY)")
    schema = pa.schema([pa.field("id", pa.int32()), column])
    rows = pa.RecordBatch.from_arrays([pa.array([1], pa.int32()), pa.nulls(1, column.type)], schema=schema)
    refused = pytest.raises(pa.ArrowInvalid, match="the stream has a name of a column that is not UTF-8")
    with Wire(server) as wire, refused:
        wire.put(StatementIngest("named"), schema, [rows])
    assert client.count("named") == 0


def test_a_column_of_nulls_without_a_type_takes_the_type_of_the_tables_column(client: Client) -> None:
    """Into a column that there is, NULLs come; a new one is TEXT."""
    nothing = pa.table({"id": pa.array([1], pa.int32()), "n": pa.nulls(1)})
    client.run("CREATE TABLE numbers (id INT PRIMARY KEY, n INT)")
    client.ingest("numbers", nothing)
    assert client.rows("SELECT * FROM numbers") == [(1, None)]
    client.ingest("texts", nothing, mode="create")
    client.run("INSERT INTO texts (id, n) VALUES (2, 'text')")
    assert client.rows("SELECT id, n FROM texts ORDER BY id") == [(1, None), (2, "text")]
