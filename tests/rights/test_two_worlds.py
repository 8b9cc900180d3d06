"""One user's session beside two different states of everybody else: what the user receives is the same, to the letter.

All names, rows and policies of others carry canaries, which no answer may show.
"""

import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.roles import Role
from flightserver.protocol import commands
from tests.rights.house import Answer, House, Person

pytestmark = pytest.mark.proof

STATEMENTS = int(os.environ.get("FLIGHTSERVER_TWO_WORLDS", "2000"))
"""In each world."""

PEOPLE = {"root": Role.SYSTEM, "sid": Role.SERVICE, "ann": Role.USER, "bob": Role.USER, "eve": Role.USER}
CANARY = "canary"


def furnish(house: House, world: int) -> None:
    """What others have and do: the same for ann in both worlds, and nothing else of it the same."""
    root, sid, bob = house.person("root"), house.person("sid"), house.person("bob")
    other = random.Random(world)
    root.ok("CREATE TABLE open (id BIGINT PRIMARY KEY, v BIGINT, s TEXT)")
    root.ok("INSERT INTO open VALUES (1, 10, 'a'), (2, 20, 'b')")
    root.ok("GRANT SELECT, INSERT, UPDATE, DELETE ON open TO ann")
    root.ok("CREATE TABLE policed (id BIGINT PRIMARY KEY, who TEXT, v BIGINT, s TEXT)")
    root.ok("INSERT INTO policed VALUES (1, 'ann', 5, 'x'), (2, 'ann', 6, 'y')")
    root.ok("GRANT ALL ON policed TO PUBLIC")
    root.ok("CREATE POLICY own ON policed USING (who = CURRENT_USER)")
    root.ok("CREATE USER TABLE each (id BIGINT PRIMARY KEY, v BIGINT, s TEXT)")
    root.ok("CREATE VIEW totals AS SELECT id, v FROM open WHERE v > 0")
    root.ok("GRANT SELECT ON totals TO ann")
    for number in range(3 + 4 * world):
        root.ok(f"CREATE TABLE {CANARY}_{world}_{number} (id BIGINT PRIMARY KEY, {CANARY}_c TEXT)")
        root.ok(f"INSERT INTO {CANARY}_{world}_{number} VALUES ({number}, '{CANARY}')")
        root.ok(f"CREATE VIEW {CANARY}_view_{world}_{number} AS SELECT '{CANARY}' AS c")
    for number in range(20 + 30 * world):
        who, value = other.choice(["bob", "eve", "sid"]), other.randint(-9, 999)
        root.ok(f"INSERT INTO policed VALUES ({100 + number}, '{who}', {value}, '{CANARY}-{world}')")
        house.person(who).ok(f"INSERT INTO each VALUES ({number}, {value}, '{CANARY}-{world}')")
    for person in (root, sid)[: world + 1]:
        person.ok(f"CREATE NAMESPACE {CANARY}_space_{world}_{person.session.user}")
    if world:
        root.ok("FLUSH TABLE policed")
        root.ok("FLUSH TABLE each")
        bob.ok("DELETE FROM each WHERE id < 10")
        root.ok(f"GRANT SELECT ON {CANARY}_1_1 TO bob")
        root.ok(f"CREATE POLICY {CANARY}_p ON policed TO eve USING (v > 3)")


class Ann:
    """A random session: the same for the same seed, whatever it is answered."""

    def __init__(self, person: Person, seed: int) -> None:
        self._person = person
        self._choice = random.Random(seed)

    def session(self, count: int) -> Iterator[tuple[str, str]]:
        """What she asks, and what she receives."""
        for _ in range(count):
            sql = self._statement()
            kind = self._choice.random()
            if kind < 0.6:
                answer = self._person.query(sql)
            elif kind < 0.8:
                answer = self._person.prepared(sql)
            elif kind < 0.9:
                answer = self._person.update(sql)
            else:
                sql, answer = self._otherwise()
            yield sql, re.sub(r"\b[0-9a-f]{32}\b|\b\d+(\.\d+)?[µmn]?s\b", "", str(answer))

    def _otherwise(self) -> tuple[str, Answer]:
        pick, person = self._choice.choice, self._person
        rows = pa.table({"id": [self._number(), self._number()], "v": [self._number(), 3]})
        every = commands.GetTables(include_schema=pick([True, False]), table_types=())
        return pick(
            [
                lambda: ("tables", person.ask(every)),
                lambda: ("schemas", person.ask(commands.GetDbSchemas())),
                lambda: ("flights", Answer(error=str(person.flights()))),
                lambda: ("ingest open", person.ingest("open", rows)),
                lambda: ("ingest each", person.ingest("each", rows)),
                lambda: ("ingest policed", person.ingest("policed", rows)),
                lambda: ("for bob", person.ingest("each", rows, as_user="bob")),
            ]
        )()

    def _number(self) -> int:
        return self._choice.randint(1, 12)

    def _statement(self) -> str:
        pick, n = self._choice.choice, self._number
        t = pick(["open", "policed", "each", "totals", "hidden_0", "nowhere", "space.t", f"{'missing'}_1_1"])
        condition = pick(
            [
                f"id = {n()}",
                f"id IN ({n()}, {n() + 100})",
                f"1 / (v - {n()}) > 0",
                "CAST(s AS BIGINT) = 1",
                f"v > {n()}",
                "s LIKE 'c%'",
                f"id > (SELECT max(v) - {n()} FROM {pick(['open', 'policed', 'each'])})",
            ]
        )
        who = ", who" if t == "policed" else ""
        value = f", '{pick(['ann', 'bob'])}'" if who else ""
        return pick(
            [
                f"SELECT * FROM {t} WHERE {condition} ORDER BY id",
                f"SELECT count(*), sum(v), min(id) FROM {t} WHERE {condition}",
                f"SELECT count(*) FROM {t}",
                f"EXPLAIN SELECT v FROM {t} WHERE {condition}",
                f"EXPLAIN UPDATE {t} SET v = 1 WHERE {condition}",
                f"SHOW POLICIES ON {t}",
                f"SHOW COLUMNS FROM {t}",
                f"SHOW CREATE TABLE {t}",
                f"SELECT id / (v - {n()}), CAST(s AS BIGINT) FROM {t}",
                f"CREATE USER TABLE made AS SELECT id, s FROM {t}",
                f"CREATE VIEW seen AS SELECT * FROM {t}",
                f"INSERT INTO each (id, v) SELECT id, v FROM {t} WHERE {condition}",
                f"ALTER USER {pick(['bob', 'nobody'])} DISABLE",
                f"KILL QUERY '{n()}'",
                f"INSERT INTO {t} (id{who}, v) VALUES ({n()}{value}, {n()})",
                f"INSERT INTO {t} (id{who}, v) VALUES ({n()}{value}, 1) ON CONFLICT (id) DO UPDATE SET v = excluded.v",
                f"UPDATE {t} SET v = v + 1 WHERE {condition}",
                f"DELETE FROM {t} WHERE {condition}",
                f"SELECT a.id FROM {t} a JOIN each b ON a.id = b.v ORDER BY a.id, b.id",
                f"DESCRIBE {t}",
                f"SHOW MANIFEST FOR {t}",
                f"SHOW GRANTS ON {t}",
                "SHOW TABLES",
                "SHOW NAMESPACES",
                "SELECT * FROM system.grants ORDER BY name, privilege",
                "SELECT * FROM system.policies",
                "SELECT namespace, view, definition FROM system.views ORDER BY view",
                "SELECT DISTINCT user FROM system.queries",
                "SELECT count(*) FROM system.sessions",
                "SELECT * FROM system.audit_log",
                f"DROP TABLE {t}",
                f"FLUSH TABLE {t}",
                f"ALTER TABLE {t} ADD COLUMN x INT",
                f"GRANT SELECT ON {t} TO bob",
                f"CREATE POLICY p ON {t} USING (true)",
                f"EXECUTE AS USER '{pick(['bob', 'sid', 'nobody'])}' (SELECT * FROM {t})",
                pick(["BEGIN", "COMMIT", "ROLLBACK"]),
            ]
        )


@pytest.mark.parametrize("seed", [1])
def test_two_worlds_look_the_same(tmp_path: Path, seed: int) -> None:
    """Rows, schemas, errors, plans and metadata of a random session, and no canary in any of them."""
    heard: list[list[tuple[str, str]]] = []
    for world in range(2):
        house = House(tmp_path / str(world), PEOPLE)
        try:
            furnish(house, world)
            heard.append(list(Ann(house.person("ann"), seed).session(STATEMENTS)))
        finally:
            house.close()
    for (sql, one), (_, other) in zip(*heard, strict=True):
        assert one == other, sql
        assert CANARY not in one, sql
    succeeded = sum(answer.endswith(" None") for _, answer in heard[0])
    assert succeeded > STATEMENTS // 4
