"""The tokenizer cuts text where DataFusion does."""

from contextlib import suppress

import datafusion
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql.text.tokens import Kind, fold, identifier_name, string_value, tokenize
from tests.sql.refusals import refusal

TRICKY = st.text(st.sampled_from("ab;?'\"`$-/*\\\n ().,é"), max_size=30)


def texts(sql: str) -> list[str]:
    """Return the tokens' texts."""
    return [token.text for token in tokenize(sql)]


def evaluate(sql: str) -> object:
    """Return the one value of a query, as DataFusion sees it."""
    return datafusion.SessionContext().sql(sql).to_arrow_table().column(0)[0].as_py()


@given(TRICKY)
def test_a_quoted_string_is_one_token(value: str) -> None:
    """Whatever a string contains, it is one token with that value."""
    (token,) = tokenize("'" + value.replace("'", "''") + "'")
    assert (token.kind, string_value(token)) == (Kind.STRING, value)


@given(TRICKY.filter(bool))
def test_a_quoted_identifier_is_one_token(name: str) -> None:
    """Whatever a quoted name contains, it is one token with that name."""
    (token,) = tokenize('"' + name.replace('"', '""') + '"')
    assert (token.kind, identifier_name(token)) == (Kind.QUOTED, name)


@given(TRICKY.filter(lambda value: "$" not in value))
def test_a_dollar_quoted_string_is_one_token(value: str) -> None:
    """Dollar quotes keep quotes and semicolons inside."""
    (token,) = tokenize(f"$tag${value}$tag$")
    assert string_value(token) == value


@given(TRICKY.filter(lambda value: "*/" not in value and "/*" not in value and not value.endswith(("*", "/"))))
def test_a_block_comment_leaves_no_token(value: str) -> None:
    """A comment hides everything in it."""
    assert texts(f"a /*{value}*/ b") == ["a", "b"]


@given(TRICKY.filter(lambda value: "\n" not in value))
def test_a_line_comment_ends_at_its_line(value: str) -> None:
    """A line comment hides the rest of the line and no more."""
    assert texts(f"a --{value}\nb") == ["a", "b"]


@given(st.lists(TRICKY, max_size=5))
def test_tokens_are_verbatim_slices(values: list[str]) -> None:
    """Every token is the slice of the text that it says it is."""
    sql = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    assert all(sql[token.start : token.end] == token.text for token in tokenize(sql))


@settings(max_examples=50, deadline=None)
@given(TRICKY)
def test_strings_mean_what_datafusion_reads(value: str) -> None:
    """DataFusion reads the same value from the same literal."""
    literal = "'" + value.replace("'", "''") + "'"
    assert evaluate(f"SELECT {literal} AS v") == string_value(tokenize(literal)[0])


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'a''b;' AS v",
        "SELECT $$x;y$$ AS v",
        "SELECT $1$x'$1$ AS v",
        "SELECT 'a\\' AS v",
        "SELECT E'a\\';b' AS v",
        "SELECT X'ab' AS v",
        "SELECT /* a /* b */ ; */ 1 AS v",
        "SELECT 1 -- ;\n AS v",
        "SELECT 1 -- \r;\n AS v",
        "SELECT 1--1\n AS v",
        'SELECT 1 AS "a;""b"',
        "SELECT 1 AS `a;b`",
        "SELECT [1,2][1] AS v",
        "SELECT .5 + 5. + 1e5 AS v",
    ],
)
def test_lexical_corners_are_shared_with_datafusion(sql: str) -> None:
    """No semicolon token appears inside of what DataFusion runs as one statement."""
    evaluate(sql)
    assert ";" not in texts(sql)


@pytest.mark.parametrize("sql", ["SELECT 'a", 'SELECT "a', "SELECT `a", "SELECT E'a", "SELECT $$a", "SELECT /* a"])
def test_what_is_opened_must_be_closed(sql: str) -> None:
    """An open string, name or comment is an error at the place where it was opened."""
    assert refusal(ErrorKind.SYNTAX, lambda: tokenize(sql)).startswith("line 1:8: ")


@pytest.mark.parametrize("literal", ["N'a'", "b'1'", 'B"1"', "r'a'", 'R"a"', "U&'a'", "q'[a]'", "nq'[a]'"])
def test_foreign_string_prefixes_are_refused(literal: str) -> None:
    """Strings that DataFusion lexes in yet another way never get there."""
    assert "prefix" in refusal(ErrorKind.UNSUPPORTED, lambda: tokenize(f"SELECT {literal}"))


def test_a_word_in_front_of_a_string_is_a_word() -> None:
    """Space is not needed between a keyword and a string."""
    assert texts("SELECT'a'") == ["SELECT", "'a'"]


def test_a_parameter_is_one_token() -> None:
    """`$12` and `?` are parameters."""
    kinds = [token.kind for token in tokenize("$12 ?")]
    assert kinds == [Kind.PARAMETER, Kind.PARAMETER]


def test_a_dollar_inside_of_a_name_is_part_of_it() -> None:
    """`a$1` is a name for DataFusion, not a parameter."""
    assert [token.kind for token in tokenize("a$1")] == [Kind.WORD]


def test_folding_is_for_ascii_only() -> None:
    """Unquoted names fold like DataFusion's: É stays."""
    assert fold("ÉA_B") == "Éa_b"


def test_errors_count_lines_and_columns() -> None:
    """The place of an error is its line and column from one."""
    assert refusal(ErrorKind.SYNTAX, lambda: tokenize("SELECT 1,\n  'x")).startswith("line 2:3: ")


def test_rows_of_literals_are_one_token() -> None:
    """All rows but the last become one token, whatever the strings hold."""
    tokens = tokenize("VALUES (1, 'it''s; ('), (-2.5e3, now()), (3, DATE '2020-01-01')")
    assert [token.kind for token in tokens[:2]] == [Kind.WORD, Kind.ROWS]
    assert tokens[1].text == "(1, 'it''s; ('), (-2.5e3, now()), "


@pytest.mark.parametrize("cell", ["$1", "?", "DEFAULT", "a", "1 + 1", "abs(1)", "(1)", "'a' /* c */", "E'a'", "--1\n"])
def test_rows_with_anything_else_are_cut_up(cell: str) -> None:
    """A row with a parameter, a name, an operator or a comment is never skipped."""
    assert Kind.ROWS not in [token.kind for token in tokenize(f"VALUES ({cell}), (2)")]


@given(st.lists(st.tuples(st.integers(), TRICKY), min_size=2, max_size=20))
def test_skipping_rows_loses_no_text(rows: list[tuple[int, str]]) -> None:
    """The tokens of VALUES cover the text from the first bracket to the last."""
    written = [f"({number}, '" + value.replace("'", "''") + "')" for number, value in rows]
    tokens = tokenize("VALUES " + ", ".join(written))
    assert tokens[1].text == ", ".join(written[:-1]) + ", "
    assert tokens[-1].key == ")"


def test_a_bulk_insert_costs_few_tokens() -> None:
    """A hundred thousand rows of literals are a handful of tokens."""
    rows = ", ".join(f"({number}, 'name {number}', {number}.5)" for number in range(100_000))
    assert len(tokenize(f"INSERT INTO t VALUES {rows}")) < 20


def test_rows_follow_values_only() -> None:
    """Brackets that do not belong to VALUES are read one by one."""
    assert Kind.ROWS not in [token.kind for token in tokenize("SELECT a IN (1), (2), (3)")]


@pytest.mark.parametrize("sql", ["", "  \n", "-- only a comment", "/* only /* a */ comment */"])
def test_nothing_gives_no_token(sql: str) -> None:
    """Space and comments are not tokens."""
    assert tokenize(sql) == []


@given(st.text(max_size=60))
def test_any_text_is_cut_or_refused_with_one_line(sql: str) -> None:
    """No text makes the tokenizer fail in another way."""
    with suppress(DatabaseError):
        assert all(sql[token.start : token.end] == token.text for token in tokenize(sql))
