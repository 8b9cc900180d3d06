"""Our SQL in the cluster's language: what is on the list comes out exactly, whatever is not is refused."""

import pyarrow as pa
import pytest

from catalog.errors import DatabaseError, ErrorKind
from flightserver.cluster.translation.queries import translated
from flightserver.cluster.translation.scopes import PublishedTable

T = PublishedTable(
    "T",
    {
        "k": (pa.int64(), False),
        "i": (pa.int32(), True),
        "d": (pa.decimal128(15, 2), True),
        "x": (pa.float64(), True),
        "s": (pa.string(), True),
        "day": (pa.date32(), True),
        "z": (pa.timestamp("us", "UTC"), True),
    },
)
TABLES = {("t",): T, ("u",): PublishedTable("U", T.columns)}


def expression(text: str) -> str:
    """An expression over `t` in the cluster's text, with the names of columns as they are here."""
    made = translated(f"SELECT {text} AS found FROM t", TABLES.get).text
    written = made.removeprefix("SELECT ").partition(" AS c")[0]
    for number, name in enumerate(T.columns, len(T.columns) + 1):
        written = written.replace(f"c{number}", name) if f"c{number}" in written else written
    return written


def why(text: str) -> str:
    """Why a query is refused."""
    with pytest.raises(DatabaseError) as caught:
        translated(text, TABLES.get)
    assert caught.value.kind is ErrorKind.UNSUPPORTED
    return caught.value.message


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("k", "k"),
        ("k + 1", "CAST((CAST(k AS DECIMAL(19,0)) + CAST(CAST('1' AS BIGINT) AS DECIMAL(19,0))) AS BIGINT)"),
        ("k / 2", "CAST((k div CAST('2' AS BIGINT)) AS BIGINT)"),
        ("d * 0.5", "(d * CAST('0.5' AS DECIMAL(1,1)))"),
        ("d / 0.5", "(CAST(d AS DOUBLE) / CAST('0.5' AS DOUBLE))"),
        ("x * 0.5", "(x * CAST('0.5' AS DOUBLE))"),
        ("day = '1995-01-01'", "(day = CAST('1995-01-01' AS DATE))"),
        ("day < DATE '1996-02-29' + INTERVAL '1' YEAR", "(day < CAST('1997-02-28' AS DATE))"),
        ("s = 'it''s a \\'", "(s = 'it\\'s a \\\\')"),
        ("s NOT LIKE 'a%'", "(NOT (s LIKE 'a%'))"),
        ("k IN (1, 2)", "((k = CAST('1' AS BIGINT)) OR (k = CAST('2' AS BIGINT)))"),
        ("sum(k)", "CAST(sum(CAST(k AS DECIMAL(19,0))) AS BIGINT)"),
        (
            "CASE WHEN k = 1 THEN d ELSE 0 END",
            (
                "(CASE WHEN (k = CAST('1' AS BIGINT)) THEN CAST(d AS DECIMAL(22,2)) "
                "ELSE CAST(CAST(CAST('0' AS BIGINT) AS DECIMAL(20,0)) AS DECIMAL(22,2)) END)"
            ),
        ),
    ],
)
def test_an_expression_is_written_so_that_it_means_the_same(ours: str, theirs: str) -> None:
    """Whole numbers cannot wrap, constants have the type that they have here, and texts are quoted anew."""
    assert expression(ours) == theirs


@pytest.mark.parametrize(
    "text",
    [
        "SELECT now() FROM t",
        "SELECT random() FROM t",
        "SELECT * FROM read_files('/etc/passwd')",
        "SELECT row_number() OVER (ORDER BY k) FROM t",
        "SELECT k FROM t FULL JOIN u ON t.k = u.k",
        "SELECT t.k FROM t JOIN u USING (k)",
        "SELECT k FROM t WHERE k = s",
        "SELECT k FROM t WHERE k = 1.5",
        "SELECT s || k FROM t",
        "SELECT k FROM t WHERE s LIKE 'a\\_'",
        "SELECT z FROM t WHERE z > DATE '1995-01-01'",
        "SELECT k FROM t WHERE i NOT IN (SELECT i FROM u)",
        "SELECT k FROM t WHERE k = 1 OR k IN (SELECT k FROM u)",
        "SELECT k FROM t WHERE k > (SELECT k FROM u)",
        "SELECT k FROM t WHERE k = (SELECT count(*) FROM u WHERE u.i = t.i)",
        "SELECT k FROM t WHERE EXISTS (SELECT count(*) FROM u)",
        "SELECT (SELECT max(k) FROM u) FROM t",
        "SELECT x, count(*) FROM t GROUP BY x",
        "SELECT DISTINCT x FROM t",
        "SELECT k FROM t INTERSECT SELECT k FROM u",
        "SELECT k FROM t UNION ALL SELECT s FROM u",
        "SELECT k FROM (SELECT k FROM t LIMIT 3) AS p",
        "SELECT k FROM t ORDER BY k OFFSET 2",
        "SELECT k FROM t WHERE k = 1 = TRUE",
        "SELECT CAST(s AS BIGINT) FROM t",
        "SELECT day + INTERVAL '1' DAY FROM t",
        "SELECT k FROM t TABLESAMPLE (10)",
        "SELECT k FROM nowhere",
        "SELECT 1",
        "DELETE FROM t",
        "SELECT k FROM t; SELECT k FROM u",
        "WITH RECURSIVE r AS (SELECT k FROM t) SELECT k FROM r",
    ],
)
def test_what_is_not_on_the_list_is_refused(text: str) -> None:
    """With the reason, and a way out."""
    assert why(text).startswith("this query cannot run on the cluster: ")


def test_a_name_of_the_client_stands_nowhere_in_the_text_but_for_columns_of_tables() -> None:
    """Two sides of a join have no column of one name, and no alias can be taken for anything else."""
    made = translated('SELECT a.k AS "weird`name" FROM t AS a JOIN u AS b ON a.k = b.k ORDER BY 1', TABLES.get)
    assert "weird" not in made.text
    assert made.text.count("`k`") == 2
    assert [output.name for output in made.outputs] == ["weird`name"]
