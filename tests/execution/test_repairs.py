"""What DataFusion gets wrong: each repair by a query that the bare engine answers wrong, and we answer right.

When the first of the two tests fails for a repair, the engine has learned better and the repair can go.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datafusion import SessionContext

from flightserver.sql.meaning.repairs import REPAIRS
from tests.execution.planner import Planner, opened

TABLES = {
    "left_rows": pa.table({"k": pa.array([1], pa.int64()), "a": pa.array([10], pa.int64())}),
    "right_rows": pa.table({"k": pa.array([1, 2], pa.int64()), "a": pa.array([5, 5], pa.int64())}),
    "unknown": pa.table({"k": pa.array([1], pa.int64()), "y": pa.array([None], pa.int64())}),
    "flags": pa.table({"k": pa.array([1, 2, 3], pa.int64()), "f": [True, True, False], "g": [True, False, True]}),
    "groups": pa.table({"k": pa.array([1, 2], pa.int64()), "g": pa.array([1, 1], pa.int64()), "n": ["a", "b"]}),
    "divisors": pa.table({"k": pa.array([1, 2, 3], pa.int64()), "h": pa.array([0, 2, 20], pa.int64())}),
    "large": pa.table({"k": pa.array([1], pa.int64()), "n": pa.array([2**63 - 1], pa.int64())}),
    "lists": pa.table(
        {
            "k": pa.array([1, 2], pa.int64()),
            "l": pa.array([None, None], pa.list_(pa.int64())),
            "m": pa.array([None, None], pa.list_(pa.int64())),
        }
    ),
    "mixed": pa.table(
        {
            "k": pa.array([1, 2], pa.int64()),
            "d": pa.array(["1.5", "1.5"]).cast(pa.decimal128(10, 2)),
            "x": pa.array([float("inf"), 1.0]),
        }
    ),
    "stays": pa.table(
        {
            "k": pa.array([1], pa.int64()),
            "begun": pa.array(["2024-03-01 00:00:00"]).cast(pa.timestamp("us")),
            "ended": pa.array(["2024-03-03 12:00:00"]).cast(pa.timestamp("us")),
        }
    ),
    "doubles": pa.table(
        {"k": pa.array([1, 2, 3], pa.int64()), "x": [float("-inf"), float("nan"), 1.0], "z": [0.0, -0.0, 1.0]}
    ),
    "present": pa.table([[1], [1]], schema=pa.schema([("k", pa.int64()), pa.field("y", pa.int64(), nullable=False)])),
    "empty": pa.schema([("k", pa.int64())]).empty_table(),
}


class Specimen(NamedTuple):
    """A query, and its right rows; None where the right answer is an error."""

    query: str
    rows: list[tuple[object, ...]] | None


SPECIMENS = {
    "cast_names": Specimen("SELECT sum(CAST(k AS INT)) AS a, sum(k) AS b FROM flags", [(6, 6)]),
    "dates": Specimen("SELECT k FROM stays WHERE CAST(begun AS DATE) + INTERVAL '1 hour' > begun", [(1,)]),
    "distinct_from": Specimen("SELECT k FROM flags WHERE f IS DISTINCT FROM true AND g", [(3,)]),
    "existence": Specimen(
        "SELECT k FROM unknown WHERE EXISTS (SELECT count(*) FROM empty WHERE empty.k = unknown.k)", [(1,)]
    ),
    "extremes": Specimen("SELECT max(x) AS m FROM doubles WHERE k = 1 GROUP BY k", [(float("-inf"),)]),
    "filtered_aggregates": Specimen(
        "SELECT max(n) AS a, max(n) FILTER (WHERE n > 5) AS b FROM (SELECT count(*) AS n FROM flags) q", [(3, None)]
    ),
    "function_names": Specimen("SELECT sign(k) AS s FROM groups WHERE k = 2", [(1.0,)]),
    "global_aggregates": Specimen("SELECT count(*) AS n FROM flags HAVING count(*) BETWEEN NULL AND 5", []),
    "grouping_places": Specimen(
        "SELECT g, count(*) AS n FROM groups GROUP BY ROLLUP (1) ORDER BY g NULLS LAST", [(1, 2), (None, 2)]
    ),
    "guarded_cases": Specimen("SELECT k FROM divisors WHERE CASE WHEN h <> 0 THEN 10 / h > 1 ELSE false END", [(2,)]),
    "intervals": Specimen("SELECT k FROM stays WHERE ended - begun > INTERVAL '1 day'", [(1,)]),
    "keys": Specimen("SELECT k, (SELECT n FROM groups WHERE groups.k = flags.k) FROM flags WHERE k = 1", [(1, "a")]),
    "list_questions": Specimen("SELECT k FROM lists WHERE array_has_all(l, m)", []),
    "lossy_casts": Specimen("SELECT k FROM mixed WHERE k = 1 AND CAST(d AS DECIMAL(10,0)) = 2", [(1,)]),
    "memberships": Specimen("SELECT k FROM unknown WHERE 3 NOT IN (SELECT y FROM unknown)", []),
    "merged_columns": Specimen("SELECT k FROM left_rows RIGHT JOIN right_rows USING (k) ORDER BY k", [(1,), (2,)]),
    "missing_rows": Specimen("SELECT coalesce((SELECT y FROM present WHERE y = 9 LIMIT 1), 0) AS n", [(0,)]),
    "mixed_numbers": Specimen("SELECT k FROM mixed WHERE d < x", [(1,)]),
    "moments": Specimen("SELECT k FROM stays WHERE begun < DATE '9999-12-31'", [(1,)]),
    "not_numbers": Specimen("SELECT k FROM mixed WHERE x - x > 1 AND -(x - x) > 1", [(1,)]),
    "offsets": Specimen("SELECT k FROM (SELECT k FROM flags ORDER BY k DESC OFFSET 2) q ORDER BY k", [(1,)]),
    "operator_order": Specimen("SELECT k FROM flags WHERE f = k IN (1, 3) AND 'n' || k - 1 = 'n0' ORDER BY k", [(1,)]),
    "outer_columns": Specimen(
        "SELECT k FROM groups o WHERE EXISTS (SELECT 1 FROM flags m WHERE m.k = o.k AND EXISTS "
        "(SELECT 1 FROM divisors i WHERE i.k = m.k AND i.k = o.g))",
        [(1,)],
    ),
    "powers": Specimen("SELECT 2 * k ^ 3 AS n FROM flags ORDER BY k", [(2.0,), (16.0,), (54.0,)]),
    "rounding": Specimen("SELECT CAST(x AS BIGINT) AS n FROM mixed WHERE k = 2 AND CAST(d AS BIGINT) = 2", [(1,)]),
    "row_values": Specimen("SELECT k FROM unknown WHERE (k, y) NOT IN ((1, 5), (2, 6))", []),
    "rowless_queries": Specimen("SELECT k FROM flags WHERE (SELECT flags.k + 1) = 3", [(2,)]),
    "seconds": Specimen("SELECT extract(second FROM TIMESTAMP '2024-03-01 00:00:01.25') AS s", [(1.25,)]),
    "set_operations": Specimen(
        "SELECT a FROM (VALUES (1), (1)) v(a) EXCEPT ALL SELECT a FROM (VALUES (1)) w(a)", [(1,)]
    ),
    "signed_numbers": Specimen(
        "SELECT rank() OVER (ORDER BY k) - rank() OVER (ORDER BY k DESC) AS d FROM groups ORDER BY k", [(-1,), (1,)]
    ),
    "sliding_frames": Specimen(
        "SELECT sum(v) OVER (ORDER BY k ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s"
        " FROM (VALUES (1, 1e20), (2, 1e0), (3, 1e0)) t(k, v) ORDER BY k",
        [(1e20,), (1e20,), (2.0,)],
    ),
    "sub_query_names": Specimen(
        "SELECT k FROM flags WHERE EXISTS (SELECT 1 AS k FROM groups WHERE groups.k = flags.k) ORDER BY k", [(1,), (2,)]
    ),
    "text_constants": Specimen(
        "SELECT x FROM (VALUES (CASE 'a' WHEN 'a' THEN 'a' WHEN 'b' THEN CAST(NULL AS VARCHAR) END), ('a')) v(x)",
        [("a",), ("a",)],
    ),
    "texts": Specimen("SELECT CAST(begun AS TEXT) AS s FROM stays", [("2024-03-01 00:00:00",)]),
    "tied_windows": Specimen(
        "SELECT k FROM groups WHERE 1 IN (SELECT row_number() OVER (ORDER BY k) FROM flags WHERE flags.k = groups.k)",
        None,
    ),
    "totals": Specimen(
        "SELECT k FROM flags WHERE EXISTS (SELECT 1 FROM groups WHERE groups.k = flags.k GROUP BY ROLLUP(n))"
        " ORDER BY k",
        [(1,), (2,), (3,)],
    ),
    "truth_values": Specimen("SELECT DISTINCT f IS FALSE AS n FROM flags ORDER BY n", [(False,), (True,)]),
    "value_lists": Specimen(
        "SELECT k FROM flags WHERE 'a' NOT IN (CASE WHEN f THEN 'b' END, 'c') ORDER BY k", [(1,), (2,)]
    ),
    "value_rows": Specimen(
        "SELECT a FROM (VALUES (CASE WHEN false THEN 1 ELSE CAST(0.5 AS DOUBLE) END)) v(a)", [(0.5,)]
    ),
    "whole_numbers": Specimen("SELECT n + 1 AS m FROM large", None),
    "zeros": Specimen("SELECT rank() OVER (ORDER BY z) AS r FROM doubles ORDER BY k", [(1,), (1,), (3,)]),
}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> SessionContext:
    """The engine alone, over the same rows in files."""
    context = SessionContext()
    for name, rows in TABLES.items():
        path = tmp_path_factory.mktemp("bare") / f"{name}.parquet"
        pq.write_table(rows, path)
        context.register_parquet(name, str(path))
    return context


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """Tables of ours with the same rows, in batches."""
    with opened(Path(tmp_path_factory.mktemp("repairs"))) as found:
        for name, rows in TABLES.items():
            found.load(name, rows)
        yield found


def rows_of(table: pa.Table) -> list[tuple[object, ...]]:
    """The rows of a result."""
    return [tuple(row.values()) for row in table.to_pylist()]


def test_each_repair_has_a_specimen() -> None:
    """And each specimen a repair."""
    assert set(SPECIMENS) == set(REPAIRS)


@pytest.mark.parametrize("name", SPECIMENS)
def test_the_bare_engine_needs_the_repair(name: str, bare: SessionContext) -> None:
    """It answers otherwise, or not at all."""
    query, right = SPECIMENS[name]
    try:
        found = rows_of(bare.sql(query).to_arrow_table())
    except Exception:  # noqa: BLE001 - what the engine raises is its own
        return
    assert found != right


@pytest.mark.parametrize("name", SPECIMENS)
def test_what_is_repaired_is_right(name: str, planner: Planner) -> None:
    """Rows in files are answered right, or by an error where no answer is right."""
    query, right = SPECIMENS[name]
    if right is None:
        with pytest.raises(Exception, match=r"out of range|write a join"):
            planner.plan(query).rows().to_table()
    else:
        assert rows_of(planner.plan(query).rows().to_table()) == right


def test_conditions_above_outer_joins_are_not_pushed_by_name(planner: Planner, bare: SessionContext) -> None:
    """Such a plan is told by its objects, and runs with joins that merge."""
    query = "SELECT r.k, r.a FROM left_rows l RIGHT JOIN right_rows r ON l.k = r.k WHERE l.a IS NULL"
    assert rows_of(bare.sql(query).to_arrow_table()) != [(2, 5)]
    assert rows_of(planner.plan(query).rows().to_table()) == [(2, 5)]


def test_joins_with_keys_and_more_are_not_asked_by_name(planner: Planner, bare: SessionContext) -> None:
    """Such a plan keeps its hash joins, with fences that no condition passes."""
    query = "SELECT r.k, r.a FROM left_rows l RIGHT JOIN right_rows r ON l.k = r.k AND l.a > r.a WHERE l.a IS NULL"
    assert rows_of(bare.sql(query).to_arrow_table()) != [(2, 5)]
    assert rows_of(planner.plan(query).rows().to_table()) == [(2, 5)]


TIED = [
    (
        "SELECT l.k FROM left_rows l FULL JOIN right_rows r ON l.k = r.k AND l.a > r.a WHERE l.a IS NULL"
        " AND (SELECT n FROM groups g WHERE g.k = l.k) IS NULL AND (SELECT n FROM groups h WHERE h.k = r.k) = 'b'"
    ),
    (
        "SELECT NULL AS k FROM (SELECT l.k FROM left_rows l JOIN right_rows r ON l.k = r.k AND l.a > r.a"
        " UNION ALL SELECT k FROM right_rows UNION ALL SELECT k FROM left_rows) q"
        " WHERE (SELECT k FROM unknown u WHERE u.k = q.k) IS NULL"
    ),
    (
        "SELECT NULL AS k FROM (SELECT k, a FROM right_rows) q WHERE (SELECT k FROM unknown u WHERE u.k = q.k) IS NULL"
        " AND EXISTS (SELECT 1 FROM flags f WHERE f.k = q.k AND f.k < q.a)"
    ),
]


@pytest.mark.parametrize("query", TIED)
def test_sub_queries_beside_joins_with_keys_and_more_have_fences_too(query: str, planner: Planner) -> None:
    """They become outer joins of which the text shows nothing: what is around them is fenced, a derived table, too."""
    assert rows_of(planner.plan(query).rows().to_table()) == [(None,)]


@pytest.mark.parametrize("source", ["flags", "(VALUES (1, true), (2, true), (3, false)) v(k, f)"])
def test_windows_that_turn_out_to_be_equal_are_kept_apart(source: str, planner: Planner, bare: SessionContext) -> None:
    """The engine makes one of them, in a place where it cannot run it; the plan's objects tell."""
    query = (
        "SELECT sum(k) OVER (ORDER BY k) AS a, sum(CASE WHEN true THEN k END) OVER (ORDER BY k) AS b"
        f" FROM {source} ORDER BY k"
    )
    with pytest.raises(Exception, match="WindowFunction"):
        bare.sql(query).to_arrow_table()
    assert rows_of(planner.plan(query).rows().to_table()) == [(1, 1), (3, 3), (6, 6)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT k AS n FROM flags WHERE false UNION ALL SELECT DISTINCT k FROM groups WHERE k > 1",
        "SELECT 2 AS n WHERE false UNION (SELECT k AS o FROM groups WHERE k > 1 UNION ALL SELECT 2 AS o)",
        "SELECT n FROM (SELECT k AS n FROM flags WHERE false UNION SELECT max(k) FROM groups) q",
    ],
)
def test_a_union_keeps_its_names_when_its_first_query_is_known_to_be_empty(query: str, planner: Planner) -> None:
    """A rule of the engine takes such a union for what is left of it; it is switched off."""
    assert planner.plan(query).rows().to_table().to_pylist() == [{"n": 2}]


def test_joins_find_0_by_a_negative_0_that_was_made(planner: Planner, bare: SessionContext) -> None:
    """A join tells its other side what to leave out, and is not let where its keys may be -0, as the plan tells."""
    query = "SELECT k FROM held WHERE z IN (SELECT z * -1e0 FROM held) ORDER BY k"
    rows = pa.record_batch({"k": pa.array([1], pa.int64()), "z": [0.0]})
    bare.register_record_batches("held", [[rows]])
    planner.run("CREATE TABLE held (k BIGINT, z DOUBLE, PRIMARY KEY (k))")
    planner.run("INSERT INTO held VALUES (1, 0)")
    assert rows_of(bare.sql(query).to_arrow_table()) == []
    assert rows_of(planner.plan(query).rows().to_table()) == [(1,)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """A small table."""
    with opened(tmp_path_factory.mktemp("found")) as planner:
        planner.run("CREATE TABLE t (k BIGINT PRIMARY KEY, d DECIMAL(10,2), x DOUBLE)")
        planner.run("INSERT INTO t VALUES (1, 1, '-Infinity'), (2, 2, 3)")
        planner.run("CREATE TABLE n (k BIGINT PRIMARY KEY, x BIGINT, y TEXT, at TIMESTAMP)")
        planner.run("INSERT INTO n VALUES (1, 1, NULL, NULL), (2, NULL, 'a', '2024-01-01')")
        yield planner


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT coalesce(bool_and(k > 1), false) AS b FROM t GROUP BY k UNION SELECT false", [(False,), (True,)]),
        ("SELECT k FROM t WHERE CASE WHEN false THEN d + 10.05 ELSE d END < CAST(1e300 AS DOUBLE)", [(1,), (2,)]),
        ("SELECT k FROM t JOIN (SELECT d.k FROM (SELECT DISTINCT k FROM t) d, t b GROUP BY b.x, d.k) q USING (k)", [
            (1,), (1,), (2,), (2,)
        ]),
        ("SELECT a.k FROM n a JOIN n b ON a.x = b.x JOIN n c ON c.y IS NOT DISTINCT FROM b.y", [(1,)]),
        ("SELECT a.k FROM n a JOIN n c ON c.x IS NOT DISTINCT FROM a.x AND c.y IS NOT DISTINCT FROM a.y", [(1,), (2,)]),
        ("SELECT a.k FROM n a JOIN n b ON a.x = b.x JOIN n c ON c.at IS NOT DISTINCT FROM b.at", [(1,)]),
        ("SELECT k, (SELECT count(*) FROM n WHERE n.k = t.k - 1 HAVING count(*) = 0) AS v FROM t", [(1, 0), (2, None)]),
        ("SELECT 1 AS one FROM t HAVING CASE WHEN true THEN 4 END = coalesce(1, count(k))", []),
        ("SELECT x / nullif(x, 0) AS y FROM t ORDER BY y", [(1.0,), (float("nan"),)]),
        ("SELECT ceil(-x) AS y, k FROM (VALUES (0.0e0, 1), (-0.0e0, 2), (0.0e0, 3)) v(x, k) ORDER BY 1, 2", [
            (0.0, 1), (0.0, 2), (0.0, 3)
        ]),
        (("SELECT k FROM t WHERE (1, 1) IN ((SELECT 1 AS a, 1 AS b FROM n l RIGHT JOIN n r ON false WHERE 'a' NOT IN"
         " (l.y, 'a')) EXCEPT (SELECT 1 AS a, CASE WHEN false THEN 1 WHEN false THEN length(max('a')) ELSE 1 END AS b"
         " FROM t GROUP BY 1 HAVING bool_and(false)))"), []),
        ("SELECT max(x * 0.0e0) FILTER (WHERE EXISTS (SELECT 1 FROM t)) AS y FROM t WHERE k = 2 GROUP BY k", [(0.0,)]),
    ],
)  # fmt: skip
def test_random_statements_found_these(found: Planner, query: str, rows: list[tuple[object, ...]]) -> None:
    """Each is one of the kinds above at another place."""
    assert repr(sorted(rows_of(found.plan(query).rows().to_table()), key=repr)) == repr(rows)
