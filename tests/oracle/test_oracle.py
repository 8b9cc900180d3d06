"""Random statements: the server and DuckDB say the same, whatever state the tables are in.

`FLIGHTSERVER_ORACLE_STATEMENTS` sets how many are asked. The seed of a world is in the name of its test; what is
answered differently is shown as the smallest statements that still are.
"""

import os

import pytest

from tests.oracle.reduction import Reducer
from tests.oracle.rounds import Rounds
from tests.oracle.run import duel, report
from tests.oracle.writing import Dialect
from tests.server_process import ServerProcess

pytestmark = pytest.mark.proof

STATEMENTS = int(os.environ.get("FLIGHTSERVER_ORACLE_STATEMENTS", "3000"))
EACH = 250
"""Statements over one world."""

SHOWN = 3
"""Differences that are made small and shown; there are seldom more kinds of them."""

EXPLAINED_MAX = 0.1
"""Part of the statements that may be answered differently for a known reason: more would hide what is not asked."""


@pytest.mark.parametrize("seed", range(-(-STATEMENTS // EACH)))
def test_both_databases_say_the_same(server: ServerProcess, seed: int) -> None:
    """To queries and changes of one seed, every other one of which is written with few brackets and blanks."""
    with duel(server, Dialect.BARE if seed % 2 else Dialect.SERVER) as both:
        found = Rounds(both, seed).run(EACH)
        shown = [report(Reducer(both).reduced(difference)) for difference in found[:SHOWN]]
        assert not found, "\n".join([f"{len(found)} of {both.asked} statements of seed {seed} differ", *shown])
        assert both.explained.total() < EXPLAINED_MAX * both.asked, both.explained
    assert server.is_running
