"""ALTER SYSTEM: settings that change while the server runs, who may change them, and what is left of it."""

import json
from collections.abc import Iterator

import pytest
from adbc_driver_flightsql import dbapi

from catalog.roles import Role
from tests.server_process import ServerProcess

SEEN = "SELECT value, source FROM system.settings WHERE key = '{}'"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with an administrator of each kind and a user."""
    folder = tmp_path_factory.mktemp("altering") / "data"
    roles = {"root": Role.SYSTEM, "dora": Role.DBA, "ann": Role.USER}
    settings = {"statements_max": 60, "root_password_file": str(folder / "unread")}
    with ServerProcess(
        folder, users=dict.fromkeys(roles, "word"), roles=roles, dev=False, settings=settings
    ) as process:
        yield process


def answer(server: ServerProcess, sql: str, user: str | None = "root") -> list[tuple[object, ...]]:
    """The result of a statement."""
    with server.connect(user) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def refusal(server: ServerProcess, sql: str, user: str = "root") -> str:
    """What is said of a statement that is refused."""
    with pytest.raises(dbapi.Error) as refused:
        answer(server, sql, user)
    return str(refused.value)


def test_a_setting_holds_at_once_and_after_a_restart(people: ServerProcess) -> None:
    """Until it is reset; then the file's holds again."""
    assert answer(people, SEEN.format("statements_max")) == [("60", "file")]
    answer(people, "ALTER SYSTEM SET statements_max = 7")
    at_most = "SELECT at_most FROM system.limits WHERE name = 'statements at work'"
    assert answer(people, at_most) == [(7,)]
    people.restart()
    assert answer(people, SEEN.format("statements_max")) == [("7", "ALTER SYSTEM")]
    answer(people, "ALTER SYSTEM RESET statements_max")
    assert answer(people, at_most) == [(60,)]


def test_limits_of_a_running_server_follow(people: ServerProcess) -> None:
    """A result that is longer than the new limit is refused, in a session that began before."""
    with people.connect("ann") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 UNION ALL SELECT 2").fetchall()
        answer(people, "ALTER SYSTEM SET result_rows_max = 1")
        with pytest.raises(dbapi.Error, match="result_rows = 1"):
            cursor.execute("SELECT 1 UNION ALL SELECT 2").fetchall()
        answer(people, "ALTER SYSTEM RESET result_rows_max")
        assert len(cursor.execute("SELECT 1 UNION ALL SELECT 2").fetchall()) == 2


def test_a_lower_timeout_holds_for_sessions_that_are_open(people: ServerProcess) -> None:
    """Also for one that has set its own."""
    with people.connect("ann") as connection, connection.cursor() as cursor:
        cursor.execute("SET query_timeout_s = 50")
        answer(people, "ALTER SYSTEM SET query_timeout_s = 20")
        assert float(cursor.execute("SHOW query_timeout_s").fetchall()[0][-1]) == 20
        answer(people, "ALTER SYSTEM RESET query_timeout_s")
        assert float(cursor.execute("SHOW query_timeout_s").fetchall()[0][-1]) == 50


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("ALTER SYSTEM SET node_id = 2", "node_id needs a restart"),
        ("ALTER SYSTEM RESET memory_limit_mb", "memory_limit_mb needs a restart"),
        ("ALTER SYSTEM SET queue_max = -1", r"queue_max = '-1' \(ALTER SYSTEM\) must be a whole number from 0 on"),
        ("ALTER SYSTEM SET que_max = 1", r"there is no que_max \(ALTER SYSTEM\); did you mean queue_max?"),
    ],
)
def test_what_cannot_be_set_is_refused(people: ServerProcess, sql: str, message: str) -> None:
    """By what it may be, or because something was made of it when the server started."""
    with people.connect("root") as connection, connection.cursor() as cursor, pytest.raises(dbapi.Error, match=message):
        cursor.execute(sql)


@pytest.mark.parametrize("user", ["dora", "ann"])
def test_only_the_role_system_changes_settings(people: ServerProcess, user: str) -> None:
    """Others learn nothing of what there is."""
    for sql in ("ALTER SYSTEM SET queue_max = 9", "ALTER SYSTEM SET nothing = 9", "ALTER SYSTEM RESET queue_max"):
        assert f"{user} may not say what the server does" in refusal(people, sql, user)


def test_settings_are_for_those_who_look_after_the_server(people: ServerProcess) -> None:
    """And no path of its machine is in them."""
    assert answer(people, "SELECT * FROM system.settings", "ann") == []
    rows = answer(people, "SELECT * FROM system.settings", "dora")
    assert len(rows) > 40
    assert str(people.data_dir) not in json.dumps(rows)
    assert answer(people, SEEN.format("root_password_file")) == [("…", "file")]


def test_a_change_is_in_the_audit_log(people: ServerProcess) -> None:
    """With its commit, by the setting's name."""
    answer(people, "ALTER SYSTEM SET drain_s = 5")
    found = "SELECT actor, object, outcome FROM system.audit_log WHERE action = 'ALTER SYSTEM' ORDER BY record DESC"
    assert answer(people, found)[0] == ("root", "drain_s", "allowed")
