"""Logins as libraries make them: in a header, in a Handshake's message, and with a token that is none."""

from collections.abc import Iterator
from typing import Any

import pytest
from pyarrow import flight

from tests.e2e.conftest import USERS
from tests.fuzz import raw
from tests.fuzz.raw import RawClient
from tests.server_process import ServerProcess

WHO = flight.Ticket(b"SELECT current_user AS me")


class BasicAuth(flight.ClientAuthHandler):  # type: ignore[misc]
    """The older login: a message with name and password, answered by a token in a message."""

    def __init__(self, user: str, password: str) -> None:
        super().__init__()
        self._message = flight.BasicAuth(user, password).serialize()
        self._token = b""

    def authenticate(self, outgoing: Any, incoming: Any) -> None:
        """Send the one, keep the other."""
        outgoing.write(self._message)
        self._token = incoming.read()

    def get_token(self) -> bytes:
        """What every call brings from then on."""
        return self._token


@pytest.fixture
def client(server: ServerProcess) -> Iterator[flight.FlightClient]:
    """A client without credentials."""
    with flight.connect(server.uri) as client:
        yield client


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server where everybody has to log in."""
    with ServerProcess(tmp_path_factory.mktemp("locked") / "data", users=USERS, dev=False) as process:
        yield process


def me(client: flight.FlightClient, authorization: str | None = None) -> str:
    """Whom the server takes a client for."""
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    (row,) = client.do_get(WHO, flight.FlightCallOptions(headers=headers)).read_all().to_pylist()
    return str(row["me"])


def test_a_message_logs_in(client: flight.FlightClient) -> None:
    """Its token names the user of every later call."""
    client.authenticate(BasicAuth("alice", USERS["alice"]))
    assert me(client) == "alice"


def test_a_message_with_a_wrong_password_is_refused(client: flight.FlightClient) -> None:
    """As in a header."""
    with pytest.raises(flight.FlightUnauthenticatedError, match="the user name or password is wrong"):
        client.authenticate(BasicAuth("alice", "no"))


def test_a_message_of_another_kind_is_refused(server: ServerProcess) -> None:
    """Noise is no login."""
    with RawClient(server.uri) as client:
        answer = client.call("Handshake", [raw.field(2, b"\xff\xff")])
    assert answer.code == "UNAUTHENTICATED"
    assert "is not a BasicAuth" in answer.text


def test_a_handshake_without_credentials_needs_a_server_of_developers(
    server: ServerProcess, locked: ServerProcess
) -> None:
    """Elsewhere it is told to log in."""
    found = {}
    for process in (server, locked):
        with RawClient(process.uri) as client:
            found[process] = client.call("Handshake", []).code
    assert found == {server: "OK", locked: "UNAUTHENTICATED"}


@pytest.mark.parametrize("token", ["None", "null"])
def test_a_token_that_is_none_is_no_credential(client: flight.FlightClient, locked: ServerProcess, token: str) -> None:
    """Libraries write it when they have none: developers get in by it, others are told to log in."""
    assert me(client, f"Bearer {token}") == "root"
    with flight.connect(locked.uri) as other, pytest.raises(flight.FlightUnauthenticatedError, match="log in"):
        me(other, f"Bearer {token}")


def test_an_unknown_token_is_refused_by_a_server_of_developers(client: flight.FlightClient) -> None:
    """It was a session once, and root's is another one."""
    with pytest.raises(flight.FlightUnauthenticatedError, match="is unknown or has expired"):
        me(client, "Bearer nope")
