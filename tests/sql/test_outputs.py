"""Items of a query whose rows are matched by position get names of their own."""

import datafusion
import pyarrow as pa
import pytest

from providers.engine.functions import add_functions
from tests.sql.engine_texts import written


@pytest.fixture
def context() -> datafusion.SessionContext:
    """A table `t` with one row."""
    context = datafusion.SessionContext()
    add_functions(context)
    context.from_arrow(pa.table({"a": [1], "b": [2]}), name="t")
    return context


@pytest.mark.parametrize(
    ("sql", "row"),
    [
        ("SELECT a, a FROM t", [1, 1]),
        ("SELECT a, b AS a FROM t ORDER BY a", [1, 2]),
        ("SELECT a + 1, A + 1 FROM t", [2, 2]),
        ("SELECT CAST(a AS INT), a::SMALLINT, a FROM t", [1, 1, 1]),
        ("SELECT 1, 1", [1, 1]),
        ("SELECT NULL, NULL", [None, None]),
        ("SELECT a, a IS DISTINCT FROM b, a FROM t", [1, True, 1]),
        ("SELECT a * b, a * b FROM t", [2, 2]),
        ("SELECT *, a FROM t", [1, 2, 1]),
        ("SELECT a, t.* FROM t", [1, 1, 2]),
        ("SELECT * EXCEPT (a), b FROM t", [2, 2]),
        ("SELECT DISTINCT a, a FROM t ORDER BY a", [1, 1]),
        ("SELECT (SELECT max(a) FROM t), (SELECT max(a) FROM t)", [1, 1]),
        ("SELECT sum(b), sum(b) FROM t GROUP BY a ORDER BY sum(b)", [2, 2]),
        ("SELECT a, a FROM t WHERE a > 5 UNION ALL (SELECT b, b FROM t)", [2, 2]),
        ("((SELECT a, a FROM t) EXCEPT SELECT b, b FROM t)", [1, 1]),
        ("WITH c AS (SELECT a FROM t) SELECT a, a FROM c", [1, 1]),
        ("FROM t SELECT a, a", [1, 1]),
        ('SELECT a + 1 x, a + 1 AS y, b "z", CASE WHEN a = 1 THEN 5 END FROM t', [2, 2, 2, 5]),
        ("VALUES (1, 1)", [1, 1]),
    ],
)
def test_items_of_one_name_are_one_row(context: datafusion.SessionContext, sql: str, row: list[object]) -> None:
    """The engine takes the query, and its values are those that were asked for."""
    (batch,) = context.sql(written(sql)).collect()
    assert [column[0].as_py() for column in batch.columns] == row


@pytest.mark.parametrize("sql", ["SELECT a, b FROM t", "SELECT x.a FROM (SELECT a / 2 FROM t) x", "SELECT *"])
def test_other_texts_stay_as_they_are(sql: str) -> None:
    """Columns of different names, sub-queries and what is no query are not touched."""
    assert written(sql) == sql
