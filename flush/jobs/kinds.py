"""The kinds of jobs: for each its model, what is done, and what becomes of it when it fails or its server ends.

A new kind is a model in `tasks`, a function, and a row in `KINDS`. A function works by what it is given and nothing
else: the task, the tools, and the `Work` that it asks between two steps whether to go on, and tells what it did. It may
be begun again after it was cut off anywhere, unless its row says otherwise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from catalog.audit_log import AuditLog
from catalog.definition import Scope, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import KeyValueStore
from catalog.registry import Registry
from flush.checking.checks import check_all
from flush.checking.repair import repair_scope
from flush.compaction import Compacted, clean, compact, settle
from flush.hot_flush import flush
from flush.jobs import tasks
from flush.jobs.tasks import Task
from flush.partitions import users_of
from flush.publish.publish import is_behind, publish
from flush.rebuild import rebuild_scope
from flush.reclaim import reclaim, reclaim_leftovers
from flush.retention import Retained, retain
from flush.stream_eviction import evict, evict_unloaded
from flush.work import Work
from providers.commit.definitions import StaleDefinitionError
from providers.commit.idempotency import forget_outcomes
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.damage import DamagedError

MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Tools:
    """What jobs work with: `registry` has the definitions, `reclaim_dropped` deletes folders of dropped tables.

    `take_backup` takes one under a name, and tells what it took.
    """

    keyvalue: KeyValueStore
    store: ScopeStore
    audit_log: AuditLog
    find_table: Callable[[int], TableDef | None]
    reclaim_dropped: Callable[[], int]
    registry: Callable[[], Registry]
    take_backup: Callable[[str, Work], str]


@dataclass(frozen=True)
class Done:
    """What became of a job that did not fail: what it did, or why there was nothing to do."""

    message: str
    is_skipped: bool = False


GONE = Done("the table was dropped", is_skipped=True)
NOTHING = Done("there was nothing to do", is_skipped=True)


@dataclass(frozen=True)
class Kind:
    """What is to be known of a kind: `resumes` says that a job that was cut off may be begun again."""

    model: type[Task]
    run: Callable[[Any, Tools, Work], Done]
    attempts_max: int = 5
    resumes: bool = True
    is_heavy: bool = False


def _flush(task: tasks.Flush, tools: Tools, work: Work) -> Done:
    state = _state_of(task.scope, tools)
    if state is None:
        return GONE
    done = flush(tools.store, state, work)
    return Done(f"{done.rows} rows to {done.batches} batches") if done.batches or done.rows else NOTHING


def _settle(task: tasks.Settle, tools: Tools, work: Work) -> Done:
    state = tools.store.in_memory(task.scope)
    return GONE if state is None else _rewritten(settle(tools.store, state, work))


def _compact(task: tasks.Compact, tools: Tools, work: Work) -> Done:
    state = tools.store.in_memory(task.scope)
    return GONE if state is None else _rewritten(compact(tools.store, state, work))


def _clean(task: tasks.Clean, tools: Tools, work: Work) -> Done:
    state = tools.store.in_memory(task.scope)
    return GONE if state is None else _rewritten(clean(tools.store, state, work))


def _rewritten(done: Compacted) -> Done:
    return Done(f"{done.inputs} batches to {done.outputs}") if done.inputs else NOTHING


def _reclaim(task: tasks.Reclaim, tools: Tools, _: Work) -> Done:
    state = tools.store.in_memory(task.scope)
    if state is None:
        return GONE
    gone = reclaim(tools.store, state)
    if state.has_leftovers:
        state.has_leftovers = reclaim_leftovers(tools.store, state)
    return Done(f"{gone} files") if gone else NOTHING


def _publish(task: tasks.Publish, tools: Tools, _: Work) -> Done:
    """Those that are not in memory are loaded only if they have something new to show."""
    table = tools.find_table(task.table_id)
    if table is None:
        return GONE
    if tools.store.in_memory(task.scope) is None and not is_behind(tools.store, table, task.user):
        return NOTHING
    state = tools.store.state(table, task.user)
    done = publish(tools.store, state)
    gone = reclaim(tools.store, state)
    if not done.changed and not gone:
        return NOTHING
    return Done("nothing any more" if done.version is None else f"version {done.version}")


def _stream_eviction(task: tasks.StreamEviction, tools: Tools, work: Work) -> Done:
    state = tools.store.in_memory(task.scope)
    table = tools.find_table(task.table_id) if state is None else state.head.table
    if table is None:
        return GONE
    if state is None:
        with tools.store.kept_unloaded(table, task.user) as folder:
            if folder is not None:
                evict_unloaded(tools.keyvalue, table, task.scope, tools.store.allocator.now_ms())
                return Done("what was expired of a partition that is not in memory")
        state = tools.store.state(table, task.user)
    done = evict(tools.store, state)
    work.did(done.rows, done.bytes)
    return Done(f"{done.rows} rows") if done.rows else NOTHING


def _reclaim_dropped(_: tasks.ReclaimDropped, tools: Tools, __: Work) -> Done:
    count = tools.reclaim_dropped()
    return Done(f"{count} tables") if count else NOTHING


def _manifest_rebuild(task: tasks.ManifestRebuild, tools: Tools, work: Work) -> Done:
    table = tools.find_table(task.table_id)
    if table is None:
        return GONE
    with tools.store.kept_unloaded(table, task.user) as folder:
        if folder is None:
            return Done("the table is in use, so its manifest is whole", is_skipped=True)
        with tools.store.stillness.together():
            manifest = rebuild_scope(tools.keyvalue, folder, table, task.scope)
    work.did(manifest.rows, 0)
    return Done(f"{manifest.rows - manifest.dead} live rows in {len(manifest.batches)} batches")


def _manifest_eviction(task: tasks.ManifestEviction, tools: Tools, _: Work) -> Done:
    before = datetime.now(UTC).timestamp() - task.ttl_s
    scopes, copies = tools.store.evict_manifests(task.cache_mb << 20, before)
    return Done(f"{scopes} partitions left memory, {copies} manifests RocksDB") if scopes or copies else NOTHING


def _retention(_: tasks.Retention, tools: Tools, work: Work) -> Done:
    """What of one partition is damaged, or was defined anew meanwhile, is no matter of the others."""
    done, left = Retained(), 0
    for table in [one for one in tools.registry().tables.values() if one.options.retention is not None]:
        for user in users_of(tools.store, table):
            work.check()
            try:
                state = tools.store.state(table, user)
                done += retain(tools.store, state, tools.store.allocator.now_ms(), work)
            except (DamagedError, StaleDefinitionError):
                left += 1
    if not (done.rows or done.batches or left):
        return NOTHING
    return Done(f"{done.rows} rows, {done.batches} whole batches" + (f"; {left} partitions left out" if left else ""))


def _repair(task: tasks.Repair, tools: Tools, work: Work) -> Done:
    table = tools.find_table(task.table_id)
    if table is None:
        return GONE
    done = repair_scope(tools.store, tools.keyvalue, table, task.user, work)
    if done.left:
        raise DamagedError(done.left[0])
    return Done(f"{len(done.files)} files") if done.files else NOTHING


def _check(task: tasks.Check, tools: Tools, work: Work) -> Done:
    """Of everything. What is narrower is done by the statement that asks for it, which wants to know what is found."""
    if task != tasks.Check():
        return _by_statement(task, tools, work)
    found = check_all(tools.store, tools.keyvalue, tools.registry().tables.values(), work)
    return Done(f"{len(found)} findings, the first: {found[0]}" if found else "all is as it was written")


def _backup(task: tasks.Backup, tools: Tools, work: Work) -> Done:
    return Done(tools.take_backup(task.name or f"{datetime.now(UTC):auto-%Y%m%dT%H%M%S.%f}", work))


def _audit_retention(task: tasks.AuditRetention, tools: Tools, work: Work) -> Done:
    now = datetime.now(UTC)
    before = int((now - timedelta(days=task.days)).timestamp() * MICROSECONDS)
    count = tools.audit_log.cut(before=before, at=int(now.timestamp() * MICROSECONDS))
    work.did(count, 0)
    return Done(f"{count} records") if count else NOTHING


def _idempotency_retention(task: tasks.IdempotencyRetention, tools: Tools, work: Work) -> Done:
    before = (datetime.now(UTC) - timedelta(days=task.days)).isoformat(timespec="microseconds")
    count = 0
    for forgotten in forget_outcomes(tools.keyvalue, before):
        count += forgotten
        work.did(forgotten, 0)
        work.check()
    return Done(f"{count} records") if count else NOTHING


def _by_statement(task: Task, _: Tools, __: Work) -> Done:
    """The statement that asks for it does it; after a restart there is nobody who waits for it."""
    raise DatabaseError(ErrorKind.INVALID, f"a job of kind {task.kind} is done by the statement that asks for it")


KINDS: Mapping[str, Kind] = {
    "flush": Kind(tasks.Flush, _flush),
    "settle": Kind(tasks.Settle, _settle, is_heavy=True),
    "compact": Kind(tasks.Compact, _compact, is_heavy=True),
    "clean": Kind(tasks.Clean, _clean, is_heavy=True),
    "reclaim": Kind(tasks.Reclaim, _reclaim),
    "publish": Kind(tasks.Publish, _publish),
    "stream_eviction": Kind(tasks.StreamEviction, _stream_eviction),
    "reclaim_dropped": Kind(tasks.ReclaimDropped, _reclaim_dropped),
    "manifest_rebuild": Kind(tasks.ManifestRebuild, _manifest_rebuild, is_heavy=True),
    "manifest_eviction": Kind(tasks.ManifestEviction, _manifest_eviction),
    "retention": Kind(tasks.Retention, _retention, is_heavy=True),
    "repair": Kind(tasks.Repair, _repair, is_heavy=True),
    "check": Kind(tasks.Check, _check, is_heavy=True),
    "audit_retention": Kind(tasks.AuditRetention, _audit_retention),
    "idempotency_retention": Kind(tasks.IdempotencyRetention, _idempotency_retention),
    "backup": Kind(tasks.Backup, _backup),
    "flush_tables": Kind(tasks.FlushTables, _by_statement, resumes=False),
    "publish_tables": Kind(tasks.PublishTables, _by_statement, resumes=False),
    "compact_tables": Kind(tasks.CompactTables, _by_statement, resumes=False),
}
"""A row for each kind."""


def make_task(kind: str, parameters: Mapping[str, object]) -> Task:
    """A task of a kind; INVALID, naming the parameter, when it would make no sense."""
    known = KINDS.get(kind)
    if known is None:
        raise DatabaseError(ErrorKind.INVALID, f"there is no job of kind {kind!r}; there are {', '.join(KINDS)}")
    try:
        return known.model.model_validate({**parameters, "kind": kind})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise DatabaseError(ErrorKind.INVALID, f"job {kind}: {faults}") from error


def _state_of(scope: Scope, tools: Tools) -> ScopeState | None:
    """A scope, loaded if need be; None when its table is gone."""
    state = tools.store.in_memory(scope)
    if state is not None:
        return state
    table = tools.find_table(scope.table_id)
    return None if table is None else tools.store.state(table, scope.user)
