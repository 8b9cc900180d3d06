"""Tokens that prove nobody, counted: a record for each would let anybody fill the audit log.

The first is recorded at once; those of the next second are counted, and told by the record of the next one after it.
"""

import threading
import time
from collections.abc import Callable

SECONDS = 1.0
"""Between two records."""


class Refusals:
    """Counts what is refused. `clock` tells seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._count = 0
        self._next_record = 0.0

    def note(self) -> int | None:
        """Count one more; return how many there were since the last record when there is to be one now."""
        with self._lock:
            self._count += 1
            now = self._clock()
            if now < self._next_record:
                return None
            count, self._count, self._next_record = self._count, 0, now + SECONDS
            return count
