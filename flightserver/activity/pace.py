"""How fast somebody may send: what comes too soon waits, so that a second's worth passes in a second.

Pure but for its lock: time is handed in.
"""

import threading
from collections.abc import Callable

FORGOTTEN_AT = 1_000
"""So many users are remembered before those who owe nothing are forgotten."""


class Pace:
    """The bytes that users sent lately. `rate_of` tells how many a second a user may send; None is no limit."""

    def __init__(self, rate_of: Callable[[str], int | None]) -> None:
        self._rate_of = rate_of
        self._lock = threading.Lock()
        self._free_at: dict[str, float] = {}

    def wait_seconds(self, user: str, size: int, now: float) -> float:
        """Count `size` bytes that a user has sent; return how long they have to wait for those before them."""
        rate = self._rate_of(user)
        if not rate:
            return 0.0
        with self._lock:
            begins = max(self._free_at.get(user, now), now)
            self._free_at[user] = begins + size / rate
            if len(self._free_at) > FORGOTTEN_AT:
                self._free_at = {name: free_at for name, free_at in self._free_at.items() if free_at > now}
        return begins - now
