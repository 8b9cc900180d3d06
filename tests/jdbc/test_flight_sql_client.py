"""Java's own client of Flight SQL, which the driver has inside: programs and other drivers call it without JDBC."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.jdbc.conftest import USERS
from tests.jdbc.driver import Jdbc, byte_array, java
from tests.processes import HANGS_SECONDS
from tests.server_process import ServerProcess

SHADED = "org.apache.arrow.driver.jdbc.shaded.org.apache.arrow."
DEADLINE_SECONDS = int(HANGS_SECONDS)


@pytest.fixture
def flights(server: ServerProcess) -> Iterator[Any]:
    """A FlightClient without credentials."""
    allocator = java(f"{SHADED}memory.RootAllocator")()
    host, port = server.uri.removeprefix("grpc://").split(":")
    location = java(f"{SHADED}flight.Location").forGrpcInsecure(host, int(port))
    client = java(f"{SHADED}flight.FlightClient").builder(allocator, location).build()
    yield client
    client.close()
    allocator.close()


@pytest.fixture
def client(flights: Any) -> Any:
    """A FlightSqlClient."""
    return java(f"{SHADED}flight.sql.FlightSqlClient")(flights)


@pytest.fixture
def deadline() -> Any:
    """The option that ends a call that nobody answers."""
    seconds = java("java.util.concurrent.TimeUnit").SECONDS
    return java(f"{SHADED}flight.CallOptions").timeout(DEADLINE_SECONDS, seconds)


def test_an_update_returns(client: Any, deadline: Any, db: Jdbc, make: Callable[..., str]) -> None:
    """Java's executeUpdate of text keeps its side of the call open until it is answered and the call has ended."""
    t = make()
    assert client.executeUpdate(f"INSERT INTO {t} VALUES (1, 'a'), (2, 'b')", deadline) == 2
    assert db.rows(f"SELECT id FROM {t} ORDER BY id") == [(1,), (2,)]


def test_a_refused_update_says_why(client: Any, deadline: Any) -> None:
    """With the server's line."""
    with pytest.raises(java(f"{SHADED}flight.FlightRuntimeException"), match=r"table public\.nope does not exist"):
        client.executeUpdate("DELETE FROM nope", deadline)


def test_the_older_login_logs_in(flights: Any, deadline: Any) -> None:
    """A Handshake with name and password in its message; its token comes with every later call."""
    flights.authenticateBasic("alice", USERS["alice"])
    ticket = java(f"{SHADED}flight.Ticket")(byte_array(b"SELECT current_user AS me"))
    stream = flights.getStream(ticket, deadline)
    assert stream.next()
    assert str(stream.getRoot().getVector(0).getObject(0)) == "alice"
    stream.close()
