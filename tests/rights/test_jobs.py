"""Jobs as users see and end them."""

from collections.abc import Iterator

import pytest

from flush.jobs.states import JobState
from flush.jobs.tasks import AuditRetention
from tests.rights.house import House, Person


@pytest.fixture
def root(house: House) -> Iterator[Person]:
    """Who looks after the server. What a test made is gone after it."""
    person = house.person("root")
    yield person
    for row in person.ok("SHOW TABLES"):
        person.ok(f"DROP TABLE {row['table']}")


def new_jobs(person: Person, known: set[object]) -> list[dict[str, object]]:
    """The jobs that somebody sees, but for these."""
    return [row for row in person.ok("SHOW JOBS") if row["job_id"] not in known]


def ids(person: Person) -> set[object]:
    """What jobs somebody sees."""
    return {row["job_id"] for row in person.ok("SHOW JOBS")}


def test_flush_and_compact_are_jobs(root: Person) -> None:
    """With who asked, what it was about, and what was written."""
    known = ids(root)
    root.ok("CREATE TABLE t (k BIGINT PRIMARY KEY)")
    root.ok("INSERT INTO t VALUES (1), (2), (3)")
    root.ok("FLUSH t")
    root.ok("COMPACT ALL")
    names = ("kind", "state", "origin", "asked_by", "namespace", "table", "rows", "rows_total")
    assert [tuple(row[name] for name in names) for row in new_jobs(root, known)] == [
        ("flush_tables", "completed", "asked", "root", "public", "t", 3, 3),
        ("compact_tables", "completed", "asked", "root", None, None, 0, None),
    ]


def test_what_the_server_decides_is_seen_by_those_who_look_after_it(house: House, root: Person) -> None:
    """A flush by policy, of whose rows; everybody else sees nothing of it."""
    root.ok("CREATE USER TABLE mine (k BIGINT PRIMARY KEY) WITH (flush_policy = 'rows:1')")
    house.person("ann").ok("INSERT INTO mine VALUES (1)")
    known = ids(root)
    house.database.jobs.tick()
    found = [row for row in new_jobs(root, known) if row["kind"] == "flush"]
    names = ("state", "origin", "asked_by", "table", "user", "rows", "message")
    assert [tuple(row[name] for name in names) for row in found] == [
        ("completed", "decided", None, "mine", "ann", 1, "1 rows to 1 batches")
    ]
    assert house.person("dora").ok("SHOW JOBS") == root.ok("SELECT * FROM system.jobs")
    assert house.person("ann").ok("SHOW JOBS") == house.person("sid").ok("SELECT * FROM system.jobs") == []


def test_everybody_sees_what_they_asked_for(house: House, root: Person) -> None:
    """And nobody else's."""
    root.ok("CREATE TABLE t (k BIGINT PRIMARY KEY)")
    house.person("sam").ok("FLUSH t")
    assert [row["kind"] for row in house.person("sam").ok("SHOW JOBS")] == ["flush_tables"]
    assert house.person("sid").ok("SHOW JOBS") == []
    assert "sam" in {row["asked_by"] for row in root.ok("SHOW JOBS")}


def test_a_job_that_waits_is_killed(house: House, root: Person) -> None:
    """Once; then there is nothing to end. The audit log has who did it."""
    job = house.database.jobs.ask(AuditRetention(days=77), "ann")
    assert root.update(f"KILL JOB '{job.id}'").affected == 1
    assert root.update(f"KILL JOB '{job.id}'").affected == 0
    house.database.jobs.tick()
    found = house.database.jobs.find(job.id)
    assert (found.state, found.message) == (JobState.CANCELLED, "killed by root")
    record = root.ok("SELECT * FROM system.audit_log ORDER BY record")[-1]
    names = ("actor", "action", "object", "outcome", "rows")
    assert tuple(record[name] for name in names) == ("root", "KILL JOB", job.id, "allowed", 0)


def test_a_job_of_somebody_else_is_not_there(house: House, root: Person) -> None:
    """To see it and to end it are one right; what is refused does not tell whether it is there."""
    job = house.database.jobs.ask(AuditRetention(days=78), "ann")
    no_job = "NOT_FOUND: job '{}' does not exist; see system.jobs"
    for name in ("sid", "bob"):
        assert house.person(name).refused(f"KILL JOB '{job.id}'") == no_job.format(job.id)
        assert house.person(name).refused("KILL JOB 'flush-99999'") == no_job.format("flush-99999")
    assert root.refused(f"KILL JOB 'flush-{job.number}'").startswith("NOT_FOUND")
    assert house.person("ann").update(f"KILL JOB '{job.id}'").affected == 1
    assert house.database.jobs.find(job.id).state is JobState.CANCELLED


def test_jobs_are_counted(house: House, root: Person) -> None:
    """Those that wait, run and have failed, for those who look after the server."""
    house.database.jobs.ask(AuditRetention(days=79), "root")
    counts = {row["name"]: row["used"] for row in root.ok("SELECT name, used FROM system.limits")}
    assert (counts["jobs that wait"], counts["jobs at work"], counts["jobs that failed"]) == (1, 0, 0)
    house.database.jobs.tick()
    assert not any("jobs" in str(row["name"]) for row in house.person("ann").ok("SELECT * FROM system.limits"))
