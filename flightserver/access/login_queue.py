"""In what order passwords are checked: few at once, by turns of users, and slowly for a user whose password was wrong.

To check a password takes time and memory on purpose, so a few are checked at once and a bounded number wait. Turns go
round among users, so that a thousand guesses for one of them are one place in front of another. After some wrong
passwords, the next turn of that user comes later; whoever waits for it gets it, and gets in with the right password.
Nobody is locked out. Nothing here depends on whether a user exists.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from catalog.errors import DatabaseError, ErrorKind

WAITING_MAX = 512
WAITING_OF_USER_MAX = 256
"""Of those that wait, the attempts for one user."""

WRONG_FREE = 5
"""So many wrong passwords in a row cost nothing: people mistype."""

DELAY_SECONDS = 0.05
DELAY_SECONDS_MAX = 0.5
FORGOTTEN_SECONDS = 300.0
USERS_KEPT_MAX = 10_000
"""Users whose wrong passwords are counted; those wrong longest ago are forgotten first."""


@dataclass(frozen=True)
class _Wrong:
    """Wrong passwords in a row, the last of which was `at`, and when the next turn may come."""

    count: int
    at: float
    next_turn: float


class LoginQueue:
    """Gives turns. `clock` tells seconds."""

    def __init__(self, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._at_once = at_once
        self._clock = clock
        self._changed = threading.Condition()
        self._checking = 0
        self.waiting = 0
        """How many wait."""
        self._lanes: OrderedDict[str, deque[object]] = OrderedDict()
        self._wrong: OrderedDict[str, _Wrong] = OrderedDict()

    @contextmanager
    def turn(self, user: str) -> Iterator[None]:
        """Wait for a turn and hold it; UNAVAILABLE when too many wait already."""
        ticket = object()
        with self._changed:
            self._line_up(user, ticket)
            try:
                while self._next() is not ticket:
                    self._changed.wait(self._seconds_until_next_turn())
            finally:
                self._leave_line(user, ticket)
            self._checking += 1
        try:
            yield
        finally:
            with self._changed:
                self._checking -= 1
                self._changed.notify_all()

    def note_wrong(self, user: str) -> None:
        """A password was wrong."""
        with self._changed:
            now = self._clock()
            count = 1 + self._wrong_in_a_row(user, now)
            excess = count - WRONG_FREE
            delay = min(DELAY_SECONDS * 2 ** min(excess, 10), DELAY_SECONDS_MAX) if excess > 0 else 0.0
            self._wrong[user] = _Wrong(count, now, now + delay)
            self._wrong.move_to_end(user)
            if len(self._wrong) > USERS_KEPT_MAX:
                self._wrong.popitem(last=False)

    def note_right(self, user: str) -> None:
        """A password was right: what was wrong before it is forgotten."""
        with self._changed:
            self._wrong.pop(user, None)
            self._changed.notify_all()

    def _line_up(self, user: str, ticket: object) -> None:
        lane = self._lanes.get(user, ())
        if self.waiting >= WAITING_MAX or len(lane) >= WAITING_OF_USER_MAX:
            raise DatabaseError(ErrorKind.UNAVAILABLE, "too many logins are waiting; try again in a moment")
        self._lanes.setdefault(user, deque()).append(ticket)
        self.waiting += 1

    def _leave_line(self, user: str, ticket: object) -> None:
        lane = self._lanes[user]
        lane.remove(ticket)
        self.waiting -= 1
        self._lanes.move_to_end(user)
        if not lane:
            del self._lanes[user]
        self._changed.notify_all()

    def _next(self) -> object | None:
        """Whose turn it is now; None when it is nobody's."""
        if self._checking >= self._at_once:
            return None
        now = self._clock()
        return next((lane[0] for user, lane in self._lanes.items() if self._may_go_on(user, now)), None)

    def _may_go_on(self, user: str, now: float) -> bool:
        wrong = self._wrong.get(user)
        return wrong is None or wrong.next_turn <= now

    def _wrong_in_a_row(self, user: str, now: float) -> int:
        wrong = self._wrong.get(user)
        return 0 if wrong is None or now - wrong.at > FORGOTTEN_SECONDS else wrong.count

    def _seconds_until_next_turn(self) -> float | None:
        """How long until a user who is being slowed may go on; None when only a change can help."""
        if self._checking >= self._at_once:
            return None
        now = self._clock()
        times = [self._wrong[user].next_turn - now for user in self._lanes if user in self._wrong]
        return max(min(times), 0.001) if times else None
