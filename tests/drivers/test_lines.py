"""The text of a failure as each family of libraries shows it: the server's line, and as little else as can be."""

from collections.abc import Callable, Iterator

import grpc
import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi
from pyarrow import flight

from tests.fuzz import raw
from tests.fuzz.raw import SERVICE, RawClient
from tests.server_process import ServerProcess

WRONG = "the user name or password is wrong"
UNKNOWN_TOKEN = "the bearer token is unknown or has expired; log in again"
BASIC = [("authorization", "Basic YWxpY2U6bm8=")]
BEARER = [("authorization", "Bearer nope")]

REFUSED = [
    ("SELEC 1", "INVALID_ARGUMENT", "line 1:1: expected a statement, found 'SELEC'"),
    ("SELECT * FROM nope", "NOT_FOUND", "table 'nope' not found"),
    ("COPY t TO 'x'", "UNIMPLEMENTED", "line 1:1: COPY is not supported"),
    ("SELECT " + "(" * 80 + "1" + ")" * 80, "UNKNOWN", "brackets nest deeper than 64 levels"),
]
"""A statement, the status of its failure, and the line."""

statements = pytest.mark.parametrize(("sql", "code", "line"), REFUSED, ids=[code for _, code, _ in REFUSED])

Ask = Callable[[flight.FlightClient, str], object]


@pytest.fixture
def plain(server: ServerProcess) -> Iterator[flight.FlightClient]:
    """A client of the C++ library."""
    with flight.connect(server.uri) as client:
        yield client


@pytest.fixture
def other(server: ServerProcess) -> Iterator[RawClient]:
    """A client of no library that the server knows."""
    with RawClient(server.uri) as client:
        yield client


@pytest.fixture
def java(server: ServerProcess) -> Iterator[grpc.Channel]:
    """A channel that calls itself one of Java's; the real one is in `tests/jdbc`."""
    options = [("grpc.primary_user_agent", "grpc-java-netty/1.71.0"), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(server.uri.removeprefix("grpc://"), options) as channel:
        yield channel


def status(channel: grpc.Channel, method: str, request: bytes, headers: list[tuple[str, str]]) -> tuple[str, str]:
    """The code and the text of a call that fails."""
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(SERVICE + method)(request, timeout=raw.DEADLINE_SECONDS, metadata=headers)
    return caught.value.code().name, caught.value.details() or ""


@statements
@pytest.mark.parametrize(
    "ask",
    [
        lambda client, sql: client.get_flight_info(flight.FlightDescriptor.for_command(sql)),
        lambda client, sql: list(client.do_action(("CreatePreparedStatement", raw.prepare(sql)))),
    ],
    ids=["info", "action"],
)
def test_cpp_clients_show_the_line(plain: flight.FlightClient, ask: Ask, sql: str, code: str, line: str) -> None:
    """Nothing of the library stands behind it; of streams, the client itself adds what it knows of its connection."""
    with pytest.raises((pa.ArrowException, flight.FlightError)) as caught:
        ask(plain, sql)
    assert str(caught.value).partition(". gRPC client debug context: ")[0] == line


@statements
def test_java_clients_show_the_line(java: grpc.Channel, sql: str, code: str, line: str) -> None:
    """A text alone is UNKNOWN."""
    assert status(java, "GetFlightInfo", raw.descriptor(sql.encode()), []) == ("UNKNOWN", line)


@statements
def test_other_clients_get_the_code_and_a_text_that_arrives(other: RawClient, sql: str, code: str, line: str) -> None:
    """HTTP/2 libraries drop a text that ends in a blank."""
    answer = other.call("GetFlightInfo", [raw.descriptor(sql.encode())])
    assert answer.code == code
    assert answer.text.startswith(line)
    assert answer.text == answer.text.strip()


def test_a_wrong_password_is_one_line(server: ServerProcess, plain: flight.FlightClient, java: grpc.Channel) -> None:
    """Whoever asks, and however."""
    with pytest.raises(dbapi.Error) as go:
        dbapi.connect(server.uri, db_kwargs={"username": "alice", "password": "no"})
    assert f"[FlightSQL] {WRONG} (Unauthenticated;" in str(go.value)
    with pytest.raises(flight.FlightUnauthenticatedError) as cpp:
        plain.authenticate_basic_token("alice", "no")
    assert str(cpp.value) == WRONG
    assert status(java, "Handshake", b"", BASIC) == ("UNKNOWN", WRONG)


def test_a_lost_token_has_its_code(server: ServerProcess, plain: flight.FlightClient, java: grpc.Channel) -> None:
    """Programs log in again for it, so Java's get the code, too, and its name behind the line."""
    with (
        pytest.raises(dbapi.Error) as go,
        dbapi.connect(
            server.uri, db_kwargs={"adbc.flight.sql.authorization_header": "Bearer nope"}, autocommit=True
        ) as connection,
    ):
        connection.execute("SELECT 1")
    assert f"[FlightSQL] {UNKNOWN_TOKEN} (Unauthenticated;" in str(go.value)
    options = flight.FlightCallOptions(headers=[(b"authorization", b"Bearer nope")])
    with pytest.raises(flight.FlightUnauthenticatedError) as cpp:
        plain.get_flight_info(flight.FlightDescriptor.for_command("SELECT 1"), options)
    assert str(cpp.value) == UNKNOWN_TOKEN
    code, text = status(java, "GetFlightInfo", raw.descriptor(b"SELECT 1"), BEARER)
    assert (code, text.startswith(UNKNOWN_TOKEN)) == ("UNAUTHENTICATED", True)
