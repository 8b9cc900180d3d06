"""Which comparisons with sub-queries are written anew, as text."""

import random
from contextlib import suppress

import pytest

from catalog.errors import DatabaseError
from tests.sql.engine_texts import written as written_for_engine

LEFT_ALONE = [
    "SELECT 1",
    "SELECT 'x NOT IN (SELECT y FROM z) OR a' FROM t",
    "SELECT a FROM t WHERE x NOT IN (1, 2) OR y",
    "SELECT a FROM t WHERE x = ANY ([1, 2])",
    "SELECT a FROM t WHERE x IN (SELECT y FROM z)",
    "SELECT a FROM t -- x\nWHERE  b = 1 AND (x) IN (SELECT y /* IN */ FROM z) /* ; */",
    "SELECT a FROM t WHERE ((b AND x IN (SELECT y FROM z))) GROUP BY a",
    "SELECT a FROM t WHERE b BETWEEN 1 AND 2 AND x IN (SELECT y FROM z WHERE c OR d) ORDER BY 1",
    "SELECT a FROM t WHERE x NOT IN (SELECT y FROM z) UNION SELECT b FROM u WHERE c OR d",
    "SELECT a FROM t WHERE CASE WHEN b OR c THEN d END AND x NOT IN (SELECT y FROM z)",
    "SELECT a FROM t WHERE f(b OR c) AND x NOT IN (SELECT y FROM z)",
    "SELECT a FROM t WHERE (b OR c) AND x IN (SELECT y FROM z)",
    "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM z) OR b",
]


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_the_engine_gets_right_stays_as_it_is(text: str) -> None:
    """To the letter."""
    assert written_for_engine(text) == text


def value(left: str, query: str, nulls: str) -> str:
    """IN as a value."""
    return (
        f"(CASE true WHEN {left} IN ({query}) THEN true WHEN (({left}) IS NULL AND EXISTS ({query} LIMIT 1))"
        f" OR EXISTS ({query} WHERE {nulls} LIMIT 1) THEN NULL ELSE false END)"
    )


@pytest.mark.parametrize(
    ("condition", "written"),
    [
        ("x IN (SELECT y FROM z) IS NULL", f"{value('x', 'SELECT y FROM z', '(y) IS NULL')} IS NULL"),
        ("x NOT IN (SELECT y FROM z) OR b", f"(NOT {value('x', 'SELECT y FROM z', '(y) IS NULL')}) OR b"),
        ("NOT a.x + 1 IN (SELECT y FROM z)", f"NOT {value('a.x + 1', 'SELECT y FROM z', '(y) IS NULL')}"),
        ("f(x IN (SELECT y FROM z))", f"f({value('x', 'SELECT y FROM z', '(y) IS NULL')})"),
        ("x <> ALL (SELECT y FROM z) OR b", f"(NOT {value('x', 'SELECT y FROM z', '(y) IS NULL')}) OR b"),
        ("b OR x IN (SELECT DISTINCT y AS a FROM z)", "b OR x IN (SELECT y FROM z)"),
        ("x = ANY (SELECT y FROM z)", "x IN (SELECT y FROM z)"),
        ("x < ANY (SELECT y FROM z)", "x < ANY (SELECT y FROM z)"),
        ("x < ALL (SELECT y FROM t b WHERE b.k = t.k)", "x < ALL (SELECT y FROM t b WHERE b.k = t.k)"),
        (
            "x < ANY (SELECT y FROM n.t)",
            'x < ANY (SELECT "$members"."$member" FROM (SELECT y FROM n.t) AS "$members"("$member"))',
        ),
        ("x IN (VALUES (1))", 'x IN (SELECT "$members"."$member" FROM (VALUES (1)) AS "$members"("$member"))'),
        (
            "b BETWEEN 1 AND 2 IN (SELECT y FROM z) = c",
            f"({value('b BETWEEN 1 AND 2', 'SELECT y FROM z', '(y) IS NULL')}) = c",
        ),
        ("b AND x IS NOT NULL IN (SELECT y FROM z)", "b AND x IS NOT NULL IN (SELECT y FROM z)"),
        ('t."in" IN (SELECT y FROM z)', 't."in" IN (SELECT y FROM z)'),
    ],
)
def test_what_is_written_anew(condition: str, written: str) -> None:
    """Left sides reach back to what binds less."""
    assert written_for_engine(f"SELECT a FROM t WHERE {condition}") == f"SELECT a FROM t WHERE {written}"


@pytest.mark.parametrize("query", ["SELECT y FROM z WHERE y = t.a", "SELECT y FROM z WHERE y = b", "SELECT x FROM z"])
def test_not_in_has_another_form_for_outer_columns(query: str) -> None:
    """Whether a name is one, the definitions tell."""
    assert "CASE true WHEN" in written_for_engine(f"SELECT a FROM t WHERE x NOT IN ({query})")


WORDS = [
    *("x", "NOT", "IN", "(", ")", "SELECT", "FROM", "WHERE", "CASE", "WHEN", "END", "AND", "OR", "BETWEEN", "<", "ANY"),
    *("IN (SELECT", "ALL (SELECT y FROM z)", "[", "]", ",", "t.", "'s'", "1", "VALUES", "DISTINCT", "AS", "IS"),
]


@pytest.mark.parametrize("seed", range(20))
def test_any_words_in_any_order_are_read_to_their_end(seed: int) -> None:
    """What is no SQL is for the engine to refuse; it is never a fault here."""
    chance = random.Random(seed)
    for _ in range(200):
        text = " ".join(chance.choices(WORDS, k=chance.randrange(1, 40)))
        with suppress(DatabaseError):
            assert written_for_engine(text)
