"""Which queries are the same for everybody for ever."""

import pytest

from flightserver.sql.text.constants import is_constant
from flightserver.sql.text.query_text import QueryText


@pytest.mark.parametrize(
    "text", ["SELECT 1", "select 'a' AS b, NULL, 2.5", 'SELECT 1 AS "AS"', "SELECT TRUE -- alive?"]
)
def test_literals_and_their_names_are_constant(text: str) -> None:
    """Numbers, texts, NULL and truth values, with names or without."""
    assert is_constant(QueryText(text))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT",
        "SELECT now()",
        "SELECT a",
        "SELECT 1 a",
        "SELECT 1 AS a, b",
        "SELECT 1 FROM t",
        "SELECT $1",
        "SELECT 1 + 1",
        "SELECT *",
        "SELECT (SELECT 1)",
        "VALUES (1)",
        "SELECT 1 LIMIT 0",
    ],
)
def test_everything_else_is_not(text: str) -> None:
    """Names, functions, parameters, operators and clauses may say something else tomorrow."""
    assert not is_constant(QueryText(text))
