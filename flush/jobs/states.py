"""What a job may become: one table, which says of each state and event what follows. What it lacks cannot happen."""

from collections.abc import Mapping
from enum import Enum, unique


@unique
class JobState(Enum):
    """Where a job stands."""

    NEW = "new"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    @property
    def is_final(self) -> bool:
        """Tell whether nothing follows."""
        return self in FINAL


@unique
class JobEvent(Enum):
    """What may happen to a job."""

    QUEUE = "it is to be done"
    START = "a thread has begun with it"
    COMPLETE = "it is done"
    SKIP = "there was nothing to do"
    FAIL = "it failed, and is not tried again"
    RETRY = "it failed, or its server ended, and it is tried again"
    CANCEL = "somebody does not want it any more"


TRANSITIONS: Mapping[tuple[JobState, JobEvent], JobState] = {
    (JobState.NEW, JobEvent.QUEUE): JobState.QUEUED,
    (JobState.QUEUED, JobEvent.START): JobState.RUNNING,
    (JobState.QUEUED, JobEvent.CANCEL): JobState.CANCELLED,
    (JobState.RUNNING, JobEvent.COMPLETE): JobState.COMPLETED,
    (JobState.RUNNING, JobEvent.SKIP): JobState.SKIPPED,
    (JobState.RUNNING, JobEvent.FAIL): JobState.FAILED,
    (JobState.RUNNING, JobEvent.RETRY): JobState.QUEUED,
    (JobState.RUNNING, JobEvent.CANCEL): JobState.CANCELLED,
}

FINAL = frozenset(JobState) - {before for before, _ in TRANSITIONS}


def after(state: JobState, event: JobEvent) -> JobState:
    """The state that follows; ValueError for what cannot happen."""
    found = TRANSITIONS.get((state, event))
    if found is None:
        raise ValueError(f"a job that is {state.value} cannot take: {event.value}")
    return found
