"""Splitting scripts, and taking exactly one statement."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql.parser import parse, split_script
from flightserver.sql.statements import Query
from tests.sql.refusals import refused

TRICKY = st.text(st.sampled_from("ab;?'\"$-/*\\\n ()"), max_size=20)


def test_statements_are_split_at_semicolons() -> None:
    """A script is its statements in order."""
    assert split_script("SELECT 1; SELECT 2;") == ["SELECT 1", "SELECT 2"]


def test_empty_statements_are_left_out() -> None:
    """Semicolons in a row, and comments alone, are no statements."""
    assert split_script(";; -- nothing\n; SELECT 1 ;; /* ; */") == ["SELECT 1"]


@given(st.lists(TRICKY, min_size=1, max_size=5))
def test_a_string_never_splits_a_script(values: list[str]) -> None:
    """Scripts come back as they were joined, whatever their strings hold."""
    statements = ["SELECT '" + value.replace("'", "''") + "'" for value in values]
    assert split_script(";\n".join(statements)) == statements


@given(st.lists(TRICKY.filter(bool), min_size=1, max_size=5))
def test_a_quoted_name_never_splits_a_script(names: list[str]) -> None:
    """Quoted names may hold semicolons."""
    statements = ['SELECT 1 AS "' + name.replace('"', '""') + '"' for name in names]
    assert split_script("; ".join(statements)) == statements


def test_comments_inside_a_statement_stay() -> None:
    """What lies between the first and the last token is kept."""
    assert split_script("SELECT /* ; */ 1 -- ;\n + 1;") == ["SELECT /* ; */ 1 -- ;\n + 1"]


def test_a_bulk_insert_is_split_off() -> None:
    """The semicolon behind a hundred thousand rows is found."""
    rows = ", ".join(f"({number}, ';')" for number in range(100_000))
    assert len(split_script(f"INSERT INTO t VALUES {rows}; SELECT 1")) == 2


def test_one_statement_may_end_in_semicolons() -> None:
    """Trailing semicolons and comments are fine."""
    assert parse(" SELECT 1 ;; -- end") == Query("SELECT 1")


def test_several_statements_are_refused() -> None:
    """The error says that there are several."""
    assert refused(ErrorKind.SYNTAX, "SELECT 1; SELECT 2").startswith("line 1:9: one statement at a time")


@pytest.mark.parametrize("sql", ["", " ", ";", "-- x"])
def test_no_statement_is_refused(sql: str) -> None:
    """An empty text is an error of its own."""
    assert refused(ErrorKind.SYNTAX, sql) == "there is no statement in this text"


@pytest.mark.parametrize("sql", ["FROBNICATE t", "1", "'SELECT 1'", "?", '"SELECT" 1', ") SELECT 1"])
def test_unknown_statements_are_refused(sql: str) -> None:
    """What begins with no known keyword is a syntax error at its place."""
    assert refused(ErrorKind.SYNTAX, sql).startswith("line 1:1: ")


@pytest.mark.parametrize("sql", ["COPY t TO 'x'", "PREPARE p AS SELECT 1", "DEALLOCATE p", "CALL p()"])
def test_unserved_statements_are_named(sql: str) -> None:
    """A serious statement that is not served is named in the refusal."""
    assert refused(ErrorKind.UNSUPPORTED, sql) == f"line 1:1: {sql.split(maxsplit=1)[0]} is not supported"


@given(st.text(st.sampled_from("abst ();,.*=<>'\"1$?-/\n"), max_size=40))
def test_any_text_is_read_or_refused_with_one_line(text: str) -> None:
    """No text makes the parser fail in another way than with its own error."""
    for head in ("", "CREATE TABLE ", "INSERT INTO t ", "UPDATE t SET ", "ALTER TABLE t ADD a ", "SHOW ", "DELETE "):
        with suppress(DatabaseError):
            parse(head + text)
