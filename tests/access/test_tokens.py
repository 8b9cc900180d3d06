"""Tokens of programs: shown once, hashed, ended at once."""

import hashlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from adbc_driver_flightsql import dbapi
from pyarrow import flight

from tests.access.test_users import PASSWORD
from tests.e2e.client import Client, failure
from tests.server_process import ServerProcess

_NUMBERS = count(1)


@pytest.fixture
def owner(system: Client) -> Iterator[str]:
    """Whose tokens the test makes."""
    made = f"owner{next(_NUMBERS)}"
    system.run(f"CREATE USER {made} WITH PASSWORD '{PASSWORD}' ROLE service")
    yield made
    system.run(f"DROP USER IF EXISTS {made} CASCADE")


def bearer(server: ServerProcess, token: str) -> Client:
    """A connection that sends a token with every call."""
    options = {"adbc.flight.sql.authorization_header": f"Bearer {token}"}
    return Client(dbapi.connect(server.uri, db_kwargs=options, autocommit=True))


def refused(server: ServerProcess, token: str) -> str:
    """What a call with a token is refused with."""
    client = bearer(server, token)
    try:
        return client.error("SELECT 1")
    finally:
        client.connection.close()


def test_a_token_is_shown_once_and_logs_in(server: ServerProcess, system: Client, owner: str) -> None:
    """As its user, with the user's role; lists tell of it and do not show it."""
    ((name, user, secret),) = system.rows(f"CREATE TOKEN nightly FOR {owner}")
    assert (name, user) == ("nightly", owner)
    client = bearer(server, secret)
    assert client.one("SELECT current_user") == owner
    listed = system.arrow(f"SELECT * FROM system.tokens WHERE user = '{owner}'").to_pylist()
    assert [row["token"] for row in listed] == ["nightly"]
    shown = str(listed) + str(system.rows("SELECT text FROM system.queries"))
    assert secret not in shown
    assert hashlib.sha256(secret.encode()).hexdigest() not in shown
    client.connection.close()


def test_no_token_is_in_the_data_folder(server: ServerProcess, system: Client, owner: str) -> None:
    """Neither are passwords."""
    secret = system.rows(f"CREATE TOKEN nightly FOR {owner}")[0][2]
    stored = b"".join(path.read_bytes() for path in Path(server.data_dir).rglob("*") if path.is_file())
    assert hashlib.sha256(secret.encode()).hexdigest().encode() in stored
    assert secret.encode() not in stored
    assert PASSWORD.encode() not in stored


@pytest.mark.parametrize(
    "end", ["DROP TOKEN k FOR {}", "ALTER USER {} DISABLE", "ALTER USER {} SET ROLE user", "DROP USER {}"]
)
def test_what_ends_a_token_ends_its_sessions_on_the_next_call(
    server: ServerProcess, system: Client, owner: str, end: str
) -> None:
    """And nobody logs in with it again, but for a change of the role, which the next login has."""
    client = bearer(server, system.rows(f"CREATE TOKEN k FOR {owner}")[0][2])
    client.run("SET query_timeout_s = 9")
    system.run(end.format(owner))
    if "ROLE" in end:
        assert client.one("SHOW query_timeout_s") != "9.0"
    else:
        assert "log in again" in client.error("SELECT 1")
    client.connection.close()


def test_a_token_expires(server: ServerProcess, system: Client, owner: str) -> None:
    """Its sessions end with it."""
    secret = system.rows(f"CREATE TOKEN short FOR {owner} EXPIRES IN '1 second'")[0][2]
    options = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {secret}".encode())])
    with flight.connect(server.uri) as client:

        def ask_on() -> None:
            while True:
                client.do_get(flight.Ticket(b"SELECT 1"), options).read_all()

        with pytest.raises(flight.FlightUnauthenticatedError, match="log in again"):
            ask_on()


def test_a_read_only_token_changes_nothing(server: ServerProcess, system: Client, owner: str) -> None:
    """Whatever the statement and the way it comes; it reads what its user reads."""
    system.run(f"CREATE TABLE of_{owner} (id BIGINT PRIMARY KEY)")
    system.run(f"INSERT INTO of_{owner} VALUES (1)")
    client = bearer(server, system.rows(f"CREATE TOKEN r FOR {owner} READ ONLY")[0][2])
    assert client.count(f"of_{owner}") == 1
    for sql in (
        f"INSERT INTO of_{owner} VALUES (2)",
        f"UPDATE of_{owner} SET id = 3",
        f"DELETE FROM of_{owner}",
        f"TRUNCATE of_{owner}",
        f"DROP TABLE of_{owner}",
        f"ALTER TABLE of_{owner} ADD COLUMN x INT",
        f"CREATE TABLE by_{owner} (id BIGINT PRIMARY KEY)",
        f"CREATE VIEW by_{owner} AS SELECT 1",
        f"FLUSH TABLE of_{owner}",
        f"CREATE TOKEN more FOR {owner}",
        f"ALTER USER {owner} SET PASSWORD 'another word'",
        "KILL QUERY 1",
    ):
        assert "this login is read only" in client.error(sql)
        with pytest.raises(dbapi.Error, match="this login is read only"):
            client.update(sql)
    rows = system.arrow(f"SELECT * FROM of_{owner}")
    assert "this login is read only" in failure(lambda: client.ingest(f"of_{owner}", rows))
    assert client.count(f"of_{owner}") == 1
    client.connection.close()
    system.run(f"DROP TABLE of_{owner}")


def test_a_read_only_session_is_no_other_session_of_its_user(server: ServerProcess, system: Client, owner: str) -> None:
    """The same connection with another token has other rights."""
    full, narrow = (
        system.rows(f"CREATE TOKEN {name} FOR {owner} {how}")[0][2] for name, how in (("f", ""), ("n", "READ ONLY"))
    )
    made = flight.Ticket(b"CREATE TEMPORARY TABLE t (id INT)")
    narrowly, fully = (
        flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {secret}".encode())]) for secret in (narrow, full)
    )
    with flight.connect(server.uri) as client:
        for _ in range(2):
            with pytest.raises(flight.FlightUnauthorizedError, match="read only"):
                client.do_get(made, narrowly).read_all()
            client.do_get(made, fully).read_all()
            client.do_get(flight.Ticket(b"DROP TABLE t"), fully).read_all()


def test_everybody_has_tokens_of_their_own(server: ServerProcess, ann: Client) -> None:
    """One makes, sees and drops one's own."""
    secret = ann.rows("CREATE TOKEN mine")[0][2]
    assert ann.rows("SELECT token, user FROM system.tokens") == [("mine", "ann")]
    assert "token mine of ann exists already" in ann.error("CREATE TOKEN mine")
    ann.run("DROP TOKEN mine")
    assert "token mine of ann does not exist" in ann.error("DROP TOKEN mine")
    assert "log in again" in refused(server, secret)


@pytest.mark.parametrize("wish", ["'0 days'", "'90'", "'-1 day'", "'9 fortnights'", "'99999999999 weeks'", "90"])
def test_a_lifetime_is_a_number_and_a_unit(ann: Client, wish: str) -> None:
    """Nothing else is guessed."""
    said = ann.error(f"CREATE TOKEN t EXPIRES IN {wish}")
    assert "such as '90 days'" in said or "lives for at most" in said


@pytest.mark.attack
@pytest.mark.parametrize("forged", ["fst_", "fst_" + "A" * 43, "x" * 7_000, "a.b.c", ".."])
def test_a_token_that_nobody_made_is_refused(server: ServerProcess, forged: str) -> None:
    """Long, short, or like one of an outside issuer."""
    assert "UNAUTHENTICATED" in refused(server, forged)
