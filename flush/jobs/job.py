"""A job: a task with a number, where it comes from, and what became of it. Values; each change makes another one."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, unique

from flush.jobs.states import JobEvent, JobState, after
from flush.jobs.tasks import Task

BACK_OFF_SECONDS = 1.0
BACK_OFF_SECONDS_MAX = 60.0


@unique
class Origin(Enum):
    """Who wants a job."""

    ASKED = "asked"
    """A user, who may want to know what became of it."""
    SCHEDULED = "scheduled"
    """An interval in the settings."""
    DECIDED = "decided"
    """The server, by the state of a table: it is decided again after a restart, if it is still needed."""


@dataclass(frozen=True)
class Job:
    """A task and what became of it so far.

    `attempt` counts how often it was begun. `not_before` is when it may begin, in seconds of the clock of who waits.
    `failures` counts how often in a row the same work has failed for good. `rows` and `bytes` are what was done,
    `rows_total` what there is to do, where that is known.
    """

    number: int
    task: Task
    origin: Origin
    created_at: datetime
    asked_by: str = ""
    state: JobState = JobState.NEW
    attempt: int = 0
    not_before: float = 0.0
    failures: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    rows: int = 0
    bytes: int = 0
    rows_total: int | None = None
    message: str | None = None

    @property
    def id(self) -> str:
        """What users call it."""
        return f"{self.task.kind}-{self.number}"

    def queued(self) -> "Job":
        """The job, to be done."""
        return replace(self, state=after(self.state, JobEvent.QUEUE))

    def started(self, at: datetime) -> "Job":
        """The job as it is begun, once more perhaps."""
        return replace(self, state=after(self.state, JobEvent.START), attempt=self.attempt + 1, started_at=at)

    def ended(self, event: JobEvent, at: datetime, message: str | None = None) -> "Job":
        """The job when nothing more will become of it."""
        return replace(self, state=after(self.state, event), finished_at=at, message=message)

    def retried(self, not_before: float, message: str) -> "Job":
        """The job, to be tried again, and why."""
        return replace(self, state=after(self.state, JobEvent.RETRY), not_before=not_before, message=message)


def back_off_seconds(failures: int) -> float:
    """How long work rests that has failed so many times in a row: twice as long each time."""
    return min(BACK_OFF_SECONDS * 2.0 ** (min(failures, 32) - 1), BACK_OFF_SECONDS_MAX)
