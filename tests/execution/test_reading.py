"""How queries are planned: which of them run on their caller's thread, and what a description says of one."""

from collections.abc import Iterator

import pytest

from catalog.errors import DatabaseError
from tests.execution.planner import Planner, opened


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """Opened once: queries change nothing."""
    with opened(tmp_path_factory.mktemp("reading")) as found:
        found.run("CREATE TABLE t (k BIGINT PRIMARY KEY, v INT NOT NULL, l INT[], s TEXT DEFAULT 'x')")
        found.run("INSERT INTO t (k, v) VALUES (1, 10)")
        found.run("FLUSH TABLE t")
        found.run("INSERT INTO t (k, v) VALUES (2, 20)")
        found.run("CREATE VIEW w AS SELECT v AS u FROM t")
        yield found


ONCE_OVER_A_TABLE = [
    "SELECT * FROM t",
    "SELECT * FROM t WHERE k = 1",
    "SELECT a.v FROM t a WHERE a.k IN (1, 2)",
    "SELECT x FROM (SELECT v AS x FROM t) q ORDER BY x LIMIT 1",
    "SELECT s, count(*) FROM t GROUP BY s",
    "SELECT u, row_number() OVER (ORDER BY u) FROM w",
    "SELECT 1 + 1",
]
MAY_MULTIPLY = [
    "SELECT * FROM t a JOIN t b ON a.v = b.v",
    "SELECT * FROM t a, t b",
    "SELECT k FROM t UNION ALL SELECT k FROM t",
    "SELECT unnest(l) FROM t",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT * FROM n LIMIT 3",
]


@pytest.mark.parametrize("text", ONCE_OVER_A_TABLE)
def test_what_passes_once_over_a_small_table_is_short(planner: Planner, text: str) -> None:
    """It runs on its caller's thread, which is fastest."""
    assert planner.plan(text).is_short


@pytest.mark.parametrize("text", MAY_MULTIPLY)
def test_what_may_make_more_rows_than_it_reads_is_not_short(planner: Planner, text: str) -> None:
    """It runs where it can be cancelled, however small its tables are."""
    assert not planner.plan(text).is_short


@pytest.mark.parametrize("text", [*ONCE_OVER_A_TABLE, *MAY_MULTIPLY, "SELECT _seq, _deleted, * FROM t"])
def test_a_description_has_the_schema_of_the_result(planner: Planner, text: str) -> None:
    """Although it looks at no row."""
    assert planner.describe(text).schema == planner.plan(text).rows().to_table().schema


@pytest.mark.parametrize("number", ["1", "1.5", "-1", "v", "CAST(1 AS DOUBLE)"])
def test_a_number_is_no_moment(planner: Planner, number: str) -> None:
    """Seconds, or smaller parts? A text and a date are moments."""
    with pytest.raises(DatabaseError, match="a number is no moment"):
        planner.plan(f"SELECT CAST({number} AS TIMESTAMP) AS x FROM t")
    planner.plan("SELECT CAST('2024-01-01' AS TIMESTAMP) AS x, CAST(DATE '2024-01-01' AS TIMESTAMP(3)) AS y")
