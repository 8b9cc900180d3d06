"""Every role, statement, kind of thing and way in: each cell is allowed, or fails as it would for an unknown name.

What is expected is written here once more, in another form than in the declaration.
"""

import re
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from catalog.roles import Role
from flightserver.protocol.commands import IfExists
from tests.rights.house import Answer, House, Person
from tests.rights.ways import LISTINGS, STREAMS, TEXTS, plain_reads

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
    "CHECK TABLE {x}": "maintain",
    "PUBLISH TABLE {x}": "maintain",
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

CELLS_MIN = 3_000
"""Of all actors; there are more."""


@pytest.fixture(scope="module")
def made(house: House) -> Iterator[House]:
    """Things of every kind: hidden ones, granted ones, ones of their own for everybody."""
    root = house.person("root")
    root.ok("CREATE NAMESPACE apart")
    for name in ("hidden", "apart.hidden", "granted", *(f"own_of_{actor}" for actor in ACTORS)):
        root.ok(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, v BIGINT) WITH (publish = 'delta')")
        root.ok(f"INSERT INTO {name} VALUES (1, 1)")
    root.ok("CREATE USER TABLE each (id BIGINT PRIMARY KEY, v BIGINT) WITH (publish = 'delta')")
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


def outcome(person: Person, run: Callable[[Person, str], Answer], asked: str) -> Answer:
    """What something gives in a transaction that is rolled back."""
    person.ok("BEGIN")
    answer = run(person, asked)
    person.ok("ROLLBACK")
    return answer


def has_cell(sql: str, need: str, may: dict[str, str]) -> bool:
    """Tell whether a statement means something for a thing: views have no rows of their own and no options."""
    return need in may or (need in NOT_FOR_VIEWS and "OWNER" not in sql)


def asks(actor: str) -> Iterator[tuple[str, str, Callable[[Person, str], Answer]]]:
    """Everything that is tried on each thing: what it is called, what it needs, and how it is done to a name."""
    for sql, need in STATEMENTS.items():
        for way, text in TEXTS.items():
            if way != "update" or not sql.startswith(("SELECT", "EXPLAIN", "DESCRIBE", "SHOW", "CHECK")):
                yield (
                    f"{way}: {sql}",
                    need,
                    lambda person, name, text=text, sql=sql: text(person, sql.format(x=name, me=actor)),  # type: ignore[misc]
                )
    for way, read in plain_reads().items():
        yield way, "read", read
    for way, (need, stream) in STREAMS.items():
        yield way, need, stream


def refusal(asked: str, need: str, thing: str, name: str, sees: bool) -> str | None:
    """The error of a cell that is denied although the thing is seen; None where it is as if there were none."""
    full = name if "." in name else f"public.{name}"
    if thing in {"looked", "shown"} and need in NOT_FOR_VIEWS and sees:
        return f"NOT_FOUND: table {full} is a view, not a table"
    if thing == "each" and need in {"police", "grant"} and sees:
        why = "policies are for SHARED tables" if need == "police" else "so there is nothing to grant"
        return f"INVALID: everybody has rows of their own in {full}{'; ' if need == 'police' else ', '}{why}"
    if need == "grant" and sees:
        all_of_it = "SELECT" if thing in {"looked", "shown"} else "DELETE, INSERT, SELECT, UPDATE"
        what = all_of_it if "REVOKE" in asked else "SELECT"
        return f"DENIED: {what} on {full} can be granted by its owner, and with the grant option"
    return None


@pytest.mark.parametrize("actor", ACTORS)
def test_each_cell_is_allowed_or_not_there(made: House, actor: str) -> None:
    """Denied is what an unknown name is, to the letter, or what is said of something that is seen."""
    person, cells = made.person(actor), {"allowed": 0, "denied": 0}
    for asked, need, run in asks(actor):
        unknown = {name: str(outcome(person, run, name).error) for name in ("gone", "apart.gone")}
        assert all(re.search("gone|namespace apart does not exist", line) for line in unknown.values()), unknown
        for thing, may in MAY.items():
            if not has_cell(asked, need, may):
                continue
            name = thing.format(me=actor)
            found = outcome(person, run, name).error
            allowed = actor in may.get(need, NOBODY).split()
            sees = actor in may.get("describe", NOBODY).split()
            owns = need != "police" or thing != "each" or actor in may["define"].split()
            like = unknown["apart.gone" if "." in name else "gone"].replace("gone", name.split(".")[-1])
            expected = None if allowed else refusal(asked, need, thing, name, sees and owns) or like
            assert found == expected, f"{actor} {asked} {name}"
            cells["allowed" if allowed else "denied"] += 1
    assert sum(cells.values()) * len(ACTORS) >= CELLS_MIN, cells
    assert min(cells.values()) > 100, cells


@pytest.mark.parametrize("actor", ACTORS)
def test_each_listing_has_what_may_be_described(made: House, actor: str) -> None:
    """A listing has a line of a thing that is seen; of another it has what it has of an unknown name: nothing."""
    person, cells = made.person(actor), 0
    for listing, lists in LISTINGS.items():
        for thing, may in MAY.items():
            name = thing.format(me=actor)
            namespace, _, last = name.rpartition(".")
            found = lists(person, namespace or "public", last)
            unknown = lists(person, namespace or "public", "gone")
            sees = actor in may["describe"].split()
            if sees and not (thing in {"looked", "shown"} and listing in {"keys", "flights", "system.tables"}):
                assert last in found, (actor, listing, name)
            else:
                assert found == unknown, (actor, listing, name)
            cells += 1
    assert cells == len(LISTINGS) * len(MAY)


@pytest.mark.parametrize("actor", ACTORS)
def test_manifests_are_listed_of_what_may_be_inspected(made: House, actor: str) -> None:
    """Kept ones and published ones: each for whom it may be shown; of a USER table, others' are for overseers."""
    things = {thing: thing.format(me=actor) for thing, may in MAY.items() if "inspect" in may}
    for name in things.values():
        made.person("root").ok(f"PUBLISH TABLE {name}")
    kept, published = "SELECT * FROM system.manifest_cache", "SELECT * FROM system.published"
    for asked in ("SHOW MANIFEST CACHE", kept, "SHOW PUBLISHED", published):
        rows = (made.person(actor).query(asked).rows or pa.table({})).to_pylist()
        listed = {f"{row['namespace']}.{row['table']}" for row in rows}
        for thing, name in things.items():
            full = name if "." in name else f"public.{name}"
            assert (full in listed) == (actor in MAY[thing]["inspect"].split()), (actor, name)
        whose = {row["user"] for row in rows if row["table"] == "each"}
        assert whose == (set(made.people) if actor in OVERSEERS.split() else {actor})


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
            line = f"DENIED: AS USER '{subject}': there is no user of that name for whom {actor} may act"
            for sql in statements:
                for run in TEXTS.values():
                    answer = outcome(person, run, sql.format(u=subject))
                    assert answer.error == (None if allowed else line), (actor, subject, sql)
            for options in ({"as_user": subject}, {"user_column": "who"}):
                rows = pa.table({"id": [2], "v": [2]} | ({"who": [subject]} if "user_column" in options else {}))
                person.ok("BEGIN")
                answer = person.ingest("each", rows, IfExists.APPEND, **options)
                person.ok("ROLLBACK")
                assert answer.error == (None if allowed else line), (actor, subject, options)
    for name in made.people:
        assert made.person(name).ok("SELECT * FROM each") == [{"id": 1, "v": 1}]
