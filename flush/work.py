"""A piece of work as those see it who watch it: how far it is, and that it should end."""

import threading
import time
from collections.abc import Callable

from catalog.errors import DatabaseError, ErrorKind
from providers.stopping import Stop, check, never

STEP_SECONDS_MAX = 1.0
"""How long a step is taken to have been at most: so long may the next one wait."""

LOOK_SECONDS = 0.005


GivesWay = Callable[[], bool]
"""Tells whether others are to go first."""


def nobody_waits() -> bool:
    """For work that has no others beside it."""
    return False


class Work:
    """What a job tells while it runs, and is told. Any thread may.

    `rows` and `bytes` are what was written so far, `rows_total` how many rows there are to be written, where that is
    known, `message` what became of it. `stop` is asked besides. While `gives_way` says so, a step waits for as long as
    the one before has taken, so that the work has half of a processor at least.
    """

    def __init__(self, stop: Stop = never) -> None:
        self.rows = 0
        self.bytes = 0
        self.rows_total: int | None = None
        self.message: str | None = None
        self.gives_way: GivesWay = nobody_waits
        self._resumed = time.monotonic()
        self._stop = stop
        self._adding = threading.Lock()
        self._reason: str | None = None

    @property
    def is_cancelled(self) -> bool:
        """Tell whether somebody does not want it any more."""
        return self._reason is not None

    def cancel(self, reason: str) -> None:
        """Let it end at its next step."""
        self._reason = reason

    def check(self) -> None:
        """Between two steps, before anything is published: raise CANCELLED when it should end."""
        self._refuse_cancelled()
        until = (now := time.monotonic()) + min(now - self._resumed, STEP_SECONDS_MAX)
        while self.gives_way() and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
            self._refuse_cancelled()
        self._resumed = time.monotonic()

    def _refuse_cancelled(self) -> None:
        if self._reason is not None:
            raise DatabaseError(ErrorKind.CANCELLED, self._reason)
        check(self._stop)

    def expect(self, rows: int) -> None:
        """There are so many rows to write, beside those that were told before."""
        with self._adding:
            self.rows_total = (self.rows_total or 0) + rows

    def did(self, rows: int, nbytes: int) -> None:
        """So many rows were written, and so many bytes."""
        with self._adding:
            self.rows += rows
            self.bytes += nbytes
