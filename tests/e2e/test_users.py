"""Users: logins, row sets of their own, handles that are nobody else's."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi
from pyarrow import flight

from flightserver.protocol.actions import ClosePreparedStatement
from flightserver.protocol.commands import PreparedStatementQuery, PreparedStatementUpdate, StatementQuery
from tests.e2e.client import Client
from tests.e2e.wire import Wire
from tests.server_process import ServerProcess

Make = Callable[..., str]

SECRET = "the-secret-of-alice"


@pytest.fixture
def diary(db: Client, alice: Client, bob: Client, make: Make) -> str:
    """A USER table in which alice has many rows, hot and cold, and bob has one."""
    t = make("id BIGINT PRIMARY KEY, s TEXT", kind="USER", options="WITH (bloom_columns = 's')")
    rows = pa.table({"id": range(100), "s": [f"{SECRET}-{n}" for n in range(100)]})
    alice.ingest(t, rows)
    db.run(f"FLUSH TABLE {t}")
    alice.run(f"INSERT INTO {t} VALUES (1000, '{SECRET}-hot')")
    alice.run(f"DELETE FROM {t} WHERE id = 5")
    bob.run(f"INSERT INTO {t} VALUES (1, 'of bob')")
    return t


def test_two_users_see_their_own_rows_only(alice: Client, bob: Client, db: Client, diary: str) -> None:
    """In queries, counts, joins, sub-queries and system columns."""
    assert bob.rows(f"SELECT * FROM {diary}") == [(1, "of bob")]
    assert [client.count(diary) for client in (alice, bob, db)] == [100, 1, 0]
    assert bob.one(f"SELECT count(*) FROM {diary} a, {diary} b") == 1
    assert bob.one(f"SELECT count(*) FROM {diary} WHERE _seq > 0 AND NOT _deleted") == 1
    assert bob.rows(f"SELECT max(s), (SELECT min(s) FROM {diary}) FROM {diary}") == [("of bob", "of bob")]


def test_changes_touch_the_rows_of_the_user_who_makes_them(alice: Client, bob: Client, diary: str) -> None:
    """UPDATE, DELETE and TRUNCATE of one user leave the other's rows alone, under the same keys."""
    assert bob.update(f"UPDATE {diary} SET s = 'x'") == 1
    assert bob.update(f"DELETE FROM {diary} WHERE id < 50") == 1
    bob.run(f"INSERT INTO {diary} VALUES (2, 'y')")
    assert bob.update(f"TRUNCATE {diary}") == 1
    assert alice.count(diary) == 100
    assert alice.one(f"SELECT count(*) FROM {diary} WHERE s LIKE '{SECRET}%'") == 100


def test_explain_and_manifest_tell_nothing_of_others(bob: Client, db: Client, diary: str) -> None:
    """EXPLAIN, EXPLAIN ANALYZE VERBOSE and SHOW MANIFEST of a user are about that user's files."""
    for sql in (f"EXPLAIN SELECT * FROM {diary}", f"EXPLAIN ANALYZE VERBOSE SELECT max(s) FROM {diary}"):
        shown = str(bob.rows(sql))
        assert SECRET not in shown
        assert "alice" not in shown
    assert "total=0" in str(bob.rows(f"EXPLAIN SELECT * FROM {diary}"))
    assert bob.rows(f"SHOW MANIFEST FOR {diary}") == []
    db.run(f"FLUSH TABLE {diary}")
    assert [row[1] for row in bob.rows(f"SHOW MANIFEST FOR {diary}")] == [1]


def test_errors_tell_nothing_of_others(bob: Client, diary: str) -> None:
    """A key that another user has is free; errors name nothing of other users' rows."""
    bob.run(f"INSERT INTO {diary} VALUES (50, 'mine')")
    for sql in (
        f"INSERT INTO {diary} VALUES (50, 'again')",
        f"SELECT CAST(s AS INT) FROM {diary}",
        f"UPDATE {diary} SET id = 1",
        f"SELECT 1 / (id - 50) FROM {diary}",
    ):
        message = bob.error(sql)
        assert SECRET not in message
        assert "alice" not in message


def test_metadata_shows_definitions_alike(alice: Client, bob: Client, diary: str) -> None:
    """What tables exist is no secret; nothing in it depends on another user's rows."""
    found = [
        client.connection.adbc_get_objects(depth="all", table_name_filter=diary).read_all().to_pylist()
        for client in (alice, bob)
    ]
    assert diary in str(found)
    assert found[0] == found[1]
    assert SECRET not in str(found)


def test_a_view_over_a_user_table_shows_the_rows_of_who_asks(
    db: Client, alice: Client, bob: Client, diary: str
) -> None:
    """A view is read with the reader's eyes, whoever made it."""
    alice.run(f"CREATE VIEW {diary}_v AS SELECT s FROM {diary}")
    alice.run(f"GRANT SELECT ON {diary}_v TO bob")
    assert bob.column(f"SELECT * FROM {diary}_v") == ["of bob"]
    assert db.column(f"SELECT count(*) FROM {diary}_v") == [0]


def refused(call: Callable[[], Any]) -> str:
    """The message of a call that must fail."""
    with pytest.raises((flight.FlightError, pa.ArrowException, KeyError)) as caught:
        call()
    return str(caught.value)


@pytest.mark.attack
def test_a_ticket_of_another_user_is_refused(server: ServerProcess, diary: str) -> None:
    """A ticket works for the user who got it and for nobody else."""
    with Wire(server, "alice") as alice, Wire(server, "bob") as bob, Wire(server) as root:
        info = alice.info(StatementQuery(f"SELECT * FROM {diary}"))
        for other in (bob, root):
            assert SECRET not in refused(lambda other=other: other.fetch(info))
        assert alice.fetch(info).num_rows == 100


@pytest.mark.attack
def test_a_prepared_handle_of_another_user_is_refused(server: ServerProcess, diary: str) -> None:
    """Others can neither run, nor bind, nor close a prepared statement."""
    with Wire(server, "alice") as alice, Wire(server, "bob") as bob:
        handle = alice.prepare(f"SELECT * FROM {diary}").prepared_statement_handle
        change = alice.prepare(f"DELETE FROM {diary}").prepared_statement_handle
        refused(lambda: bob.info(PreparedStatementQuery(handle)))
        refused(lambda: bob.schema(PreparedStatementQuery(handle)))
        refused(lambda: bob.put(PreparedStatementUpdate(change), pa.schema([]), []))
        bob.act(ClosePreparedStatement(handle))
        assert alice.fetch(alice.info(PreparedStatementQuery(handle))).num_rows == 100


def test_users_share_shared_tables(db: Client, alice: Client, bob: Client, make: Make) -> None:
    """A SHARED table is the same for everybody who was granted it."""
    t = make()
    db.run(f"GRANT SELECT, INSERT ON {t} TO alice, bob")
    alice.run(f"INSERT INTO {t} VALUES (1, 1, 'a')")
    assert "1" in bob.error(f"INSERT INTO {t} VALUES (1, 1, 'a')")
    assert bob.count(t) == 1


def test_current_user_is_who_logged_in(alice: Client, db: Client, make: Make) -> None:
    """DEFAULT CURRENT_USER takes the login, in statements and streams."""
    t = make("id BIGINT PRIMARY KEY, who TEXT DEFAULT CURRENT_USER")
    db.run(f"GRANT INSERT ON {t} TO alice")
    alice.run(f"INSERT INTO {t} (id) VALUES (1)")
    alice.ingest(t, pa.table({"id": [2]}))
    db.run(f"INSERT INTO {t} (id) VALUES (3)")
    assert db.column(f"SELECT who FROM {t} ORDER BY id") == ["alice", "alice", "root"]


@pytest.mark.attack
@pytest.mark.parametrize("credentials", [("alice", "wrong"), ("nobody", "x"), ("alice", ""), ("", "")])
def test_wrong_credentials_are_refused(server: ServerProcess, credentials: tuple[str, str]) -> None:
    """The answer is the same for an unknown user and a wrong password."""
    client = flight.FlightClient(server.uri)
    with pytest.raises(flight.FlightUnauthenticatedError, match="user name or password is wrong"):
        client.authenticate_basic_token(*credentials)
    client.close()


@pytest.mark.attack
@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic !!!", "Digest x", "Bearer ", "alice"])
def test_a_forged_header_is_refused(server: ServerProcess, header: str) -> None:
    """Every call checks its credentials, with --dev too."""
    options = flight.FlightCallOptions(headers=[(b"authorization", header.encode())])
    with flight.FlightClient(server.uri) as client:
        for call in (
            lambda: client.get_flight_info(flight.FlightDescriptor.for_command(b"SELECT 1"), options),
            lambda: client.do_get(flight.Ticket(b"SELECT 1"), options).read_all(),
            lambda: list(client.list_actions(options)),
            lambda: list(client.do_action("CloseSession", options)),
        ):
            with pytest.raises(flight.FlightUnauthenticatedError):
                call()


def test_without_dev_nobody_gets_in_without_credentials(tmp_path: Any) -> None:
    """A server with users only refuses calls without a login."""
    with ServerProcess(tmp_path / "data", users={"alice": "pw"}, dev=False) as server:
        with pytest.raises(dbapi.Error, match="log in"), server.connect() as connection:
            Client(connection).one("SELECT 1")
        with server.connect("alice") as connection:
            assert Client(connection).one("SELECT 1") == 1


@pytest.mark.parametrize("name", ["../../../etc", "a/b", "ünï", "A", "a", "con", ".", "..", "x" * 128])
def test_any_user_name_has_its_own_row_set(tmp_path_factory: Any, strange_users: ServerProcess, name: str) -> None:
    """User names are no paths, and differ by case; each has rows of its own."""
    with strange_users.connect(name) as connection:
        client = Client(connection)
        assert client.count("t") == 0
        client.run("INSERT INTO t VALUES (1)")
        assert client.count("t") == 1


@pytest.fixture(scope="module")
def strange_users(tmp_path_factory: Any) -> Any:
    """A server with users of strange names."""
    names = ["../../../etc", "a/b", "ünï", "A", "a", "con", ".", "..", "x" * 128]
    folder = tmp_path_factory.mktemp("strange")
    with ServerProcess(folder / "data", users=dict.fromkeys(names, "pw")) as server:
        with server.connect() as connection:
            Client(connection).run("CREATE USER TABLE t (id INT PRIMARY KEY)")
        yield server
        assert {path.name for path in folder.iterdir()} <= {"data", "data.toml", "data.stderr"}
