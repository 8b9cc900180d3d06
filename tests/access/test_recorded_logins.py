"""Logins and changes of users in the audit log."""

import pytest
from adbc_driver_flightsql import DatabaseOptions, dbapi
from adbc_driver_manager import Error

from tests.access.conftest import PASSWORDS
from tests.e2e.client import Client
from tests.server_process import ServerProcess

COLUMNS = "actor, action, object, outcome, digest"
RECORDS = f"SELECT {COLUMNS} FROM system.audit_log WHERE record > {{}} ORDER BY record"


def newest(system: Client) -> int:
    """The number of the newest record."""
    return int(system.one("SELECT max(record) FROM system.audit_log") or 0)


def since(system: Client, number: int) -> list[tuple[object, ...]]:
    """What was recorded after a record: who, what, to whom, and how it ended."""
    return [tuple(row[:4]) for row in system.rows(RECORDS.format(number))]


def test_a_login_is_recorded_with_its_session(server: ServerProcess, system: Client) -> None:
    """Before its first statement is answered."""
    before = newest(system)
    with server.connect("ann") as connection:
        session = Client(connection).one("SELECT session_id FROM system.sessions WHERE user = 'ann' LIMIT 1")
        assert session
    assert ("ann", "LOGIN", None, "allowed") in since(system, before)


def test_a_wrong_password_is_recorded(server: ServerProcess, system: Client) -> None:
    """With the name that was tried, and without the word."""
    before = newest(system)
    options = {"username": "nobody", "password": "a wrong word"}
    with pytest.raises(Error), dbapi.connect(server.uri, db_kwargs=options) as connection:
        Client(connection).one("SELECT 1")
    assert ("nobody", "LOGIN", None, "denied") in since(system, before)
    assert "a wrong word" not in str(system.rows(RECORDS.format(before)))


def test_tokens_that_prove_nobody_are_recorded(server: ServerProcess, system: Client) -> None:
    """How many, and nothing of them; many at once make one record."""
    before = newest(system)
    for word in ("a wrong token", "fst_wrong", "eyJhbGciOiJub25lIn0.e30."):
        options = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {word}"}
        with dbapi.connect(server.uri, db_kwargs=options, autocommit=True) as connection:
            assert "unknown or has expired" in Client(connection).error("SELECT 1")
    records = [row for row in since(system, before) if row[3] == "denied"]
    assert records
    assert set(records) == {("", "LOGIN", None, "denied")}
    assert "wrong" not in str(system.rows(f"SELECT * FROM system.audit_log WHERE record > {before}"))


def test_changes_of_users_are_recorded_without_their_secrets(system: Client) -> None:
    """Not even a hash of the text: whoever guesses the word could check it."""
    before = newest(system)
    system.run("CREATE USER recorded WITH PASSWORD 'word of recorded' ROLE user")
    system.run("ALTER USER recorded SET PASSWORD 'another word of it'")
    system.run("ALTER USER recorded SET ROLE service")
    system.run("DROP USER recorded")
    found = [row for row in system.rows(RECORDS.format(before)) if row[2] == "recorded"]
    assert [(row[0], row[1], row[3]) for row in found] == [
        ("sys", "CREATE USER", "allowed"),
        ("sys", "ALTER USER", "allowed"),
        ("sys", "ALTER USER", "allowed"),
        ("sys", "DROP USER", "allowed"),
    ]
    assert [row[4] is None for row in found] == [True, True, False, False]
    assert "word of" not in str(found)
    assert PASSWORDS["sys"] not in str(system.rows("SELECT * FROM system.audit_log"))
