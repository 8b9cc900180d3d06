"""Getting in: without credentials, with a password, with a token, and not at all."""

import pytest

from tests.jdbc.conftest import USERS
from tests.jdbc.driver import Jdbc, failure
from tests.server_process import ServerProcess


def notes_of(jdbc: Jdbc, t: str) -> list[tuple[str]]:
    """What a user's own partition of a USER table holds."""
    return jdbc.rows(f"SELECT note FROM {t}")


def token_of(server: ServerProcess, user: str) -> str:
    """A bearer token, from a Flight handshake."""
    client, _ = server.flight()
    with client:
        _, header = client.authenticate_basic_token(user, USERS[user])
    return header.decode().removeprefix("Bearer ")


def test_a_server_of_developers_asks_for_no_password(db: Jdbc) -> None:
    """Without any property but useEncryption a connection works."""
    assert db.row("SELECT 1") == (1,)


def test_user_and_password_log_in(server: ServerProcess, db: Jdbc, t: str) -> None:
    """Each user has their own rows of a USER table."""
    db.run(f"CREATE USER TABLE {t} (note TEXT)")
    for user, password in USERS.items():
        with Jdbc(server.uri, user=user, password=password) as jdbc:
            jdbc.run(f"INSERT INTO {t} VALUES ('of {user}')")
            assert notes_of(jdbc, t) == [(f"of {user}",)]
    assert notes_of(db, t) == []


def test_a_token_logs_in(server: ServerProcess, db: Jdbc, t: str) -> None:
    """The property `token` takes what a handshake gave, and means the same user."""
    db.run(f"CREATE USER TABLE {t} (note TEXT)")
    with Jdbc(server.uri, user="alice", password=USERS["alice"]) as jdbc:
        jdbc.run(f"INSERT INTO {t} VALUES ('mine')")
    with Jdbc(server.uri, token=token_of(server, "alice")) as jdbc:
        assert notes_of(jdbc, t) == [("mine",)]


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"user": "alice", "password": "wrong"}, "the user name or password is wrong"),
        ({"user": "nobody", "password": "wrong"}, "the user name or password is wrong"),
        ({"token": "wrong"}, "the bearer token is unknown or has expired; log in again"),
    ],
    ids=["password", "user", "token"],
)
def test_a_wrong_login_is_an_error(server: ServerProcess, properties: dict[str, str], message: str) -> None:
    """The connection fails at once, with the reason and nothing of the server's inside."""
    found = failure(lambda: Jdbc(server.uri, **properties))
    assert message in found
    assert "Python" not in found


def test_a_wrong_password_is_one_line(server: ServerProcess) -> None:
    """Nothing stands behind the reason."""
    found = failure(lambda: Jdbc(server.uri, user="alice", password="wrong"))
    assert found.endswith("the user name or password is wrong")
    assert "Detail:" not in found


def test_a_connection_is_valid_until_it_is_closed(server: ServerProcess) -> None:
    """The calls that pools make."""
    with Jdbc(server.uri) as jdbc:
        assert jdbc.connection.isValid(5)
        assert not jdbc.connection.isClosed()
        assert jdbc.connection.getAutoCommit()
    assert jdbc.connection.isClosed()


def test_unknown_properties_do_no_harm(server: ServerProcess) -> None:
    """The driver sends properties that it does not know as headers."""
    with Jdbc(server.uri, application="a tool", retries="3") as jdbc:
        assert jdbc.row("SELECT 1") == (1,)
