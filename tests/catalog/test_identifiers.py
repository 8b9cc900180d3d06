"""Names: what may be one, how SQL quotes it, and how it becomes a harmless path."""

import re
from pathlib import Path

import datafusion
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import ErrorKind
from catalog.identifiers import (
    NAME_LENGTH_MAX,
    PATH_COMPONENT_MAX,
    TableName,
    check_name,
    display_identifier,
    path_component,
    quote_identifier,
)
from tests.catalog.samples import refused

HOSTILE = ["", ".", "..", "../..", "/", "/etc/passwd", "a/../b", "a\\b", "c:", "nul\0", "CON", "~", "~~", "%2e", "-rf"]


@given(st.text(), st.text())
def test_different_names_never_share_a_path(one: str, other: str) -> None:
    """Encoding is injective."""
    assert (path_component(one) == path_component(other)) == (one == other)


@given(st.text(st.sampled_from("aA~%.é/"), max_size=150), st.text(st.sampled_from("aA~%.é/"), max_size=150))
def test_names_made_of_escapes_never_share_a_path(one: str, other: str) -> None:
    """Names that look like encoded names, and names long enough for a digest, stay apart too."""
    assert (path_component(one) == path_component(other)) == (one == other)


@given(st.text())
def test_a_path_component_is_plain_ascii(name: str) -> None:
    """Whatever the name, its path has no separator, dot, blank or upper-case letter, and is not empty."""
    assert re.fullmatch(r"[a-z0-9_~-]+", path_component(name))


@given(st.text(max_size=80))
def test_names_that_fold_alike_never_share_a_path(name: str) -> None:
    """A file system that ignores case tells all names apart."""
    if name.upper() != name:
        assert path_component(name.upper()).lower() != path_component(name).lower()


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leaves_its_folder(tmp_path: Path, name: str) -> None:
    """A folder of any name is a direct child of the folder it is made in."""
    folder = tmp_path / path_component(name)
    folder.mkdir()
    assert folder.resolve().parent == tmp_path.resolve()
    assert list(tmp_path.iterdir()) == [folder]


@given(st.text(min_size=150, max_size=400))
def test_long_names_fit_a_file_name(name: str) -> None:
    """A component leaves room for prefixes and extensions in 255 bytes."""
    assert len(path_component(name)) <= PATH_COMPONENT_MAX


def test_long_names_that_differ_at_the_end_stay_apart() -> None:
    """A digest of the whole name replaces what is cut."""
    assert path_component("x" * 1000 + "a") != path_component("x" * 1000 + "b")


def test_plain_names_are_their_own_path() -> None:
    """An operator recognises ordinary names on the disk."""
    assert path_component("flights_2013-01") == "flights_2013-01"


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_quoted_names_are_read_back_by_the_engine(name: str) -> None:
    """DataFusion reads a quoted name as exactly that name."""
    context = datafusion.SessionContext()
    assert context.sql(f"SELECT 1 AS {quote_identifier(name)}").schema().names == [name]


@pytest.mark.parametrize(("name", "shown"), [("a_1", "a_1"), ("A", '"A"'), ("1a", '"1a"'), ('a"b', '"a""b"')])
def test_names_are_quoted_only_when_they_must(name: str, shown: str) -> None:
    """Messages show names the way a person writes them."""
    assert display_identifier(name) == shown


@pytest.mark.parametrize("name", ["", "x" * (NAME_LENGTH_MAX + 1), "a\0b", "a\nb", "\x1b[31m"])
def test_impossible_names_are_refused(name: str) -> None:
    """Empty, too long, or with control characters: no name."""
    assert refused(ErrorKind.INVALID, lambda: check_name("table", name)).startswith("table name must have")


@pytest.mark.parametrize("name", ["x", "x" * NAME_LENGTH_MAX, "naïve", "select", "a b", "日本"])
def test_possible_names_stay_as_they_are(name: str) -> None:
    """Any printable text within the length is a name."""
    assert check_name("table", name) == name


def test_full_names_are_shown_with_a_dot() -> None:
    """Messages name a table by namespace and table."""
    assert str(TableName("public", "t")) == "public.t"
