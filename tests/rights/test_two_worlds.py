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

from catalog.identifiers import TableName
from catalog.roles import Role
from flightserver.protocol import commands
from flightserver.protocol.commands import IfExists
from tests.rights.house import Answer, House, Person
from tests.rights.ways import CATALOGS, plan

pytestmark = pytest.mark.proof

STATEMENTS = int(os.environ.get("FLIGHTSERVER_TWO_WORLDS", "2000"))
"""In each world."""

SEEDS = range(1, 1 + int(os.environ.get("FLIGHTSERVER_TWO_WORLDS_SEEDS", "1")))

PEOPLE = {"root": Role.SYSTEM, "sid": Role.SERVICE, "ann": Role.USER, "bob": Role.USER, "eve": Role.USER}
CANARY = "canary"


def furnish(house: House, world: int) -> None:
    """What others have and do: the same for ann in both worlds, and nothing else of it the same."""
    root, sid, bob = house.person("root"), house.person("sid"), house.person("bob")
    other = random.Random(world)
    root.ok("CREATE TABLE open (id BIGINT PRIMARY KEY, v BIGINT, s TEXT)")
    root.ok("ALTER TABLE open SET (audit = 'all')")
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
    root.ok("CREATE VIEW veiled AS SELECT id, v, s FROM policed")
    for person in (root, sid)[: world + 1]:
        person.ok(f"CREATE NAMESPACE {CANARY}_space_{world}_{person.session.user}")
    if world:
        root.ok("FLUSH TABLE policed")
        root.ok("FLUSH TABLE each")
        bob.ok("DELETE FROM each WHERE id < 10")
        root.ok(f"GRANT SELECT ON {CANARY}_1_1 TO bob")
        root.ok(f"CREATE POLICY {CANARY}_p ON policed TO eve USING (v > 3)")
        root.ok("COMPACT TABLE policed")
        bob.begin()
        bob.ok("BEGIN")
        bob.ok(f"INSERT INTO each VALUES (7777, 1, '{CANARY}')")
        bob.ok(f"CREATE TEMPORARY TABLE temp AS SELECT '{CANARY}' AS s")
        bob.prepare(f"SELECT '{CANARY}'")
        bob.ticket(f"SELECT '{CANARY}' AS w, * FROM each")
        bob.refused(f"SELECT '{CANARY}' + 1")


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
            shown = str(answer if "ORDER BY" in sql else answer.in_any_order())
            yield sql, re.sub(r"\b[0-9a-f]{32}\b|\b\d+(\.\d+)?[µmn]?s\b", "", shown)

    def _otherwise(self) -> tuple[str, Answer]:
        pick, person = self._choice.choice, self._person
        rows = pa.table({"id": [self._number(), self._number()], "v": [self._number(), 3]})
        who = pa.array([pick(["ann", "bob"]), "ann"])
        every = commands.GetTables(include_schema=pick([True, False]), table_types=())
        bound = pa.table({"1": [self._number() for _ in range(self._choice.randint(1, 3))]})
        name, plain = pick(["open", "policed", "each", "totals", "veiled", "nowhere"]), pick(["%", "o%", "_ach", "c%"])
        filtered = commands.GetTables(
            None, pick([None, "public", "%"]), plain, pick([(), ("VIEW",)]), include_schema=True
        )
        mode = pick(list(IfExists))
        return pick(
            [
                lambda: (f"tables {plain}", person.ask(filtered)),
                lambda: (f"schemas {plain}", person.ask(commands.GetDbSchemas(None, plain))),
                lambda: (f"keys {name}", person.ask(commands.GetPrimaryKeys(name))),
                lambda: ("facts", person.ask(commands.GetSqlInfo(()))),
                lambda: (f"plan {name}", person.substrait(plan(name))),
                lambda: (f"schema {name}", person.schema(f"SELECT * FROM {name}")),
                lambda: (f"path {name}", person.read(commands.rows_of(TableName("public", name)))),
                lambda: (f"look-up {name}", person.prepared(f"SELECT * FROM {name} WHERE id = ?", bound)),
                lambda: (f"bound update {name}", person.prepared(f"UPDATE {name} SET v = v + 1 WHERE id = ?", bound)),
                lambda: (f"bound delete {name}", person.prepared(f"DELETE FROM {name} WHERE id = ?", bound)),
                lambda: (f"ingest {mode} {name}", person.ingest(name, rows, mode)),
                lambda: ("for each", person.ingest("each", rows.append_column("u", who), user_column="u")),
                lambda: ("for nobody", person.ingest("each", rows, as_user="nobody")),
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
                pick(["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO SAVEPOINT s", "RELEASE SAVEPOINT s"]),
                f"EXPLAIN VERBOSE SELECT max(v), min(s) FROM {t} WHERE {condition}",
                f"EXPLAIN ANALYZE SELECT v FROM {t} WHERE {condition}",
                f"EXPLAIN DELETE FROM {t} WHERE {condition}",
                f"SELECT id, v FROM {t} WHERE {condition} ORDER BY v, id LIMIT {n()} OFFSET 1",
                f"SELECT v, rank() OVER (ORDER BY v, id), lag(s) OVER (ORDER BY id) FROM {t} ORDER BY id",
                f"SELECT v, count(*), string_agg(s, ',' ORDER BY id) FROM {t} GROUP BY v ORDER BY v",
                f"WITH w AS (SELECT id, v FROM {t}) SELECT a.id FROM w a, w b WHERE a.id = b.v ORDER BY 1",
                f"SELECT id FROM {t} UNION SELECT v FROM {pick(['open', 'policed', 'each'])} ORDER BY 1",
                f"SELECT id FROM {t} EXCEPT SELECT id FROM each ORDER BY 1",
                f"SELECT o.id, (SELECT max(p.v) FROM {t} p WHERE p.id = o.id) FROM open o ORDER BY 1",
                f"SELECT o.id FROM open o WHERE NOT EXISTS (SELECT 1 FROM {t} p WHERE p.v = o.id) ORDER BY 1",
                f"SELECT * FROM {t} a FULL JOIN policed b ON a.id = b.v ORDER BY a.id, b.id",
                f"SELECT id, _seq > 0, _deleted FROM {t} ORDER BY id",
                f"DELETE FROM each USING {t} x WHERE x.id = each.id",
                f"UPDATE each SET v = x.v FROM {t} x WHERE x.id = each.id",
                f"INSERT INTO {t} (id, v) VALUES ({n()}, 1), ({n()}, 2) ON CONFLICT DO NOTHING",
                f"INSERT INTO each SELECT id + 20, v, s FROM {t} ON CONFLICT (id) DO UPDATE SET v = excluded.v",
                f"TRUNCATE {pick([t, 'each', 'made'])}",
                f"CREATE OR REPLACE VIEW seen AS SELECT id, v FROM {t}",
                "SELECT * FROM seen ORDER BY 1, 2",
                "SELECT count(*) FROM made",
                pick(
                    [
                        f"CREATE TEMPORARY TABLE temp AS SELECT id, v FROM {t}",
                        f"CREATE OR REPLACE USER TABLE made (LIKE {t})",
                    ]
                ),
                "SELECT * FROM temp ORDER BY id",
                f"UPDATE temp SET v = {n()} WHERE id = {n()}",
                pick(["DROP TABLE temp", "DROP TABLE made", "DROP VIEW seen", "DROP VIEW IF EXISTS seen CASCADE"]),
                pick(
                    [
                        "GRANT SELECT ON seen TO bob",
                        "REVOKE SELECT ON seen FROM bob",
                        "SHOW GRANTS FOR bob",
                        "SHOW GRANTS",
                    ]
                ),
                f"ALTER TABLE {t} OWNER TO {pick(['ann', 'bob', 'nobody'])}",
                f"ALTER VIEW seen OWNER TO {pick(['bob', 'root', 'nobody'])}",
                f"COMPACT TABLE {t}",
                f"SHOW TABLES IN {pick(['public', 'system', 'canaries', 'nowhere'])}",
                f"USE {pick(['public', 'nowhere', 'hidden_space'])}",
                f"DROP NAMESPACE {pick(['public', 'nowhere'])} CASCADE",
                f"DROP USER {pick(['bob', 'nobody'])}",
                f"CREATE TOKEN x FOR {pick(['bob', 'nobody'])}",
                f"DROP TOKEN x FOR {pick(['bob', 'nobody'])}",
                f"KILL SESSION '{pick(['x', '1'])}'",
                pick(["CHECK AUDIT LOG", "FLUSH ALL", "SHOW query_timeout_s", "SELECT current_user, session_user"]),
                "SELECT name, at_most FROM system.limits ORDER BY name",  # what is used has plans with times in it
                f"SELECT * FROM {pick(CATALOGS)} ORDER BY 1, 2, 3, 4",
                "SELECT * FROM system.users",
                "SELECT * FROM system.tokens",
                "SELECT kind, count(*) FROM system.kept GROUP BY kind ORDER BY kind",
                'SELECT namespace, "table", kind FROM system.tables ORDER BY 1, 2',
                f"SELECT * FROM system.tables WHERE \"table\" = '{t}'",
                "SELECT text, state, rows, error FROM system.queries ORDER BY text, state, error LIMIT 50",
            ]
        )


@pytest.mark.parametrize("seed", SEEDS)
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
