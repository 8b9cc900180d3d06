"""Things that clients hold on to by an opaque handle: results to fetch, statements to run.

A handle is 16 random bytes, belongs to the user who got it, and expires when it has not been used for its lifetime;
forged, foreign and stale handles are the same NOT_FOUND. Each user may hold a bounded number; the one unused for
longest goes first.
"""

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

from catalog.errors import DatabaseError, ErrorKind

HANDLE_BYTES = 16
HANDLES_PER_USER_MAX = 10_000

Item = TypeVar("Item")


@dataclass
class _Held(Generic[Item]):
    item: Item
    user: str
    used_at: float


class Handles(Generic[Item]):
    """Items by handle. `what` names them in errors."""

    def __init__(self, what: str, lifetime_seconds: float) -> None:
        self._what = what
        self._lifetime_seconds = lifetime_seconds
        self._lock = threading.Lock()
        self._held: OrderedDict[bytes, _Held[Item]] = OrderedDict()
        self._of_user: dict[str, OrderedDict[bytes, None]] = {}
        """Both in the order of use, that of longest ago first."""

    def put(self, user: str, item: Item) -> bytes:
        """Keep an item for a user; return its handle. Any session of the user may use it."""
        handle = secrets.token_bytes(HANDLE_BYTES)
        now = time.monotonic()
        with self._lock:
            self._drop_stale(now)
            own = self._of_user.setdefault(user, OrderedDict())
            own[handle] = None
            self._held[handle] = _Held(item, user, now)
            if len(own) > HANDLES_PER_USER_MAX:
                self._drop(next(iter(own)))
        return handle

    def get(self, user: str, handle: bytes) -> Item:
        """Return a user's item, or raise NOT_FOUND."""
        now = time.monotonic()
        with self._lock:
            self._drop_stale(now)
            held = self._held.get(handle)
            if held is None or held.user != user:
                raise DatabaseError(ErrorKind.NOT_FOUND, f"the {self._what} does not exist or has expired")
            held.used_at = now
            self._held.move_to_end(handle)
            self._of_user[user].move_to_end(handle)
            return held.item

    def remove(self, user: str, handle: bytes) -> None:
        """Forget a user's item; nothing happens when there is none."""
        with self._lock:
            held = self._held.get(handle)
            if held is not None and held.user == user:
                self._drop(handle)

    def _drop_stale(self, now: float) -> None:
        """Forget items unused for too long: they stand first, because use moves an item to the end."""
        while self._held:
            handle, held = next(iter(self._held.items()))
            if now - held.used_at <= self._lifetime_seconds:
                return
            self._drop(handle)

    def _drop(self, handle: bytes) -> None:
        user = self._held.pop(handle).user
        own = self._of_user[user]
        del own[handle]
        if not own:
            del self._of_user[user]
