"""Whose turn it is."""

from datetime import UTC, datetime

from flush.jobs.job import Job, Origin, back_off_seconds
from flush.jobs.queue import Queue
from flush.jobs.tasks import Compact, Flush, ScopeTask

AT = datetime(2026, 11, 27, tzinfo=UTC)


def job(number: int, task: ScopeTask, not_before: float = 0.0) -> Job:
    """A job that is to be done."""
    return Job(number, task, Origin.DECIDED, AT, not_before=not_before).queued()


def make(*jobs: Job, heavy_max: int = 1) -> Queue:
    """A queue in which these wait."""
    queue = Queue(lambda one: isinstance(one.task, Compact), heavy_max)
    for one in jobs:
        queue.put(one, 0)
    return queue


def numbers(queue: Queue, now: float = 0.0) -> list[int]:
    """All that may begin now, without an end of any."""
    return [one.number for one in iter(lambda: queue.take(now), None)]


def test_who_comes_first_is_first() -> None:
    """Jobs of other scopes do not wait for each other."""
    assert numbers(make(job(1, Flush(table_id=1)), job(2, Flush(table_id=2)))) == [1, 2]


def test_one_job_works_on_a_scope_at_a_time() -> None:
    """The next begins when it ends, in the order of arrival."""
    first = job(1, Flush(table_id=1))
    queue = make(first, job(2, Compact(table_id=1)), job(3, Flush(table_id=1, user="ann")))
    assert numbers(queue) == [1, 3]
    queue.release(first)
    assert numbers(queue) == [2]


def test_few_heavy_jobs_run_at_once_and_others_pass_them() -> None:
    """A flush does not wait for a compaction of something else."""
    heavy = [job(number, Compact(table_id=number)) for number in (1, 2)]
    queue = make(*heavy, job(3, Flush(table_id=3)))
    assert sorted(numbers(queue)) == [1, 3]
    queue.release(heavy[0])
    assert numbers(queue) == [2]


def test_a_job_waits_for_its_time() -> None:
    """And the queue tells when that is."""
    queue = make(job(1, Flush(table_id=1), not_before=5), job(2, Flush(table_id=2)))
    assert numbers(queue) == [2]
    assert queue.next_time() == 5
    assert numbers(queue, now=5) == [1]


def test_what_was_removed_never_begins() -> None:
    """Wherever it waited: for its time, for its lane, for its turn."""
    first = job(1, Flush(table_id=1))
    queue = make(first, job(2, Flush(table_id=1)), job(3, Flush(table_id=3), not_before=1), job(4, Flush(table_id=4)))
    queue.remove(4)
    assert numbers(queue) == [1]
    queue.remove(2)
    queue.remove(3)
    queue.release(first)
    assert numbers(queue, now=1) == []


def test_the_back_off_doubles_up_to_a_minute() -> None:
    """However often it failed."""
    assert [back_off_seconds(n) for n in (1, 2, 3, 7, 10_000)] == [1, 2, 4, 60, 60]
