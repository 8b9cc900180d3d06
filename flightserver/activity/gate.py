"""How many statements work at once, how many wait for a place, and how a stopping server lets them finish.

A place is held by work. A statement that waits for its client, to send more or to take more, sets its place aside and
takes one again before it goes on; it goes before those that have not begun. One user has not all places, and a few are
kept for admins and for whoever asks about the server itself, so that somebody can always see what holds it up.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, unique

from catalog.errors import DatabaseError, ErrorKind
from providers.stopping import POLL_SECONDS, Stop, check, never

RESERVED_PLACES = 4
"""Beyond `statements_max`."""

RESERVED_OF_USER = 1
"""Of those, what one user may have who is no admin."""


@unique
class Access(Enum):
    """Who may use the places that are kept: nobody, who asks about the server, admins."""

    NONE = 0
    ASKS_ABOUT_SERVER = 1
    ADMIN = 2


@dataclass(frozen=True)
class GateLimits:
    """`statements_max` places, at most `user_max` of them of one user; `queue_max` statements wait for one."""

    statements_max: int
    user_max: int
    queue_max: int
    queue_wait_seconds: float


def no_limit(_: str) -> int | None:
    """For servers whose users have no limits of their own."""
    return None


def nobody() -> None:
    """For gates at which nobody wants to know that a statement goes to work."""


def no_access() -> Access:
    """For statements that may not use the places that are kept."""
    return Access.NONE


class Gate:
    """Counts statements at work; a bounded number more wait for a place. Else it answers UNAVAILABLE: retry.

    `limit_of` tells how many places a user may have who has a limit of their own.
    """

    def __init__(self, limits: GateLimits, limit_of: Callable[[str], int | None] = no_limit) -> None:
        self._limits = limits
        self._limit_of = limit_of
        self._changed = threading.Condition()
        self._working: Counter[str] = Counter()
        self._reserved: Counter[str] = Counter()
        self._begun = 0
        self._queued = 0
        self._resuming: Counter[str] = Counter()
        self._closed = False
        self._abandoned = False
        self.on_work: Callable[[], None] = nobody
        """Called when a statement has taken a place, as often as that happens."""

    def change(self, limits: GateLimits) -> None:
        """Have other limits from now on. Statements that are at work go on, however few there may be."""
        with self._changed:
            self._limits = limits
            self._changed.notify_all()

    @contextmanager
    def statement(self, user: str, access: Callable[[], Access] = no_access, stop: Stop = never) -> Iterator["Place"]:
        """Hold a place for the length of a statement. `access` is asked when all other places are taken."""
        place = Place(self, user, access)
        with self._changed:
            self._refuse_when_closed()
            if not self._take(place, left_free=self._claimed()):
                self._queue(place, stop)
            self._begun += 1
        try:
            self.on_work()
            yield place
        finally:
            with self._changed:
                self._give_back(place)
                self._begun -= 1
                self._changed.notify_all()

    @property
    def is_abandoned(self) -> bool:
        """Tell running statements that nobody waits for them any more."""
        return self._abandoned

    @property
    def working(self) -> int:
        """How many statements are at work."""
        return self._working.total() + self._reserved.total()

    @property
    def begun(self) -> int:
        """How many have begun and not ended, those that wait for their clients too."""
        return self._begun

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return self._queued + self._resuming.total()

    def drain(self, seconds: float) -> None:
        """Let nothing in any more, and wait for what has begun; then tell what still runs to stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._begun, timeout=seconds)
        self._abandoned = True

    def set_aside(self, place: "Place") -> None:
        """Give a place back for a while."""
        with self._changed:
            self._give_back(place)
            self._changed.notify_all()

    def resume(self, place: "Place", stop: Stop) -> None:
        """Take a place again, however long that takes, unless the statement must stop."""
        self._take_again(place, stop)
        self.on_work()

    def _take_again(self, place: "Place", stop: Stop) -> None:
        with self._changed:
            if self._take(place):
                return
            self._resuming[place.user] += 1
            try:
                while not self._take(place):
                    self._changed.wait(POLL_SECONDS)
                    check(stop)
            finally:
                _decrement(self._resuming, place.user)

    def _claimed(self) -> int:
        """Places that statements which go on are about to take, as far as their users may have more."""
        return sum(min(n, self._limits.user_max - self._working[user]) for user, n in self._resuming.items())

    def _take(self, place: "Place", left_free: int = 0) -> bool:
        """Take a place if there is one, and `left_free` more."""
        user, limits = place.user, self._limits
        own = self._limit_of(user)
        user_max = limits.user_max if own is None else own
        if self._working.total() + left_free < limits.statements_max and self._working[user] < user_max:
            place.held = self._working
        elif self._reserved.total() < RESERVED_PLACES and self._may_use_reserve(place):
            place.held = self._reserved
        else:
            return False
        place.held[user] += 1
        return True

    def _may_use_reserve(self, place: "Place") -> bool:
        access = place.access()
        few = self._reserved[place.user] < RESERVED_OF_USER
        return access is Access.ADMIN or (access is Access.ASKS_ABOUT_SERVER and few)

    def _give_back(self, place: "Place") -> None:
        if place.held is not None:
            _decrement(place.held, place.user)
            place.held = None

    def _queue(self, place: "Place", stop: Stop) -> None:
        """Wait for a place."""
        if self._queued >= self._limits.queue_max:
            raise DatabaseError(
                ErrorKind.UNAVAILABLE,
                f"{self.working} statements are running and {self._queued} are waiting, which is the limit; retry",
            )
        self._queued += 1
        deadline = time.monotonic() + self._limits.queue_wait_seconds
        try:
            while not self._take(place, left_free=self._claimed()):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise DatabaseError(
                        ErrorKind.UNAVAILABLE,
                        f"{self.working} statements kept running for {self._limits.queue_wait_seconds:g} s; retry",
                    )
                self._changed.wait(min(left, POLL_SECONDS))
                self._refuse_when_closed()
                check(stop)
        finally:
            self._queued -= 1

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise DatabaseError(ErrorKind.UNAVAILABLE, "the server is stopping; connect again later")


class Place:
    """A statement's place at the gate: `held` counts it there where it is taken, and is None while it is set aside."""

    def __init__(self, gate: Gate, user: str, access: Callable[[], Access]) -> None:
        self.user = user
        self.access = access
        self.held: Counter[str] | None = None
        self._gate = gate

    @contextmanager
    def set_aside(self, stop: Stop) -> Iterator[None]:
        """Be without the place for the length of a block, in which the statement waits for its client."""
        self._gate.set_aside(self)
        yield  # what fails meanwhile ends the statement, which needs no place for that
        self._gate.resume(self, stop)


def _decrement(counter: Counter[str], user: str) -> None:
    """Count one less; who has none is not listed."""
    counter[user] -= 1
    if not counter[user]:
        del counter[user]
