"""Rows are compared value by value; numbers with a point are exact beside decimals, whatever passes them on."""

from collections.abc import Iterator

import pytest

from catalog.errors import DatabaseError, ErrorKind
from tests.execution.planner import Planner, opened

ANSWERS: dict[str, list[object]] = {
    "SELECT (a, b) = (3, 10) AS v FROM t ORDER BY k": [False, False, None],
    "SELECT ROW(a, b) <> (3, 1) AS v FROM t ORDER BY k": [True, True, None],
    "SELECT (b, a) <> (1, 4) AS v FROM t ORDER BY k": [True, True, True],
    "SELECT (a, b) < (2, 20) AS v FROM t ORDER BY k": [True, False, False],
    "SELECT (b, a) <= (20, 2) AS v FROM t ORDER BY k": [True, True, None],
    "SELECT (a, b) IN ((1, 10), (3, 5)) AS v FROM t ORDER BY k": [True, False, None],
    "SELECT (a, b) BETWEEN (1, 10) AND (3, 5) AS v FROM t ORDER BY k": [True, True, None],
    "SELECT (a, b) IS NOT DISTINCT FROM (3, NULL) AS v FROM t ORDER BY k": [False, False, True],
    "SELECT k AS v FROM t WHERE (a, b) NOT IN ((1, 10), (3, 5))": [2],
    "SELECT k AS v FROM t WHERE (a, b) IN (SELECT a, b FROM t) ORDER BY k": [1, 2],
    "SELECT k AS v FROM t WHERE (a, b) NOT IN (SELECT a, b FROM t WHERE k = 2) ORDER BY k": [1, 3],
    "SELECT k AS v FROM t WHERE (a, b) NOT IN (SELECT 1, 5 UNION ALL SELECT 2, NULL) ORDER BY k": [1, 3],
    "SELECT k AS v FROM t WHERE (a, b) NOT IN (SELECT 3, 5) ORDER BY k": [1, 2],
    "SELECT k AS v FROM t WHERE (a, b) NOT IN (SELECT 3, 5 FROM t WHERE k > 9) ORDER BY k": [1, 2, 3],
    "SELECT k AS v FROM t WHERE (a, b) = ANY (SELECT 1, 10) OR k = 3 ORDER BY k": [1, 3],
    "SELECT CASE (a, b) WHEN (3, NULL) THEN 1 WHEN (2, 20) THEN 2 ELSE 0 END AS v FROM t ORDER BY k": [0, 2, 0],
    "SELECT (a, b) = (SELECT 2, 20) AS v FROM t ORDER BY k": [False, True, False],
    "SELECT (SELECT max(a), max(b) FROM t) > (a, b) AS v FROM t ORDER BY k": [True, True, None],
    "SELECT (a, b) = (SELECT 1, 10 WHERE false) AS v FROM t ORDER BY k": [None, None, None],
    "SELECT CAST(max(d) - min(1.50) - coalesce(NULL, 0.1) AS TEXT) AS v FROM t": ["8.45"],
    "SELECT CASE k WHEN 1 THEN 0.5 ELSE 1 END + min(d) > 0 AS v FROM t GROUP BY CASE k WHEN 1 THEN 0.5 ELSE 1 END"
    " ORDER BY v": [True, True],
    "SELECT k AS v FROM t WHERE d IN (SELECT nullif(10.05, 1.50))": [1],
}


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """A table with a NULL."""
    with opened(tmp_path_factory.mktemp("rows")) as planner:
        planner.run("CREATE TABLE t (k BIGINT PRIMARY KEY, a BIGINT, b BIGINT, d DECIMAL(10,2))")
        planner.run("INSERT INTO t VALUES (1, 1, 10, 10.05), (2, 2, 20, 1.5), (3, 3, NULL, NULL)")
        yield planner


@pytest.mark.parametrize("query", ANSWERS)
def test_each_value_counts_by_itself(planner: Planner, query: str) -> None:
    """And NULL is unknown, as everywhere."""
    assert planner.plan(query).rows().to_table().column("v").to_pylist() == ANSWERS[query]


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("(a, b) = (1, 2, 3)", ErrorKind.INVALID),
        ("(a, b) IN (SELECT a FROM t)", ErrorKind.INVALID),
        ("((a, b), 1) = ((1, 2), 1)", ErrorKind.UNSUPPORTED),
        ("(a, b) = (SELECT a FROM t)", ErrorKind.INVALID),
        ("(a, b) = (SELECT a, b FROM t LIMIT 1)", ErrorKind.UNSUPPORTED),
        ("(a, b) = (SELECT o.a, o.b FROM t o WHERE o.k = t.k)", ErrorKind.UNSUPPORTED),
        ("CASE (a, b) WHEN 1 THEN true END", ErrorKind.UNSUPPORTED),
        ("NOT (a, b) IN (SELECT a, b FROM t)", ErrorKind.UNSUPPORTED),
        ("(a, b) IN (SELECT o.a, o.b FROM t o WHERE o.k < t.k)", ErrorKind.UNSUPPORTED),
        (f"(a, b) IN ({', '.join(['(1, 2)'] * 1001)})", ErrorKind.RESOURCES),
    ],
)
def test_what_cannot_be_compared_is_refused(planner: Planner, condition: str, kind: ErrorKind) -> None:
    """Rather than answered wrong, or for ever."""
    with pytest.raises(DatabaseError) as refused:
        planner.plan(f"SELECT k FROM t WHERE {condition}")
    assert refused.value.kind is kind
