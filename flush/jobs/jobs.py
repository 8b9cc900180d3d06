"""The jobs of a server: one thread decides, some work, and users ask, look and cancel.

A job that fails takes nothing with it: it is tried again after a while, a few times; then it has failed, which is on
record, and its work rests before it is decided again. What met damage is not tried again, as the damage is known by
then and told elsewhere. Without threads, `tick` decides and works until nothing is left to do.
"""

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from catalog.definition import Scope
from catalog.errors import DatabaseError, ErrorKind
from flush.jobs.board import Board, Running
from flush.jobs.job import BACK_OFF_SECONDS_MAX, Job, Origin, back_off_seconds
from flush.jobs.kinds import KINDS, Done, Tools, make_task
from flush.jobs.queue import Queue
from flush.jobs.records import JobRecords
from flush.jobs.scheduler import Plan, Scheduler
from flush.jobs.states import JobEvent, JobState
from flush.jobs.tasks import Task
from flush.work import GivesWay, Work, nobody_waits
from providers.damage import DamagedError
from providers.stopping import Stop, never
from providers.ticker import Ticker

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0

REST_SECONDS = BACK_OFF_SECONDS_MAX
"""How long work rests that has failed for good."""

CANCELLED_REST_SECONDS = 600.0
"""How long work rests that somebody did not want."""

PATIENCE_SECONDS = 1.0
"""How long a thread waits for work before it asks whether the server stops."""


@dataclass(frozen=True)
class JobLimits:
    """How many threads work, and how many jobs are remembered that have ended."""

    threads: int = 2
    history_max: int = 1_000


DEFAULT_LIMITS = JobLimits()


class Jobs:
    """The jobs. `unloaded` are scopes that have hot rows and may not be in memory."""

    def __init__(
        self,
        tools: Tools,
        plan: Plan,
        *,
        unloaded: Iterable[Scope] = (),
        limits: JobLimits = DEFAULT_LIMITS,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        self._tools = tools
        self._records = JobRecords(tools.keyvalue, make_task, limits.history_max)
        queue = Queue(lambda job: KINDS[job.task.kind].is_heavy, heavy_max=max(limits.threads - 1, 1))
        self._board = Board(queue, limits.history_max)
        self._scheduler = Scheduler(tools, self._decided, plan, unloaded)
        self.gives_way: GivesWay = nobody_waits
        """Tells heavy work that nobody asked for that others are to go first."""
        self._ended: dict[str, datetime] = {}
        self._asking = threading.Lock()
        self._ticker = Ticker("jobs", self._decide, tick_seconds)
        self._workers = [
            threading.Thread(target=self._work, name=f"job-{number}", daemon=True) for number in range(limits.threads)
        ]
        self._resume()

    def start(self) -> None:
        """Begin to decide and to work."""
        self._ticker.start()
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Let what runs end at its next step, and stop. What is on record goes on at the next start."""
        self._ticker.stop()
        self._board.close("the server stops")
        for worker in self._workers:
            if worker.is_alive():
                worker.join()

    @property
    def is_running(self) -> bool:
        """Tell whether a thread is at work or waits for work."""
        return self._ticker.is_running or any(worker.is_alive() for worker in self._workers)

    def tick(self) -> None:
        """Decide once, and work off what is to be done now."""
        self._decide()
        while (running := self._board.take(time.monotonic)) is not None:
            self._run(running)

    def ask(self, task: Task, asked_by: str) -> Job:
        """Have something done, even over a restart; the same work that is to be done already is that one job."""
        with self._asking:
            known = self._board.known(task.key)
            if known is not None:
                return known
            job = self._new(task, Origin.ASKED, asked_by).queued()
            self._records.put(job)
            self._board.put(job, time.monotonic())
            return job

    @contextmanager
    def at_work(self, task: Task, asked_by: str, stop: Stop = never) -> Iterator[Work]:
        """Do something that is seen as a job. What it raises is how the job ends, and is raised."""
        running = self._board.begin(self._new(task, Origin.ASKED, asked_by).queued(), Work(stop))
        try:
            yield running.work
        except DatabaseError as error:
            ends = JobEvent.CANCEL if error.kind is ErrorKind.CANCELLED else JobEvent.FAIL
            self._end(running, ends, error.message)
            raise
        except BaseException as error:
            self._end(running, JobEvent.FAIL, type(error).__name__)
            raise
        self._end(running, JobEvent.COMPLETE, running.work.message)

    def do(self, task: Task, asked_by: str, stop: Stop = never) -> Done:
        """Do something now, as a job. What it raises is how the job ends, and is raised."""
        with self.at_work(task, asked_by, stop) as work:
            done = KINDS[task.kind].run(task, self._tools, work)
            work.message = done.message
        return done

    def find(self, job_id: str) -> Job:
        """A job by what users call it; NOT_FOUND when there is none."""
        number = job_id.rpartition("-")[2]
        job = self._board.find(int(number)) if number.isdecimal() else None
        if job is None or job.id != job_id:
            raise no_such_job(job_id)
        return job

    def cancel(self, job: Job, reason: str) -> bool:
        """Let a job end; tell whether it had not ended before."""
        if job.state.is_final:
            return False
        cancelled = self._board.cancel(job.number, reason)
        if cancelled is not None and cancelled.origin is not Origin.DECIDED:
            self._records.put(cancelled)
        return True

    def listed(self) -> list[Job]:
        """All jobs that are known, by their numbers."""
        return self._board.listed()

    def counts(self) -> dict[JobState, int]:
        """How many jobs wait and run now, and how many have ended how since the server began."""
        return dict(self._board.counts())

    def _new(self, task: Task, origin: Origin, asked_by: str = "") -> Job:
        return Job(self._records.next_number(), task, origin, datetime.now(UTC), asked_by)

    def _resume(self) -> None:
        """Go on with what was to be done when the last server ended; what must not be begun twice has failed."""
        for job in self._records.load():
            if job.state.is_final:
                self._board.remember(job)
                self._note_ended(job)
                continue
            kind = KINDS[job.task.kind]
            if job.state is JobState.QUEUED:
                self._board.put(job, time.monotonic())
            elif kind.resumes and job.attempt < kind.attempts_max:
                again = job.retried(0.0, "the server ended while it ran")
                self._records.put(again)
                self._board.put(again, time.monotonic())
            else:
                failed = job.ended(JobEvent.FAIL, datetime.now(UTC), "the server ended while it ran")
                self._records.put(failed)
                self._board.remember(failed)
                self._note_ended(failed)

    def _decide(self) -> None:
        self._scheduler.look(time.monotonic(), datetime.now(UTC), dict(self._ended))

    def _decided(self, task: Task, origin: Origin) -> float | None:
        """Queue what was decided; tell until when it rests, where it does."""
        now = time.monotonic()
        rests_until = self._board.rests_until(task.key, now)
        if rests_until is None and self._board.known(task.key) is None:
            self._board.put(self._new(task, origin).queued(), now)
        return rests_until

    def _work(self) -> None:
        while not self._board.is_closed:
            running = self._board.take(time.monotonic, PATIENCE_SECONDS)
            if running is not None:
                self._run(running)

    def _run(self, running: Running) -> None:
        """Do a job. Nothing that happens in it is more than how it ends."""
        job = running.job
        kind = KINDS[job.task.kind]
        try:
            if job.origin is not Origin.DECIDED:
                self._records.put(job)
            if kind.is_heavy and job.origin is not Origin.ASKED:
                running.work.gives_way = self.gives_way
            done: Done = kind.run(job.task, self._tools, running.work)
        except DamagedError as error:
            log.debug("%s met damage that is known: %s", job.id, error.message)
            self._end(running, JobEvent.FAIL, error.message)
        except DatabaseError as error:
            self._failed(running, error)
        except Exception as error:
            log.exception("%s failed and will be tried again", job.id)
            self._try_again(running, type(error).__name__)
        else:
            self._end(running, JobEvent.SKIP if done.is_skipped else JobEvent.COMPLETE, done.message)

    def _failed(self, running: Running, error: DatabaseError) -> None:
        if error.kind is ErrorKind.CANCELLED and running.work.is_cancelled:
            self._end(running, JobEvent.CANCEL, error.message)
        elif error.kind is ErrorKind.NOT_FOUND:
            self._end(running, JobEvent.SKIP, error.message)
        else:
            self._tell(running.job, error.message)
            self._try_again(running, error.message)

    def _tell(self, job: Job, message: str) -> None:
        """Tell the log of a failure; of what fails again and again, once."""
        before = self._board.last_failure(job.task.key)
        if message != job.message and (before is None or before.message != message):
            log.warning("%s failed and will be tried again: %s", job.id, message)

    def _try_again(self, running: Running, message: str) -> None:
        job = running.now()
        if job.attempt >= KINDS[job.task.kind].attempts_max:
            self._end(running, JobEvent.FAIL, message)
            return
        now = time.monotonic()
        self._board.retry(running, job.retried(now + back_off_seconds(job.attempt), message), now)

    def _end(self, running: Running, event: JobEvent, message: str | None) -> None:
        """A job has ended: write that down where it is to be known, and let its work be decided again in time."""
        if self._board.is_closed and event is JobEvent.CANCEL:
            return  # the server stops: what is on record is begun again
        job = running.now().ended(event, datetime.now(UTC), message)
        before = self._board.last_failure(job.task.key)
        rest = {JobEvent.FAIL: REST_SECONDS, JobEvent.CANCEL: CANCELLED_REST_SECONDS}.get(event, 0.0)
        job = self._board.end(running, job, time.monotonic(), rest if running.had_turn else 0.0)
        self._note_ended(job)
        if job.state in {JobState.FAILED, JobState.CANCELLED}:
            self._scheduler.note_undone(job.task)
        self._write_down(job, before)

    def _write_down(self, job: Job, before: Job | None) -> None:
        """Keep how a job ended. If a client waited for it, or the server had decided on it, only that it failed."""
        is_failed = job.state is JobState.FAILED
        by_itself = job.origin is Origin.SCHEDULED or (job.origin is Origin.ASKED and KINDS[job.task.kind].resumes)
        if not (is_failed or by_itself):
            return
        older = before.number if before is not None and is_failed else None
        try:
            self._records.put(job, instead_of=older, durable=by_itself)
        except DatabaseError as error:
            log.warning("that %s has ended could not be written down: %s", job.id, error.message)

    def _note_ended(self, job: Job) -> None:
        if job.origin is Origin.SCHEDULED and job.finished_at is not None:
            self._ended[job.task.kind] = job.finished_at


def no_such_job(job_id: str) -> DatabaseError:
    """What is said of a job that is not there, or that somebody may not see."""
    return DatabaseError(ErrorKind.NOT_FOUND, f"job {job_id!r} does not exist; see system.jobs")
