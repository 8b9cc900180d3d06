"""Row policies: what they leave, on every way in, and that nothing looks past them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from datafusion import SessionContext
from datafusion.substrait import Serde

from flightserver.protocol.commands import IfExists
from tests.rights.house import House, Person

HIDDEN = "canary"


WORLD = "(2, 'bob', 999, 'canary-2'), (3, 'bob', 5, 'canary-3')", "(5, 'eve', 999, 'canary-5')"
OTHER_WORLD = "(2, 'eve', 12, '1')", "(5, 'bob', 0, NULL), (50, 'bob', 5, 'a'), (51, 'sid', -7, 'b')"
"""Rows of others, before the flush and after it."""


def settle(root: Person, others: tuple[str, str]) -> None:
    """Make a table of salaries, with hot, cold and dead rows; each user may see and write their own."""
    root.ok("DROP TABLE IF EXISTS staff CASCADE")
    root.ok("CREATE TABLE staff (id BIGINT PRIMARY KEY, who TEXT, salary BIGINT, note TEXT)")
    root.ok(f"INSERT INTO staff VALUES (1, 'ann', 100, 'x'), {others[0]}")
    root.ok("FLUSH TABLE staff")
    root.ok(f"INSERT INTO staff VALUES (4, 'ann', 7, 'y'), (6, 'ann', 1, 'gone'), {others[1]}")
    root.ok("DELETE FROM staff WHERE id = 6")
    root.ok("GRANT ALL ON staff TO PUBLIC")
    root.ok("CREATE POLICY own ON staff USING (who = CURRENT_USER)")


@pytest.fixture
def staff(house: House) -> Iterator[Person]:
    """Who made the table, with the first world's rows in it."""
    root = house.person("root")
    settle(root, WORLD)
    yield root
    root.ok("DROP TABLE IF EXISTS staff CASCADE")


def test_everybody_sees_what_a_policy_leaves(house: House, staff: Person) -> None:
    """Those who look after the server and the owner see all; services are users here."""
    seen = {
        name: [row["id"] for row in house.person(name).ok("SELECT id FROM staff ORDER BY id")] for name in house.people
    }
    everything = [1, 2, 3, 4, 5]
    own = {"ann": [1, 4], "bob": [2, 3], "eve": [5], "sid": [], "sam": []}
    assert seen == {"root": everything, "dora": everything, "dan": everything, **own}


def test_policies_are_alternatives(house: House, staff: Person) -> None:
    """A row that one of them allows is there; each is for some users, and some uses."""
    ann = house.person("ann")
    staff.ok("CREATE POLICY low ON staff FOR SELECT TO ann, ROLE service USING (salary < 10)")
    assert [row["id"] for row in ann.ok("SELECT id FROM staff ORDER BY id")] == [1, 3, 4]
    assert [row["id"] for row in house.person("sid").ok("SELECT id FROM staff ORDER BY id")] == [3, 4]
    assert ann.update("UPDATE staff SET note = 'z'").affected == 2
    staff.ok("DROP POLICY own ON staff")
    assert [row["id"] for row in ann.ok("SELECT id FROM staff ORDER BY id")] == [3, 4]
    assert house.person("bob").ok("SELECT id FROM staff") == []
    staff.ok("DROP POLICY low ON staff")
    assert len(house.person("bob").ok("SELECT id FROM staff")) == 5


ASKED = [
    "SELECT count(*) AS n FROM staff",
    "SELECT count(*) FROM staff WHERE 1 / (salary - 999) IS NOT NULL",
    "SELECT id FROM staff WHERE 1 / (salary - 5) > -100",
    "SELECT CAST(note AS BIGINT) FROM staff WHERE salary > 500",
    "SELECT * FROM staff WHERE id = 2",
    "SELECT note, id FROM staff WHERE id IN (1, 2, 5) AND salary >= 0",
    "UPDATE staff SET note = 'mine' WHERE id = 2",
    "DELETE FROM staff WHERE id = 5",
    "SELECT max(salary), min(note), sum(salary) FROM staff",
    "SELECT * FROM staff WHERE note LIKE 'canary%'",
    "SELECT _seq > 0, id FROM staff",
    "SELECT * FROM staff a FULL JOIN staff b ON a.id = b.salary",
    "WITH w AS (SELECT * FROM staff) SELECT count(*) FROM w, w x",
    "SELECT (SELECT max(note) FROM staff), EXISTS (SELECT 1 FROM staff WHERE salary = 999)",
    "SELECT id FROM staff WHERE id IN (SELECT salary FROM staff UNION ALL SELECT 2)",
    "SELECT id FROM staff ORDER BY 1 / (salary - 999)",
    "SELECT who, count(*), median(salary) FROM staff GROUP BY who HAVING count(*) > 0",
    "SELECT lag(note) OVER (ORDER BY id), note FROM staff",
    "EXPLAIN SELECT max(salary) FROM staff WHERE salary = 999",
    "EXPLAIN VERBOSE SELECT * FROM staff WHERE id = 2",
    "SELECT * FROM staff WHERE salary = 999 OR CAST(note AS INT) = 1",
    "SELECT * FROM staff LIMIT 1 OFFSET 2",
    "SELECT * FROM staff WHERE who <> 'ann'",
    "SELECT id FROM staff INTERSECT SELECT salary FROM staff",
    "SHOW MANIFEST FOR staff",
    "DESCRIBE staff",
    "INSERT INTO staff SELECT id + 100, who, 1 / (salary - 999), note FROM staff",
    "UPDATE staff SET salary = 1 / (salary - 999) WHERE 1 / (salary - 5) < 100",
    (
        "SELECT s.id, q.* FROM staff s, LATERAL (SELECT count(*), sum(1 / (t.salary - 999)) FROM staff t"
        " WHERE t.id < s.id) q ORDER BY s.id"
    ),
    (
        "SELECT s.id, q.note FROM staff s LEFT JOIN LATERAL (SELECT note FROM staff t WHERE t.salary <> s.salary"
        " ORDER BY 1 / (t.salary - 5) LIMIT 1) q ON true ORDER BY s.id"
    ),
    "UPDATE staff SET note = 'r' WHERE 1 / (salary - 5) < 100 RETURNING id, 1 / (salary - 999)",
    "DELETE FROM staff WHERE 1 / (salary - 999) > 0 AND CAST(salary AS TEXT) = 'q'",
]
"""What ann asks, with predicates, casts and sums that would fail or tell on what is hidden."""


def answers(person: Person) -> list[str]:
    """What each statement gives, on two ways in; plans without the numbers that a clock makes."""
    found = [str(run(sql)) for sql in ASKED for run in (person.query, person.prepared)]
    return [re.sub(r"\b[0-9a-f]{32}\b", "", text) for text in found]


@pytest.mark.attack
def test_no_answer_depends_on_a_hidden_row(house: House, staff: Person) -> None:
    """Two worlds with the same rows of ann and other rows of everybody else give the same answers, to the letter."""
    ann = house.person("ann")
    with_some = answers(ann)
    settle(staff, OTHER_WORLD)
    for sql, one, other in zip([sql for sql in ASKED for _ in range(2)], with_some, answers(ann), strict=True):
        assert one == other, sql
    assert HIDDEN not in str(with_some).replace("canary%", "")
    assert not any("Divide by zero" in text or "INTERNAL" in text for text in with_some)


@pytest.mark.attack
def test_keys_that_are_bound_find_no_hidden_row(house: House, staff: Person) -> None:
    """A look-up by key goes past the engine, and not past a policy; neither does a change by key."""
    ann, bound = house.person("ann"), pa.table({"1": [1, 2, 5]})
    for keys in (bound, bound.slice(1, 1)):
        found = ann.prepared("SELECT id FROM staff WHERE id = ?", keys).rows
        assert found is not None
        assert found.column(0).to_pylist() == [1][: len(keys) - 1]
        assert ann.prepared("UPDATE staff SET note = 'n' WHERE id = ?", keys).affected == len(keys) // 2
    assert "a new row" in str(ann.prepared("UPDATE staff SET who = 'bob' WHERE id = ?", bound.slice(0, 1)).error)
    assert ann.prepared("DELETE FROM staff WHERE id = ?", bound).affected == 1


def test_whoever_reads_rows_asks_for_policies() -> None:
    """What takes a snapshot to read it, or to tell of it, asks which rows of it are hidden."""
    root = Path(__file__).parents[2]
    for path in sorted((root / "flightserver").rglob("*.py")):
        text = path.read_text()
        looks_at_none = {"ingest.py", "context.py"}  # how many rows there are, and who is told of reads
        if ("work.snapshots(" in text or "context.snapshots(" in text) and path.name not in looks_at_none:
            assert "rule_on_rows(" in text, f"{path.name} must ask rule_on_rows before it reads a table"


def test_substrait_and_streams_keep_to_policies(house: House, staff: Person) -> None:
    """A plan reads what is left; a stream replaces and adds what may be written."""
    ann = house.person("ann")
    engine = SessionContext()
    engine.from_arrow(staff.query("SELECT * FROM staff LIMIT 0").rows, "staff")
    plan = Serde.serialize_bytes("SELECT id FROM staff", engine)
    assert ann.substrait(plan).rows is not None
    assert sorted(ann.substrait(plan).rows.column(0).to_pylist()) == [1, 4]  # type: ignore[union-attr]

    def row(number: int, who: str) -> pa.Table:
        return pa.table({"id": [number], "who": [who], "salary": [1], "note": ["n"]})

    assert ann.ingest("staff", row(1, "ann")).affected == 1
    assert ann.ingest("staff", row(7, "ann")).affected == 1
    new, old = "a new row is not allowed", "a row that exists may not be changed"
    assert new in str(ann.ingest("staff", row(8, "bob")).error)
    assert old in str(ann.ingest("staff", row(2, "ann")).error)
    assert "row policies" in str(ann.ingest("staff", row(1, "ann"), IfExists.REPLACE).error)
    gone = row(2, "ann").append_column("_deleted", pa.array([True]))
    assert "row policies" in str(ann.ingest("staff", gone).error)
    assert [row["id"] for row in staff.ok("SELECT id FROM staff ORDER BY id")] == [1, 2, 3, 4, 5, 7]


def test_changes_keep_to_policies(house: House, staff: Person) -> None:
    """Rows that are hidden are not found; what would leave the allowed ones is refused, and nothing of it stays."""
    ann = house.person("ann")
    assert "a new row" in ann.refused("UPDATE staff SET who = 'bob' WHERE id = 1")
    assert "a new row" in ann.refused("INSERT INTO staff VALUES (8, 'ann', 1, ''), (9, 'bob', 1, '')")
    assert "a new row" in ann.refused("INSERT INTO staff SELECT id + 10, 'eve', salary, note FROM staff")
    upsert = "ON CONFLICT (id) DO UPDATE SET"
    assert "a row that exists" in ann.refused(f"INSERT INTO staff VALUES (2, 'ann', 1, '') {upsert} note = 'mine'")
    whole = "who = excluded.who, salary = excluded.salary, note = excluded.note"
    assert "a row that exists" in ann.refused(f"INSERT INTO staff VALUES (2, 'ann', 1, '') {upsert} {whole}")
    assert "a new row" in ann.refused(f"INSERT INTO staff VALUES (1, 'ann', 1, '') {upsert} who = 'bob'")
    assert ann.update(f"INSERT INTO staff VALUES (1, 'ann', 1, '') {upsert} note = 'up'").affected == 1
    assert ann.update("UPDATE staff SET salary = salary + 1 WHERE id IN (1, 2)").affected == 1
    assert ann.update("DELETE FROM staff WHERE id IN (2, 4)").affected == 1
    assert ann.update("TRUNCATE staff").affected == 1
    assert [row["id"] for row in staff.ok("SELECT id FROM staff ORDER BY id")] == [2, 3, 5]
    for who in ("ann", "bob"):
        assert house.person(who).ok("SELECT count(*) AS n FROM staff") == [{"n": 0 if who == "ann" else 2}]


def test_a_transaction_keeps_to_policies(house: House, staff: Person) -> None:
    """With its own rows, and after a savepoint."""
    ann = house.person("ann")
    ann.ok("BEGIN")
    ann.ok("INSERT INTO staff VALUES (8, 'ann', 1, '')")
    assert len(ann.ok("SELECT * FROM staff")) == 3
    assert ann.update("TRUNCATE staff").affected == 3
    assert "a new row" in ann.refused("INSERT INTO staff VALUES (9, 'bob', 1, '')")
    ann.ok("COMMIT")
    assert [row["id"] for row in staff.ok("SELECT id FROM staff ORDER BY id")] == [2, 3, 5]


def test_a_view_keeps_to_the_policies_for_its_owner(house: House, staff: Person) -> None:
    """Beside the table itself, which keeps to those for who asks; CURRENT_USER is who asks."""
    ann, sid = house.person("ann"), house.person("sid")
    staff.ok("CREATE VIEW totals AS SELECT count(*) AS n FROM staff")
    sid.ok("CREATE VIEW of_sid AS SELECT id FROM staff")
    for view in ("totals", "of_sid"):
        staff.ok(f"GRANT SELECT ON {view} TO ann")
    assert ann.ok("SELECT n, (SELECT count(*) FROM staff) AS own FROM totals") == [{"n": 5, "own": 2}]
    assert [row["id"] for row in ann.ok("SELECT * FROM of_sid ORDER BY id")] == [1, 4]


def test_a_query_for_another_keeps_to_theirs(house: House, staff: Person) -> None:
    """AS USER has the policies of the subject."""
    assert [row["id"] for row in staff.ok("EXECUTE AS USER 'bob' (SELECT id FROM staff ORDER BY id)")] == [2, 3]


@pytest.mark.attack
def test_a_policy_that_fails_shows_nothing(house: House, staff: Person) -> None:
    """Whatever goes wrong in it, the query fails, and does not say on which value."""
    staff.ok("CREATE POLICY bad ON staff FOR SELECT USING (CAST(note AS BIGINT) > 0)")
    ann = house.person("ann")
    for sql in ("SELECT * FROM staff", "EXPLAIN SELECT 1 FROM staff"):
        assert ann.refused(sql) == "INVALID: a row policy of public.staff cannot be applied; ask the owner of the table"


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("CREATE POLICY p ON staff USING (salary)", "INVALID"),
        ("CREATE POLICY p ON staff USING (nope = 1)", "NOT_FOUND"),
        ("CREATE POLICY p ON staff USING (id IN (SELECT 1))", "UNSUPPORTED"),
        ("CREATE POLICY p ON staff USING (id = ?)", "INVALID"),
        ("CREATE POLICY p ON staff", "INVALID"),
        ("CREATE POLICY p ON staff FOR INSERT USING (true)", "INVALID"),
        ("CREATE POLICY p ON staff FOR SELECT USING (true) WITH CHECK (true)", "INVALID"),
        ("CREATE POLICY p ON staff AS RESTRICTIVE USING (true)", "UNSUPPORTED"),
        ("CREATE POLICY own ON staff USING (true)", "ALREADY_EXISTS"),
        ("CREATE POLICY p ON staff TO nobody USING (true)", "NOT_FOUND"),
        ("DROP POLICY p ON staff", "NOT_FOUND"),
        ("ALTER TABLE staff RENAME COLUMN who TO whom", "INVALID"),
        ("ALTER TABLE staff DROP COLUMN who", "INVALID"),
        ("CREATE POLICY p ON staff USING (true) ) OR (true", "SYNTAX"),
    ],
)
def test_what_is_no_policy_is_refused(house: House, staff: Person, sql: str, kind: str) -> None:
    """And what would change what one means."""
    assert staff.refused(sql).startswith(f"{kind}: ")


def test_policies_belong_to_the_owner_and_to_the_table(house: House, staff: Person) -> None:
    """Others find no table to put one on; a new table of the name has none; they are listed for who may change them."""
    ann = house.person("ann")
    assert ann.refused("CREATE POLICY p ON staff USING (true)") == "NOT_FOUND: table public.staff does not exist"
    assert ann.refused("DROP POLICY own ON staff") == "NOT_FOUND: table public.staff does not exist"
    assert ann.ok("SELECT * FROM system.policies") == []
    assert [row["policy"] for row in staff.ok("SELECT * FROM system.policies")] == ["own"]
    staff.ok("DROP TABLE staff")
    staff.ok("CREATE TABLE staff (id BIGINT PRIMARY KEY)")
    staff.ok("INSERT INTO staff VALUES (1)")
    staff.ok("GRANT SELECT ON staff TO ann")
    assert ann.ok("SELECT * FROM staff") == [{"id": 1}]
