"""When which scope is to be looked at next, so that a tick costs what is due, and nothing for scopes at rest."""

import heapq
from itertools import count

from catalog.definition import Scope


class Agenda:
    """The next look at each scope that needs one. Times are in seconds of any clock. For one thread."""

    def __init__(self) -> None:
        self._times: dict[Scope, float] = {}
        self._queue: list[tuple[float, int, Scope]] = []
        """A scope stands here once for each time that was named; only the one in `_times` counts."""
        self._number = count()

    def put(self, scope: Scope, when: float) -> None:
        """Look at a scope at some time, or earlier if that was said already."""
        if when < self._times.get(scope, float("inf")):
            self._times[scope] = when
            heapq.heappush(self._queue, (when, next(self._number), scope))

    def take(self, now: float) -> Scope | None:
        """Take off the scope that is due for longest, if one is."""
        while self._queue and self._queue[0][0] <= now:
            when, _, scope = heapq.heappop(self._queue)
            if self._times.get(scope) == when:
                del self._times[scope]
                return scope
        return None
