"""Placeholders are found where DataFusion would look for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import ErrorKind
from flightserver.sql.text.parameters import count_parameters, number_placeholders
from flightserver.sql.text.query_text import QueryText
from tests.sql.refusals import refusal

TRICKY = st.text(st.sampled_from("a?$1'\"-/*; \n"), max_size=20)


def test_question_marks_are_numbered() -> None:
    """From the left, from one."""
    assert number_placeholders(QueryText("SELECT ?, a FROM t WHERE b = ?")) == ("SELECT $1, a FROM t WHERE b = $2", 2)


def test_numbers_stay() -> None:
    """A text with `$n` is not touched."""
    assert number_placeholders(QueryText("SELECT $2, $1, $2")) == ("SELECT $2, $1, $2", 2)


def test_no_parameters() -> None:
    """A text without any needs no values."""
    assert number_placeholders(QueryText("SELECT 1")) == ("SELECT 1", 0)


@given(TRICKY)
def test_strings_hide_placeholders(value: str) -> None:
    """What a string holds is no parameter."""
    literal = "'" + value.replace("'", "''") + "'"
    assert number_placeholders(QueryText(f"SELECT {literal}, ?")) == (f"SELECT {literal}, $1", 1)


@given(TRICKY.filter(bool))
def test_quoted_names_hide_placeholders(name: str) -> None:
    """What a name holds is no parameter."""
    quoted = '"' + name.replace('"', '""') + '"'
    assert number_placeholders(QueryText(f"SELECT {quoted}, ?")) == (f"SELECT {quoted}, $1", 1)


@pytest.mark.parametrize("hidden", ["-- ?\n", "/* ? */", "/* /* ? */ ? */", "$$?$$,", "$a$ ? $a$,", "E'\\'?',", "`?`,"])
def test_comments_and_quotes_hide_placeholders(hidden: str) -> None:
    """Comments, dollar quotes and escapes hide them too."""
    assert number_placeholders(QueryText(f"SELECT {hidden} ?")) == (f"SELECT {hidden} $1", 1)


def test_styles_do_not_mix() -> None:
    """One statement uses one style."""
    assert "not both" in refusal(ErrorKind.SYNTAX, lambda: number_placeholders(QueryText("SELECT ?, $1")))


@pytest.mark.parametrize("name", ["$0", "$a", "$10001", "$99999999999999999999", "$1a", "$²"])
def test_other_parameters_are_refused(name: str) -> None:
    """Parameters are numbered from one to a limit."""
    assert "numbered" in refusal(ErrorKind.INVALID, lambda: count_parameters(QueryText(f"SELECT {name}")))


@pytest.mark.parametrize(("sql", "count"), [("SELECT $3", 3), ("SELECT ?, ?", 2), ("SELECT '$1'", 0), ("a$1", 0)])
def test_counts(sql: str, count: int) -> None:
    """The highest number, or how many question marks."""
    assert count_parameters(QueryText(sql)) == count
