"""Group commit: what many threads have appended to a log becomes durable by few syncs of it.

A sync that fails is the last: what came after it would be acknowledged on an unknown log.
"""

import logging
import threading
from collections.abc import Callable

from catalog.errors import DatabaseError, ErrorKind

log = logging.getLogger(__name__)


class GroupSync:
    """Turns many waits for durability into few syncs: one thread syncs for all who wrote before it began."""

    def __init__(self, make_durable: Callable[[], None]) -> None:
        self._make_durable = make_durable
        self._state = threading.Condition()
        self._written = 0
        self._durable = 0
        self._syncing = False
        self._failure: str | None = None

    def appended(self) -> int:
        """Note that something was appended; return the ticket by which it is waited for."""
        with self._state:
            self._written += 1
            return self._written

    def refuse_after_failure(self) -> None:
        """UNAVAILABLE once a sync has failed: nobody knows what the disk holds."""
        if self._failure is not None:
            raise DatabaseError(
                ErrorKind.UNAVAILABLE, "writes are refused since a sync of the log failed; restart the server"
            )

    def wait_all(self) -> None:
        """Wait until all that was appended so far is durable."""
        with self._state:
            written = self._written
        self.wait(written)

    def wait(self, ticket: int) -> None:
        """Return when what has this ticket is durable."""
        while self._lead_or_follow(ticket):
            pass

    def _lead_or_follow(self, ticket: int) -> bool:
        """Wait for another thread's sync or do one. Return False when `ticket` is durable."""
        with self._state:
            while self._syncing and self._durable < ticket:
                self._state.wait()
            if self._durable >= ticket:
                return False
            self.refuse_after_failure()
            self._syncing = True
            target = self._written
        failure = None
        try:
            self._make_durable()
        except Exception as error:
            log.exception("a sync of the log failed")
            failure = str(error)
        with self._state:
            self._syncing = False
            self._failure = failure
            if failure is None:
                self._durable = target
            self._state.notify_all()
        return True
