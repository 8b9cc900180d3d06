"""Jobs as users see them: who looks after the server sees all, others what they asked for."""

import json

import pyarrow as pa

from flightserver.context import Context
from flightserver.database import Database
from flush.jobs.job import Job
from flush.jobs.tasks import ScopeTask

_TIME = pa.timestamp("us", tz="UTC")
_NAMED = frozenset({"table_id", "user"})
"""Parameters that have columns of their own."""

JOBS = pa.schema(
    [
        ("job_id", pa.string()),
        ("kind", pa.string()),
        ("state", pa.string()),
        ("origin", pa.string()),
        ("asked_by", pa.string()),
        ("namespace", pa.string()),
        ("table", pa.string()),
        ("user", pa.string()),
        ("parameters", pa.string()),
        ("attempt", pa.int64()),
        ("failures", pa.int64()),
        ("rows", pa.int64()),
        ("rows_total", pa.int64()),
        ("bytes", pa.int64()),
        ("created_at", _TIME),
        ("started_at", _TIME),
        ("finished_at", _TIME),
        ("message", pa.string()),
    ]
)


def jobs_seen(database: Database, context: Context) -> pa.Table:
    """The jobs that are a user's business, by their numbers."""
    rows = [_row(job, database) for job in database.jobs.listed() if context.principal.may_see_job(job.asked_by)]
    return pa.Table.from_pylist(rows, schema=JOBS)


def _row(job: Job, database: Database) -> dict[str, object]:
    parameters = job.task.parameters
    table_id = parameters.get("table_id")
    table = database.name_of_table(table_id) if isinstance(table_id, int) else None
    others = {name: value for name, value in parameters.items() if name not in _NAMED}
    return {
        "job_id": job.id,
        "kind": job.task.kind,
        "state": job.state.value,
        "origin": job.origin.value,
        "asked_by": job.asked_by or None,
        "namespace": table and table.namespace,
        "table": table and table.table,
        "user": job.task.user if isinstance(job.task, ScopeTask) else None,
        "parameters": json.dumps(others, sort_keys=True),
        "attempt": job.attempt,
        "failures": job.failures,
        "rows": job.rows,
        "rows_total": job.rows_total,
        "bytes": job.bytes,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "message": job.message,
    }
