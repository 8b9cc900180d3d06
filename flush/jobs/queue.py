"""Whose turn it is: jobs in the order of arrival, those that must wait aside, one of each lane at a time.

*Heavy* jobs rewrite files; only so many of them run at once, so that a flush seldom waits behind them. Nothing here
costs more the more jobs there are (beyond a heap's logarithm). For one thread at a time; times are of any clock.
"""

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count

from flush.jobs.job import Job


class Queue:
    """Jobs that are to be done. `is_heavy` tells it of a job."""

    def __init__(self, is_heavy: Callable[[Job], bool], heavy_max: int) -> None:
        self._is_heavy = is_heavy
        self._heavy_max = heavy_max
        self._heavy = 0
        self._light_ready: deque[Job] = deque()
        self._heavy_ready: deque[Job] = deque()
        self._later: list[tuple[float, int, Job]] = []
        self._busy: set[object] = set()
        self._parked: dict[object, deque[Job]] = {}
        self._gone: set[int] = set()
        self._arrival = count()

    def put(self, job: Job, now: float) -> None:
        """Add a job, which may begin when its time has come."""
        if job.not_before > now:
            heapq.heappush(self._later, (job.not_before, next(self._arrival), job))
        else:
            self._ready(job).append(job)

    def remove(self, number: int) -> None:
        """A job that is in here is not wanted any more."""
        self._gone.add(number)

    def take(self, now: float) -> Job | None:
        """The job whose turn it is, whose lane is taken from now on; None when there is none."""
        while self._later and self._later[0][0] <= now:
            job = heapq.heappop(self._later)[2]
            self._ready(job).append(job)
        return self._first_of(self._light_ready) or (
            self._first_of(self._heavy_ready) if self._heavy < self._heavy_max else None
        )

    def release(self, job: Job) -> None:
        """A job that was taken has ended: its lane is free, and who waits there is next."""
        self._busy.discard(job.task.lane)
        if self._is_heavy(job):
            self._heavy -= 1
        for waiting in reversed(self._parked.pop(job.task.lane, ())):
            self._ready(waiting).appendleft(waiting)

    def next_time(self) -> float | None:
        """When the next of those begins that wait for their time."""
        return self._later[0][0] if self._later else None

    def _ready(self, job: Job) -> deque[Job]:
        return self._heavy_ready if self._is_heavy(job) else self._light_ready

    def _first_of(self, ready: deque[Job]) -> Job | None:
        while ready:
            job = ready.popleft()
            if job.number in self._gone:
                self._gone.discard(job.number)
            elif job.task.lane in self._busy:
                self._parked.setdefault(job.task.lane, deque()).append(job)
            else:
                self._busy.add(job.task.lane)
                self._heavy += self._is_heavy(job)
                return job
        return None
