"""DEFAULT where a value may stand, and WITH in front of changes."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from tests.rights.house import House, Person

TABLE = (
    "CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT DEFAULT 7, s TEXT DEFAULT 'a''b', w BIGINT, n BIGINT NOT NULL"
    " DEFAULT SNOWFLAKE_ID(), who TEXT DEFAULT CURRENT_USER)"
)


@pytest.fixture
def root(house: House) -> Iterator[Person]:
    """Who has a table with defaults of every kind."""
    person = house.person("root")
    person.ok(TABLE)
    yield person
    for name in ("t", "made"):
        person.ok(f"DROP TABLE IF EXISTS {name}")


def rows(person: Person, columns: str = "id, v, s, w, who") -> list[tuple[object, ...]]:
    """What the table has."""
    return person.tuples(f"SELECT {columns} FROM t ORDER BY id")


def test_default_stands_for_the_columns_default(root: Person) -> None:
    """In every row, or in some, beside constants and expressions."""
    root.ok("INSERT INTO t VALUES (1, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT)")
    root.ok("INSERT INTO t (id, v, s, who) VALUES (2, 1 + 1, DEFAULT, DEFAULT), (3, default, upper('c'), 'x')")
    assert rows(root) == [(1, 7, "a'b", None, "root"), (2, 2, "a'b", None, "root"), (3, 7, "C", None, "x")]


def test_default_values_is_a_row_of_defaults(root: Person) -> None:
    """Each key is another one."""
    root.ok("CREATE TABLE made (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), v BIGINT DEFAULT 7)")
    for _ in range(2):
        root.ok("INSERT INTO made DEFAULT VALUES")
    assert root.ok("SELECT count(DISTINCT id) AS n, min(v) AS v FROM made") == [{"n": 2, "v": 7}]


def test_a_column_may_be_set_to_its_default(root: Person) -> None:
    """By UPDATE, and where a key exists."""
    root.ok("INSERT INTO t (id, v, s, w) VALUES (1, 1, 'x', 1), (2, 2, 'y', 2)")
    root.ok("UPDATE t SET v = DEFAULT, s = DEFAULT, w = DEFAULT WHERE id = 1")
    root.ok("INSERT INTO t (id, v) VALUES (2, 9) ON CONFLICT (id) DO UPDATE SET v = excluded.v, s = DEFAULT")
    assert rows(root, "id, v, s, w") == [(1, 7, "a'b", None), (2, 9, "a'b", 2)]


def test_bound_rows_take_defaults(root: Person) -> None:
    """All of them at once."""
    bound = pa.table({"id": [1, 2], "w": [5, 6]})
    assert root.prepared("INSERT INTO t (id, v, w) VALUES (?, DEFAULT, ?)", bound).affected == 2
    assert rows(root, "id, v, w") == [(1, 7, 5), (2, 7, 6)]


def test_a_default_that_the_engine_cannot_make_stands_by_itself(root: Person) -> None:
    """Where every row of the column takes it; beside other values it is refused with what to write instead."""
    root.ok("INSERT INTO t (id, n) VALUES (1, DEFAULT), (2, DEFAULT)")
    assert "INSERT of their own" in root.refused("INSERT INTO t (id, n) VALUES (3, DEFAULT), (4, 4)")
    assert "INSERT of their own" in root.refused("UPDATE t SET n = DEFAULT")


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("INSERT INTO t (id) VALUES (1, DEFAULT)", "columns"),
        ("INSERT INTO t VALUES (DEFAULT, 1, 's', 1, 1, 'x')", "id"),
        ("INSERT INTO t (id) DEFAULT VALUES", "DEFAULT VALUES"),
        ("INSERT INTO t (id) SELECT DEFAULT", ""),
    ],
)
def test_a_default_that_cannot_be_is_refused(root: Person, statement: str, error: str) -> None:
    """Nothing is inserted."""
    assert error in root.refused(statement)
    assert rows(root) == []


def test_changes_have_common_tables(root: Person) -> None:
    """INSERT in its query, UPDATE and DELETE in FROM, USING and sub-queries."""
    root.ok("WITH a (x) AS (VALUES (1), (2), (3)) INSERT INTO t (id, v) SELECT x, x * 10 FROM a")
    root.ok("WITH a AS (SELECT 2 AS x) UPDATE t SET v = a.x FROM a WHERE a.x = t.id")
    root.ok("WITH a AS (SELECT 3 AS x) DELETE FROM t USING a WHERE a.x = id")
    assert rows(root, "id, v") == [(1, 10), (2, 2)]
    root.ok("WITH a AS (SELECT max(id) AS x FROM t) DELETE FROM t WHERE id IN (SELECT x FROM a)")
    assert rows(root, "id, v") == [(1, 10)]
    root.ok("WITH t AS (SELECT 5 AS x) UPDATE t SET w = (SELECT x FROM t)")
    assert rows(root, "id, w") == [(1, 5)]


def test_bound_rows_run_with_common_tables(root: Person) -> None:
    """One after another."""
    root.ok("INSERT INTO t (id) VALUES (1), (2)")
    bound = pa.table({"v": [4, 5], "id": [1, 2]})
    sql = "WITH a AS (SELECT CAST(? AS BIGINT) AS x) UPDATE t SET v = a.x FROM a WHERE id = ?"
    assert root.prepared(sql, bound).affected == 2
    assert rows(root, "id, v") == [(1, 4), (2, 5)]
