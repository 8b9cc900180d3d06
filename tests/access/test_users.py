"""CREATE, ALTER and DROP USER: who may, what they do, and what they never show."""

from collections.abc import Iterator
from itertools import count

import pytest
from adbc_driver_flightsql import dbapi

from catalog.roles import Role
from flightserver.access.users import UserAction, allows
from tests.e2e.client import Client, failure
from tests.server_process import ServerProcess

PASSWORD = "correct horse 7"
CANARY = "canary-6f1d"
_NUMBERS = count(1)


@pytest.fixture
def name(system: Client) -> Iterator[str]:
    """A user of the test's own, who can log in with PASSWORD."""
    made = f"u{next(_NUMBERS)}"
    system.run(f"CREATE USER {made} WITH PASSWORD '{PASSWORD}' ROLE user")
    yield made
    system.run(f"DROP USER IF EXISTS {made} CASCADE")


def log_in(server: ServerProcess, user: str, password: str = PASSWORD) -> Client:
    """A connection as a user, which is opened for good."""
    client = Client(dbapi.connect(server.uri, db_kwargs={"username": user, "password": password}, autocommit=True))
    try:
        assert client.one("SELECT current_user") == user
    except BaseException:
        client.connection.close()
        raise
    return client


def refused(server: ServerProcess, user: str, password: str = PASSWORD) -> str:
    """What a login is refused with."""

    def attempt() -> None:
        log_in(server, user, password).connection.close()

    return failure(attempt)


@pytest.mark.parametrize("written", ["Plain", "'Quoted one'", '"Quoted two"', "'it''s'", "'ünïcode'", "'../../etc'"])
def test_a_user_is_named_by_a_word_or_a_quoted_text(server: ServerProcess, system: Client, written: str) -> None:
    """A word folds, quoted text stays, and harmless in paths is every name."""
    system.run(f"CREATE USER {written} WITH PASSWORD '{PASSWORD}' ROLE user")
    meant = "plain" if written == "Plain" else written[1:-1].replace("''", "'")
    log_in(server, meant).connection.close()
    system.run(f"DROP USER {written}")
    assert "is wrong" in refused(server, meant)


@pytest.mark.parametrize("bad", ["", " x", "a:b", "a\x00b", "a\nb", "x" * 129, "e\u0301", "a\u202eb", "public"])
def test_names_that_nobody_can_tell_apart_or_send_are_refused(system: Client, bad: str) -> None:
    """Empty, with outer spaces, colons or control characters, too long, not in normal form, turned around, reserved."""
    message = system.error("CREATE USER '" + bad + "' WITH PASSWORD 'long enough' ROLE user")
    assert "user name" in message or "has no end" in message  # the driver ends texts at a NUL


@pytest.mark.attack
def test_letters_that_look_alike_are_other_users(server: ServerProcess, system: Client) -> None:
    """A Cyrillic a is no Latin one."""
    system.run(f"CREATE USER '\u0430nn' WITH PASSWORD '{PASSWORD}'")
    assert "is wrong" in refused(server, "ann")
    system.run("DROP USER '\u0430nn'")


def test_a_name_is_taken_once(system: Client, name: str) -> None:
    """IF NOT EXISTS leaves the one that is there as it is."""
    assert f"user {name} exists already" in system.error(f"CREATE USER {name} WITH PASSWORD 'other word' ROLE dba")
    system.run(f"CREATE USER IF NOT EXISTS {name} WITH PASSWORD 'other word' ROLE dba")
    assert system.rows(f"SELECT role, enabled FROM system.users WHERE user = '{name}'") == [("user", True)]


def test_unknown_users_are_not_found(system: Client) -> None:
    """Unless IF EXISTS says that it does not matter."""
    assert "user nobody does not exist" in system.error("DROP USER nobody")
    assert "user nobody does not exist" in system.error("ALTER USER nobody DISABLE")
    system.run("DROP USER IF EXISTS nobody")


def test_system_users_shows_no_hash(system: Client, ann: Client, name: str) -> None:
    """Admins see all users, others themselves; nobody sees a hash."""
    seen = system.arrow("SELECT * FROM system.users")
    assert {"ann", "dora", "serve", "sys", name} <= set(seen.column("user").to_pylist())
    assert "argon2" not in str(seen.to_pylist())
    assert ann.column("SELECT user FROM system.users") == ["ann"]


@pytest.mark.parametrize("action", UserAction)
@pytest.mark.parametrize("actor", Role)
@pytest.mark.parametrize("target", Role)
def test_who_may_manage_whom(actor: Role, action: UserAction, target: Role) -> None:
    """System everybody, dba users and services, others nobody but the secrets of their own."""
    own_secrets = {UserAction.SET_PASSWORD, UserAction.CREATE_TOKEN, UserAction.DROP_TOKEN}
    manages = actor is Role.SYSTEM or (actor is Role.DBA and target in {Role.USER, Role.SERVICE})
    assert allows(actor, action, target, own=False) is manages
    assert allows(actor, action, actor, own=True) is (action in own_secrets or actor is Role.SYSTEM)


@pytest.mark.attack
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE USER x WITH PASSWORD 'long enough' ROLE user",
        "ALTER USER serve SET PASSWORD 'long enough'",
        "ALTER USER ann SET ROLE system",
        "ALTER USER nobody DISABLE",
        "DROP USER IF EXISTS serve",
        "DROP USER nobody",
        "CREATE TOKEN t FOR sys",
        "DROP TOKEN t FOR nobody",
    ],
)
def test_a_user_manages_nobody(ann: Client, statement: str) -> None:
    """And is not told whether there is somebody of that name."""
    assert "ann has the role user and may not" in ann.error(statement)


@pytest.mark.attack
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE USER x WITH PASSWORD 'long enough' ROLE dba",
        "ALTER USER sys SET PASSWORD 'long enough'",
        "ALTER USER ann SET ROLE dba",
        "ALTER USER dora SET ROLE system",
        "DROP USER sys",
        "CREATE TOKEN t FOR sys",
    ],
)
def test_a_dba_makes_nobody_like_itself(dba: Client, statement: str) -> None:
    """It manages users and services, and makes neither admins nor itself more."""
    assert "dora has the role dba and may not" in dba.error(statement)


def test_the_last_system_user_stays(system: Client) -> None:
    """It cannot be disabled, demoted or dropped, not even by itself."""
    for change in ("DISABLE", "SET ROLE user"):
        assert "sys is the last user with the role system" in system.error(f"ALTER USER sys {change}")
    assert "nobody drops themselves" in system.error("DROP USER sys")
    system.run(f"CREATE USER second WITH PASSWORD '{PASSWORD}' ROLE system")
    system.run("ALTER USER second DISABLE")
    assert "sys is the last" in system.error("ALTER USER sys DISABLE")
    system.run("DROP USER second")


def test_a_password_has_a_least_length(system: Client) -> None:
    """The error does not repeat the password."""
    message = system.error(f"CREATE USER u WITH PASSWORD '{CANARY[:7]}'")
    assert "a password must have 8 to 1024 characters" in message
    assert CANARY[:7] not in message


@pytest.mark.parametrize(
    "change", ["SET PASSWORD 'another word'", "SET ROLE service", "DISABLE"], ids=["password", "role", "disable"]
)
def test_a_change_ends_sessions_on_the_next_call(server: ServerProcess, system: Client, name: str, change: str) -> None:
    """Those that were there before rest on what is not so any more."""
    client = log_in(server, name)
    system.run(f"ALTER USER {name} {change}")
    assert "log in again" in client.error("SELECT 1")
    client.connection.close()


def test_dropping_a_user_ends_sessions_and_a_user_of_that_name_is_another(
    server: ServerProcess, system: Client, name: str
) -> None:
    """The new user's session is none of the old one's."""
    client = log_in(server, name)
    system.run(f"DROP USER {name}")
    system.run(f"CREATE USER {name} WITH PASSWORD '{PASSWORD}'")
    assert "log in again" in client.error("SELECT 1")
    client.connection.close()


def test_a_limit_and_enabling_end_no_session(server: ServerProcess, system: Client, name: str) -> None:
    """They take nothing away from what the session rests on."""
    client = log_in(server, name)
    system.run(f"ALTER USER {name} ENABLE")
    system.run(f"ALTER USER {name} SET LIMIT statements = 5")
    assert client.one("SELECT 1") == 1
    assert system.column(f"SELECT limits FROM system.users WHERE user = '{name}'") == ["statements = 5"]
    system.run(f"ALTER USER {name} RESET LIMIT statements")
    assert system.column(f"SELECT limits FROM system.users WHERE user = '{name}'") == [""]
    client.connection.close()


def test_a_limit_of_sessions_holds(server: ServerProcess, system: Client, name: str) -> None:
    """One that holds nothing makes room for the next of the same user."""
    system.run(f"ALTER USER {name} SET LIMIT sessions = 1")
    first = log_in(server, name)
    second = log_in(server, name)
    assert "log in again" in first.error("SELECT 1")
    second.run("SET query_timeout_s = 7")
    assert f"1 sessions of {name} are open, which is the limit" in refused(server, name)
    for client in (first, second):
        client.connection.close()


def test_a_limit_that_nothing_keeps_is_refused(system: Client, name: str) -> None:
    """What can be set is what holds."""
    assert "there is no limit wishes" in system.error(f"ALTER USER {name} SET LIMIT wishes = 3")
    assert "whole number" in system.error(f"ALTER USER {name} SET LIMIT sessions = 1.5")


def test_who_sets_their_own_password_goes_on(server: ServerProcess, system: Client, name: str) -> None:
    """In the session where they did; others of theirs end, and the old password is worth nothing."""
    client, other = log_in(server, name), log_in(server, name)
    client.run(f"ALTER USER {name} SET PASSWORD 'another word'")
    assert client.one("SELECT 1") == 1
    assert "log in again" in other.error("SELECT 1")
    assert "is wrong" in refused(server, name)
    log_in(server, name, "another word").connection.close()
    for one in (client, other):
        one.connection.close()


def test_a_user_with_rows_is_dropped_with_them_only(server: ServerProcess, system: Client, name: str) -> None:
    """Others keep theirs, and the next user of that name finds none."""
    system.run(f"CREATE USER TABLE of_{name} (id BIGINT PRIMARY KEY)")
    client = log_in(server, name)
    client.run(f"INSERT INTO of_{name} VALUES (1), (2)")
    system.run(f"INSERT INTO of_{name} VALUES (1)")
    assert f"{name} has rows in USER tables" in system.error(f"DROP USER {name}")
    assert client.one("SELECT 1") == 1
    system.run(f"DROP USER {name} CASCADE")
    system.run(f"CREATE USER {name} WITH PASSWORD '{PASSWORD}'")
    again = log_in(server, name)
    assert (again.count(f"of_{name}"), system.count(f"of_{name}")) == (0, 1)
    for one in (client, again):
        one.connection.close()


def test_users_survive_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With their roles; what was dropped stays dropped."""
    with ServerProcess(tmp_path_factory.mktemp("again") / "data") as server:
        with server.connect() as connection:
            Client(connection).run(f"CREATE USER stays WITH PASSWORD '{PASSWORD}' ROLE service")
            Client(connection).run(f"CREATE USER goes WITH PASSWORD '{PASSWORD}'")
            Client(connection).run("DROP USER goes")
        server.restart()
        with server.connect() as connection:
            assert Client(connection).rows("SELECT user, role FROM system.users") == [("stays", "service")]
        log_in(server, "stays").connection.close()


def test_users_are_not_changed_in_a_transaction_that_has_begun(server: ServerProcess) -> None:
    """What takes effect at once could not be rolled back."""
    with server.connect("sys", autocommit=False) as connection:
        client = Client(connection)
        client.run("SELECT * FROM system.users")
        client.run("CREATE TABLE in_transaction (id BIGINT PRIMARY KEY)")
        assert "not in a transaction that has begun" in client.error("CREATE USER x WITH PASSWORD 'long enough'")


def test_changes_of_users_are_recorded_and_passwords_are_not(system: Client, name: str) -> None:
    """The audit log has a digest of a text without a secret, and none of one with a secret: it could be guessed at."""
    system.run(f"ALTER USER {name} DISABLE")
    recorded = system.rows(
        f"SELECT action, digest IS NULL FROM system.audit_log WHERE object = '{name}' ORDER BY record"
    )
    assert recorded == [("CREATE USER", True), ("ALTER USER", False)]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE USER leak WITH PASSWORD '{}' ROLE user",
        "ALTER USER leak SET PASSWORD '{}'",
        "CREATE USER IF NOT EXISTS leak PASSWORD '{}'",
        "EXPLAIN CREATE USER leak PASSWORD '{}'",
        "CREATE USER leak PASSWORD {}",
        'CREATE USER leak PASSWORD "{}"',
        "CREATE USER leak PASSWORD '{}' '{}'",
        "CREATE USER leak PASSWORD '{}' ROLE '{}'",
        "ALTER USER leak SET PASSWORD '{}' {}",
        "ALTER USER leak SET PASSWORD E'{}'",
        "ALTER USER leak SET PASSWORD = '{}'",
        "CREATE USER leak WITH PASSWORD 'it's {}'",
        "CREATE USER leak WITH PASSWORD '{}",
        "ALTER USER leak SET PASSWORD '{}'; DROP USER leak",
    ],
)
def test_a_password_is_shown_nowhere(server: ServerProcess, system: Client, statement: str) -> None:
    """Not in system.queries, an error or the log, whether the statement is right or wrong, prepared or not."""
    sql = statement.replace("{}", CANARY)
    said = ""
    for run in (system.run, system.update):
        try:
            run(sql)
        except dbapi.Error as error:
            said += str(error)
    assert CANARY not in said
    assert CANARY not in str(system.rows("SELECT text, error FROM system.queries"))
    assert CANARY not in server.log
    system.run("DROP USER IF EXISTS leak")
