"""ALTER COLUMN TYPE: every row has its value in the other type afterwards, or nothing has changed."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.roles import Role
from tests.rights.house import House, Person

TABLE = "CREATE TABLE t (id BIGINT PRIMARY KEY, v INT DEFAULT 7 CHECK (v < 100), s TEXT, u INT UNIQUE)"


@pytest.fixture(params=["hot", "cold"])
def root(owner: Person, request: pytest.FixtureRequest) -> Person:
    """Who has a table with rows in memory, or in files of which some are dead, with a column that is younger."""
    owner.ok(TABLE)
    owner.ok("INSERT INTO t VALUES (1, 5, '12', 1), (2, 5, NULL, 3), (3, NULL, '-3', 4), (4, 4, 'gone', 5)")
    if request.param == "cold":
        owner.ok("FLUSH TABLE t")
    owner.ok("ALTER TABLE t ADD COLUMN n INT DEFAULT 9")
    owner.ok("DELETE FROM t WHERE id = 4")
    owner.ok("UPDATE t SET v = 6 WHERE id = 2")
    return owner


def rows(person: Person) -> list[tuple[object, ...]]:
    """What the table has."""
    return person.tuples("SELECT * FROM t ORDER BY id")


@pytest.mark.parametrize(
    ("action", "column", "values"),
    [
        ("v TYPE BIGINT", 1, [5, 6, None]),
        ("v SET DATA TYPE TEXT", 1, ["5", "6", None]),
        ("s TYPE INT", 2, [12, None, -3]),
        ("u TYPE DOUBLE", 3, [1.0, 3.0, 4.0]),
        ("n TYPE BIGINT", 4, [9, 9, 9]),
    ],
)
def test_a_column_gets_another_type(root: Person, action: str, column: int, values: list[object]) -> None:
    """In its place, with its rows, those too that come later, over FLUSH and COMPACT; constraints stay."""
    root.ok(f"ALTER TABLE t ALTER COLUMN {action}")
    assert [row[column] for row in rows(root)] == values
    root.ok("INSERT INTO t (id, u) VALUES (9, 99)")
    root.ok("FLUSH TABLE t")
    root.ok("COMPACT TABLE t")
    assert [row[column] for row in rows(root)][:3] == values
    assert "t_u_key" in root.refused("INSERT INTO t (id, u) VALUES (10, 99)")
    assert "t_v_check" in root.refused("INSERT INTO t (id, v) VALUES (10, 100)")


def test_a_value_that_does_not_fit_leaves_all_as_it_was(root: Person) -> None:
    """The error has the value."""
    root.ok("UPDATE t SET s = 'word' WHERE id = 1")
    before = rows(root)
    assert "word" in root.refused("ALTER TABLE t ALTER s TYPE INT")
    assert rows(root) == before
    root.ok("INSERT INTO t VALUES (5, 1, 'text', 9, 1)")


def test_what_constraints_demand_is_asked_again(root: Person) -> None:
    """Values that become alike are not UNIQUE any more, and the values stay."""
    root.ok("CREATE TABLE made (v DOUBLE UNIQUE)")
    root.ok("INSERT INTO made VALUES (1.2), (1.4)")
    assert "is UNIQUE" in root.refused("ALTER TABLE made ALTER v TYPE INT")
    assert [row["v"] for row in root.ok("SELECT v FROM made ORDER BY v")] == [1.2, 1.4]


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("id TYPE INT", "in the key"),
        ("nothing TYPE INT", "nothing"),
        ("s TYPE INT USING length(s)", "UPDATE"),
        ("u TYPE INT[]", "u"),
        ("v TYPE BIGINT, DROP COLUMN s", "by itself"),
        ("v TYPE NOTHING", "NOTHING"),
    ],
)
def test_what_cannot_be_done_is_refused(root: Person, action: str, error: str) -> None:
    """With a word of what to do."""
    before = rows(root)
    assert error.lower() in root.refused(f"ALTER TABLE t ALTER COLUMN {action}").lower()
    assert rows(root) == before


def test_a_view_and_a_policy_keep_the_types_that_they_read(root: Person) -> None:
    """Until they are dropped; and the rows of others are not rewritten."""
    root.ok("CREATE VIEW seen AS SELECT v FROM t")
    assert "seen" in root.refused("ALTER TABLE t ALTER v TYPE BIGINT")
    root.ok("DROP VIEW seen")
    root.ok("CREATE POLICY few ON t USING (v < 10)")
    assert "few" in root.refused("ALTER TABLE t ALTER v TYPE BIGINT")
    root.ok("ALTER TABLE t ALTER s TYPE INT")


@pytest.mark.parametrize("is_flushed", [False, True])
def test_everybodys_rows_get_the_type(house: House, root: Person, is_flushed: bool) -> None:
    """Of a USER table in one commit, also the rows of who has none yet."""
    ann = house.person("ann")
    root.ok("CREATE USER TABLE u (id BIGINT PRIMARY KEY, v INT UNIQUE)")
    root.ok("INSERT INTO u VALUES (1, 10)")
    ann.ok("INSERT INTO u VALUES (1, 11), (2, NULL)")
    if is_flushed:
        root.ok("FLUSH TABLE u")
        ann.ok("DELETE FROM u WHERE id = 2")
    root.ok("ALTER TABLE u ALTER v TYPE TEXT")
    root.ok("FLUSH TABLE u")
    assert root.tuples("SELECT * FROM u") == [(1, "10")]
    assert ann.tuples("SELECT * FROM u WHERE v = '11'") == [(1, "11")]
    assert "u_v_key" in ann.refused("INSERT INTO u VALUES (3, '11')")
    ann.ok("INSERT INTO u VALUES (3, 'word')")


def test_a_value_of_another_that_does_not_fit_is_not_shown(house: House, root: Person) -> None:
    """But nothing has changed, for nobody, and everybody writes on."""
    ann = house.person("ann")
    root.ok("CREATE USER TABLE u (id BIGINT PRIMARY KEY, v TEXT)")
    root.ok("INSERT INTO u VALUES (1, '1')")
    ann.ok("INSERT INTO u VALUES (1, 'secret')")
    error = root.refused("ALTER TABLE u ALTER v TYPE INT")
    assert "secret" not in error
    assert "another user" in error
    ann.ok("INSERT INTO u VALUES (2, 'more')")
    ann.ok("DELETE FROM u")
    root.ok("INSERT INTO u VALUES (2, 'word')")
    assert "word" in root.refused("ALTER TABLE u ALTER v TYPE INT")
    ann.ok("INSERT INTO u VALUES (1, 'secret'), (2, 'more')")
    assert ann.tuples("SELECT v FROM u ORDER BY id") == [("secret",), ("more",)]


def test_who_begins_to_write_meanwhile_loses_nothing(house: House, root: Person) -> None:
    """A transaction of somebody who had no rows is told, and its rows do not come without their values."""
    ann = house.person("ann")
    root.ok("CREATE USER TABLE u (id BIGINT PRIMARY KEY, v INT)")
    ann.ok("BEGIN")
    ann.ok("INSERT INTO u VALUES (1, 1)")
    root.ok("ALTER TABLE u ALTER v TYPE BIGINT")
    assert "run" in ann.refused("COMMIT")
    ann.update("ROLLBACK")
    ann.ok("INSERT INTO u VALUES (1, 1)")
    assert ann.tuples("SELECT * FROM u") == [(1, 1)]


@pytest.mark.proof
def test_many_begin_to_write_while_types_change(house: House, root: Person) -> None:
    """Whoever was not refused has the value that was sent."""
    root.ok("CREATE USER TABLE u (id BIGINT PRIMARY KEY, v TEXT)")
    people = {f"user{number}": Role.USER for number in range(120)}
    house.people = {**house.people, **people}

    def write(name: str) -> None:
        person = house.person(name)
        for number in range(3):
            while person.update(f"INSERT INTO u VALUES ({number}, '{number}')").error is not None:
                pass

    with ThreadPoolExecutor(4) as pool:
        written = [pool.submit(write, name) for name in people]
        for data_type in ("INT", "TEXT", "BIGINT", "DOUBLE", "BIGINT"):
            root.update(f"ALTER TABLE u ALTER v TYPE {data_type}")
        for one in written:
            one.result()
    root.ok("ALTER TABLE u ALTER v TYPE BIGINT")
    for name in people:
        assert house.person(name).tuples("SELECT * FROM u ORDER BY id") == [(0, 0), (1, 1), (2, 2)]


@pytest.mark.parametrize("type_", ["TEXT", "VARCHAR(20)", "VARCHAR"])
def test_what_is_stored_as_it_was_is_not_written_anew(root: Person, type_: str) -> None:
    """So it may be in the key, in a transaction, read by a view, and of any kind of table."""
    root.ok("CREATE STREAM TABLE made (s VARCHAR(5)) WITH (ttl_seconds = 60)")
    root.ok("CREATE TABLE u (id VARCHAR(5) PRIMARY KEY, k UUID)")
    root.ok("INSERT INTO u VALUES ('a', '0190163d-8694-739b-aea5-966c26f8ad91')")
    root.ok("CREATE VIEW seen AS SELECT id FROM u")
    root.ok("BEGIN")
    root.ok(f"ALTER TABLE u ALTER id TYPE {type_}, ALTER k TYPE {type_}, ADD COLUMN n INT")
    root.ok("COMMIT")
    root.ok(f"ALTER TABLE made ALTER s TYPE {type_}")
    root.ok("UPDATE u SET k = 'word' WHERE k = '0190163d-8694-739b-aea5-966c26f8ad91'")
    assert root.tuples("SELECT * FROM u") == [("a", "word", None)]
    assert "seen reads" in root.refused("ALTER TABLE u ALTER k TYPE UUID")


def test_a_temporary_table_changes_its_types_and_a_stream_does_not(root: Person) -> None:
    """Rows of a STREAM are never written anew."""
    root.ok("CREATE TEMP TABLE u (id BIGINT PRIMARY KEY, v DOUBLE UNIQUE CHECK (v > 1))")
    root.ok("INSERT INTO u VALUES (1, 5.4), (2, 5.2)")
    assert "in the key" in root.refused("ALTER TABLE u ALTER id TYPE TEXT")
    assert "is UNIQUE" in root.refused("ALTER TABLE u ALTER v TYPE INT")
    root.ok("DELETE FROM u WHERE id = 2")
    root.ok("ALTER TABLE u ALTER v TYPE INT")
    assert "u_v_check" in root.refused("INSERT INTO u VALUES (2, 1)")
    root.ok("INSERT INTO u VALUES (2, 2)")
    assert root.tuples("SELECT * FROM u ORDER BY id") == [(1, 5), (2, 2)]
    root.ok("CREATE STREAM TABLE made (v INT) WITH (ttl_seconds = 60)")
    assert "INSERT a query" in root.refused("ALTER TABLE made ALTER v TYPE TEXT")


def test_only_who_may_define_does_so(house: House, root: Person) -> None:
    """And not in a transaction."""
    root.ok("GRANT SELECT, INSERT, UPDATE, DELETE ON t TO ann")
    house.person("ann").refused("ALTER TABLE t ALTER v TYPE BIGINT")
    root.ok("BEGIN")
    assert "by itself" in root.refused("ALTER TABLE t ALTER v TYPE BIGINT")


def test_a_transaction_that_wrote_before_loses(house: House, root: Person) -> None:
    """Its rows are of the other definition."""
    other = house.person("root")
    other.ok("BEGIN")
    other.ok("INSERT INTO t (id, v) VALUES (8, 8)")
    root.ok("ALTER TABLE t ALTER v TYPE BIGINT")
    assert "run" in other.refused("COMMIT")
    other.update("ROLLBACK")
    assert len(rows(root)) == 3


def test_types_outlast_a_restart(tmp_path: Path) -> None:
    """Rows in files, in memory and in a segment."""
    opened = House(tmp_path / "data", {"root": Role.SYSTEM})
    root = opened.person("root")
    root.ok("CREATE TABLE t (id BIGINT PRIMARY KEY, v INT)")
    assert root.ingest("t", pa.table({"id": range(60_000), "v": [1] * 60_000})).error is None
    root.ok("INSERT INTO t VALUES (-1, 1)")
    root.ok("ALTER TABLE t ALTER v TYPE TEXT")
    opened.close()
    again = House(tmp_path / "data", {"root": Role.SYSTEM})
    found = again.person("root").ok("SELECT v, count(*) AS n FROM t GROUP BY v")
    assert found == [{"v": "1", "n": 60_001}]
    again.close()
