"""One thing, and threads that use it: many together, or one alone, for whom the others are kept out meanwhile."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from catalog.errors import DatabaseError, ErrorKind

Used = TypeVar("Used")


class Use(Generic[Used]):
    """What begins and ends in pairs, however often at once: made once, for what happens with every small look."""

    def __init__(self, begin: Callable[[], Used], end: Callable[[], None]) -> None:
        self._begin = begin
        self._end = end

    def __enter__(self) -> Used:
        return self._begin()

    def __exit__(self, *raised: object) -> None:
        self._end()


class Turns:
    """Many who use a thing together, or one alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._users = 0
        self._is_taken = False
        self._part = Use(self.begin, self.end)

    def together(self) -> Use[None]:
        """Take part, when nobody wants to be alone."""
        return self._part

    def begin(self) -> None:
        """Take part until `end`."""
        with self._changed:
            while self._is_taken:
                self._changed.wait()
            self._users += 1

    def end(self) -> None:
        """Be done."""
        with self._changed:
            self._users -= 1
            if self._is_taken:
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
