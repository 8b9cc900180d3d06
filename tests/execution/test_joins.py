"""Joins with keys, with other conditions and with both, under conditions that only the whole join can be asked.

Each is asked of DuckDB, too. DataFusion takes columns for others here that have the same name, depending on what lies
in files: so the tables are in memory, in files and in both. FLIGHTSERVER_JOINS says how many are asked of each.
"""

import os
import random
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import duckdb
import pytest

from tests.execution.planner import opened

pytestmark = pytest.mark.proof

JOINS = int(os.environ.get("FLIGHTSERVER_JOINS", "150"))

TABLES = (
    "CREATE TABLE a (id BIGINT, n BIGINT, m BIGINT, PRIMARY KEY (id))",
    "CREATE TABLE b (id BIGINT, n BIGINT, m BIGINT, PRIMARY KEY (id))",
    "CREATE VIEW shown AS SELECT x.id, x.n, y.m FROM a x LEFT JOIN b y ON x.id = y.id AND x.n > y.n WHERE y.id IS NULL",
)
ROWS = (
    "INSERT INTO a VALUES (1, 10, 0), (2, 20, 50), (3, NULL, 1)",
    "INSERT INTO b VALUES (1, 10, 9), (2, 30, 40), (4, 5, 3)",
)
MORE_ROWS = ("INSERT INTO a VALUES (5, 7, 7)", "INSERT INTO b VALUES (5, 1, NULL)")
LAYOUTS = {
    "in memory": (*ROWS, *MORE_ROWS),
    "in files": (*ROWS, *MORE_ROWS, "FLUSH a", "FLUSH b"),
    "in both": (*ROWS, "FLUSH a", "FLUSH b", *MORE_ROWS),
    "one in files": (*ROWS, *MORE_ROWS, "FLUSH b"),
}

GROUPED = "(SELECT id, max(n) AS n, max(m) AS m FROM {} GROUP BY id HAVING max(id) < 5)"
LEFT_SIDES = ("a", "shown", GROUPED.format("a"))
RIGHT_SIDES = ("b", "(SELECT * FROM b WHERE n < 20)", GROUPED.format("b"))
KEYS = ("x.id = y.id AND ", "x.n = y.n AND ", "")
CONDITIONS = ("true", "y.n > 10", "x.n > 10", "x.n > y.n", "x.n IS NULL", "x.m + y.n > 3 AND y.m > 5", "x.m > y.m")
MORE_JOINS = (
    "",
    "JOIN b z ON z.id = x.id AND z.m > x.m",
    "LEFT JOIN b z ON z.id = y.id AND z.n > x.n",
    "FULL JOIN a z ON z.n = y.n",
)
ASKED = (
    "x.n IS NULL",
    "y.n IS NULL",
    "x.n IS NULL OR y.n > 5",
    "x.m IS NULL",
    "y.m > 3 OR x.n > 2",
    "(SELECT n FROM b o WHERE o.id = x.id) IS NULL AND y.n IS NULL",
)
ITEMS = ("x.id AS i, y.id AS j", "y.m AS i", "x.m AS i, y.m AS j", "*")
SPACE = (LEFT_SIDES, ("LEFT", "RIGHT", "FULL"), RIGHT_SIDES, KEYS, CONDITIONS, MORE_JOINS, ASKED, ITEMS)


def queries() -> Iterator[str]:
    """So many of all joins, the same each time."""
    every = list(product(*SPACE))
    for left, kind, right, key, condition, more, asked, items in random.Random(9).sample(every, min(JOINS, len(every))):
        yield f"SELECT {items} FROM {left} x {kind} JOIN {right} y ON {key}{condition} {more} WHERE {asked}"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_joins_are_answered_as_duckdb_does(layout: str, tmp_path: Path) -> None:
    """Wherever the rows lie; none is refused."""
    other = duckdb.connect()
    with opened(tmp_path) as planner:
        for statement in (*TABLES, *LAYOUTS[layout]):
            planner.run(statement)
            if not statement.startswith("FLUSH"):
                other.execute(statement)
        for query in queries():
            table = planner.plan(query).rows().to_table()
            found = zip(*(column.to_pylist() for column in table.columns), strict=True)
            assert sorted(map(str, found)) == sorted(map(str, other.execute(query).fetchall())), query
