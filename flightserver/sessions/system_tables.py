"""What the server knows of itself, as tables in the namespace `system`. Everybody sees their own; admins see all."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice

import pyarrow as pa

from catalog.definition import TableDef
from flightserver.access.rights import Use
from flightserver.activity.entries import STREAMS, Kind
from flightserver.activity.gate import Gate
from flightserver.activity.ledger import Ledger
from flightserver.activity.statements import Statements
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.granting import GRANTS, POLICIES, grants_seen, policies_seen
from flightserver.execution.jobs_seen import JOBS, jobs_seen
from flightserver.execution.manifests_seen import MANIFEST_CACHE, manifests_seen
from flightserver.execution.published_seen import PUBLISHED, published_seen
from flightserver.execution.system import SystemTable
from flightserver.sessions.directory import Sessions
from flush.jobs.states import JobState
from providers.commit.examination import damage_of
from providers.commit.scope_store import ScopeStore
from providers.damage import Damage

_TIME = pa.timestamp("us", tz="UTC")

BATCH_ROWS = 4_096

_SESSIONS = pa.schema(
    [
        ("session_id", pa.string()),
        ("user", pa.string()),
        ("peer", pa.string()),
        ("namespace", pa.string()),
        ("created_at", _TIME),
        ("idle_since", _TIME),
        ("open_transactions", pa.int64()),
        ("temporary_tables", pa.int64()),
        ("query_timeout_s", pa.float64()),
        ("results", pa.int64()),
        ("prepared_statements", pa.int64()),
        ("streams", pa.int64()),
        ("kept_bytes", pa.int64()),
    ]
)
_KEPT = pa.schema(
    [
        ("kind", pa.string()),
        ("session_id", pa.string()),
        ("user", pa.string()),
        ("bytes", pa.int64()),
        ("idle_s", pa.float64()),
        ("in_use", pa.bool_()),
    ]
)
_QUERIES = pa.schema(
    [
        ("query_id", pa.int64()),
        ("session_id", pa.string()),
        ("user", pa.string()),
        ("actor", pa.string()),
        ("text", pa.string()),
        ("state", pa.string()),
        ("started", _TIME),
        ("seconds", pa.float64()),
        ("rows", pa.int64()),
        ("bytes", pa.int64()),
        ("batches_total", pa.int64()),
        ("batches_pruned", pa.int64()),
        ("engine", pa.string()),
        ("error", pa.string()),
    ]
)
_LIMITS = pa.schema([("user", pa.string()), ("name", pa.string()), ("used", pa.int64()), ("at_most", pa.int64())])
_AUDIT_LOG = pa.schema(
    [
        ("record", pa.int64()),
        ("time", _TIME),
        ("actor", pa.string()),
        ("subject", pa.string()),
        ("action", pa.string()),
        ("object", pa.string()),
        ("outcome", pa.string()),
        ("kind", pa.string()),
        ("digest", pa.string()),
        ("rows", pa.int64()),
        ("seq", pa.int64()),
        ("peer", pa.string()),
        ("session_id", pa.string()),
        ("detail", pa.string()),
    ]
)
_USERS = pa.schema(
    [
        ("user", pa.string()),
        ("role", pa.string()),
        ("enabled", pa.bool_()),
        ("has_password", pa.bool_()),
        ("limits", pa.string()),
    ]
)
_TOKENS = pa.schema(
    [
        ("token", pa.string()),
        ("user", pa.string()),
        ("read_only", pa.bool_()),
        ("created_at", _TIME),
        ("expires_at", _TIME),
    ]
)
_SETTINGS = pa.schema(
    [
        ("key", pa.string()),
        ("value", pa.string()),
        ("default", pa.string()),
        ("source", pa.string()),
        ("allowed", pa.string()),
        ("live", pa.bool_()),
        ("description", pa.string()),
    ]
)
_TABLES = pa.schema(
    [
        ("namespace", pa.string()),
        ("table", pa.string()),
        ("kind", pa.string()),
        ("state", pa.string()),
        ("problem", pa.string()),
    ]
)
_VIEWS = pa.schema([("namespace", pa.string()), ("view", pa.string()), ("definition", pa.string())])


@dataclass(frozen=True)
class Watched:
    """What system tables tell of."""

    database: Database
    sessions: Sessions
    statements: Statements
    ledger: Ledger
    gate: Gate


def system_tables(watched: Watched) -> Mapping[str, SystemTable]:
    """All system tables by name."""
    sessions, statements, ledger = watched.sessions, watched.statements, watched.ledger

    def sessions_seen(context: Context) -> list[dict[str, object]]:
        now = datetime.now(UTC)
        return [
            {
                "session_id": session.id,
                "user": session.user,
                "peer": session.peer,
                "namespace": session.options.namespace,
                "created_at": session.created_at,
                "idle_since": now - timedelta(seconds=session.idle_seconds),
                "open_transactions": session.open_transactions,
                "temporary_tables": len(session.temporary.tables),
                "query_timeout_s": session.timeout_s,
                "results": session.account.count(Kind.RESULT, Kind.FETCHED_RESULT),
                "prepared_statements": session.account.count(Kind.PREPARED_STATEMENT),
                "streams": session.account.count(*STREAMS),
                "kept_bytes": session.account.bytes,
            }
            for session in sessions.listed(None if context.principal.is_admin else context.user)
            if context.principal.may_see(session.user)
        ]

    def kept_seen(context: Context) -> list[dict[str, object]]:
        return [
            {
                "kind": entry.kind.value,
                "session_id": entry.session_id,
                "user": entry.user,
                "bytes": entry.bytes,
                "idle_s": round(entry.idle_seconds, 3),
                "in_use": entry.is_in_use,
            }
            for entry in ledger.listed(None if context.principal.is_admin else context.user)
        ]

    def limits_seen(context: Context) -> list[dict[str, object]]:
        own = [(context.user, name, used, at_most) for name, used, at_most in ledger.usage(context.user)]
        rows = own + ([(None, *row) for row in _of_server(watched)] if context.principal.is_admin else [])
        return [dict(zip(_LIMITS.names, row, strict=True)) for row in rows]

    def queries_seen(context: Context) -> list[dict[str, object]]:
        return [
            {
                "query_id": statement.number,
                "session_id": statement.session_id,
                "user": statement.user,
                "actor": statement.actor,
                "text": statement.text,
                "state": statement.phase.value,
                "started": statement.started_at,
                "seconds": round(statement.elapsed_seconds, 6),
                "rows": statement.rows,
                "bytes": statement.bytes,
                "batches_total": statement.batches_total,
                "batches_pruned": statement.batches_pruned,
                "engine": statement.engine.value,
                "error": statement.error,
            }
            for statement in statements.listed()
            if context.principal.may_see(statement.user) or statement.actor == context.user
        ]

    def audit_seen(context: Context) -> Iterator[dict[str, object]]:
        records = watched.database.audit_log.records() if context.principal.is_admin else iter(())
        return (
            {
                "record": number,
                "time": datetime.fromtimestamp(found.at / 1e6, UTC),
                "actor": found.actor,
                "subject": found.subject,
                "action": found.action,
                "object": found.object,
                "outcome": found.verdict.value,
                "kind": found.kind,
                "digest": found.digest,
                "rows": found.rows,
                "seq": found.seq,
                "peer": found.peer,
                "session_id": found.session,
                "detail": found.detail,
            }
            for number, found in records
        )

    def views_seen(context: Context) -> list[dict[str, object]]:
        views = context.door.views(Use.DESCRIBE)
        return [{"namespace": v.name.namespace, "view": v.name.table, "definition": v.query} for v in views]

    def users_seen(context: Context) -> Iterator[dict[str, object]]:
        users, own = watched.database.users, watched.database.users.find(context.user)
        return (
            {
                "user": user.name,
                "role": user.role.value,
                "enabled": user.enabled,
                "has_password": user.password_hash is not None,
                "limits": ", ".join(f"{name} = {limit}" for name, limit in sorted(user.limits.items())),
            }
            for user in (users.listed() if context.principal.is_admin else [own] if own is not None else [])
        )

    def tokens_seen(context: Context) -> list[dict[str, object]]:
        return [
            {
                "token": token.name,
                "user": token.user,
                "read_only": token.read_only,
                "created_at": token.created_at,
                "expires_at": token.expires_at,
            }
            for token in watched.database.users.tokens(None if context.principal.is_admin else context.user)
        ]

    def tables_seen(context: Context) -> list[dict[str, object]]:
        committed = replace(context, work=watched.database.autocommit).door
        found = []
        for table in context.door.tables(Use.DESCRIBE):
            known = committed.find_table(table.name, Use.DESCRIBE)
            is_committed = known is not None and known.id == table.id
            damage = _damage_seen(watched.database.store, known, context) if known and is_committed else []
            found.append(_table_seen(table, damage))
        return found

    def settings_seen(context: Context) -> list[dict[str, object]]:
        told = watched.database.live.listed() if context.principal.is_admin else []
        return [dict(zip(_SETTINGS.names, astuple(setting), strict=True)) for setting in told]

    return {
        "audit_log": _table(_AUDIT_LOG, audit_seen),
        "grants": SystemTable(GRANTS, grants_seen),
        "jobs": SystemTable(JOBS, partial(jobs_seen, watched.database)),
        "kept": _table(_KEPT, kept_seen),
        "limits": _table(_LIMITS, limits_seen),
        "manifest_cache": _table(MANIFEST_CACHE, partial(manifests_seen, watched.database)),
        "policies": SystemTable(POLICIES, policies_seen),
        "published": _table(PUBLISHED, partial(published_seen, watched.database)),
        "queries": _table(_QUERIES, queries_seen),
        "sessions": _table(_SESSIONS, sessions_seen),
        "settings": _table(_SETTINGS, settings_seen),
        "tables": _table(_TABLES, tables_seen),
        "tokens": _table(_TOKENS, tokens_seen),
        "users": _table(_USERS, users_seen),
        "views": _table(_VIEWS, views_seen),
    }


def _of_server(watched: Watched) -> Iterator[tuple[str, int, int | None]]:
    """What all users together use of the server, and how much there is."""
    settings = watched.database.settings
    yield "sessions", watched.sessions.count, settings.sessions_max
    yield "statements at work", watched.gate.working, settings.statements_max
    yield "statements that wait", watched.gate.waiting, settings.queue_max
    yield "kept bytes", watched.ledger.bytes_kept(), settings.kept_mb << 20
    jobs = watched.database.jobs.counts()
    yield "jobs that wait", jobs[JobState.QUEUED], None
    yield "jobs at work", jobs[JobState.RUNNING], None
    yield "jobs that failed", jobs[JobState.FAILED], None
    yield "writers that wait for storage", watched.database.backlog.waiting, None
    yield "seconds that writers waited", round(watched.database.backlog.waited_seconds), None
    yield "outdated snapshots", watched.database.store.outdated_snapshots(), None


def _damage_seen(store: ScopeStore, table: TableDef, context: Context) -> list[Damage]:
    """What is damaged of a table's scopes that are a user's business."""
    own = context.scope(table)
    found = damage_of(store, *own)
    for damage in store.files.damages.of_table(table.id):
        whose = damage.scope.user
        if damage not in found and whose != own[1] and (whose is None or context.principal.may_see(whose)):
            found += damage_of(store, table, whose) if whose is not None else [damage]
    return found


def _table_seen(table: TableDef, found: Sequence[Damage]) -> dict[str, object]:
    is_damaged = any(damage.part.stops_statements for damage in found)
    return {
        "namespace": table.name.namespace,
        "table": table.name.table,
        "kind": table.kind_name,
        "state": "damaged" if is_damaged else "impaired" if found else "whole",
        "problem": "\n".join(map(str, found)) or None,
    }


def _table(schema: pa.Schema, rows: Callable[[Context], Iterable[dict[str, object]]]) -> SystemTable:
    return SystemTable(schema, lambda context: pa.Table.from_batches(_batches(schema, iter(rows(context))), schema))


def _batches(schema: pa.Schema, rows: Iterator[dict[str, object]]) -> Iterator[pa.RecordBatch]:
    """Rows as record batches, some thousand at a time: there may be very many users."""
    while found := list(islice(rows, BATCH_ROWS)):
        yield pa.RecordBatch.from_pylist(found, schema=schema)
