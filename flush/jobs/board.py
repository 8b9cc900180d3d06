"""Every job that is known: those that wait, those that run, and the newest of those that have ended.

The same work is one job: what waits or runs already is not taken a second time, and what came to nothing rests for a
while. Of a failure that follows a failure of the same work, the newer takes the place of the older, and counts. Work
that the server had decided on, and that turned out to be none, is not remembered. Any thread may ask; what is told is a
copy.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from flush.jobs.job import Job, Origin
from flush.jobs.queue import Queue
from flush.jobs.states import JobEvent, JobState
from flush.work import Work


@dataclass(frozen=True, eq=False)
class Running:
    """A job that a thread is at, and how far it is. `had_turn`: it was in the queue, and has its lane."""

    job: Job
    work: Work
    had_turn: bool

    def now(self) -> Job:
        """The job with what was done by now."""
        work = self.work
        return replace(self.job, rows=work.rows, bytes=work.bytes, rows_total=work.rows_total)


class Board:
    """The jobs. Times are in seconds of one clock."""

    def __init__(self, queue: Queue, history_max: int) -> None:
        self._queue = queue
        self._history_max = history_max
        self._changed = threading.Condition()
        self._waiting: dict[int, Job] = {}
        self._running: dict[int, Running] = {}
        self._by_key: dict[str, int] = {}
        self._rests: dict[str, float] = {}
        self._history: OrderedDict[int, Job] = OrderedDict()
        self._failed: dict[str, int] = {}
        self._counts: Counter[JobState] = Counter()
        self._is_closed = False

    def known(self, key: str) -> Job | None:
        """The job that waits or runs for the same work."""
        with self._changed:
            number = self._by_key.get(key)
            return None if number is None else self._waiting.get(number) or self._running[number].now()

    def rests_until(self, key: str, now: float) -> float | None:
        """Until when work rests that came to nothing; None when it may be done."""
        with self._changed:
            until = self._rests.get(key)
            if until is not None and until <= now:
                del self._rests[key]
                return None
            return until

    def put(self, job: Job, now: float) -> bool:
        """Take a job that is to be done; tell whether it is not one of those already."""
        with self._changed:
            if job.task.key in self._by_key:
                return False
            self._by_key[job.task.key] = job.number
            self._wait(job, now)
            return True

    def take(self, clock: Callable[[], float], patience_seconds: float = 0.0) -> Running | None:
        """Begin the job whose turn it is, or comes within so many seconds."""
        with self._changed:
            job = self._next(clock())
            if job is None and patience_seconds and not self._is_closed:
                comes = self._queue.next_time()
                wait = patience_seconds if comes is None else min(patience_seconds, comes - clock())
                self._changed.wait(max(wait, 0.0))
                job = self._next(clock())
            return None if job is None else self._begin(job, Work(), had_turn=True)

    def begin(self, job: Job, work: Work) -> Running:
        """Begin a job that nobody waits with: who asks for it does it."""
        with self._changed:
            return self._begin(job, work, had_turn=False)

    def retry(self, running: Running, job: Job, now: float) -> None:
        """A job that was begun waits once more."""
        with self._changed:
            self._leave(running)
            self._wait(job, now)

    def end(self, running: Running, job: Job, now: float, rests_seconds: float = 0.0) -> Job:
        """A job that was begun has ended, and its work rests for a while; return it as it is remembered."""
        with self._changed:
            self._leave(running)
            if running.had_turn:
                self._by_key.pop(job.task.key, None)
            if rests_seconds:
                self._rests = {key: until for key, until in self._rests.items() if until > now}
                self._rests[job.task.key] = now + rests_seconds
            return self._remember(job)

    def cancel(self, number: int, reason: str) -> Job | None:
        """Let a job end: one that waits at once, which is returned; one that runs at its next step."""
        with self._changed:
            running = self._running.get(number)
            if running is not None:
                running.work.cancel(reason)
                return None
            job = self._waiting.pop(number, None)
            if job is None:
                return None
            self._queue.remove(number)
            self._by_key.pop(job.task.key, None)
            return self._remember(job.ended(JobEvent.CANCEL, datetime.now(UTC), reason))

    def remember(self, job: Job) -> None:
        """Know a job that had ended before the server began."""
        with self._changed:
            if job.state is JobState.FAILED:
                self._failed[job.task.key] = job.number
            self._history[job.number] = job

    def close(self, reason: str) -> None:
        """Begin nothing more, and let what runs end at its next step."""
        with self._changed:
            self._is_closed = True
            for running in self._running.values():
                running.work.cancel(reason)
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        """Tell whether nothing is begun any more."""
        return self._is_closed

    def find(self, number: int) -> Job | None:
        """A job by its number."""
        with self._changed:
            running = self._running.get(number)
            return running.now() if running else self._waiting.get(number) or self._history.get(number)

    def last_failure(self, key: str) -> Job | None:
        """How the same work failed, if that is what became of it the last time."""
        with self._changed:
            return self._history.get(self._failed.get(key, -1))

    def listed(self) -> list[Job]:
        """All jobs, by their numbers."""
        with self._changed:
            jobs = [*self._history.values(), *self._waiting.values(), *(one.now() for one in self._running.values())]
        return sorted(jobs, key=lambda job: job.number)

    def counts(self) -> Mapping[JobState, int]:
        """How many jobs wait and run now, and how many have ended how since the server began."""
        with self._changed:
            now = {JobState.QUEUED: len(self._waiting), JobState.RUNNING: len(self._running)}
            return {**{state: self._counts[state] for state in JobState if state.is_final}, **now}

    def _next(self, now: float) -> Job | None:
        job = None if self._is_closed else self._queue.take(now)
        if job is not None:
            del self._waiting[job.number]
        return job

    def _wait(self, job: Job, now: float) -> None:
        self._waiting[job.number] = job
        self._queue.put(job, now)
        self._changed.notify_all()

    def _begin(self, job: Job, work: Work, *, had_turn: bool) -> Running:
        running = Running(job.started(datetime.now(UTC)), work, had_turn)
        self._running[job.number] = running
        return running

    def _leave(self, running: Running) -> None:
        del self._running[running.job.number]
        if running.had_turn:
            self._queue.release(running.job)
        self._changed.notify_all()

    def _remember(self, job: Job) -> Job:
        self._counts[job.state] += 1
        before = self._failed.pop(job.task.key, None)
        if job.state is JobState.FAILED:
            older = None if before is None else self._history.pop(before, None)
            job = replace(job, failures=1 if older is None else older.failures + 1)
            self._failed[job.task.key] = job.number
        if job.state is not JobState.SKIPPED or job.origin is not Origin.DECIDED:
            self._history[job.number] = job
        while len(self._history) > self._history_max:
            _, oldest = self._history.popitem(last=False)
            if self._failed.get(oldest.task.key) == oldest.number:
                del self._failed[oldest.task.key]
        return job
