"""What recurs, whatever the tables are like: a task and an interval. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from flush.jobs.tasks import Task


@dataclass(frozen=True)
class Schedule:
    """A task that is to be done so many seconds after it was done last."""

    task: Task
    interval_seconds: float


def due(schedules: Iterable[Schedule], ended: Mapping[str, datetime], now: datetime) -> Iterator[Task]:
    """The tasks whose time has come; `ended` says when the last job of a kind had ended. A server's first is due."""
    for schedule in schedules:
        last = ended.get(schedule.task.kind)
        if last is None or not last <= now < last + timedelta(seconds=schedule.interval_seconds):
            yield schedule.task
