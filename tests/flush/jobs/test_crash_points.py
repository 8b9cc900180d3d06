"""kill -9 at every step of every kind of job.

What was left is opened again, and its jobs go on: every job that was asked for has ended, and none twice; what had
ended before is as it was; the table has what was acknowledged, and no file more than its manifest names. The points are
the functions of the modules that run jobs, and what they make durable, so that a new kind's function is one of them.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.audit_log import RETENTION, AuditLog
from catalog.identifiers import TableName
from flightserver.backup import contents, moment, shelf
from flightserver.backup.restoring import findings
from flush.checking import repair
from flush.jobs import jobs, kinds, records
from flush.jobs.job import Job
from flush.jobs.kinds import KINDS, make_task
from flush.jobs.records import JobRecords
from flush.jobs.states import JobState
from flush.jobs.tasks import ManifestRebuild
from flush.publish import log, publish
from flush.publish.log import read_log
from flush.work import Work
from tests.flush.crashes import Crashes, crashes
from tests.flush.jobs.crash_workload import EVENTS, EVENTS_MAX, LOG, SHOWN, STEPS, JobStep, contents_after
from tests.flush.test_crash_points import check_consistent, check_files
from tests.storage_fixtures import Database, TableAccess

pytestmark = pytest.mark.proof

BY_STATEMENT = {"flush_tables", "compact_tables", "publish_tables"}
"""Kinds that a client waits for: nobody goes on with those."""

ELSEWHERE = {
    *("start", "stop", "is_running", "_work", "at_work", "do", "_by_statement"),
    *("_failed", "_tell", "_try_again", "no_such_job", "find", "cancel", "listed", "counts", "_state_of"),
    *("at_rest", "_copy", "folder", "_write_deletions", "_write_found", "found", "repair_stored", "lost_deletions"),
    *("_record_anew", "write_recorded", "remove_log"),
}
"""Functions of these modules that need threads, failures or users."""

PURE = {
    "encode_job",
    "make_task",
    "_from_json",
    "_moment",
    "_read_moment",
    "_key",
    "_new",
    "_rewritten",
    "_note_ended",
} | {
    *(
        "created_at",
        "same",
        "note",
        "_measured",
        "_as_stored",
        "_folders",
        "_by_folder",
        "_device",
        "_shelved",
        "_newest",
    ),
    *("expires_in", "_since_ms", "is_published_whole", "log_of", "_version_name", "_checkpoint_name", "_delete"),
    *("_usable", "_alone", "_is_same", "_derived", "derive", "_is_whole", "_has_lost_deletions"),
}
"""To be killed in one of these is to be killed before or after it."""

PRIMITIVES = {"append", "wait_durable", "publish_change", "replace_manifest", "unlink", "remove"}


def functions() -> list[str]:
    """All functions of the modules that run jobs."""
    modules = (jobs, kinds, records, moment, contents, shelf, repair, publish, log)
    trees = [ast.parse(Path(str(module.__file__)).read_text()) for module in modules]
    found = {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return sorted((found | PRIMITIVES) - ELSEWHERE - PURE - {"__init__"})


@pytest.fixture(scope="module")
def crashing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    """The workload, to be killed."""
    with crashes("tests.flush.jobs.crash_workload", tmp_path_factory.mktemp("crashes"), usually=1) as process:
        yield process


def test_every_kind_is_among_those_that_are_killed() -> None:
    """But for those that a client waits for."""
    assert {step.kind for step in STEPS if isinstance(step, JobStep)} == set(KINDS) - BY_STATEMENT


@pytest.mark.parametrize("event", ["call", "return"])
@pytest.mark.parametrize("function", functions())
def test_jobs_go_on_after_a_crash_and_none_is_done_twice(crashing: Crashes, function: str, event: str) -> None:
    """Killed at any point of any job."""
    for survivor in crashing.at(function, event):
        check_survivor(survivor)


def check_survivor(root: Path) -> None:
    """Open what a killed process left, let its jobs go on, and hold it against the workload."""
    acknowledged = (root / "acknowledged").stat().st_size
    database = Database(root)
    try:
        database.clear_leftovers()
        table = TableAccess(database, TableName("public", "t"))
        states = contents_after()
        before = {job.number: job for job in JobRecords(database.keyvalue, make_task, 1_000).load()}
        check_jobs(database, before, acknowledged)
        database.jobs().do(ManifestRebuild(table_id=table.definition.id), "ann")
        survived = table.values()
        assert survived in (states[acknowledged], states[min(acknowledged + 1, len(STEPS))])
        check_consistent(table, survived)
        table.reclaim()
        check_files(table, exactly=True)
        check_audit_log(database)
        check_events(database)
        check_log(database, acknowledged)
        check_shown(database)
        check_backups(database)
    finally:
        database.close()


def check_jobs(database: Database, before: dict[int, Job], acknowledged: int) -> None:
    """Every job that is on record ends, and none that had ended is begun again."""
    running = database.jobs()
    for _ in range(3):
        running.tick()
    after = {job.number: job for job in JobRecords(database.keyvalue, make_task, 1_000).load()}
    assert after.keys() == before.keys()
    for number, job in after.items():
        earlier = before[number]
        assert job.state in {JobState.COMPLETED, JobState.SKIPPED}
        assert job == earlier if earlier.state.is_final else job.attempt == earlier.attempt + 1
    asked = [step.kind for step in STEPS[: acknowledged + 1] if isinstance(step, JobStep)]
    done = [step.kind for step in STEPS[:acknowledged] if isinstance(step, JobStep)]
    found = Counter(job.task.kind for job in after.values())
    assert found in (Counter(done), Counter(asked))


def check_backups(database: Database) -> None:
    """Those that are listed are whole, and the next one clears away what was left of one that was not completed."""
    for backup in database.shelf.listed():
        assert backup.listing is not None
        assert not backup.listing.problems
        assert not list(findings(database.shelf.folder(backup.name)))
    database.tools().take_backup("last", Work())
    left = {path.name for path in (database.root / "shelf").iterdir()} - {"LOCK"}
    assert left == {backup.name for backup in database.shelf.listed()}


def check_shown(database: Database) -> None:
    """The table that other engines read shows its newest manifest, without anybody having asked again."""
    shown = TableAccess(database, SHOWN)
    found, manifest = read_log(shown.snapshot.cold.folder), shown.snapshot.manifest
    assert found.manifest == manifest.version
    assert {file.path for file in found.files.values()} == {entry.path for entry in manifest.batches}
    missing = [name for name in found.held(0) if not (shown.folder / name).exists()]
    assert not missing


def check_audit_log(database: Database) -> None:
    """It is whole, and was cut at most once for each record that was old."""
    log = AuditLog(database.keyvalue)
    assert not log.check()[0]
    actions = [record.action for _, record in log.records()]
    assert actions.count(RETENTION) <= 1


def check_events(database: Database) -> None:
    """The STREAM table has the newest rows of those that were appended so far, without the one that was deleted."""
    numbers = sorted(row["n"] for row in TableAccess(database, EVENTS).all())
    appended = [list(range(max(count - EVENTS_MAX, 0), count)) for count in range(6)]
    assert numbers in [*appended, [2, 3]]


def check_log(database: Database, acknowledged: int) -> None:
    """The table that keeps its rows for a while has all young ones, and no old ones once the job has ended."""
    found = TableAccess(database, LOG).values()
    place = next(place for place, step in enumerate(STEPS) if isinstance(step, JobStep) and step.kind == "retention")
    young = {5: 5, 6: 60, 8: 8}
    if acknowledged > place:
        assert found == young
    written = [{}, {0: 0, 1: 1, 2: 2}, {k: k for k in range(7)}, {k: 60 if k == 6 else k for k in range(9)}]
    assert found in written or young.items() <= found.items() <= written[-1].items()
