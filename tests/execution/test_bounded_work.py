"""Functions whose work grows with the square of what they are given take little of it."""

from collections.abc import Iterator

import pytest

from catalog.errors import DatabaseError, ErrorKind
from tests.execution.planner import Planner, opened


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """A table of texts, one of which is long."""
    with opened(tmp_path_factory.mktemp("bounded")) as planner:
        planner.run("CREATE TABLE t (id BIGINT PRIMARY KEY, s TEXT)")
        planner.run(f"INSERT INTO t VALUES (1, 'kitten'), (2, NULL), (3, '{'ä' * 255}'), (4, '{'x' * 256}')")
        yield planner


def distances(planner: Planner, condition: str) -> list[int | None]:
    """Of some texts to another."""
    query = f"SELECT levenshtein(s, 'sitting') AS d FROM t WHERE {condition} ORDER BY id"
    found: list[int | None] = planner.plan(query).rows().to_table().column("d").to_pylist()
    return found


def test_short_texts_have_a_distance(planner: Planner) -> None:
    """Letters are counted, not bytes."""
    assert distances(planner, "id <= 3") == [3, None, 255]


def test_a_long_text_is_refused(planner: Planner) -> None:
    """While the statement runs: nobody knows before how long it is."""
    with pytest.raises(DatabaseError, match="levenshtein takes texts of at most 255 letters") as caught:
        distances(planner, "id = 4")
    assert caught.value.kind is ErrorKind.INVALID
