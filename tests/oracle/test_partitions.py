"""Queries that must agree with each other: the parts of a query are the whole, and counting is picking.

`FLIGHTSERVER_PARTITIONS` sets how many are checked.
"""

import os

import pytest

from tests.oracle.partitions import PartedQueries
from tests.oracle.reduction import Reducer
from tests.oracle.rounds import Rounds
from tests.oracle.run import partitions, report
from tests.server_process import ServerProcess

pytestmark = pytest.mark.proof

CHECKS = int(os.environ.get("FLIGHTSERVER_PARTITIONS", "750"))
EACH = 250
SHOWN = 3
EXPLAINED_MAX = 0.1


@pytest.mark.parametrize("seed", range(-(-CHECKS // EACH)))
def test_a_condition_is_true_false_or_null(server: ServerProcess, seed: int) -> None:
    """Of each row, once, whatever the condition and wherever it stands."""
    with partitions(server) as trial:
        found = Rounds(trial, seed, PartedQueries).run(EACH)
        shown = [report(Reducer(trial).reduced(difference)) for difference in found[:SHOWN]]
        assert not found, "\n".join([f"{len(found)} of {trial.asked} questions of seed {seed} differ", *shown])
        assert trial.explained.total() < EXPLAINED_MAX * trial.asked, trial.explained
    assert server.is_running
