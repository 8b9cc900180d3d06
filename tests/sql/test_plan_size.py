"""What a query may become once its common tables and views are written out: counted before there is a plan."""

import pytest

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from flightserver.sql.meaning.plan_counts import plan_size
from flightserver.sql.meaning.plan_size import PlanSize
from flightserver.sql.meaning.scopes import Column, Relation
from flightserver.sql.text.queries import query_of
from flightserver.sql.text.query_text import QueryText

ROWS = Relation(TableName("public", "t"), tuple(Column(f"c{n}") for n in range(100)))
VIEW = Relation(TableName("public", "v"), (Column("x"),), size=PlanSize(operators=300, weights=(("x", 4_000),)))


def size(text: str) -> PlanSize:
    """The size of a query over a table of a hundred columns, and a large view."""
    read = QueryText(text)
    return plan_size(read, query_of(read), {("t",): ROWS, ("v",): VIEW}.get)


def chain(step: str, steps: int) -> str:
    """A chain of common tables, each made of the one before it."""
    tables = ["s0 AS (SELECT c0 AS x FROM t)"]
    tables += [f"s{n} AS ({step.format(before=f's{n - 1}')})" for n in range(1, steps + 1)]
    return f"WITH {', '.join(tables)} SELECT x FROM s{steps}"


TWICE = {
    "joined": "SELECT a.x FROM {before} a, {before} b",
    "joined on": "SELECT a.x FROM {before} a JOIN {before} b ON a.x = b.x",
    "united": "SELECT x FROM {before} UNION ALL SELECT x FROM {before}",
    "as a value": "SELECT x + (SELECT max(x) FROM {before}) AS x FROM {before}",
    "in a condition": "SELECT x FROM {before} WHERE x IN (SELECT x FROM {before})",
    "in brackets": "SELECT x FROM ({before} JOIN (SELECT * FROM {before}) q USING (x))",
    "as a table's query": "TABLE {before} UNION TABLE {before}",
}


@pytest.mark.parametrize("step", TWICE.values(), ids=TWICE)
def test_a_chain_that_doubles_is_refused_at_any_length(step: str) -> None:
    """A few doublings are a plan like any other; forty are not even begun."""
    assert size(chain(step, 5)).operators < 250
    with pytest.raises(DatabaseError, match="put a step's rows into a table") as caught:
        size(chain(step, 40))
    assert caught.value.kind is ErrorKind.RESOURCES


def test_a_chain_that_names_each_step_once_may_be_long() -> None:
    """What is counted is what is written out, not steps."""
    assert size(chain("SELECT x + 1 AS x FROM {before} WHERE x > 0", 30)).operators == 33


def test_a_view_counts_wherever_it_is_named() -> None:
    """Three of these views are a plan, four are too much."""
    assert size("SELECT 1 FROM v a, v b, v c").operators > 900
    with pytest.raises(DatabaseError, match="sources, joins and SELECTs"):
        size("SELECT 1 FROM v a, v b, v c, v d")


def test_a_condition_counts_with_what_its_columns_are_made_of() -> None:
    """The engine moves it to where they are computed, and writes them out in it."""
    doubling = "SELECT x + x AS x FROM {before}"
    assert size(chain(doubling, 25)).moved == 0
    with pytest.raises(DatabaseError, match="conditions over computed columns"):
        size(f"{chain(doubling, 25)} WHERE x > 0")
    with pytest.raises(DatabaseError, match="conditions over computed columns"):
        size("SELECT 1 FROM v WHERE x > 1 AND x > 2 AND x < 3")


def test_a_condition_stays_above_what_is_aggregated_or_cut() -> None:
    """There is nothing to write out below it."""
    for step in (
        "SELECT sum(x + x) AS x FROM {before}",
        "SELECT x + x AS x FROM {before} LIMIT 9",
        "SELECT sum(x + x) OVER (ORDER BY x) AS x FROM {before}",
    ):
        assert size(f"{chain(step, 30)} WHERE x > 0").moved < 10


def test_stars_count_with_their_columns() -> None:
    """Where a star stands for too many, the statement is refused."""
    assert size("SELECT *, t.* FROM t").width == 200
    assert size("SELECT * EXCEPT (c0, c1) FROM t").width == 98
    with pytest.raises(DatabaseError, match="yields 4,100 columns"):
        size(f"SELECT {', '.join(['*'] * 41)} FROM t")
    with pytest.raises(DatabaseError, match="columns in all its parts"):
        size(f"SELECT 1 FROM {', '.join(f't t{n}' for n in range(100))}")


def test_grouping_sets_are_counted() -> None:
    """Those of several elements multiply."""
    assert size("SELECT 1 FROM t GROUP BY CUBE (c0, c1, c2), ROLLUP (c3, c4), c5").operators == 2
    for groups in (
        f"CUBE ({', '.join(f'c{n}' for n in range(60))})",
        "CUBE (c0, c1, c2), CUBE (c3, c4, c5), ROLLUP (c6, c7, c8, c9, c10, c11, c12, c13)",
        f"GROUPING SETS ((c0), CUBE ({', '.join(f'c{n}' for n in range(10))}))",
    ):
        with pytest.raises(DatabaseError, match="grouping sets"):
            size(f"SELECT 1 FROM t GROUP BY {groups}")


def test_literal_rows_count_each_time_that_they_are_read() -> None:
    """A list of values is written out as well."""
    rows = ", ".join(f"({n})" for n in range(20_000))
    assert size(f"WITH q(x) AS (VALUES {rows}) SELECT 1 FROM q").terms > 20_000
    with pytest.raises(DatabaseError, match="terms in its expressions"):
        size(f"WITH q(x) AS (VALUES {rows}) SELECT 1 FROM q, q, q, q, q")


def test_what_is_written_once_is_not_too_long() -> None:
    """Texts have limits of their own."""
    assert size("VALUES " + ", ".join(f"({n}, now())" for n in range(100_000))).operators == 1
