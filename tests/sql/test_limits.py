"""Hostile SQL is refused on its tokens, large honest SQL is not."""

import pytest

from catalog.errors import ErrorKind
from flightserver.sql.parser import parse
from flightserver.sql.statements import Insert, Query
from flightserver.sql.text.limits import INSERT_BYTES_MAX, QUERY_BYTES_MAX
from tests.sql.refusals import refused


def joined(term: str, separator: str, count: int) -> str:
    """Repeat a term."""
    return separator.join([term] * count)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + joined("1", "+", 1_100),
        "SELECT " + joined("1", "+", 20_000),
        "SELECT " + joined("a", "||", 1_100),
        "SELECT 1 WHERE " + joined("a = 1", " OR ", 600),
        "SELECT 1 WHERE " + joined("a", " AND ", 1_100),
        "SELECT 1 WHERE " + "NOT " * 1_100 + "a",
        "SELECT " + joined(joined("1", "+", 100), ", ", 20),
        "DELETE FROM t WHERE " + joined("a", " AND ", 1_100),
        "INSERT INTO t VALUES (" + joined("1", "+", 200) + ")",
        "INSERT INTO t VALUES (1), (" + joined("1", "+", 200) + ")",
        "VALUES (1), (2) UNION ALL SELECT " + joined("1", "+", 1_100),
        joined("SELECT 1", " UNION ALL ", 300),
        "SELECT " + joined("1", ", ", 2_100),
        "SELECT * FROM (SELECT " + joined("1", ", ", 2_100) + ")",
        "SELECT " + "(" * 100 + "1" + ")" * 100,
        "SELECT " + "[" * 100 + "1" + "]" * 100,
        "SELECT '" + "a" * QUERY_BYTES_MAX + "'",
        "INSERT INTO t SELECT '" + "a" * QUERY_BYTES_MAX + "'",
        "INSERT INTO t VALUES ('" + "a" * INSERT_BYTES_MAX + "')",
        "INSERT INTO t VALUES ('" + "é" * (INSERT_BYTES_MAX // 2) + "')",
    ],
    ids=range(20),
)
def test_beyond_a_cap(sql: str) -> None:
    """A statement that would hurt the planner gets one clear line."""
    assert " at most " in (message := refused(ErrorKind.RESOURCES, sql)) or "deeper" in message


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 WHERE a IN (" + joined("1234567", ", ", 20_000) + ")",
        "SELECT " + joined("1", "+", 900),
        joined("SELECT 1", " UNION ALL ", 200),
        "SELECT " + joined("1", ", ", 2_000),
        "SELECT " + joined("-1", ", ", 2_000),
        "SELECT count(*), " + joined("f(1, 2)", ", ", 1_500),
        "SELECT a FROM t ORDER BY " + joined("a", ", ", 3_000),
        "SELECT " + "(" * 60 + "1" + ")" * 60,
    ],
    ids=range(8),
)
def test_large_honest_queries_pass(sql: str) -> None:
    """Long lists are cheap and pass."""
    assert parse(sql) == Query(sql)


@pytest.mark.parametrize("row", ["(1, 'a')", "(-1, now())", "(1 + 1, - 2)", "(NULL, DATE '2020-01-01')"])
def test_large_honest_inserts_pass(row: str) -> None:
    """Rows have caps of their own, not one over all rows."""
    assert isinstance(parse("INSERT INTO t VALUES " + joined(row, ", ", 30_000)), Insert)
