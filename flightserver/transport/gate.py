"""How many statements run at once, and how a stopping server lets them finish."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from catalog.errors import DatabaseError, ErrorKind

_POLL_SECONDS = 0.05


class Gate:
    """Counts running statements. Full or closed, it answers UNAVAILABLE, which clients may retry."""

    def __init__(self, statements_max: int) -> None:
        self._statements_max = statements_max
        self._lock = threading.Lock()
        self._running = 0
        self._closed = False
        self._abandoned = False

    @contextmanager
    def statement(self) -> Iterator[None]:
        """Hold a place for the length of a statement."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def enter(self) -> None:
        """Take a place."""
        with self._lock:
            if self._closed:
                raise DatabaseError(ErrorKind.UNAVAILABLE, "the server is stopping; connect again later")
            if self._running >= self._statements_max:
                raise DatabaseError(
                    ErrorKind.UNAVAILABLE, f"{self._running} statements are running, which is the limit; retry"
                )
            self._running += 1

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            self._running -= 1

    @property
    def is_abandoned(self) -> bool:
        """Tell running statements that nobody waits for them any more."""
        return self._abandoned

    def drain(self, seconds: float) -> None:
        """Let nothing in any more, and wait for what runs; then tell what still runs to stop."""
        with self._lock:
            self._closed = True
        deadline = time.monotonic() + seconds
        while self._running and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self._abandoned = True
