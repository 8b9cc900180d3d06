"""What is known of a column's values makes a query shorter, and never its answer another."""

import math
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from providers.engine.plans import optimized
from tests.execution.planner import Planner, opened

EXTREMES = "SELECT g, max(x) AS most, min(x) AS least FROM t GROUP BY g ORDER BY g"
SUMS = "SELECT g, sum(n) AS total FROM t GROUP BY g ORDER BY g"


@pytest.fixture
def planner(tmp_path: Path) -> Iterator[Planner]:
    """A table whose first rows are finite and small, in a file."""
    with opened(tmp_path) as planner:
        planner.run(
            "CREATE TABLE t (id INT PRIMARY KEY, g INT NOT NULL, x DOUBLE, n BIGINT) WITH (flush_policy = 'none')"
        )
        planner.run("INSERT INTO t VALUES (1, 1, -2.5, 1), (2, 1, 3.5, 2), (3, 2, NULL, 3)")
        planner.run("FLUSH TABLE t")
        yield planner


def answer(planner: Planner, text: str) -> list[dict[str, object]]:
    """The rows of a query."""
    return planner.plan(text).rows().to_table().to_pylist()


def test_extremes_of_finite_numbers_are_asked_for_as_they_stand(planner: Planner) -> None:
    """The engine gets no condition beside."""
    assert "isnan" not in optimized(planner.plan(EXTREMES).frame).display_indent()
    assert answer(planner, EXTREMES) == [{"g": 1, "most": 3.5, "least": -2.5}, {"g": 2, "most": None, "least": None}]


@pytest.mark.parametrize("tier", ["hot", "flushed", "compacted", "default"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_one_number_that_is_not_finite_counts_wherever_it_lies(planner: Planner, value: str, tier: str) -> None:
    """A group of nothing else has it as its extremes."""
    if tier == "default":
        planner.run("ALTER TABLE t DROP COLUMN x")
        planner.run(f"ALTER TABLE t ADD COLUMN x DOUBLE DEFAULT CAST('{value}' AS DOUBLE)")
    else:
        planner.run(f"INSERT INTO t VALUES (4, 3, CAST('{value}' AS DOUBLE), 4)")
    if tier in {"flushed", "compacted"}:
        planner.run("FLUSH TABLE t")
    if tier == "compacted":
        planner.run("COMPACT TABLE t")
    last = answer(planner, EXTREMES)[-1]
    expected = float(value)
    assert all(
        found == expected or (math.isnan(expected) and math.isnan(found)) for found in (last["most"], last["least"])
    )


def test_sums_are_checked_again_once_a_number_is_large(planner: Planner) -> None:
    """The same text, before and after."""
    assert answer(planner, SUMS)[0]["total"] == 3
    planner.run(f"INSERT INTO t VALUES (5, 1, 0, {2**63 - 1})")
    with pytest.raises(Exception, match=r"out of range|overflow"):
        answer(planner, SUMS)


@pytest.mark.parametrize("column", ["BIGINT UNSIGNED", "INT UNSIGNED", "TINYINT UNSIGNED"])
def test_sums_of_numbers_without_a_sign_are_what_was_described(planner: Planner, column: str) -> None:
    """BIGINT, whether they had to be checked or not, and added to others."""
    planner.run(f"CREATE TABLE w (id INT PRIMARY KEY, u {column})")
    planner.run("INSERT INTO w VALUES (1, 5), (2, 6)")
    text = "SELECT sum(u) AS total, sum(u) + count(*) AS more FROM w"
    found = planner.plan(text).rows().to_table()
    assert found.schema.types == planner.describe(text).schema.types == [pa.int64(), pa.int64()]
    assert found.to_pylist() == [{"total": 11, "more": 13}]
