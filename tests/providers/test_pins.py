"""Which snapshots are alive, asked while others come and go."""

import sys
from collections.abc import Iterator

import pytest

from providers.snapshot import Pins
from tests.storage_fixtures import run_together

TIMES = 1_000


class Pinned:
    """Something that can be pinned."""


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_pins_are_walked_while_others_come_and_go() -> None:
    """A scope that was loaded again shares its pins with what is still read of it from an earlier time."""
    pins, kept = Pins(), [Pinned() for _ in range(50)]

    def come_and_go() -> None:
        for _ in range(TIMES):
            pins.add(Pinned())
            pins.add(kept[0])

    def walk() -> None:
        for _ in range(TIMES):
            assert len(pins.living()) >= len(kept)

    for one in kept:
        pins.add(one)
    run_together(come_and_go, walk, come_and_go, walk)
    assert set(pins.living()) == set(kept)
