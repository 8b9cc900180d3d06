"""kill -9 between any two steps of statements with UNIQUE, CHECK, NOT NULL, MERGE and TYPE.

What is left is what there was before a statement or after it, constraints included, and all that follows can be done as
if nothing had happened. The points are the functions of the modules that look at all rows or write all of them anew,
and what statements make durable.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from flightserver.execution import demanding, new_constraints, retyping
from tests.execution.crash_workload import STEPS, State, open_house, state_of
from tests.flush.crashes import Crashes, crashes

pytestmark = pytest.mark.proof

ELSEWHERE = {"_retyped_temporary"}
"""Of tables that no crash leaves."""

PURE = {
    *("names", "new_demands", "_without", "refuse_unusable", "refuse_read", "_refuse_policies", "_converted"),
    *("change", "offer", "define", "retype", "_made", "_users"),
}
"""To be killed in one of these is to be killed before or after it."""

PRIMITIVES = {"append", "wait_durable", "publish", "commit", "_put_difference"}


def functions() -> list[str]:
    """All functions of those modules, and what makes something durable."""
    trees = [ast.parse(Path(str(module.__file__)).read_text()) for module in (demanding, new_constraints, retyping)]
    found = {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return sorted((found | PRIMITIVES) - ELSEWHERE - PURE - {"__init__"})


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[State | None]:
    """What there is before the first statement, and after each."""
    house = open_house(tmp_path_factory.mktemp("whole"))
    found = [state_of(house)]
    for step in STEPS:
        house.person("root").ok(step)
        found.append(state_of(house))
    house.close()
    return found


@pytest.fixture(scope="module")
def crashing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    """The workload, to be killed."""
    with crashes("tests.execution.crash_workload", tmp_path_factory.mktemp("crashes"), usually=1) as process:
        yield process


@pytest.mark.parametrize("function", functions())
def test_a_statement_is_whole_or_was_not_there(crashing: Crashes, states: list[State | None], function: str) -> None:
    """Killed at any point of any statement."""
    for event in ("call", "return"):
        for survivor in crashing.at(function, event):
            check_survivor(survivor, states)


def check_survivor(folder: Path, states: list[State | None]) -> None:
    """Open what a killed process left, hold it against the statements, and go on with them."""
    acknowledged = (folder / "acknowledged").stat().st_size
    house = open_house(folder)
    try:
        found = state_of(house)
        assert found in states[acknowledged : acknowledged + 2]
        changed = states[acknowledged] != states[min(acknowledged + 1, len(STEPS))]
        done = acknowledged + (changed and found != states[acknowledged])
        for number in range(done, len(STEPS)):
            house.person("root").ok(STEPS[number])
            assert state_of(house) == states[number + 1], STEPS[number]
    finally:
        house.close()
