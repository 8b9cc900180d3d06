"""Jobs as they are asked for, run, fail, are cancelled, and go on after a restart."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from catalog.audit import AuditRecord, Verdict
from catalog.audit_log import AuditLog
from catalog.definition import FlushPolicy
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AtomicWrite, Family
from flush.jobs import jobs as running_jobs
from flush.jobs import kinds
from flush.jobs.job import Job, Origin
from flush.jobs.jobs import JobLimits, Jobs
from flush.jobs.kinds import Done, Kind
from flush.jobs.records import JobRecords
from flush.jobs.schedule import Schedule
from flush.jobs.scheduler import Plan
from flush.jobs.states import JobState
from flush.jobs.tasks import AuditRetention, Flush, FlushTables, IdempotencyRetention
from flush.work import Work
from providers.commit.idempotency import Idempotency
from tests.processes import HANGS_SECONDS
from tests.storage_fixtures import Database, TableAccess, kv

AT = datetime(2026, 11, 1, tzinfo=UTC)
RETENTION = AuditRetention(days=30)
DAILY = Plan(lambda: [Schedule(RETENTION, 86_400)])


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of intervals and back-off."""
    found = Clock()
    monkeypatch.setattr(running_jobs, "time", found)
    return found


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Done | Exception]]:
    """What jobs of retention come to, one after the other."""
    listed: list[Done | Exception] = []

    def run(*_: object) -> Done:
        outcome = listed.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setitem(kinds.KINDS, "audit_retention", replace(kinds.KINDS["audit_retention"], run=run))  # type: ignore[arg-type]
    yield listed
    assert not listed


def stored(db: Database, job: Job) -> None:
    """Put a job on record as an earlier server left it."""
    JobRecords(db.keyvalue, kinds.make_task, 100).put(job)


def states(jobs: Jobs) -> list[tuple[str, str]]:
    """All jobs by their names."""
    return [(job.id, job.state.value) for job in jobs.listed()]


def test_what_is_asked_for_twice_is_one_job(db: Database) -> None:
    """As long as it has not ended."""
    jobs = db.jobs()
    first = jobs.ask(RETENTION, "ann")
    assert jobs.ask(RETENTION, "bob") == first
    assert jobs.ask(AuditRetention(days=31), "bob").number != first.number
    jobs.tick()
    assert jobs.ask(RETENTION, "bob").number not in {first.number, first.number + 1}


def test_a_job_that_is_asked_for_survives_a_restart(db: Database) -> None:
    """It is done by the next server, once."""
    db.jobs().ask(RETENTION, "ann")
    db.reopen()
    jobs = db.jobs()
    assert states(jobs) == [("audit_retention-1", "queued")]
    jobs.tick()
    assert states(jobs) == [("audit_retention-1", "skipped")]
    db.reopen()
    assert states(db.jobs()) == [("audit_retention-1", "skipped")]
    assert db.jobs().listed()[0].asked_by == "ann"


def test_what_ran_when_the_server_ended_is_begun_again(db: Database) -> None:
    """Its attempts are counted over restarts."""
    stored(db, Job(7, RETENTION, Origin.ASKED, AT).queued().started(AT))
    jobs = db.jobs()
    jobs.tick()
    (job,) = jobs.listed()
    assert (job.state, job.attempt) == (JobState.SKIPPED, 2)


def test_what_ends_its_server_each_time_has_failed_at_last(db: Database) -> None:
    """It does not keep the server from starting for ever."""
    stored(db, replace(Job(7, RETENTION, Origin.ASKED, AT).queued().started(AT), attempt=5))
    assert states(db.jobs()) == [("audit_retention-7", "failed")]


def test_what_must_not_be_begun_twice_has_failed(db: Database) -> None:
    """Whoever asked for it can ask again."""
    stored(db, Job(7, FlushTables(), Origin.ASKED, AT).queued().started(AT))
    assert states(db.jobs()) == [("flush_tables-7", "failed")]
    db.reopen()
    (job,) = db.jobs().listed()
    assert job.message == "the server ended while it ran"


def test_numbers_do_not_come_back(db: Database) -> None:
    """Those of jobs in memory do not either, but for a power cut."""
    jobs = db.jobs()
    first = jobs.ask(RETENTION, "ann").number
    db.reopen()
    assert db.jobs().ask(AuditRetention(days=1), "ann").number > first


def test_a_job_that_fails_is_tried_again_and_fails(db: Database, clock: Clock, outcomes: list[Exception]) -> None:
    """Five times, and that is on record; the same failure the next time takes its place and counts."""
    jobs = db.jobs()
    for turn in (1, 2):
        outcomes.extend([DatabaseError(ErrorKind.RESOURCES, "no room")] * 5)
        jobs.ask(RETENTION, "ann")
        for _ in range(20):
            jobs.tick()
            clock.now += 1
        (job,) = jobs.listed()
        assert (job.state, job.attempt, job.failures, job.message) == (JobState.FAILED, 5, turn, "no room")
    db.reopen()
    assert [job.failures for job in db.jobs().listed()] == [2]
    assert jobs.counts()[JobState.FAILED] == 2


def test_what_recurs_is_done_once_in_its_interval_over_restarts(db: Database, outcomes: list[Done]) -> None:
    """A server that starts each hour does not do each hour what is to be done each day."""
    outcomes.append(Done("3 records"))
    for _ in range(3):
        db.jobs(DAILY).tick()
        db.reopen()
    (job,) = db.jobs(DAILY).listed()
    assert (job.origin, job.state, job.message) == (Origin.SCHEDULED, JobState.COMPLETED, "3 records")


def test_history_is_bounded(db: Database) -> None:
    """In memory and on record; the newest stay."""
    jobs = db.jobs(limits=JobLimits(history_max=3))
    for days in range(1, 6):
        jobs.ask(AuditRetention(days=days), "ann")
        jobs.tick()
    assert [job.number for job in jobs.listed()] == [3, 4, 5]
    assert len(list(db.keyvalue.scan(Family.JOBS, b"", b"\xff" * 9))) == 3


def test_a_record_that_is_damaged_is_left_and_told(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    """Everything else is there."""
    jobs = db.jobs()
    jobs.ask(RETENTION, "ann")
    jobs.ask(AuditRetention(days=1), "ann")
    key, value = next(iter(db.keyvalue.scan(Family.JOBS, b"", b"\xff" * 9)))
    batch = AtomicWrite()
    batch.put(Family.JOBS, key, value[:-2] + b"?}")
    db.keyvalue.commit(batch)
    assert [job.number for job in db.jobs().listed()] == [2]
    assert "job 1 fails its checksum" in caplog.text


def test_a_job_that_waits_is_cancelled_at_once(db: Database) -> None:
    """And stays so over a restart."""
    jobs = db.jobs()
    job = jobs.ask(RETENTION, "ann")
    assert jobs.cancel(job, "not now")
    jobs.tick()
    assert not jobs.cancel(jobs.find(job.id), "not now")
    db.reopen()
    (found,) = db.jobs().listed()
    assert (found.state, found.message, found.attempt) == (JobState.CANCELLED, "not now", 0)


def test_a_job_that_runs_is_cancelled_at_its_next_step(
    table: TableAccess, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is published, and it is not decided again for a while."""
    table.alter(
        lambda one: replace(one, options=replace(one.options, flush_policy=FlushPolicy(rows=1, interval_seconds=None)))
    )
    table.write(kv(1))
    jobs = table.db.jobs()
    real = kinds.flush

    def flush(store: object, state: object, work: Work) -> object:
        (job,) = [job for job in jobs.listed() if job.state is JobState.RUNNING]
        assert jobs.cancel(job, "killed by root")
        return real(store, state, work)  # type: ignore[arg-type]

    monkeypatch.setattr(kinds, "flush", flush)
    jobs.tick()
    assert [(job.state, job.message) for job in jobs.listed()] == [(JobState.CANCELLED, "killed by root")]
    assert not list(table.folder.glob("batch*"))
    monkeypatch.setattr(kinds, "flush", real)
    clock.now += 599
    jobs.tick()
    assert table.snapshot.has_unflushed
    clock.now += 1
    jobs.tick()
    assert not table.snapshot.has_unflushed


def test_a_job_that_somebody_waits_for_is_seen_and_raises(db: Database) -> None:
    """It ends as the block does."""
    jobs = db.jobs()
    with jobs.at_work(FlushTables(), "ann") as work:
        work.did(5, 100)
        (job,) = jobs.listed()
        assert (job.state, job.rows, job.bytes, job.asked_by) == (JobState.RUNNING, 5, 100, "ann")
    with pytest.raises(DatabaseError), jobs.at_work(FlushTables(), "ann"):
        raise DatabaseError(ErrorKind.RESOURCES, "no room")
    assert [job.state for job in jobs.listed()] == [JobState.COMPLETED, JobState.FAILED]
    db.reopen()
    assert [job.state for job in db.jobs().listed()] == [JobState.FAILED]


def test_a_server_that_stops_ends_what_runs_and_goes_on_later(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on record is begun again by the next server."""
    begun = threading.Event()

    def run(_: object, __: object, work: Work) -> Done:
        begun.set()
        while True:
            work.check()

    monkeypatch.setitem(kinds.KINDS, "audit_retention", Kind(AuditRetention, run))  # type: ignore[arg-type]
    jobs = db.jobs()
    jobs.start()
    jobs.ask(RETENTION, "ann")
    assert begun.wait(HANGS_SECONDS)
    jobs.stop()
    assert not jobs.is_running
    monkeypatch.undo()
    db.reopen()
    jobs = db.jobs()
    jobs.tick()
    assert [(job.state, job.attempt) for job in jobs.listed()] == [(JobState.SKIPPED, 2)]


def test_old_records_of_the_audit_log_go(db: Database) -> None:
    """Those of the days that are asked for stay."""
    log = AuditLog(db.keyvalue)
    for at in (0, 0, int(datetime.now(UTC).timestamp() * 1e6)):
        log.record(AuditRecord(at, "ann", "ann", "DROP TABLE", "t", Verdict.ALLOWED))
    jobs = db.jobs()
    jobs.ask(RETENTION, "ann")
    jobs.tick()
    (job,) = jobs.listed()
    assert (job.state, job.message) == (JobState.COMPLETED, "2 records")
    assert not log.check()[0]


def test_old_names_of_requests_go(table: TableAccess) -> None:
    """What comes again under such a name is carried out again; under a newer one it is not."""
    for name in ("old", "new"):
        table.write(kv(1), idempotency=Idempotency(name, "h"))
    (key, value), *_ = [one for one in table.db.keyvalue.scan(Family.IDEMPOTENCY, b"", b"\xff") if b"old" in one[0]]
    batch = AtomicWrite()
    batch.put(Family.IDEMPOTENCY, key, value.replace(b'"at": "20', b'"at": "19'))
    table.db.keyvalue.commit(batch)
    jobs = table.db.jobs()
    jobs.ask(IdempotencyRetention(days=30), "ann")
    jobs.tick()
    assert jobs.listed()[0].message == "1 records"
    replayed = [table.write(kv(1), idempotency=Idempotency(name, "h")).replayed for name in ("old", "new")]
    assert replayed == [False, True]


def test_a_flush_tells_its_rows_and_bytes(table: TableAccess) -> None:
    """And how many rows there were to write."""
    table.write(kv(1), kv(2))
    jobs = table.db.jobs()
    jobs.ask(Flush(table_id=table.definition.id), "ann")
    jobs.tick()
    job = jobs.listed()[0]
    assert (job.rows, job.rows_total, job.message) == (2, 2, "2 rows to 1 batches")
    assert job.bytes > 0
