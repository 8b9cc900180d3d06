"""One thing, and threads that use it: many together, or one alone, for whom the others are kept out meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from catalog.errors import DatabaseError, ErrorKind


class Turns:
    """Many who use a thing together, or one alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._users = 0
        self._is_taken = False

    @contextmanager
    def together(self) -> Iterator[None]:
        """Take part, when nobody wants to be alone."""
        with self._changed:
            while self._is_taken:
                self._changed.wait()
            self._users += 1
        try:
            yield
        finally:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self, seconds: float) -> Iterator[None]:
        """Wait so long at most for all others to be done; UNAVAILABLE when they take longer."""
        with self._changed:
            while self._is_taken:
                self._changed.wait()
            self._is_taken = True
        try:
            with self._changed:
                if not self._changed.wait_for(lambda: not self._users, seconds):
                    raise DatabaseError(ErrorKind.UNAVAILABLE, "what is waited for is in use; retry later")
            yield
        finally:
            with self._changed:
                self._is_taken = False
                self._changed.notify_all()
