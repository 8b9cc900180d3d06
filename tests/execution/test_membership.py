"""Comparisons with sub-queries, with NULLs in play: whatever stands around them, SQL's three-valued logic holds.

Of the first 800 random conditions, DataFusion 55 alone answers 123 wrong and 100 with an error.
`FLIGHTSERVER_CONDITIONS` sets how many are asked.
"""

import os
from collections.abc import Iterator

import pytest

from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql.meaning.repairs.memberships import VALUES_MAX
from tests.execution.planner import Planner, opened
from tests.execution.three_valued import CORRELATED, Conditions, Query, S, T, is_in

CONDITIONS = int(os.environ.get("FLIGHTSERVER_CONDITIONS", "200"))
EACH = 20
"""Conditions of a seed."""


def rows_of(values: tuple[int | None, ...]) -> str:
    """A row of VALUES."""
    return f"({', '.join('NULL' if value is None else str(value) for value in values)})"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """Opened once: queries change nothing."""
    with opened(tmp_path_factory.mktemp("membership")) as found:
        found.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
        found.run("CREATE TABLE s (id INT PRIMARY KEY, w INT, n INT)")
        for half in (slice(2), slice(2, None)):
            found.run(f"INSERT INTO t VALUES {', '.join(map(rows_of, T[half]))}")
            found.run(f"INSERT INTO s VALUES {', '.join(map(rows_of, S[half]))}")
            if half.start is None:
                found.run("STORAGE FLUSH ALL")
        yield found


@pytest.mark.parametrize("seed", range(-(-CONDITIONS // EACH)))
def test_conditions_mean_what_sql_says(tables: Planner, seed: int) -> None:
    """Random conditions around IN, NOT IN, ANY and ALL find the rows for which they are true, and no other."""
    conditions = Conditions(seed)
    for _ in range(EACH):
        condition = conditions.condition(depth=3)
        assert tables.ids(condition.text) == [row[0] for row in T if condition.of(row) is True], condition.text


@pytest.mark.parametrize("query", CORRELATED, ids=lambda query: query.text)
def test_not_in_beside_and_may_use_outer_columns(tables: Planner, query: Query) -> None:
    """A NULL in the sub-query counts only for the rows of the outer query that it belongs to."""
    expected = [row[0] for row in T if is_in(row[1], query.of(row)) is False]
    assert tables.ids(f"id < 9 AND v NOT IN ({query.text})") == expected


def test_outer_columns_need_no_qualifier(tables: Planner) -> None:
    """Only a plan tells whose column `v` is."""
    assert tables.ids("id > 2 AND id NOT IN (SELECT w FROM s WHERE n = v)") == [3, 4]
    assert tables.ids("id < 3 AND id NOT IN (SELECT w FROM s WHERE n = v)") == []


@pytest.mark.parametrize(
    ("condition", "source", "expected"),
    [
        ("v = 2 OR v NOT IN (SELECT w FROM s)", "t", [2]),
        ("true QUALIFY row_number() OVER (ORDER BY id) < 9 AND (v IN (SELECT n FROM s)) IS NULL", "t", [3]),
        ("true GROUP BY id, v HAVING v NOT IN (SELECT n FROM s) OR sum(v) = 2", "t", [2, 4]),
        ("a.v = 2 OR a.v NOT IN (SELECT n FROM s)", "t a JOIN t b USING (id)", [2, 4]),
        ("id > 0", "(SELECT a.id FROM t a JOIN s ON a.id = s.id AND a.v IN (SELECT w FROM s)) x", [1]),
        ("id > 0", "(SELECT a.id FROM t a JOIN s ON a.id = s.id AND a.v NOT IN (SELECT n FROM s)) x", [4]),
        ("id > 0", "(SELECT id FROM t WHERE v NOT IN (SELECT n FROM s) OR id = 1) x", [1, 4]),
    ],
)
def test_any_place_of_a_condition(tables: Planner, condition: str, source: str, expected: list[int]) -> None:
    """WHERE, HAVING, QUALIFY, ON and derived tables."""
    assert tables.ids(condition, source) == expected


def test_views_mean_what_sql_says(tables: Planner) -> None:
    """The text of a view is read like any other."""
    tables.run("CREATE VIEW w AS SELECT id FROM t WHERE v NOT IN (SELECT n FROM s) OR id = 1")
    assert tables.ids("id > 0", "w") == [1, 4]


def test_changes_find_the_rows_that_a_query_finds(tables: Planner) -> None:
    """UPDATE and DELETE touch nothing for which their condition is NULL."""
    tables.run("CREATE TABLE changed (id INT PRIMARY KEY, v INT)")
    tables.run("INSERT INTO changed SELECT * FROM t")
    tables.run("UPDATE changed SET v = 100 WHERE NOT (v IN (SELECT n FROM s) AND id > 0)")
    assert tables.ids("v = 100", "changed") == [4]
    tables.run("DELETE FROM changed WHERE v NOT IN (SELECT n FROM s) OR id = 1")
    assert tables.ids("true", "changed") == [2, 3]


@pytest.mark.parametrize(
    "condition",
    [
        "v < ANY (SELECT x.v FROM t x, s WHERE x.id = t.id)",
    ],
)
def test_outer_columns_where_they_cannot_be_had_are_refused(tables: Planner, condition: str) -> None:
    """Clearly, and without a wrong answer."""
    with pytest.raises(DatabaseError, match="may not use columns of the outer query; write EXISTS") as caught:
        tables.ids(condition)
    assert caught.value.kind is ErrorKind.UNSUPPORTED


def nested(depth: int) -> str:
    """NOT IN beside OR within the sub-query of another, and so on."""
    inner = f" WHERE {nested(depth - 1)}" if depth else ""
    return f"w NOT IN (SELECT w FROM s{inner}) OR n = 9"


TOO_MANY = [
    " OR ".join(["v NOT IN (SELECT w FROM s)"] * (VALUES_MAX + 1)),
    f"v IN (SELECT w FROM s WHERE {nested(20)})",
]


@pytest.mark.parametrize("condition", TOO_MANY)
def test_more_of_them_than_the_engine_can_plan_are_refused(tables: Planner, condition: str) -> None:
    """Instead of keeping a core busy for minutes."""
    with pytest.raises(DatabaseError, match="write it as a join") as caught:
        tables.ids(condition)
    assert caught.value.kind is ErrorKind.RESOURCES
