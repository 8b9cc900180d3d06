"""Forms of SQL that are written for the engine in other words: what they mean, in every place where they may stand."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from catalog.errors import DatabaseError
from flightserver.sql.meaning.forms import FORMS
from tests.execution.planner import Planner, opened

ROWS = pa.table(
    {
        "k": pa.array([1, 2, 3, 4], pa.int64()),
        "g": pa.array(["a", "a", "b", None]),
        "n": pa.array([10, 20, 20, None], pa.int64()),
        "s": pa.array(["a_b", "A%b", "x\\y", None]),
        "j": pa.array(['{"a": 1, "b": {"c": [1.10, null, "x\'"]}}', '{"a": "\\u00e9", "b": null}', "[1, 2]", None]),
        "d": pa.array(["1.00", "2.00", "3.00", None]).cast(pa.decimal128(10, 2)),
        "ts": pa.array(["2024-03-31 02:30:00", "2024-10-27 02:30:00", "1500-01-01 00:00:00", None]).cast(
            pa.timestamp("us")
        ),
        "tz": pa.array(["2024-03-31 01:30:00", "2024-10-27 00:30:00", "2024-10-27 01:30:00", None])
        .cast(pa.timestamp("us"))
        .cast(pa.timestamp("us", "UTC")),
        "dt": pa.array(["2024-03-31", "2024-10-27", "1500-01-01", None]).cast(pa.date32()),
    }
)

ANSWERS: dict[str, dict[str, list[object]]] = {
    "hoisted_values": {
        "SELECT sum((SELECT max(k) FROM t b WHERE b.g = a.g)) AS v FROM t a": [7],
        "SELECT count(*) FILTER (WHERE EXISTS (SELECT 1 FROM t b WHERE b.k > a.k)) AS v FROM t a": [3],
        "SELECT k FROM t ORDER BY (SELECT count(*) FROM t b WHERE b.g = t.g), k": [4, 3, 1, 2],
        "SELECT a.k FROM t a LEFT JOIN t b ON b.k = a.k AND b.n IN (SELECT n FROM t c WHERE c.g = 'b') "
        "WHERE b.k IS NULL": [1, 4],
        "SELECT k FROM (SELECT a.* FROM t a JOIN t b ON b.k = a.k AND EXISTS (SELECT 1 FROM t WHERE a.k > 1)) q": [
            *(2, 3, 4)
        ],
        "SELECT EXISTS (SELECT 1 FROM t b WHERE b.k > a.k) AS v FROM t a GROUP BY v": [False, True],
        "SELECT (SELECT max(b.k) FROM t b WHERE b.k = q.n / 10) AS n FROM t q GROUP BY n ORDER BY 1": [1, 2, None],
        "SELECT max((SELECT max(CAST(b.k AS DOUBLE)) FROM t b WHERE b.k = t.k)) AS v FROM t GROUP BY k ORDER BY 1": [
            *(1.0, 2.0, 3.0, 4.0)
        ],
    },
    "asked_values": {
        "SELECT EXISTS (SELECT 1 FROM t WHERE k = 9) AS v": [False],
        "SELECT n IN (SELECT n FROM t WHERE n IS NOT NULL) AS v FROM t ORDER BY k": [True, True, True, None],
        "SELECT k NOT IN (SELECT n / 10 FROM t) AS v FROM t ORDER BY k": [False, False, None, None],
        "SELECT k IN (SELECT k FROM t b WHERE b.g = t.g AND b.k > 1) AS v FROM t ORDER BY k": [
            *(False, True, True, False)
        ],
        "SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM t b WHERE b.n < t.n) THEN k END AS v FROM t ORDER BY k": [
            *(1, None, None, 4)
        ],
        "SELECT 1 IN (SELECT a.k FROM t b) AS v FROM t a ORDER BY k": [True, False, False, False],
        "SELECT n = ANY (SELECT 5 FROM t WHERE k > 9) AS v FROM t WHERE k = 4": [False],
        "SELECT n + 1 IN (SELECT n + 1 FROM t) AS v FROM t GROUP BY n + 1 ORDER BY n + 1": [True, True, None],
        "SELECT k / 3 IN (SELECT 1) AS v FROM t GROUP BY k / 3 ORDER BY k / 3": [False, True],
        "SELECT sum(k) NOT IN (SELECT k FROM t) AS v FROM t GROUP BY g ORDER BY g": [False, False, False],
        "SELECT row_number() OVER (ORDER BY k) IN (SELECT k FROM t WHERE k > 2) AS v FROM t ORDER BY k": [
            *(False, False, True, True)
        ],
        "SELECT max(s) IN (SELECT s FROM t WHERE k > 9) AS v FROM t": [False],
        "SELECT sum(d) IN (SELECT d - 1 + g FROM (SELECT d, 1 AS g FROM t) q) AS v FROM t": [None],
        "SELECT max(d) NOT IN (SELECT k FROM t) AS v FROM t GROUP BY g ORDER BY g": [False, False, None],
        "VALUES ((SELECT max(k) FROM t) + 1), (2)": [2, 5],
        "SELECT max(dt) IN (SELECT ts FROM t) AS v FROM t GROUP BY g ORDER BY g": [None, True, None],
        "SELECT (SELECT row_number() OVER (ORDER BY k) + row_number() OVER (ORDER BY k) FROM t WHERE k = 2) AS v": [2],
    },
    "single_values": {
        "SELECT (SELECT b.k FROM t b WHERE b.g = t.g ORDER BY b.k DESC LIMIT 1) AS v FROM t ORDER BY k": [
            2,
            2,
            3,
            None,
        ],
        "SELECT (SELECT b.k FROM t b WHERE b.g = t.g ORDER BY b.k LIMIT 1 OFFSET 1) AS v FROM t ORDER BY k": [
            *(2, 2, None, None)
        ],
        "SELECT (SELECT b.n AS m FROM t b WHERE b.k > t.k ORDER BY m NULLS FIRST LIMIT 1) AS v FROM t WHERE k < 3": [
            *(None, None)
        ],
        "SELECT (SELECT DISTINCT b.g FROM t b WHERE b.n = t.n AND b.k < 3) AS v FROM t ORDER BY k": [
            *("a", "a", "a", None)
        ],
        "SELECT (SELECT b.k + t.k FROM t b WHERE b.k = t.k + 1 AND b.n > 0) AS v FROM t ORDER BY k": [3, 5, None, None],
        "SELECT k FROM t WHERE k = 3 AND (SELECT b.k FROM t b WHERE b.g = t.g) = 3": [3],
    },
    "betweens": {
        "SELECT k FROM t WHERE k BETWEEN SYMMETRIC 3 AND 2": [2, 3],
        "SELECT k FROM t WHERE k NOT BETWEEN SYMMETRIC 3 AND 2": [1, 4],
        "SELECT k FROM t WHERE k BETWEEN ASYMMETRIC 3 AND 2": [],
        "SELECT n BETWEEN SYMMETRIC 15 AND NULL AS v FROM t WHERE k = 1": [None],
    },
    "date_parts": {
        "SELECT extract(month FROM NULL) IS NULL AND date_part('century', NULL) IS NULL AS v": [True],
        "SELECT extract(century FROM ts) AS v FROM t ORDER BY k": [21, 21, 15, None],
        "SELECT date_part('decade', dt) AS v FROM t ORDER BY k": [202, 202, 150, None],
        "SELECT extract(millennium FROM dt) AS v FROM t ORDER BY k": [3, 3, 2, None],
        "SELECT extract(julian FROM ts) AS v FROM t WHERE k = 3": [2268924.0],
        "SELECT extract(timezone FROM tz) AS v FROM t ORDER BY k": [0, 0, 0, None],
    },
    "formats": {
        "SELECT to_char(ts, 'YYYY-MM-DD HH24:MI') AS v FROM t ORDER BY k": [
            "2024-03-31 02:30",
            "2024-10-27 02:30",
            "1500-01-01 00:00",
            None,
        ],
        "SELECT to_char(dt, 'FMDD. FMMonth \"of\" YYYY') AS v FROM t WHERE k = 3": ["1. January of 1500"],
        "SELECT to_char(ts, '%d.%m.%Y') AS v FROM t WHERE k = 1": ["31.03.2024"],
        "SELECT CAST(to_timestamp('02 Jan 2024 03:04', 'DD Mon YYYY HH24:MI') AS TEXT) AS v": [
            "2024-01-02 03:04:00+00"
        ],
        "SELECT CAST(to_date('2024/31/01', 'YYYY/DD/MM') AS TEXT) AS v": ["2024-01-31"],
    },
    "interval_texts": {
        f"SELECT CAST(ts + {interval} AS TEXT) AS v FROM t WHERE k = 1": [moment]
        for interval, moment in {
            "INTERVAL '1-2' YEAR TO MONTH": "2025-05-31 02:30:00",
            "INTERVAL '1 02:03' DAY TO MINUTE": "2024-04-01 04:33:00",
            "INTERVAL '02:03' MINUTE TO SECOND": "2024-03-31 02:32:03",
            "INTERVAL '1' DAY": "2024-04-01 02:30:00",
            "INTERVAL 'P1DT2H'": "2024-04-01 04:30:00",
            "INTERVAL '1 day 01:02:03.5'": "2024-04-01 03:32:03.5",
            "INTERVAL '1 day ago'": "2024-03-30 02:30:00",
            "'1-2'::interval": "2025-05-31 02:30:00",
            "k * INTERVAL '1 day'": "2024-04-01 02:30:00",
            "INTERVAL '1 day' * 1.5": "2024-04-01 14:30:00",
            "(position('_' IN s) % 3) * INTERVAL '1 day'": "2024-04-02 02:30:00",
            "INTERVAL '1 month' / 3": "2024-04-10 02:30:00",
            "(ts - TIMESTAMP '2024-03-30 02:30:00') * 2": "2024-04-02 02:30:00",
        }.items()
    },
    "json_values": {
        "SELECT j -> 'b' AS v FROM t ORDER BY k": ['{"c":[1.10,null,"x\'"]}', "null", None, None],
        "SELECT j ->> 'a' AS v FROM t ORDER BY k": ["1", "é", None, None],
        "SELECT j -> 'b' -> 'c' ->> -1 AS v FROM t WHERE k = 1": ["x'"],
        "SELECT json_extract(j, '$.b.c[0]') AS v FROM t WHERE k = 1": ["1.10"],
        "SELECT json_extract_path_text(j, 'b', 'c', 1) AS v FROM t WHERE k = 1": [None],
        "SELECT json_get_int(j, 'a') + 1 AS v FROM t ORDER BY k": [2, None, None, None],
        "SELECT json_array_length(j) AS v FROM t ORDER BY k": [None, None, 2, None],
        "SELECT json_typeof(j) AS v FROM t ORDER BY k": ["object", "object", "array", None],
        "SELECT json_valid(s) AS v FROM t ORDER BY k": [False, False, False, None],
        "SELECT k FROM t WHERE j ->> 'a' || '!' = '1!'": [1],
    },
    "letters": {
        "SELECT TRIM(BOTH FROM ' a ') || '|' AS v": ["a|"],
        "SELECT TRIM(TRAILING FROM ' a ') || '|' AS v": [" a|"],
        "SELECT TRIM(LEADING FROM ' a ') || '|' AS v": ["a |"],
        "SELECT TRIM(FROM ' a ') || '|' AS v": ["a|"],
        "SELECT SUBSTRING('abcdef' FROM 'b(.)d') AS v": ["c"],
        "SELECT SUBSTRING(s FROM '.$') AS v FROM t ORDER BY k": ["b", "b", "y", None],
    },
    "pages": {
        "SELECT k FROM t ORDER BY k FETCH FIRST 2 ROWS ONLY": [1, 2],
        "SELECT k FROM t ORDER BY k FETCH FIRST ROW ONLY": [1],
        "SELECT k FROM t WHERE k IN (1, 2, 3) ORDER BY k OFFSET 1 ROW FETCH NEXT 1 ROW ONLY": [2],
        "SELECT k FROM t ORDER BY k LIMIT ALL OFFSET 2": [3, 4],
        "SELECT (SELECT k FROM t ORDER BY k DESC FETCH FIRST ROW ONLY) AS v": [4],
    },
    "patterns": {
        "SELECT k FROM t WHERE s LIKE 'a!_b' ESCAPE '!'": [1],
        "SELECT k FROM t WHERE s NOT ILIKE 'a!_b' ESCAPE '!'": [2, 3],
        "SELECT k FROM t WHERE s LIKE 'x\\y' ESCAPE ''": [3],
        "SELECT k FROM t WHERE s LIKE replace(s, '_', '!_') ESCAPE '!'": [1, 2, 3],
        "SELECT k FROM t WHERE s SIMILAR TO '(a|x)%'": [1, 3],
        "SELECT k FROM t WHERE s SIMILAR TO 'a.b'": [],
        "SELECT k FROM t WHERE s SIMILAR TO 'a'": [],
        "SELECT k FROM t WHERE s NOT SIMILAR TO '[a-z]!__' ESCAPE '!'": [2, 3],
        "SELECT k FROM t WHERE s SIMILAR TO g || '%'": [1],
    },
    "quotients": {
        "SELECT CAST(d / 3 AS TEXT) AS v FROM t WHERE k < 3 ORDER BY k": ["0.3333333333333333", "0.6666666666666666"],
        "SELECT CAST(k / d AS TEXT) AS v FROM t WHERE k = 1": ["1.0000000000000000"],
        "SELECT CAST(sum(d) / 7 AS TEXT) AS v FROM t": ["0.8571428571428571"],
        "SELECT CAST(CAST('1' AS DECIMAL(38,10)) / 3 AS TEXT) AS v": ["0.33333333333333"],
        "SELECT k FROM t WHERE d / 3 = 0.3333333333333333": [1],
        "SELECT k FROM t WHERE d / 3 > 0.5": [2, 3],
    },
    "rows_of_nothing": {
        "SELECT * FROM generate_series(1, 3)": [1, 2, 3],
        "SELECT g FROM generate_series(10, 1, -4) g": [2, 6, 10],
        "SELECT i FROM t JOIN generate_series(2, 9) AS g(i) ON i = k": [2, 3, 4],
        "SELECT range FROM range(3)": [0, 1, 2],
        "SELECT * FROM range(7, 0, -3)": [1, 4, 7],
        "SELECT * FROM generate_series(2, 1)": [],
        "SELECT CAST(d AS TEXT) FROM generate_series(DATE '2999-01-15', DATE '2999-03-14', INTERVAL '1 month') d": [
            "2999-01-15 00:00:00",
            "2999-02-15 00:00:00",
        ],
        "SELECT CAST(d AS TEXT) FROM range(TIMESTAMP '2024-01-01', TIMESTAMP '2024-01-02', INTERVAL '12' HOUR) d": [
            "2024-01-01 00:00:00",
            "2024-01-01 12:00:00",
        ],
    },
    "zones": {
        "SELECT NULL AT TIME ZONE 'Asia/Tokyo' AT TIME ZONE 'UTC' IS DISTINCT FROM max(tz) AS v FROM t": [True],
        "SELECT CAST(tz AT TIME ZONE 'Europe/Berlin' AS TEXT) AS v FROM t ORDER BY k": [
            "2024-03-31 03:30:00",
            "2024-10-27 02:30:00",
            "2024-10-27 02:30:00",
            None,
        ],
        "SELECT CAST(ts AT TIME ZONE 'Europe/Berlin' AS TEXT) AS v FROM t ORDER BY k": [
            "2024-03-31 01:30:00+00",
            "2024-10-27 01:30:00+00",
            "1499-12-31 23:06:32+00",
            None,
        ],
        "SELECT CAST(dt AT TIME ZONE 'America/New_York' AS TEXT) AS v FROM t WHERE k = 1": ["2024-03-30 20:00:00"],
        "SELECT k FROM t WHERE tz AT TIME ZONE CASE WHEN k = 1 THEN 'Asia/Tokyo' ELSE 'UTC' END < ts": [2],
        "SELECT extract(day FROM date_trunc('day', tz AT TIME ZONE 'Asia/Tokyo')) AS v FROM t GROUP BY 1 ORDER BY 1": [
            27,
            31,
            None,
        ],
    },
}

REFUSALS = {
    "SELECT (SELECT sum(b.k) + a.k FROM t b WHERE b.k > a.k) FROM t a": "beside its own groups",
    "SELECT k FROM t a WHERE EXISTS (SELECT 1 FROM t b WHERE EXISTS (SELECT 1 FROM t c WHERE EXISTS "
    "(SELECT 1 FROM t d WHERE d.k = a.k AND c.k = d.k)))": "three levels out",
    "SELECT count(*) FROM generate_series(1, 9000) a, generate_series(1, 9000) b": "at most 64000000 pairs",
    "SELECT * FROM t TABLESAMPLE BERNOULLI (10)": "random",
    "SELECT * FROM t PIVOT (sum(n) FOR g IN ('a', 'b'))": "FILTER",
    "SELECT * FROM t UNPIVOT (v FOR name IN (k, n))": "UNION ALL",
    "SELECT date_bin(INTERVAL '1637426858 months', ts, TIMESTAMP '1984-01-07') FROM t": "out of range",
    "SELECT a.k FROM t a JOIN t b ON EXISTS (SELECT 1 FROM t c WHERE c.k = a.k AND c.n = b.n)": "put it into WHERE",
    "SELECT a.k FROM t a LEFT JOIN t b ON a.k = b.n ORDER BY (SELECT max(c.n) FROM t c WHERE c.k = b.k)": "by a name",
    "SELECT (SELECT b.k FROM t b WHERE b.g = t.g) FROM t": "more than one row",
    f"SELECT {''.join(f'(SELECT k FROM t b{n + 1} WHERE b{n + 1}.n = b{n}.k AND 1 = ' for n in range(6))}1{')' * 6} "
    "FROM t b0": "nested more than 4 times",
    "SELECT to_char(ts, 'Month') FROM t": "write %-formats",
    "SELECT d / 0 FROM t": "ivide by zero",
    "SELECT s -> 'a' FROM t": "invalid input for JSON",
    "SELECT j -> dt FROM t": "cast it",
    "SELECT json_extract(j, s) FROM t": "literal",
    f"SELECT '{'[' * 100_000}' -> 0": "at most 100 levels",
    f"SELECT j{' -> 0' * 17} FROM t": "name a step",
    "SELECT tz" + " AT TIME ZONE 'UTC'" * 17 + " FROM t": "name a step",
    "SELECT count(*) FROM generate_series(1, 1000001)": "at most 1000000 rows",
    "SELECT * FROM generate_series(1, 3, 0)": "must not be zero",
    "SELECT * FROM t, generate_series(1, k) g": "as literals",
    "SELECT * FROM TABLE(generate_series(1, 1000000000000))": "stands in FROM",
    'SELECT * FROM "generate_series"(1, 1000000000000)': "stands in FROM",
    "SELECT * FROM main.generate_series(1, 1000000000000)": "stands in FROM",
    "SELECT generate_series(1, 3)": "stands in FROM",
    "SELECT * FROM generate_series(DATE '2024-01-31', DATE '2024-06-01', INTERVAL '1 month')": "every month has",
    "SELECT INTERVAL 'soon'": "write numbers with units",
    "SELECT INTERVAL '1 day' / 0": "division by zero",
    "SELECT extract(timezone FROM ts) FROM t": "WITH TIME ZONE",
    "SELECT k FROM t ORDER BY k FETCH FIRST 2 ROWS WITH TIES": "rank()",
    "SELECT k FROM t ORDER BY k FETCH FIRST 50 PERCENT ROWS ONLY": "LIMIT",
    "SELECT k FROM t WHERE s LIKE 'a!' ESCAPE '!'": "must not end with its escape",
    "SELECT k FROM t WHERE s SIMILAR TO 'a' ESCAPE '!!'": "one letter",
    "SELECT substring(s SIMILAR 'a' ESCAPE '#') FROM t": "POSIX pattern",
    "SELECT substring(s FROM 'a' FOR '#') FROM t": "POSIX pattern",
    "SELECT 1 BETWEEN SYMMETRIC (2 BETWEEN SYMMETRIC 1 AND 3) AND 4": "within another",
    "SELECT ts AT TIME ZONE '+02:00' FROM t": "name a place",
    "SELECT ts AT TIME ZONE 'CET' FROM t": "Europe/Berlin",
    "SELECT ts AT TIME ZONE INTERVAL '2 hours' FROM t": "add an interval",
    "SELECT ts AT TIME ZONE 'Nowhere/Land' FROM t": "no time zone",
    "SELECT s AT TIME ZONE 'UTC' FROM t": "write a CAST",
}
"""Queries that are refused, and a word of what to write instead."""


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """A database with the rows in files."""
    with opened(tmp_path_factory.mktemp("forms")) as made:
        made.load("t", ROWS)
        yield made


@pytest.mark.parametrize("form", FORMS)
def test_a_form_means_what_it_means_in_postgresql(planner: Planner, form: str) -> None:
    """Of queries without ORDER BY, the rows are sorted here."""
    for query, expected in ANSWERS[form].items():
        found = planner.plan(query).rows().to_table().column(0).to_pylist()
        assert (found if "ORDER BY" in query else sorted(found)) == expected, query


@pytest.mark.parametrize("query", REFUSALS)
def test_what_is_refused_says_what_to_write_instead(planner: Planner, query: str) -> None:
    """When it is planned, or when it runs."""
    with pytest.raises(DatabaseError, match=REFUSALS[query].replace("(", r"\(").replace(")", r"\)")):
        planner.plan(query).rows().to_table()


def test_changes_find_and_store_what_queries_of_the_same_words_show(planner: Planner) -> None:
    """Conditions and values of an UPDATE pass through the same rules."""
    planner.run("CREATE TABLE changed (k BIGINT PRIMARY KEY, at TIMESTAMP)")
    planner.run("INSERT INTO changed SELECT k, ts FROM t WHERE s LIKE 'a!_b' ESCAPE '!'")
    planner.run(
        "UPDATE changed SET at = (at AT TIME ZONE 'Europe/Berlin') AT TIME ZONE 'UTC' WHERE k BETWEEN SYMMETRIC 2 AND 1"
    )
    shown = planner.plan("SELECT CAST(at AS TEXT) AS v FROM changed").rows().to_table().column(0).to_pylist()
    assert shown == ["2024-03-31 01:30:00"]


def test_a_table_with_columns_takes_the_rows_of_a_query_as_insert_does(planner: Planner) -> None:
    """By their place, in the types of its columns; a query of another width leaves nothing."""
    planner.run("CREATE TABLE filled (x DECIMAL(10,3), y TEXT PRIMARY KEY) AS VALUES (110.0005, 'a'), (2, 'b')")
    rows = planner.plan("SELECT y, CAST(x AS TEXT) AS x FROM filled ORDER BY y").rows().to_table().to_pylist()
    assert rows == [{"y": "a", "x": "110.001"}, {"y": "b", "x": "2.000"}]
    with pytest.raises(DatabaseError, match="1 columns, its query 2"):
        planner.run("CREATE TABLE narrow (x INT) AS SELECT 1, 2")
    planner.run("CREATE TABLE narrow (x INT) AS SELECT 1")


def test_values_in_from_need_no_brackets(planner: Planner) -> None:
    """As a source among others, with names for its columns."""
    query = "SELECT a + x AS v FROM VALUES (1, 2), (3, 4) AS q (a, b), (SELECT 10 AS x) r ORDER BY a"
    assert planner.plan(query).rows().to_table().column(0).to_pylist() == [11, 13]
