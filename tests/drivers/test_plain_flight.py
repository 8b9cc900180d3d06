"""Plain pyarrow.flight, without any Flight SQL library: text as commands, tables as flights, frames out."""

from collections.abc import Callable, Iterator

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import flight

from tests.e2e.client import Client
from tests.server_process import ServerProcess

Make = Callable[..., str]

FIVE = "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, NULL)) AS v(id, s) ORDER BY id"
FRAME = pd.DataFrame({"id": [1, 2, 3], "s": ["a", "b", None]})


@pytest.fixture
def client(server: ServerProcess) -> Iterator[flight.FlightClient]:
    """A client without credentials."""
    with flight.connect(server.uri) as client:
        yield client


def text(sql: str) -> flight.FlightDescriptor:
    """SQL as a command."""
    return flight.FlightDescriptor.for_command(sql)


def reader(client: flight.FlightClient, sql: str) -> flight.FlightStreamReader:
    """GetFlightInfo and DoGet."""
    (endpoint,) = client.get_flight_info(text(sql)).endpoints
    return client.do_get(endpoint.ticket)


def test_a_result_becomes_a_frame(client: flight.FlightClient) -> None:
    """to_pandas of the table, and read_pandas of the stream."""
    pd.testing.assert_frame_equal(reader(client, FIVE).read_all().to_pandas(), FRAME)
    pd.testing.assert_frame_equal(reader(client, FIVE).read_pandas(), FRAME)


def test_a_result_becomes_a_record_batch_reader(client: flight.FlightClient) -> None:
    """Batch by batch."""
    assert pa.Table.from_batches(reader(client, FIVE).to_reader()).num_rows == 3


def test_a_result_is_read_chunk_by_chunk(client: flight.FlightClient) -> None:
    """As pyarrow iterates over a stream."""
    assert sum(chunk.data.num_rows for chunk in reader(client, FIVE)) == 3


def test_a_ticket_is_text(client: flight.FlightClient) -> None:
    """One round trip."""
    assert client.do_get(flight.Ticket(FIVE.encode())).read_all().num_rows == 3


def test_the_schema_of_text(client: flight.FlightClient) -> None:
    """GetSchema runs nothing; the schema is that of the stream."""
    found = client.get_schema(text(FIVE)).schema
    assert found.equals(client.get_flight_info(text(FIVE)).schema)
    assert [(field.name, field.type) for field in found] == [("id", pa.int64()), ("s", pa.string())]


def test_text_changes_rows(client: flight.FlightClient, db: Client, make: Make) -> None:
    """On the way of a query; the count is its result."""
    t = make()
    assert reader(client, f"INSERT INTO {t} (id) VALUES (1), (2)").read_all().to_pylist() == [{"rows_affected": 2}]
    assert client.do_get(flight.Ticket(f"DELETE FROM {t}".encode())).read_all().to_pylist() == [{"rows_affected": 2}]
    assert db.count(t) == 0


def test_text_is_put(client: flight.FlightClient, db: Client, make: Make) -> None:
    """DoPut of a descriptor with an empty schema."""
    t = make()
    writer, answers = client.do_put(text(f"INSERT INTO {t} (id) VALUES (1)"), pa.schema([]))
    writer.done_writing()
    assert answers.read() is not None
    writer.close()
    assert db.count(t) == 1


def put(client: flight.FlightClient, descriptor: flight.FlightDescriptor, rows: pa.Table) -> None:
    """DoPut, until the server has taken everything."""
    writer, answers = client.do_put(descriptor, rows.schema)
    writer.write_table(rows)
    writer.done_writing()
    assert answers.read() is not None
    writer.close()


def test_text_is_put_with_rows(client: flight.FlightClient, db: Client, make: Make) -> None:
    """The stream is the parameters of the text, all rows as one commit."""
    t = make("id BIGINT PRIMARY KEY, s TEXT")
    put(client, text(f"INSERT INTO {t} VALUES (?, ?)"), pa.table({"1": [1, 2], "2": ["a", "b"]}))
    put(client, text(f"UPDATE {t} SET s = $2 WHERE id = $1"), pa.table({"1": [2], "2": ["c"]}))
    assert db.rows(f"SELECT * FROM {t} ORDER BY id") == [(1, "a"), (2, "c")]


def test_rows_are_put_into_a_table_by_its_path(client: flight.FlightClient, db: Client, make: Make) -> None:
    """As ingest appends them: a key that exists gets a new version."""
    t = make("id BIGINT PRIMARY KEY, s TEXT")
    for value in ("a", "b"):
        put(client, flight.FlightDescriptor.for_path("public", t), pa.table({"id": [1], "s": [value]}))
    assert db.rows(f"SELECT * FROM {t}") == [(1, "b")]


def test_a_table_is_read_by_its_path(client: flight.FlightClient, db: Client, make: Make) -> None:
    """The descriptor that ListFlights gives may be asked for again, after the rows have changed."""
    t = make("id BIGINT PRIMARY KEY, s TEXT")
    (found,) = client.list_flights(f"public.{t}".encode())
    db.run(f"INSERT INTO {t} VALUES (1, 'a')")
    (endpoint,) = client.get_flight_info(found.descriptor).endpoints
    assert client.do_get(endpoint.ticket).read_all().to_pylist() == [{"id": 1, "s": "a"}]
    assert client.get_schema(found.descriptor).schema.names == ["id", "s"]


def test_flights_are_tables(client: flight.FlightClient, db: Client, make: Make) -> None:
    """ListFlights names each by namespace and table; its ticket reads it."""
    t = make("id BIGINT PRIMARY KEY, s TEXT")
    db.run(f"INSERT INTO {t} VALUES (1, 'a'), (2, 'b'), (3, NULL)")
    (found,) = [info for info in client.list_flights() if info.descriptor.path == [b"public", t.encode()]]
    assert found.schema.names == ["id", "s"]
    frame = client.do_get(found.endpoints[0].ticket).read_pandas().sort_values("id", ignore_index=True)
    pd.testing.assert_frame_equal(frame, FRAME)


def test_flights_are_filtered(client: flight.FlightClient, make: Make) -> None:
    """The criteria are a part of the name."""
    t = make()
    assert [info.descriptor.path[1] for info in client.list_flights(f"public.{t}".encode())] == [t.encode()]
    assert list(client.list_flights(b"nothing like it")) == []


def test_actions_are_listed(client: flight.FlightClient) -> None:
    """With a description each."""
    actions = {action.type: action.description for action in client.list_actions()}
    assert {"CreatePreparedStatement", "BeginTransaction", "CancelFlightInfo", "CloseSession"} <= actions.keys()
    assert all(actions.values())


def test_a_login_is_a_header(server: ServerProcess, client: flight.FlightClient) -> None:
    """authenticate_basic_token, and the token with each call."""
    header = client.authenticate_basic_token("alice", "wonder land")
    options = flight.FlightCallOptions(headers=[header])
    ticket = flight.Ticket(b"SELECT current_user AS me")
    assert client.do_get(ticket, options).read_all().to_pylist() == [{"me": "alice"}]


def test_a_deadline_is_the_clients(client: flight.FlightClient) -> None:
    """An endless query ends with the call's timeout."""
    sql = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(flight.FlightTimedOutError):
        client.do_get(flight.Ticket(sql.encode()), flight.FlightCallOptions(timeout=0.5)).read_all()


def test_a_stream_is_cancelled(server: ServerProcess, client: flight.FlightClient) -> None:
    """The server comes to rest."""
    sql = b"WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    stream = client.do_get(flight.Ticket(sql))
    stream.read_chunk()
    stream.cancel()
    assert server.is_idle_within(15)


@pytest.mark.parametrize(
    ("sql", "error", "words"),
    [
        ("SELEC 1", pa.ArrowInvalid, "SELEC"),
        ("SELECT nope", pa.ArrowKeyError, "nope"),
        ("SELECT * FROM nope", pa.ArrowKeyError, "nope"),
        ("CALL t()", pa.ArrowNotImplementedError, "CALL"),
        ("SELECT 1; SELECT 2", pa.ArrowInvalid, "one statement at a time"),
        ("SELECT ?", pa.ArrowInvalid, "parameters"),
    ],
)
def test_errors_have_their_class(client: flight.FlightClient, sql: str, error: type[Exception], words: str) -> None:
    """The same from each method, with the server's line first and no traceback behind it."""
    for call in (
        lambda: client.get_flight_info(text(sql)),
        lambda: client.do_get(flight.Ticket(sql.encode())).read_all(),
    ):
        with pytest.raises(error, match=words) as caught:
            call()
        assert "Traceback" not in str(caught.value)
        assert "File" not in str(caught.value)
