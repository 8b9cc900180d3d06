"""Orders that the engine would leave out: conditions are written so that they are kept, the rest is refused."""

from collections.abc import Iterator

import pytest

from catalog.errors import DatabaseError
from tests.execution.planner import Planner, opened

SIDES = "m a LEFT JOIN m b ON a.k = b.k AND b.x = 5"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """A table of which some rows have the same value."""
    with opened(tmp_path_factory.mktemp("orders")) as planner:
        planner.run("CREATE TABLE m (k BIGINT PRIMARY KEY, x INT)")
        planner.run("INSERT INTO m VALUES (1, 5), (2, 6), (3, 5)")
        planner.run(f"CREATE VIEW half AS SELECT a.k, b.x FROM {SIDES}")
        yield planner


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT b.x + 1 FROM {SIDES} ORDER BY 1",
        f"SELECT array_agg(a.k ORDER BY b.x) FROM {SIDES}",
        "SELECT b.k FROM m a LEFT JOIN (SELECT * FROM m WHERE k = 1) b ON a.k = b.k ORDER BY b.k",
        "SELECT b.one FROM m a LEFT JOIN (SELECT k, 1 AS one FROM m WHERE k > 1) b ON a.k = b.k ORDER BY b.one",
        "SELECT a.k FROM m a LEFT JOIN m b ON a.k = b.k AND b.x % 2 = 1 ORDER BY b.x % 2",
        (
            "WITH w AS (SELECT k, 1 AS one FROM m WHERE k > 1) SELECT k, (SELECT w.one FROM w RIGHT JOIN m b USING (k) "
            "ORDER BY 1 NULLS FIRST LIMIT 1) FROM m"
        ),
    ],
)
def test_an_order_by_half_a_constant_is_refused(tables: Planner, query: str) -> None:
    """Rows came as they were joined, and windows were cut there."""
    with pytest.raises(DatabaseError, match="has one value wherever an outer join finds something"):
        tables.plan(query).rows()


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (
            "SELECT b.x FROM m a LEFT JOIN m b ON a.k = b.k AND coalesce(b.x, NULL) = 5 ORDER BY b.x NULLS FIRST, a.k",
            [(None,), (5,), (5,)],
        ),
        (f"SELECT b.x FROM {SIDES} ORDER BY b.x NULLS FIRST, a.k", [(None,), (5,), (5,)]),
        (f"SELECT b.x AS y FROM {SIDES} ORDER BY y DESC LIMIT 2", [(None,), (5,)]),
        (f"SELECT DISTINCT b.x FROM {SIDES} ORDER BY b.x NULLS FIRST", [(None,), (5,)]),
        (f"SELECT b.x, count(*) FROM {SIDES} GROUP BY b.x ORDER BY b.x NULLS FIRST", [(None, 1), (5, 2)]),
        (
            f"SELECT a.k, row_number() OVER (ORDER BY b.x, a.k DESC) FROM {SIDES} ORDER BY a.k",
            [(1, 2), (2, 3), (3, 1)],
        ),
        (
            f"SELECT a.k, rank() OVER (PARTITION BY b.x ORDER BY a.k) FROM {SIDES} ORDER BY a.k",
            [(1, 1), (2, 1), (3, 2)],
        ),
        (
            "SELECT b.x FROM (SELECT * FROM m WHERE x = 5) b RIGHT JOIN m a ON a.k = b.k ORDER BY b.x NULLS FIRST",
            [(None,), (5,), (5,)],
        ),
        (
            "SELECT b.x FROM m a FULL JOIN (SELECT * FROM m WHERE x = 5) b ON a.k = b.k ORDER BY b.x NULLS FIRST",
            [(None,), (5,), (5,)],
        ),
        (
            f"SELECT z FROM (SELECT b.x AS z FROM {SIDES} UNION ALL SELECT b.x FROM {SIDES}) ORDER BY z DESC",
            [(None,), (None,), (5,), (5,), (5,), (5,)],
        ),
        ("SELECT x FROM half ORDER BY x DESC", [(None,), (5,), (5,)]),
        (f"SELECT a.k, b.x FROM {SIDES} ORDER BY a.k", [(1, 5), (2, None), (3, 5)]),
        (f"SELECT a.k FROM {SIDES} WHERE b.x = 5 ORDER BY b.x, a.k DESC", [(3,), (1,)]),
        ("SELECT a.k FROM m a JOIN m b ON a.k = b.k AND b.x = 5 ORDER BY b.x, a.k DESC", [(3,), (1,)]),
        ("SELECT b.x FROM m a LEFT JOIN m b ON a.k = b.k WHERE a.x = 5 ORDER BY a.x, b.k DESC", [(5,), (5,)]),
        (f"SELECT b.x, count(*) FROM {SIDES} GROUP BY b.x HAVING count(*) > 1", [(5, 2)]),
    ],
)
def test_other_orders_are_kept(tables: Planner, query: str, rows: list[tuple[object, ...]]) -> None:
    """Nothing is refused that the engine sorts right."""
    assert [tuple(row.values()) for row in tables.plan(query).rows().to_table().to_pylist()] == rows
