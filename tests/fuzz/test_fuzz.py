"""Thousands of bad messages to one server: each is answered, nothing is written, and the server goes on.

`FLIGHTSERVER_FUZZ_MESSAGES` sets how many are sent. They are the same in every run, but not their order on the server:
several clients send at once, half of them with pyarrow and half of them below it.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
import pytest
from pyarrow import flight

from flightserver.protocol.commands import StatementIngest, StatementQuery
from tests.e2e.wire import Wire
from tests.fuzz.messages import GUARDED, Message, Messages
from tests.fuzz.raw import DEADLINE_SECONDS, Answer, RawClient
from tests.server_process import ServerProcess

pytestmark = pytest.mark.proof

MESSAGES = int(os.environ.get("FLIGHTSERVER_FUZZ_MESSAGES", "12000"))
CLIENTS = 6
SEED = 20_240_101
CUT_EVERY = 50
ROWS = 200
SET_UP = (
    "CREATE TABLE guarded (id BIGINT PRIMARY KEY, v BIGINT NOT NULL, s TEXT, day DATE)",
    "CREATE USER TABLE diary (id BIGINT PRIMARY KEY, v BIGINT, s TEXT)",
    "CREATE TABLE prey (id BIGINT PRIMARY KEY, s TEXT)",
    f"INSERT INTO guarded VALUES {', '.join(f'({n}, {n}, NULL, NULL)' for n in range(ROWS))}",
    "INSERT INTO diary VALUES (1, 1, 'mine'), (2, NULL, NULL)",
    "FLUSH TABLE guarded",
    "UPDATE guarded SET s = 'hot' WHERE id < 20",
    "DELETE FROM guarded WHERE id = 5",
    "INSERT INTO prey VALUES (1, 'a')",
)

FORBIDDEN = ("Traceback", 'File "', "defect", "failed on this statement", "refused", "reset", "Socket closed")
"""What no answer may say: that the server broke, or that it was not there."""


@dataclass(frozen=True)
class Aftermath:
    """What was seen while the messages were sent, and what there was before."""

    sent: int
    refused: int
    wrong: list[str]
    before: list[pa.Table]


def contents(server: ServerProcess) -> list[pa.Table]:
    """Every row of the tables that must stay as they are."""
    with Wire(server) as wire:
        return [wire.query(f"SELECT * FROM {table} ORDER BY id") for table in ("guarded", "diary")]


def live_handles(server: ServerProcess) -> list[bytes]:
    """A prepared statement and a result that exist."""
    with Wire(server) as wire:
        prepared = wire.prepare("SELECT * FROM guarded WHERE id = ?").prepared_statement_handle
        (endpoint,) = wire.info(StatementQuery("SELECT * FROM guarded")).endpoints
        return [prepared, endpoint.ticket.ticket[-16:]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of their own for bad messages."""
    with ServerProcess(tmp_path_factory.mktemp("fuzz") / "data") as process:
        with Wire(process) as wire:
            for statement in SET_UP:
                wire.query(statement)
        yield process


@pytest.fixture(scope="module")
def aftermath(server: ServerProcess) -> Aftermath:
    """Send all messages."""
    before, live = contents(server), live_handles(server)
    with ThreadPoolExecutor(CLIENTS) as clients:
        shares = clients.map(lambda number: attack(server, number, live), range(CLIENTS))
        results = list(shares)
    wrong = [line for result in results for line in result.wrong]
    return Aftermath(sum(r.sent for r in results), sum(r.refused for r in results), wrong, before)


def attack(server: ServerProcess, number: int, live: list[bytes]) -> Aftermath:
    """One client's share of the messages."""
    messages = Messages(SEED + number, live)
    count = -(-MESSAGES // CLIENTS)
    refused, wrong = 0, []
    with RawClient(server.uri) as raw, Wire(server) as wire:
        for turn in range(count):
            if turn % CUT_EVERY == 0:
                raw.put_and_cancel(messages.cut_stream())
                continue
            if number % 2:
                sent: object = messages.raw_call()
                answer = raw.call(*sent)
            else:
                sent = messages.message()
                answer = call(wire.client, sent)
            refused += answer.code != "OK"
            if is_wrong(answer):
                wrong.append(f"client {number}, message {turn}: {answer.code} {answer.text[:300]!r} to {sent!r:.300}")
    return Aftermath(count, refused, wrong, [])


def is_wrong(answer: Answer) -> bool:
    """Tell whether an answer is one that the server must not give, or that it gave none in time.

    INTERNAL without a word is gRPC's answer to a request that it cannot read.
    """
    late = answer.code == "DEADLINE_EXCEEDED"
    broken = answer.code == "INTERNAL" and bool(answer.text)
    return late or broken or any(word in answer.text for word in FORBIDDEN)


def call(client: flight.FlightClient, message: Message) -> Answer:
    """A message through pyarrow."""
    options = flight.FlightCallOptions(timeout=DEADLINE_SECONDS)
    asked = flight.FlightDescriptor.for_command(message.body)
    try:
        match message.method:
            case "GetFlightInfo":
                client.get_flight_info(asked, options)
            case "GetSchema":
                client.get_schema(asked, options)
            case "DoGet":
                client.do_get(flight.Ticket(message.body), options).read_all()
            case "DoAction":
                list(client.do_action((message.name, message.body), options))
            case "ListFlights":
                list(client.list_flights(message.body, options))
            case "Handshake":
                client.authenticate_basic_token(message.body, message.body, options)
            case _:
                put(client, asked, message.rows, options)
    except flight.FlightTimedOutError as error:
        return Answer("DEADLINE_EXCEEDED", str(error))
    except flight.FlightInternalError as error:
        return Answer("INTERNAL", str(error))
    except (flight.FlightError, pa.ArrowException, KeyError, NotImplementedError, ValueError, OSError) as error:
        return Answer("UNKNOWN", str(error))
    return Answer("OK")


def put(
    client: flight.FlightClient, asked: flight.FlightDescriptor, rows: pa.RecordBatch | None, options: object
) -> None:
    """DoPut of a batch, or of none."""
    writer, answers = client.do_put(asked, pa.schema([]) if rows is None else rows.schema, options)
    with writer:
        if rows is not None:
            writer.write_batch(rows)
        writer.done_writing()
        answers.read()


def test_each_message_is_answered(aftermath: Aftermath) -> None:
    """Each call ends in success or in an error of one of the kinds that clients know, and none in a defect."""
    assert aftermath.sent >= MESSAGES
    assert 0 < aftermath.refused < aftermath.sent
    assert not aftermath.wrong, "\n".join([f"{len(aftermath.wrong)} wrong answers", *aftermath.wrong[:10]])


def test_nothing_is_written(server: ServerProcess, aftermath: Aftermath) -> None:
    """Tables that no good message changes are as they were, also after a start from disk."""
    assert contents(server) == aftermath.before
    server.restart()
    assert contents(server) == aftermath.before
    assert aftermath.before[0].num_rows == ROWS - 1


def test_the_server_goes_on(server: ServerProcess, aftermath: Aftermath) -> None:
    """It answers, takes rows, and comes to rest."""
    with Wire(server) as wire:
        assert wire.query("SELECT 1 AS one").to_pydict() == {"one": [1]}
        rows = pa.record_batch([[1_000], [1], ["new"], [0]], schema=GUARDED)
        assert wire.put(StatementIngest("guarded"), GUARDED, [rows]) == 1
        wire.query("DELETE FROM guarded WHERE id = 1000")
    assert server.is_idle_within(30)


def test_the_log_knows_no_defect(server: ServerProcess, aftermath: Aftermath) -> None:
    """What went wrong was the messages' fault every time."""
    assert "Traceback" not in server.log, server.log[-4000:]
