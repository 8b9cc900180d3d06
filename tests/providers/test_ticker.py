"""A job on a thread of its own, which sleeps while there is nothing to do."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from providers.ticker import WokenTicker

SECONDS = 0.001
PATIENCE_SECONDS = 30.0
SOME_TICKS_SECONDS = 0.05


@dataclass
class Work:
    """Something to do now and then, and how often it was looked at."""

    is_needed: bool = False
    begun: int = 0
    ticks: int = 0
    looked: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """The first look."""
        self.begun += 1

    def tick(self) -> None:
        """One look."""
        self.ticks += 1
        self.looked.set()

    def needed(self) -> bool:
        """Whether there is something to do."""
        return self.is_needed


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for another thread."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(SECONDS)


@pytest.fixture
def work() -> Work:
    """Nothing to do yet."""
    return Work()


@pytest.fixture
def ticker(work: Work) -> Iterator[WokenTicker]:
    """A ticker at work."""
    ticker = WokenTicker("test", work.tick, SECONDS, work.needed, work.begin)
    ticker.start()
    yield ticker
    ticker.stop()
    assert not ticker.is_running


def test_nobody_looks_before_it_is_woken(work: Work, ticker: WokenTicker) -> None:
    """It sleeps without a time."""
    assert not work.looked.wait(SOME_TICKS_SECONDS)
    assert (work.begun, work.ticks) == (0, 0)


def test_it_ticks_while_there_is_something_to_do(work: Work, ticker: WokenTicker) -> None:
    """One waking is enough for many ticks."""
    work.is_needed = True
    ticker.wake()
    for _ in range(5):
        assert work.looked.wait(PATIENCE_SECONDS)
        work.looked.clear()
    assert work.begun == 1


def test_it_sleeps_when_nothing_is_left_to_do(work: Work, ticker: WokenTicker) -> None:
    """Each waking begins anew."""
    for turn in range(1, 4):
        ticker.wake()
        wait_until(lambda: not ticker.is_awake)
        assert work.begun == turn
    work.looked.clear()
    assert not work.looked.wait(SOME_TICKS_SECONDS)


def test_it_stops_while_it_goes_to_sleep(work: Work) -> None:
    """Whoever stops it after it saw that nothing is left to do, and before it sleeps, is heard."""

    def needed() -> bool:
        if not ticker.is_stopped:
            threading.Thread(target=ticker.stop).start()
            wait_until(lambda: ticker.is_stopped)
            time.sleep(SOME_TICKS_SECONDS)
        return False

    ticker = WokenTicker("test", work.tick, SECONDS, needed, work.begin)
    ticker.start()
    ticker.wake()
    wait_until(lambda: not ticker.is_running)
