"""Every role, statement, kind of thing and way in: each cell is allowed, or fails as it would for an unknown name.

What is expected is written here once more, in another form than in the declaration.
"""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from catalog.roles import Role
from tests.rights.house import Answer, House, Person

ACTORS = ("root", "dora", "sid", "ann", "bob")
EVERYBODY, TRUSTED, OVERSEERS, NOBODY = "root dora sid ann bob", "root dora sid", "root dora", ""

STATEMENTS = {
    "SELECT * FROM {x}": "read",
    "SELECT count(*) FROM {x}": "read",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM {x})": "read",
    "EXPLAIN SELECT * FROM {x}": "read",
    "EXPLAIN ANALYZE SELECT max(id) FROM {x}": "read",
    "CREATE VIEW made AS SELECT id FROM {x}": "read",
    "CREATE USER TABLE made AS SELECT id FROM {x}": "read",
    "INSERT INTO other (id) SELECT id + 90 FROM {x}": "read",
    "UPDATE other SET v = 1 FROM {x} s WHERE s.id = other.id": "read",
    "INSERT INTO {x} (id, v) VALUES (7, 7)": "insert",
    "INSERT INTO {x} (id, v) VALUES (1, 7) ON CONFLICT DO NOTHING": "insert",
    "INSERT INTO {x} (id, v) VALUES (1, 7) ON CONFLICT (id) DO UPDATE SET v = excluded.v": "update",
    "UPDATE {x} SET v = v + 1": "update",
    "EXPLAIN UPDATE {x} SET v = 2": "update",
    "DELETE FROM {x} WHERE id = 1": "delete",
    "DELETE FROM {x}": "delete",
    "TRUNCATE {x}": "delete",
    "DESCRIBE {x}": "describe",
    "SHOW CREATE TABLE {x}": "describe",
    "SHOW COLUMNS FROM {x}": "describe",
    "SHOW GRANTS ON {x}": "describe",
    "SHOW MANIFEST FOR {x}": "inspect",
    "FLUSH TABLE {x}": "maintain",
    "COMPACT TABLE {x}": "maintain",
    "ALTER TABLE {x} ADD COLUMN w BIGINT": "define",
    "ALTER TABLE {x} SET (bloom_fpp = 0.01)": "define",
    "ALTER TABLE {x} OWNER TO {me}": "define",
    "DROP TABLE {x}": "define",
    "CREATE POLICY p ON {x} USING (id > 0)": "police",
    "DROP POLICY IF EXISTS p ON {x}": "police",
    "GRANT SELECT ON {x} TO PUBLIC": "grant",
    "REVOKE ALL ON {x} FROM sam": "grant",
}
"""Statements, and what each needs."""

MAY = {
    "hidden": dict.fromkeys(["read", "insert", "update", "delete", "describe", "inspect", "maintain"], TRUSTED)
    | dict.fromkeys(["define", "police", "grant"], OVERSEERS),
    "apart.hidden": dict.fromkeys(["read", "insert", "update", "delete", "describe", "inspect", "maintain"], TRUSTED)
    | dict.fromkeys(["define", "police", "grant"], OVERSEERS),
    "granted": dict.fromkeys(["read", "insert", "update", "delete", "describe"], EVERYBODY)
    | dict.fromkeys(["inspect", "maintain"], TRUSTED)
    | dict.fromkeys(["define", "police", "grant"], OVERSEERS),
    "own_of_{me}": dict.fromkeys(set(STATEMENTS.values()), EVERYBODY),
    "each": dict.fromkeys(["read", "insert", "update", "delete", "describe", "inspect"], EVERYBODY)
    | {"maintain": TRUSTED, "define": OVERSEERS, "police": NOBODY, "grant": NOBODY},
    "looked": {"read": TRUSTED, "describe": TRUSTED, "grant": OVERSEERS},
    "shown": {"read": EVERYBODY, "describe": EVERYBODY, "grant": OVERSEERS},
}
"""Who may do what with each thing."""

NOT_FOR_VIEWS = ("insert", "update", "delete", "inspect", "maintain", "define", "police")

WAYS: dict[str, Callable[[Person, str], Answer]] = {
    "query": Person.query,
    "update": Person.update,
    "prepared": Person.prepared,
}


@pytest.fixture(scope="module")
def made(house: House) -> Iterator[House]:
    """Things of every kind: hidden ones, granted ones, ones of their own for everybody."""
    root = house.person("root")
    root.ok("CREATE NAMESPACE apart")
    for name in ("hidden", "apart.hidden", "granted", *(f"own_of_{actor}" for actor in ACTORS)):
        root.ok(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, v BIGINT)")
        root.ok(f"INSERT INTO {name} VALUES (1, 1)")
    root.ok("CREATE USER TABLE each (id BIGINT PRIMARY KEY, v BIGINT)")
    root.ok("CREATE USER TABLE other (id BIGINT PRIMARY KEY, v BIGINT)")
    root.ok("CREATE VIEW looked AS SELECT * FROM hidden")
    root.ok("CREATE VIEW shown AS SELECT * FROM hidden")
    root.ok("GRANT ALL ON granted TO PUBLIC")
    root.ok("GRANT SELECT ON shown TO PUBLIC")
    for name in house.people:
        house.person(name).ok("INSERT INTO each VALUES (1, 1)")
    for actor in ACTORS:
        root.ok(f"ALTER TABLE own_of_{actor} OWNER TO {actor}")
    yield house
    for name in ("hidden", "apart.hidden", "granted", "each", "other", *(f"own_of_{actor}" for actor in ACTORS)):
        root.ok(f"DROP TABLE {name} CASCADE")
    root.ok("DROP NAMESPACE apart")


def outcome(person: Person, run: Callable[[Person, str], Answer], sql: str) -> Answer:
    """What a statement gives in a transaction that is rolled back; only rows come from the query path."""
    person.ok("BEGIN")
    answer = run(person, sql)
    person.ok("ROLLBACK")
    return answer


@pytest.mark.parametrize("actor", ACTORS)
def test_each_cell_is_allowed_or_not_there(made: House, actor: str) -> None:
    """Denied is what an unknown name is, to the letter; allowed is what is expected of the statement."""
    person, cells = made.person(actor), Counter[str]()
    for sql, need in STATEMENTS.items():
        for way, run in WAYS.items():
            rows_only = sql.split(maxsplit=1)[0] in {"SELECT", "EXPLAIN", "DESCRIBE", "SHOW"}
            if way == "update" and rows_only:
                continue
            unknown = {
                name: str(outcome(person, run, sql.format(x=name, me=actor)).error) for name in ("gone", "apart.gone")
            }
            for thing, may in MAY.items():
                name = thing.format(me=actor)
                if need not in may and (need not in NOT_FOR_VIEWS or "OWNER" in sql):
                    continue
                found = outcome(person, run, sql.format(x=name, me=actor)).error
                cell = f"{actor} {way}: {sql.format(x=name, me=actor)}: {found}"
                if actor in may.get(need, NOBODY).split():
                    assert found is None, cell
                    cells["allowed"] += 1
                    continue
                assert found is not None, cell
                sees = actor in may.get("describe", NOBODY).split()
                like = unknown["apart.gone" if name.startswith("apart.") else "gone"].replace(
                    "gone", name.split(".")[-1]
                )
                other_kind = thing in {"looked", "shown"} and sees
                telling = other_kind or (need == "grant" and sees) or (need == "police" and thing == "each")
                assert found == like or telling, f"{cell}\n{like}"
                cells["denied"] += 1
    assert cells.total() >= 400, cells


def test_each_actor_changes_the_rows_of_each_subject_or_of_nobody(made: House) -> None:
    """For whom somebody may act they change what the subject has; otherwise nothing, and one error says so."""
    reach = {
        Role.SYSTEM: {Role.SYSTEM, Role.DBA, Role.SERVICE, Role.USER},
        Role.DBA: {Role.DBA, Role.SERVICE, Role.USER},
        Role.SERVICE: {Role.SERVICE, Role.USER},
        Role.USER: set(),
    }
    statements = (
        "INSERT INTO each AS USER '{u}' VALUES (2, 2)",
        "UPDATE each AS USER '{u}' SET v = 5",
        "DELETE FROM each AS USER '{u}' WHERE id = 1",
        "EXECUTE AS USER '{u}' (UPDATE each SET v = 6 WHERE id = 1)",
    )
    for actor in ACTORS:
        person = made.person(actor)
        for subject in (*made.people, "nobody"):
            role = made.people.get(subject)
            allowed = subject == actor or role in reach[made.people[actor]]
            for sql in statements:
                for run in WAYS.values():
                    answer = outcome(person, run, sql.format(u=subject))
                    line = f"DENIED: AS USER '{subject}': there is no user of that name for whom {actor} may act"
                    assert answer.error == (None if allowed else line), (actor, subject, sql)
    for name in made.people:
        assert made.person(name).ok("SELECT * FROM each") == [{"id": 1, "v": 1}]
