"""The instrument itself: a database with a fault in it is found out, and the fault is shown by a few words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.oracle.databases import Duck
from tests.oracle.duel import Difference, Duel
from tests.oracle.forms import AND, OR
from tests.oracle.reduction import Reducer
from tests.oracle.rounds import Rounds
from tests.oracle.tree import AddColumn, Call, Join, Node, Page
from tests.oracle.writing import Dialect, Writer

pytestmark = pytest.mark.proof

ATTEMPTS = 300
Fault = Callable[[Node], Node]


class FaultyWriter(Writer):
    """Writes something else than it is told."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(Dialect.DUCK)
        self._fault = fault

    def text(self, node: Node | None) -> str:
        """The text of what the fault makes of a node."""
        return super().text(None if node is None else self._fault(node))


def loses_rows_of_left_joins(node: Node) -> Node:
    """LEFT JOIN is JOIN."""
    return replace(node, words="JOIN") if isinstance(node, Join) and node.words == "LEFT JOIN" else node


def forgets_offsets(node: Node) -> Node:
    """OFFSET is not read."""
    return replace(node, offset=None) if isinstance(node, Page) and node.offset else node


def takes_or_for_and(node: Node) -> Node:
    """OR is AND."""
    return replace(node, form=AND) if isinstance(node, Call) and node.form is OR else node


def forgets_defaults(node: Node) -> Node:
    """Rows that were there have no default."""
    return replace(node, default=None) if isinstance(node, AddColumn) else node


FAULTS = [
    loses_rows_of_left_joins,
    forgets_offsets,
    takes_or_for_and,
    forgets_defaults,
]


@contextmanager
def against_a_fault(fault: Fault) -> Iterator[Duel]:
    """DuckDB with a fault, against DuckDB."""
    faulty, right = Duck(FaultyWriter(fault)), Duck()
    yield Duel(faulty, right)
    faulty.close()
    right.close()


def first(both: Duel) -> Difference:
    """The first difference of some worlds."""
    for seed in range(6):
        found = Rounds(both, seed).run(100)
        if found:
            return found[0]
    raise AssertionError("nothing was found")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_found_and_made_small(fault: Fault) -> None:
    """By some hundred statements; what is left of them fits on a hand."""
    with against_a_fault(fault) as both:
        difference = first(both)
        small = Reducer(both, ATTEMPTS).reduced(difference)
        again = both.replay(small.steps)
    text = ";\n".join(map(Writer(Dialect.SERVER).text, small.steps))
    assert again == small
    assert len(small.steps) <= 6, text
    assert len(text) < 400, text


def test_a_right_database_agrees_with_itself() -> None:
    """Statements have one right answer."""
    with against_a_fault(lambda node: node) as both:
        assert Rounds(both, seed=0).run(100) == []
