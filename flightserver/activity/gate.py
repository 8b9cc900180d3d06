"""How many statements run at once, how many wait, and how a stopping server lets them finish."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from catalog.errors import DatabaseError, ErrorKind


class Gate:
    """Counts running statements; a bounded number more wait for a place. Else it answers UNAVAILABLE: retry."""

    def __init__(self, statements_max: int, queue_max: int, queue_wait_seconds: float) -> None:
        self._statements_max = statements_max
        self._queue_max = queue_max
        self._queue_wait_seconds = queue_wait_seconds
        self._changed = threading.Condition()
        self._running = 0
        self._queued = 0
        self._closed = False
        self._abandoned = False

    @contextmanager
    def statement(self) -> Iterator[None]:
        """Hold a place for the length of a statement."""
        with self._changed:
            if self._running >= self._statements_max and not self._closed:
                self._queue()
            self._refuse_when_closed()
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @property
    def is_abandoned(self) -> bool:
        """Tell running statements that nobody waits for them any more."""
        return self._abandoned

    def drain(self, seconds: float) -> None:
        """Let nothing in any more, and wait for what runs; then tell what still runs to stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._running, timeout=seconds)
        self._abandoned = True

    def _queue(self) -> None:
        """Wait for a place."""
        if self._queued >= self._queue_max:
            raise DatabaseError(
                ErrorKind.UNAVAILABLE,
                f"{self._running} statements are running and {self._queued} are waiting, which is the limit; retry",
            )
        self._queued += 1
        deadline = time.monotonic() + self._queue_wait_seconds
        try:
            while self._running >= self._statements_max and not self._closed:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise DatabaseError(
                        ErrorKind.UNAVAILABLE,
                        f"{self._running} statements kept running for {self._queue_wait_seconds:g} s; retry",
                    )
                self._changed.wait(left)
        finally:
            self._queued -= 1

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise DatabaseError(ErrorKind.UNAVAILABLE, "the server is stopping; connect again later")
