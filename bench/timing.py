"""Times that can be compared on a noisy machine: the compared things run in turns, and medians are taken."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

Work = Callable[[], Any]


def seconds(work: Work) -> float:
    """How long some work takes, once."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turns(works: Mapping[str, Work], rounds: int, *, warm: bool = True) -> dict[str, float]:
    """Run the works one after another, `rounds` times; give the median time of each. `warm` runs each once before."""
    if warm:
        for work in works.values():
            work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds):
        for name in list(works) if turn % 2 == 0 else reversed(works):
            times[name].append(seconds(works[name]))
    return {name: statistics.median(taken) for name, taken in times.items()}


def geometric_mean(values: list[float]) -> float:
    """The mean that ratios have."""
    return statistics.geometric_mean(values)
