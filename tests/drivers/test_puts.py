"""DoPut as the libraries of other languages call it: when a change is answered, and where its parameters come from."""

from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from flightserver.protocol.commands import (
    Command,
    PreparedStatementQuery,
    PreparedStatementUpdate,
    StatementUpdate,
    encode_command,
)
from flightserver.protocol.generated import flight_sql_pb2 as pb
from tests.e2e.client import Client
from tests.e2e.wire import Wire
from tests.fuzz import raw
from tests.fuzz.raw import Answer, RawClient
from tests.server_process import ServerProcess

Make = Callable[..., str]

NOTHING = pa.schema([])
PUT_RESULT_BYTES = 2
"""The tag and the length around an answer's metadata."""
ROWS = pa.schema([("1", pa.int64()), ("2", pa.string())])


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[Wire]:
    """A plain Flight client."""
    with Wire(server) as client:
        yield client


@pytest.fixture
def client(server: ServerProcess) -> Iterator[RawClient]:
    """A client below all libraries."""
    with RawClient(server.uri) as found:
        yield found


def bare(command: Command) -> list[bytes]:
    """The one message of a client that sends a descriptor without a schema."""
    return [raw.flight_data(command=encode_command(command))]


def described(command: Command, schema: pa.Schema, *batches: pa.RecordBatch) -> list[bytes]:
    """The messages of a client that sends a schema with its descriptor."""
    return raw.stream(encode_command(command), raw.ipc_messages(schema, batches))


def affected(answer: Answer) -> int:
    """How many rows a change affected."""
    assert answer.code == "OK", answer
    (message,) = answer.messages
    return pb.DoPutUpdateResult.FromString(message[PUT_RESULT_BYTES:]).record_count


UPDATES = {
    "a descriptor alone": bare,
    "an empty schema": lambda command: described(command, NOTHING),
}


@pytest.mark.parametrize("form", UPDATES)
def test_an_update_is_answered_at_once(client: RawClient, db: Client, make: Make, form: str) -> None:
    """A command that says everything waits for nothing more, and the call ends although the client's side is open."""
    t = make()
    answer = client.put_and_wait(UPDATES[form](StatementUpdate(f"INSERT INTO {t} (id) VALUES (1), (2)")))
    assert affected(answer) == 2
    assert db.count(t) == 2


@pytest.mark.parametrize("form", UPDATES)
def test_a_refused_update_is_answered_at_once(client: RawClient, form: str) -> None:
    """The error ends the call."""
    answer = client.put_and_wait(UPDATES[form](StatementUpdate("DELETE FROM nope")))
    assert answer.code == "NOT_FOUND"
    assert "table public.nope does not exist" in answer.text


@pytest.mark.parametrize("form", UPDATES)
def test_a_change_takes_what_was_bound_before(client: RawClient, wire: Wire, make: Make, form: str) -> None:
    """Parameters that came with a stream of their own are there when the change's own stream brings none."""
    t = make("id BIGINT PRIMARY KEY, s TEXT")
    handle = wire.prepare(f"INSERT INTO {t} VALUES (?, ?)").prepared_statement_handle
    rows = pa.record_batch([[1, 2], ["a", "b"]], schema=ROWS)
    assert client.call("DoPut", described(PreparedStatementQuery(handle), ROWS, rows)).code == "OK"
    assert affected(client.call("DoPut", UPDATES[form](PreparedStatementUpdate(handle)))) == 2
    assert wire.query(f"SELECT * FROM {t} ORDER BY id").to_pydict() == {"id": [1, 2], "s": ["a", "b"]}


@pytest.mark.parametrize("form", UPDATES)
def test_a_stream_that_brings_nothing_unbinds_nothing(client: RawClient, wire: Wire, form: str) -> None:
    """What was bound to a query stays."""
    handle = wire.prepare("SELECT ? || 'x' AS s").prepared_statement_handle
    wire.put(PreparedStatementQuery(handle), pa.schema([("1", pa.string())]), [pa.record_batch([["a"]], names=["1"])])
    assert client.call("DoPut", UPDATES[form](PreparedStatementQuery(handle))).code == "OK"
    assert wire.fetch(wire.info(PreparedStatementQuery(handle))).to_pydict() == {"s": ["ax"]}


def test_parameters_of_a_changes_own_stream_come_first(wire: Wire, make: Make) -> None:
    """They are taken in the place of those that were bound before."""
    t = make("id BIGINT PRIMARY KEY, s TEXT")
    handle = wire.prepare(f"INSERT INTO {t} VALUES (?, ?)").prepared_statement_handle
    wire.put(PreparedStatementQuery(handle), ROWS, [pa.record_batch([[1], ["a"]], schema=ROWS)])
    wire.put(PreparedStatementUpdate(handle), ROWS, [pa.record_batch([[2], ["b"]], schema=ROWS)])
    assert wire.query(f"SELECT * FROM {t}").to_pydict() == {"id": [2], "s": ["b"]}


@pytest.mark.parametrize("sql", ["INSERT INTO {t} (id) VALUES (1)", "SELECT 1", "CREATE TABLE {t}_x (id INT)"])
def test_parameters_that_no_statement_has_are_refused(db: Client, make: Make, sql: str) -> None:
    """Run once, it would not be what a client asks for that binds rows."""
    t = make()
    assert "has 0 parameters, but 1 were bound" in db.error(sql.format(t=t), (5,))
    assert db.count(t) == 0
