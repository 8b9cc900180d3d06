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


def in_turns(
    works: Mapping[str, Work],
    rounds: int,
    *,
    warm: bool = True,
    before: Mapping[str, Work] | None = None,
    after: Mapping[str, Work] | None = None,
) -> dict[str, float]:
    """Run the works one after another, `rounds` times; give the median time of each.

    `warm` runs each once before; what is to be done `before` and `after` a work is not timed.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(-1 if warm else 0, rounds):
        for name in list(works) if turn % 2 == 0 else reversed(works):
            (before or {}).get(name, _nothing)()
            taken = seconds(works[name])
            (after or {}).get(name, _nothing)()
            if turn >= 0:
                times[name].append(taken)
    return {name: statistics.median(taken) for name, taken in times.items()}


def each(work: Callable[[int], Any], count: int) -> list[float]:
    """How long each of many calls takes; the work is told its number."""
    times = []
    for number in range(count):
        start = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - start)
    return times


def geometric_mean(values: list[float]) -> float:
    """The mean that ratios have."""
    return statistics.geometric_mean(values)


def _nothing() -> None:
    pass
