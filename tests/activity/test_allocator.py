"""What was freed is given back to the kernel while nothing runs."""

import sys
import threading
import time

import pytest

from flightserver.activity.memory_guard import resident_bytes
from flightserver.allocator import resting_ticker
from tests.processes import HANGS_SECONDS

BLOCK_BYTES, BLOCKS, KEPT_EVERY = 8_192, 10_000, 8
FREED_BYTES = BLOCK_BYTES * BLOCKS * (KEPT_EVERY - 1) // KEPT_EVERY


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other allocators")
def test_what_is_free_between_what_is_used_is_given_back_when_nothing_runs() -> None:
    """It stays as long as something is at work."""
    working = threading.Event()
    working.set()
    ticker = resting_ticker(working.is_set, 0.01)
    ticker.start()
    blocks = [bytes([1]) * BLOCK_BYTES for _ in range(BLOCKS)]
    kept = blocks[::KEPT_EVERY]
    del blocks
    ticker.wake()
    before = resident_bytes()
    working.clear()
    deadline = time.monotonic() + HANGS_SECONDS
    while resident_bytes() > before - FREED_BYTES // 2:
        assert time.monotonic() < deadline, (before, resident_bytes())
        time.sleep(0.01)
    assert len(kept) == BLOCKS // KEPT_EVERY
    ticker.stop()
