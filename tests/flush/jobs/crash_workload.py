"""What a process does that is killed while its jobs run: each kind of job at least once, each asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import pyarrow as pa

from catalog.audit import AuditRecord, Verdict
from catalog.audit_log import AuditLog
from catalog.definition import Format, Publication, Retention, StreamLimits, TableOptions
from catalog.identifiers import TableName
from catalog.keyvalue import AtomicWrite, Family
from flush import compaction
from flush.jobs.job import Job, Origin
from flush.jobs.kinds import make_task
from flush.jobs.records import JobRecords
from flush.publish import log
from manifest.layout import MANIFEST_NAME
from tests.flush.crash_workload import Contents, Step, request
from tests.storage_fixtures import Database, TableAccess

OTHER = TableName("public", "other")
LOG = TableName("public", "log")
"""A table that keeps its rows for ten days."""
EVENTS = TableName("public", "events")
SHOWN = TableName("public", "shown")
"""A table that other engines read."""
EVENTS_MAX = 3
"""A STREAM table, and how many rows stay in it."""
OF_NO_TABLE = {"reclaim_dropped", "retention", "check", "backup"}


@dataclass(frozen=True)
class JobStep:
    """A job that is asked for, and done."""

    kind: str
    parameters: dict[str, object] = field(default_factory=dict)
    interrupted: bool = False
    before: Callable[[TableAccess], object] = lambda _: None
    of: TableName | None = None

    def run(self, table: TableAccess) -> None:
        """Do it, with jobs that have just begun; what was interrupted is on record as running."""
        about = table if self.of is None else TableAccess(table.db, self.of)
        of_table = {} if self.parameters or self.kind in OF_NO_TABLE else {"table_id": about.definition.id}
        self.before(table)
        task = make_task(self.kind, {**of_table, **self.parameters})
        if self.interrupted:
            records = JobRecords(table.db.keyvalue, make_task, 1_000)
            at = datetime.now(UTC)
            records.put(Job(records.next_number(), task, Origin.ASKED, at, "ann").queued().started(at))
        jobs = table.db.jobs()
        if not self.interrupted:
            jobs.ask(task, "ann")
        jobs.tick()


def drop_other(table: TableAccess) -> None:
    """Drop a table, as DROP TABLE does."""
    definition = table.db.catalog.registry.table(OTHER)
    table.db.catalog.change(lambda registry: registry.without_table(OTHER))
    table.db.store.drop_table(definition)


def make_old_records(table: TableAccess) -> None:
    """Let there be a record of the audit log from 1970, and a newer one."""
    for at in (0, int(datetime.now(UTC).timestamp() * 1e6)):
        AuditLog(table.db.keyvalue).record(AuditRecord(at, "ann", "ann", "DROP TABLE", "t", Verdict.ALLOWED))


def age_requests(table: TableAccess) -> None:
    """Let all requests so far be of the century before."""
    batch = AtomicWrite()
    for key, value in table.db.keyvalue.scan(Family.IDEMPOTENCY, b"", b"\xff"):
        batch.put(Family.IDEMPOTENCY, key, value.replace(b'"at": "20', b'"at": "19'))
    table.db.keyvalue.commit(batch)


def overfill(table: TableAccess) -> None:
    """Append more rows to the STREAM table than stay in it, and delete one of those."""
    events = TableAccess(table.db, EVENTS)
    for number in range(5):
        events.write({"_row": number, "n": number})
    events.delete({"_row": 4})


def fill_log(table: TableAccess) -> None:
    """Let there be a batch with old rows alone, one with old and new rows, and both in memory."""
    log = TableAccess(table.db, LOG)
    now = datetime.now(UTC)
    old, new = now - timedelta(days=20), now + timedelta(days=1)
    log.write(*({"k": k, "v": k, "at": old} for k in range(3)))
    log.flush()
    log.write(*({"k": k, "v": k, "at": old if k < 5 else new} for k in range(3, 7)))
    log.flush()
    log.write({"k": 6, "v": 60, "at": new}, {"k": 7, "v": 7, "at": old}, {"k": 8, "v": 8, "at": new})


def fill_shown(table: TableAccess) -> None:
    """Let there be two batches with a dead row, of which nothing is published yet."""
    shown = TableAccess(table.db, SHOWN)
    shown.write({"k": 1, "v": 1}, {"k": 2, "v": 2})
    shown.flush()
    shown.write({"k": 2, "v": 20})
    shown.flush()


def spoil_bloom(table: TableAccess) -> None:
    """Put something else in the place of the filters of a batch; what has the file in a backup keeps it."""
    path = min(table.folder.glob("*.bloom"))
    path.unlink()
    path.write_bytes(b"none")


def lose_manifest(table: TableAccess) -> None:
    """Start anew, and find no manifest."""
    manifest = table.folder / MANIFEST_NAME
    table.db.reopen()
    manifest.unlink()


STEPS: Sequence[Step | JobStep] = (
    Step("insert", [{k: k for k in range(60)}], idempotency=request(0)),
    JobStep("flush"),
    Step("update and delete over cold rows", [{0: 100, 70: 70}], delete=[1, 2]),
    JobStep("flush"),
    Step("bulk load", [{7: 70, 80: 80}, {81: 81}], delete=[9], bulk=True),
    JobStep("settle"),
    JobStep("clean"),
    JobStep("reclaim"),
    Step("delete most", delete=list(range(10, 50))),
    JobStep("compact"),
    JobStep("reclaim"),
    JobStep("reclaim_dropped", before=drop_other),
    JobStep("audit_retention", {"days": 30.0}, before=make_old_records),
    JobStep("idempotency_retention", {"days": 30.0}, before=age_requests),
    JobStep("manifest_eviction", {"cache_mb": 0, "ttl_s": 1.0}),
    JobStep("retention", before=fill_log),
    JobStep("publish", before=fill_shown, of=SHOWN),
    JobStep("stream_eviction", before=overfill, of=EVENTS),
    JobStep("backup"),
    JobStep("backup"),
    JobStep("backup"),
    JobStep("repair", before=spoil_bloom),
    JobStep("check"),
    JobStep("manifest_rebuild", before=lose_manifest),
    JobStep("flush", interrupted=True),
    Step("last commit", [{99: 99}]),
)


def prepare(database: Database) -> list[Callable[[], object]]:
    """Make the tables; return the steps."""
    compaction.SCATTERED_DEAD_MIN = 2
    log.CHECKPOINT_VERSIONS = 1
    table = database.create()
    other = database.create(name=OTHER.table)
    other.load([{"k": 1, "v": 1}])
    columns = (("k", pa.int64()), ("v", pa.int64()), ("at", pa.timestamp("us", "UTC")))
    kept = TableOptions(retention=Retention(10 * 86_400.0, column=3))
    database.create(columns, ["k"], name=LOG.table, options=kept)
    database.create(name=SHOWN.table, options=TableOptions(publication=Publication(Format.DELTA)))
    limits = TableOptions(stream=StreamLimits(ttl_seconds=3_600, max_rows=EVENTS_MAX))
    database.create([("n", pa.int64())], (), name=EVENTS.table, options=limits)
    return [partial(step.run, table) for step in STEPS]


def contents_after() -> list[Contents]:
    """Contents before the first step, and after each."""
    states: list[Contents] = [{}]
    for step in STEPS:
        states.append(states[-1] if isinstance(step, JobStep) else step.apply(states[-1]))
    return states
