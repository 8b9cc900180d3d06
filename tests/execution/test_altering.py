"""ALTER TABLE: other defaults, NOT NULL or not, another name; all actions of a statement or none."""

from pathlib import Path

import pyarrow as pa
import pytest

from catalog.roles import Role
from tests.rights.house import House, Person


@pytest.fixture(params=["hot", "cold"])
def root(owner: Person, request: pytest.FixtureRequest) -> Person:
    """Who has a table with two rows, hot or cold."""
    owner.ok("CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT DEFAULT 5, w TEXT NOT NULL DEFAULT 'x')")
    owner.ok("INSERT INTO t VALUES (1, 10, 'a'), (2, NULL, 'b')")
    if request.param == "cold":
        owner.ok("FLUSH TABLE t")
    return owner


def rows(person: Person, table: str = "t") -> list[tuple[object, ...]]:
    """What a table has."""
    return person.tuples(f"SELECT * FROM {table} ORDER BY id")


def test_another_default_is_for_rows_to_come(root: Person) -> None:
    """Rows that are there keep what they have, also those that are older than the column."""
    root.ok("ALTER TABLE t ADD COLUMN x BIGINT DEFAULT 1")
    root.ok("ALTER TABLE t ALTER COLUMN x SET DEFAULT 2")
    root.ok("INSERT INTO t (id) VALUES (3)")
    root.ok("ALTER TABLE t ALTER x DROP DEFAULT")
    root.ok("INSERT INTO t (id) VALUES (4)")
    assert [row[3] for row in rows(root)] == [1, 1, 2, None]
    assert [row["id"] for row in root.ok("SELECT id FROM t WHERE x = 1 ORDER BY id")] == [1, 2]
    root.ok("FLUSH TABLE t")
    assert [row[3] for row in rows(root)] == [1, 1, 2, None]


@pytest.mark.parametrize("text", ["'many'", "v + 1", "NULL", "UUID_V7()"])
def test_a_default_that_the_column_cannot_hold_is_refused(root: Person, text: str) -> None:
    """As in CREATE TABLE."""
    column = "w" if text == "NULL" else "v"
    assert column in root.refused(f"ALTER TABLE t ALTER COLUMN {column} SET DEFAULT {text}")


def test_not_null_holds_for_rows_that_are_there(root: Person) -> None:
    """It is refused while one has no value, and then holds for all that come."""
    assert "NOT NULL of v" in root.refused("ALTER TABLE t ALTER COLUMN v SET NOT NULL")
    root.ok("UPDATE t SET v = 0 WHERE v IS NULL")
    root.ok("ALTER TABLE t ALTER COLUMN v SET NOT NULL")
    assert "NOT NULL" in root.refused("INSERT INTO t VALUES (3, NULL, 'c')")
    assert "NOT NULL" in root.refused("UPDATE t SET v = NULL")
    assert "NOT NULL" in str(root.ingest("t", pa.table({"id": [7], "v": pa.array([None], pa.int64())})))
    root.ok("INSERT INTO t (id) VALUES (3)")
    root.ok("FLUSH TABLE t")
    root.ok("COMPACT TABLE t")
    assert rows(root) == [(1, 10, "a"), (2, 0, "b"), (3, 5, "x")]
    assert "v BIGINT NOT NULL" in str(root.ok("SHOW CREATE TABLE t"))


def test_null_may_come_where_it_might_not(root: Person) -> None:
    """But not into the key."""
    root.ok("ALTER TABLE t ALTER COLUMN w DROP NOT NULL")
    root.ok("INSERT INTO t VALUES (3, 1, NULL)")
    assert rows(root)[2] == (3, 1, None)
    root.ok("FLUSH TABLE t")
    root.ok("COMPACT TABLE t")
    assert rows(root) == [(1, 10, "a"), (2, None, "b"), (3, 1, None)]
    assert [row["id"] for row in root.ok("SELECT id FROM t WHERE w IS NULL")] == [3]
    assert "key" in root.refused("ALTER TABLE t ALTER COLUMN id DROP NOT NULL")


def test_all_actions_happen_or_none(root: Person) -> None:
    """In their order, each upon the one before."""
    before = root.ok("SHOW CREATE TABLE t")
    assert "nothing" in root.refused("ALTER TABLE t ADD COLUMN x INT, DROP COLUMN nothing")
    assert "NOT NULL of v" in root.refused("ALTER TABLE t ALTER w SET DEFAULT 'y', ALTER v SET NOT NULL")
    assert root.ok("SHOW CREATE TABLE t") == before
    root.ok("ALTER TABLE t ADD COLUMN x INT, RENAME COLUMN x TO y, ALTER COLUMN y SET DEFAULT 3, DROP COLUMN w")
    root.ok("INSERT INTO t (id) VALUES (3)")
    assert rows(root) == [(1, 10, None), (2, None, None), (3, 5, 3)]


def test_a_demand_stands_beside_what_can_be_taken_back(root: Person) -> None:
    """Rows that were written meanwhile would lose a column."""
    assert "by themselves" in root.refused("ALTER TABLE t DROP COLUMN w, ALTER v SET NOT NULL")


def test_a_table_gets_another_name(house: House, root: Person) -> None:
    """With its rows, and what was granted on it; the old name is free."""
    root.ok("GRANT SELECT ON t TO ann")
    root.ok("ALTER TABLE t RENAME TO u")
    assert "not found" in root.refused("SELECT * FROM t")
    root.ok("INSERT INTO u VALUES (3, 1, 'c')")
    root.ok("FLUSH TABLE u")
    assert rows(root, "u") == [(1, 10, "a"), (2, None, "b"), (3, 1, "c")]
    assert len(house.person("ann").ok("SELECT * FROM u")) == 3
    root.ok("CREATE TABLE t (id BIGINT PRIMARY KEY)")
    root.ok("INSERT INTO t VALUES (1)")
    root.ok("FLUSH TABLE t")
    assert len(rows(root, "u")) == 3
    assert "exists already" in root.refused("ALTER TABLE t RENAME TO u")


def test_a_name_that_a_view_reads_stays(root: Person) -> None:
    """Or the view would read another table some day."""
    root.ok("CREATE VIEW seen AS SELECT * FROM t")
    assert "seen" in root.refused("ALTER TABLE t RENAME TO u")


def test_who_does_not_own_a_table_does_not_alter_it(house: House, root: Person) -> None:
    """It is not there for them."""
    root.ok("GRANT SELECT ON t TO ann")
    for action in ("RENAME TO u", "ALTER v SET DEFAULT 1", "ALTER v DROP NOT NULL", "ALTER v SET NOT NULL"):
        assert (
            house.person("ann")
            .refused(f"ALTER TABLE t {action}")
            .startswith("NOT_FOUND: table public.t does not exist")
        )


def test_a_transaction_renames_and_takes_back(house: House, root: Person) -> None:
    """Its own rows go along; who is outside finds the old name until the commit."""
    root.ok("BEGIN")
    root.ok("INSERT INTO t VALUES (3, 1, 'c')")
    root.ok("ALTER TABLE t RENAME TO u")
    assert len(rows(root, "u")) == 3
    root.ok("ROLLBACK")
    assert len(rows(root)) == 2
    root.ok("BEGIN")
    root.ok("ALTER TABLE t RENAME TO u")
    root.ok("INSERT INTO u VALUES (3, 1, 'c')")
    assert len(rows(house.person("root"))) == 2
    root.ok("COMMIT")
    assert len(rows(house.person("root"), "u")) == 3


def test_altered_tables_outlast_a_restart(tmp_path: Path) -> None:
    """With their files, under the name that they have now."""
    opened = House(tmp_path / "data", {"root": Role.SYSTEM})
    root = opened.person("root")
    root.ok("CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT)")
    root.ok("INSERT INTO t VALUES (1, 1)")
    root.ok("FLUSH TABLE t")
    root.ok("ALTER TABLE t ALTER v SET NOT NULL, ALTER v SET DEFAULT 7")
    root.ok("ALTER TABLE t RENAME TO u")
    root.ok("INSERT INTO u (id) VALUES (2)")
    opened.close()
    again = House(tmp_path / "data", {"root": Role.SYSTEM})
    root = again.person("root")
    root.ok("INSERT INTO u (id) VALUES (3)")
    assert rows(root, "u") == [(1, 1), (2, 7), (3, 7)]
    assert "NOT NULL" in root.refused("INSERT INTO u VALUES (4, NULL)")
    again.close()


def test_comments_are_found_where_tools_look(root: Person) -> None:
    """On a table and on its columns; NULL takes one away, and another name keeps it."""
    root.ok("CREATE TABLE noted (id BIGINT PRIMARY KEY, v BIGINT)")
    root.ok("COMMENT ON TABLE noted IS 'what is noted'")
    root.ok("COMMENT ON COLUMN public.noted.v IS 'it''s a value'")
    root.ok("COMMENT ON COLUMN noted.id IS 'x'")
    root.ok("COMMENT ON COLUMN noted.id IS NULL")
    root.ok("ALTER TABLE noted RENAME COLUMN v TO w")
    text = (
        "SELECT objsubid AS place, description AS text FROM pg_catalog.pg_description JOIN pg_catalog.pg_class"
        " ON objoid = pg_class.oid WHERE relname = 'noted' ORDER BY 1"
    )
    assert root.ok(text) == [{"place": 0, "text": "what is noted"}, {"place": 2, "text": "it's a value"}]
    root.ok("DROP TABLE noted")


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("COMMENT ON VIEW v IS 'x'", "TABLE or on a COLUMN"),
        ("COMMENT ON COLUMN t IS 'x'", "table.column"),
        ("COMMENT ON TABLE t IS 5", "as a string"),
        ("COMMENT ON TABLE nothing IS 'x'", "nothing"),
    ],
)
def test_a_comment_that_cannot_be_is_refused(root: Person, statement: str, error: str) -> None:
    """With what is expected."""
    assert error in root.refused(statement)


def test_a_view_names_its_columns(root: Person) -> None:
    """Beside its name, in the order of the query; too few or the same twice are refused."""
    root.ok("CREATE VIEW named (a, b) AS WITH x AS (SELECT 1 AS c) SELECT c, c + 1 AS d FROM x")
    assert root.ok("SELECT b, a FROM named") == [{"b": 2, "a": 1}]
    root.ok("DROP VIEW named")
    assert "twice" in root.refused("CREATE VIEW named (a, a) AS SELECT 1, 2")
    root.refused("CREATE VIEW named (a) AS SELECT 1 AS x, 2 AS y")
