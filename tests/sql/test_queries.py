"""Queries pass through as they were written."""

import datafusion
import pyarrow as pa
import pytest

from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql.parser import parse
from flightserver.sql.statements import Explain, Insert, Query
from tests.sql.engine_texts import written
from tests.sql.refusals import refused

QUERIES = [
    "SELECT 1",
    'select a, "B" from t where a in (1, 2) -- why\n order by 1',
    "WITH x AS (SELECT a FROM t) SELECT * FROM x",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT * FROM n",
    "VALUES (1, 'a;'), (2, 'b')",
    "(SELECT a FROM t) UNION ALL (SELECT 3)",
    "SELECT $$;$$, E'\\'', X'ab', [1, 2][1], {'a': 1}, a::TEXT FROM t",
    "SELECT a FROM t QUALIFY row_number() OVER (ORDER BY a) = 1",
]


@pytest.fixture
def context() -> datafusion.SessionContext:
    """A context with a table `t(a, "B")`."""
    context = datafusion.SessionContext()
    context.from_arrow(pa.table({"a": [1, 2], "B": ["x", "y"]}), name="t")
    return context


@pytest.mark.parametrize("sql", QUERIES)
def test_a_query_is_verbatim(sql: str) -> None:
    """Not a letter of a query changes."""
    assert parse(f"  {sql} ; -- end") == Query(sql)


@pytest.mark.parametrize("sql", QUERIES)
def test_datafusion_accepts_what_passes(sql: str, context: datafusion.SessionContext) -> None:
    """DataFusion plans and runs the text of a Query."""
    statement = parse(sql)
    assert isinstance(statement, Query)
    assert context.sql(statement.text).to_arrow_table().num_rows >= 1


def test_table_stands_for_select_star() -> None:
    """TABLE t, unknown to DataFusion, becomes a query it knows, wherever a query may stand."""
    assert written("TABLE n.t ORDER BY 1") == "SELECT * FROM n.t ORDER BY 1"
    assert written("SELECT 1 FROM (TABLE t UNION ALL TABLE t) q") == (
        "SELECT 1 FROM (SELECT * FROM t UNION ALL SELECT * FROM t) q"
    )


def test_a_comparison_may_follow_a_type() -> None:
    """`<` belongs to types of lists and structs only."""
    text = "SELECT a FROM t WHERE a::TIME < b::TIME AND a::FLOAT < 3"
    assert written(text) == text


def test_explain_holds_a_statement() -> None:
    """EXPLAIN ANALYZE VERBOSE keeps its text and what it explains."""
    sql = "EXPLAIN ANALYZE VERBOSE SELECT 1"
    assert parse(f"{sql};") == Explain(sql, analyze=True, verbose=True, query=Query("SELECT 1"))


def test_explain_takes_writes_too() -> None:
    """A write can be explained."""
    statement = parse("EXPLAIN INSERT INTO t VALUES (1)")
    assert isinstance(statement, Explain)
    assert isinstance(statement.query, Insert)


@pytest.mark.parametrize(
    "sql", ["EXPLAIN FORMAT TREE SELECT 1", "EXPLAIN (COSTS) SELECT 1", "EXPLAIN EXPLAIN SELECT 1"]
)
def test_other_options_of_explain_are_refused(sql: str) -> None:
    """EXPLAIN has ANALYZE and VERBOSE only, and does not nest."""
    assert "EXPLAIN" in refused(ErrorKind.UNSUPPORTED, sql)


def test_open_brackets_are_refused() -> None:
    """A bracket that is not closed is found before DataFusion is asked."""
    assert "not closed" in refused(ErrorKind.SYNTAX, "SELECT (1")


def test_a_bracket_too_many_is_refused() -> None:
    """A closing bracket that nothing opened ends the query early."""
    assert "should end before ')'" in refused(ErrorKind.SYNTAX, "SELECT 1)")


def test_sampling_is_refused() -> None:
    """DataFusion parses TABLESAMPLE and reads the whole table, which would be a wrong answer."""
    with pytest.raises(DatabaseError, match="TABLESAMPLE is not supported"):
        written("SELECT a FROM t TABLESAMPLE (10 PERCENT)")
    assert written("SELECT a AS tablesample FROM t") == "SELECT a AS tablesample FROM t"


@pytest.mark.parametrize("sql", ["SELECT * FROM '/x.parquet'", "SELECT 1 FROM t, 's3://b/x.csv' AS f"])
def test_a_file_is_no_table(sql: str) -> None:
    """A text in the place of a table is refused as what it is; its path is named by nobody."""
    with pytest.raises(DatabaseError, match="a text is no table: "):
        written(sql)
