"""Statements and streams for another user: who may, in which forms, and whose rows, rights and defaults they have."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from catalog.roles import Role
from flightserver.access.rights import may_act_for
from flightserver.protocol.commands import IfExists
from tests.rights.house import Answer, House, Person

FORMS = {
    "clause": lambda user, sql: sql.replace(" notes", f" notes AS USER '{user}'", 1),
    "wrapper": lambda user, sql: f"EXECUTE AS USER '{user}' ({sql})",
    "bare name": lambda user, sql: f"EXECUTE AS USER {user} ({sql})",
    "short": lambda user, sql: f"EXECUTE AS '{user}' ({sql})",
}
"""Ways to say for whom a change is."""


@pytest.fixture(scope="module")
def root(house: House) -> Person:
    """Who made the tables."""
    person = house.person("root")
    person.ok("CREATE USER TABLE notes (id BIGINT PRIMARY KEY, who TEXT DEFAULT CURRENT_USER, v BIGINT DEFAULT 0)")
    person.ok("CREATE TABLE board (id BIGINT PRIMARY KEY)")
    return person


@pytest.fixture(autouse=True)
def clean(house: House, root: Person) -> Iterator[None]:
    """No rows are left."""
    yield
    for name in house.people:
        house.person(name).ok("DELETE FROM notes")


def rows(person: Person) -> list[tuple[object, ...]]:
    """What a user has in the table."""
    return person.tuples("SELECT * FROM notes ORDER BY id")


@pytest.mark.parametrize("form", FORMS)
def test_each_form_changes_the_rows_of_the_subject(house: House, form: str) -> None:
    """INSERT, UPDATE and DELETE, on the query path, the update path and prepared."""
    write, sid, ann = FORMS[form], house.person("sid"), house.person("ann")
    for run in (sid.query, sid.update, sid.prepared):
        assert run(write("ann", "INSERT INTO notes (id) VALUES (1), (2)")).error is None
        assert rows(ann) == [(1, "ann", 0), (2, "ann", 0)]
        assert run(write("ann", "UPDATE notes SET v = 7 WHERE id = 1")).error is None
        assert rows(ann) == [(1, "ann", 7), (2, "ann", 0)]
        assert run(write("ann", "DELETE FROM notes WHERE id < 3")).error is None
        assert rows(ann) == rows(sid) == []


def test_parameters_are_bound_for_the_subject(house: House) -> None:
    """Several rows of them are one statement."""
    sid, ann = house.person("sid"), house.person("ann")
    bound = pa.table({"1": [1, 2], "2": [10, 20]})
    assert sid.prepared("INSERT INTO notes AS USER 'ann' (id, v) VALUES (?, ?)", bound).affected == 2
    assert sid.prepared("UPDATE notes AS USER 'ann' SET v = v + $2 WHERE id = $1", bound).affected == 2
    assert rows(ann) == [(1, "ann", 20), (2, "ann", 40)]
    found = sid.prepared("EXECUTE AS USER 'ann' (SELECT v FROM notes WHERE id = ?)", pa.table({"1": [2]})).rows
    assert found is not None
    assert found.to_pylist() == [{"v": 40}]
    assert sid.prepared("DELETE FROM notes AS USER 'ann' WHERE id = ?", bound.select(["1"])).affected == 2


def test_a_query_is_the_subjects(house: House) -> None:
    """Rows, rights and names are the subject's; SESSION_USER is who is logged in."""
    root, ann = house.person("root"), house.person("ann")
    ann.ok("INSERT INTO notes (id) VALUES (5)")
    assert root.ok("EXECUTE AS USER 'ann' (SELECT id, CURRENT_USER AS c, SESSION_USER AS s FROM notes)") == [
        {"id": 5, "c": "ann", "s": "root"}
    ]
    assert root.refused("EXECUTE AS USER 'ann' (SELECT * FROM board)") == ann.refused("SELECT * FROM board")
    assert root.ok("EXECUTE AS USER 'sid' (SELECT * FROM board)") == []
    assert root.ok("EXECUTE AS USER 'ann' (DESCRIBE notes)") == ann.ok("DESCRIBE notes")
    assert root.ok("EXECUTE AS USER 'ann' (EXPLAIN SELECT * FROM notes)")
    assert root.ok("EXPLAIN DELETE FROM notes AS USER 'ann'")


@pytest.mark.parametrize("actor", ["root", "dora", "sid", "ann"])
@pytest.mark.parametrize("subject", ["root", "dan", "sam", "bob", "nobody", "gone"])
def test_who_may_act_for_whom(house: House, actor: str, subject: str) -> None:
    """By their roles; who is unknown, disabled or out of reach is one and the same, at every way in."""
    person, house.disabled = house.person(actor), {"eve"}
    name = "eve" if subject == "gone" else subject
    role = None if name in {"eve", "nobody"} else house.people[name]
    allowed = actor == name or (role is not None and may_act_for(house.people[actor], role))
    line = f"DENIED: AS USER '{name}': there is no user of that name for whom {actor} may act"
    stream = pa.table({"id": [9], "u": [name]})
    answers = [
        person.query(f"EXECUTE AS USER '{name}' (SELECT 1)"),
        person.update(f"INSERT INTO notes AS USER '{name}' (id) VALUES (1)"),
        person.prepared(f"UPDATE notes AS USER '{name}' SET v = 1"),
        person.prepared(f"DELETE FROM notes AS USER '{name}' WHERE id = ?", pa.table({"1": [1]})),
        person.schema(f"EXECUTE AS USER '{name}' (SELECT * FROM notes)"),
        person.ingest("notes", stream.select(["id"]), as_user=name),
        person.ingest("notes", stream, user_column="u"),
    ]
    house.disabled = set()
    assert {answer.error for answer in answers} == ({None} if allowed else {line})


def test_the_actor_is_judged_first(house: House) -> None:
    """Who may act for nobody causes no look-up at all."""
    asked: list[str] = []
    find, ann = house.database.find_identity, house.person("ann")

    def noting(name: str) -> object:
        asked.append(name)
        return find(name)

    house.database.find_identity = noting  # type: ignore[assignment]
    try:
        assert "DENIED" in ann.refused("EXECUTE AS USER 'bob' (SELECT 1)")
    finally:
        house.database.find_identity = find
    assert asked == []


@pytest.mark.attack
@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO board AS USER 'sam' VALUES (1)",
        "EXECUTE AS USER 'sam' (INSERT INTO board VALUES (1))",
        "EXECUTE AS USER 'sid' (DELETE FROM board)",
        "UPDATE board AS USER 'sam' SET id = 1",
        "EXECUTE AS USER 'sam' (TRUNCATE board)",
        "EXECUTE AS USER 'sam' (CREATE TEMPORARY TABLE x (id INT PRIMARY KEY))",
        "EXECUTE AS USER 'sam' (BEGIN)",
        "EXECUTE AS USER 'sam' (SET query_timeout_s = 1)",
        "EXECUTE AS USER 'sam' (GRANT SELECT ON board TO ann)",
        "EXECUTE AS USER 'sam' (KILL QUERY 1)",
        "EXECUTE AS USER 'sam' (EXECUTE AS USER 'ann' (SELECT 1))",
        "EXECUTE AS USER 'sam' (INSERT INTO notes AS USER 'ann' (id) VALUES (1))",
    ],
)
def test_what_cannot_be_for_another(house: House, sql: str) -> None:
    """Changes of shared rows, of the session and of rights; a statement for one within a statement for another."""
    assert house.person("sid").refused(sql).startswith("INVALID: ")
    assert house.person("root").ok("SELECT * FROM board") == []


@pytest.mark.attack
@pytest.mark.parametrize(
    "sql",
    [
        "EXECUTE AS USER 'ann' SELECT 1",
        "EXECUTE AS USER 'ann' ()",
        "EXECUTE AS USER 'ann' (SELECT 1",
        "EXECUTE AS USER 'ann' (SELECT 1) + (SELECT 2)",
        "EXECUTE AS USER 'ann' (DELETE FROM notes) WHERE (true)",
        "EXECUTE AS USER 'ann' (SELECT 1; SELECT 2)",
        "EXECUTE AS USER 'ann' (SELECT 1); DELETE FROM notes",
        "EXECUTE AS USER (SELECT 1)",
        "EXECUTE AS USER 'ann",
    ],
)
def test_one_statement_in_its_brackets(house: House, sql: str) -> None:
    """Nothing before, within or behind them runs besides."""
    assert house.person("sid").refused(sql).startswith("SYNTAX: ")


@pytest.mark.attack
def test_a_name_is_a_value(house: House) -> None:
    """Quotes and SQL in it are a part of it."""
    sid = house.person("sid")
    for name in ("ann'' (SELECT 1) --", 'ann" or 1=1', "../ann", "ANN", "ann "):
        assert "there is no user of that name" in sid.refused(f"EXECUTE AS USER '{name}' (SELECT 1)")


def test_a_statement_is_listed_by_its_subject_and_its_actor(house: House) -> None:
    """Both see it; nobody else does."""
    sid, ann, bob = house.person("sid"), house.person("ann"), house.person("bob")
    sid.ok("EXECUTE AS USER 'ann' (SELECT 'marked' AS x)")
    listed = "SELECT user, actor FROM system.queries WHERE text LIKE 'EXECUTE%marked%'"
    for person in (sid, ann):
        assert person.ok(listed) == [{"user": "ann", "actor": "sid"}]
    assert bob.ok(listed) == []


def test_a_transaction_may_have_rows_of_several_users(house: House) -> None:
    """They are one commit."""
    sid, ann, bob = house.person("sid"), house.person("ann"), house.person("bob")
    for end, left in (("ROLLBACK", []), ("COMMIT", [1])):
        sid.ok("BEGIN")
        for name in ("ann", "bob"):
            sid.ok(f"INSERT INTO notes AS USER '{name}' (id) VALUES (1)")
        assert rows(ann) == rows(bob) == []
        sid.ok(end)
        assert [row[0] for row in rows(ann)] == [row[0] for row in rows(bob)] == left


def _offered(users: list[str | None], ids: list[int]) -> pa.Table:
    return pa.table({"id": ids, "owner": users})


def test_a_stream_of_many_users_is_split_by_its_column(house: House) -> None:
    """Each user has the rows in the order in which they came, with defaults of their own; the last of a key stays."""
    sid = house.person("sid")
    users = ["ann", "bob", "ann", "sid", "bob", "ann"]
    stream = pa.table({"id": [1, 1, 2, 3, 1, 1], "v": [1, 2, 3, 4, 5, 6], "owner": users})
    assert sid.ingest("notes", stream, user_column="owner").affected == 6
    assert rows(house.person("ann")) == [(1, "ann", 6), (2, "ann", 3)]
    assert rows(house.person("bob")) == [(1, "bob", 5)]
    assert rows(sid) == [(3, "sid", 4)]
    assert sid.ingest("notes", pa.table({"id": [8], "who": ["bob"]}), user_column="who").affected == 1
    assert rows(house.person("bob")) == [(1, "bob", 5), (8, "bob", 0)]


def test_a_stream_of_many_users_goes_into_a_stream_table(house: House) -> None:
    """And is evicted for each of them."""
    sid = house.person("sid")
    sid.ok("CREATE STREAM TABLE events (n BIGINT) WITH (ttl_seconds = 3600, max_rows = 2)")
    stream = pa.table({"n": [1, 2, 3, 4], "owner": ["ann", "ann", "bob", "ann"]})
    assert sid.ingest("events", stream, user_column="owner").affected == 4
    seen = [house.person(name).ok("SELECT n FROM events ORDER BY n") for name in ("ann", "bob", "sid")]
    assert seen == [[{"n": 2}, {"n": 4}], [{"n": 3}], []]
    sid.ok("INSERT INTO events AS USER 'bob' VALUES (5)")
    assert len(house.person("bob").ok("SELECT n FROM events")) == 2


@pytest.mark.parametrize("inside", [False, True])
def test_a_stream_of_many_users_is_taken_whole_or_not(house: House, inside: bool) -> None:
    """One row that does not fit, or one user that is out of reach, and nobody has anything."""
    sid = house.person("sid")
    if inside:
        sid.ok("BEGIN")
    for users, ids in ((["ann", "root"], [1, 2]), (["ann", None], [1, 2]), (["ann", "nobody"], [1, 2])):
        assert sid.ingest("notes", _offered(users, ids), user_column="owner").error is not None
    bad = pa.table({"id": pa.array([1, None]), "owner": ["ann", "bob"]})
    assert sid.ingest("notes", bad, user_column="owner").error is not None
    assert sid.ingest("notes", _offered(["ann", "bob"], [1, 2]), user_column="owner").affected == 2
    if inside:
        assert rows(house.person("ann")) == []
        sid.ok("COMMIT")
    assert [len(rows(house.person(name))) for name in ("ann", "bob")] == [1, 1]


def test_a_repeated_stream_of_many_users_is_taken_once(house: House) -> None:
    """Under its key, it is known by each user's part."""
    sid = house.person("sid")
    for _ in range(2):
        answer = sid.ingest("notes", _offered(["ann", "bob"], [1, 2]), user_column="owner", idempotency_key="k1")
        assert answer.affected == 2
    sid.ok("DELETE FROM notes AS USER 'ann'")
    sid.ingest("notes", _offered(["ann", "bob"], [1, 2]), user_column="owner", idempotency_key="k1")
    assert rows(house.person("ann")) == []


@pytest.mark.parametrize(
    ("table", "mode", "options"),
    [
        ("board", IfExists.APPEND, {"user_column": "owner"}),
        ("board", IfExists.APPEND, {"as_user": "ann"}),
        ("notes", IfExists.REPLACE, {"user_column": "owner"}),
        ("notes", IfExists.APPEND, {"user_column": "nope"}),
        ("notes", IfExists.APPEND, {"user_column": "id"}),
    ],
)
def test_streams_that_cannot_be_for_others(house: House, table: str, mode: IfExists, options: dict[str, str]) -> None:
    """Into a SHARED table, in the place of what is there, or by a column that names no users."""
    answer: Answer = house.person("sid").ingest(table, _offered(["ann"], [1]), mode, **options)
    assert answer.error is not None
    assert house.person("root").ok("SELECT * FROM board") == []


def test_roles_reach_downwards(house: House) -> None:
    """Nobody acts for a role above; users act for nobody."""
    reached = {actor: {subject for subject in Role if may_act_for(actor, subject)} for actor in Role}
    assert reached == {
        Role.SYSTEM: set(Role),
        Role.DBA: {Role.DBA, Role.SERVICE, Role.USER},
        Role.SERVICE: {Role.SERVICE, Role.USER},
        Role.USER: set(),
    }
