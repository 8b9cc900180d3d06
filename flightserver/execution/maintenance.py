"""FLUSH, COMPACT and PUBLISH: what happens by itself, at once. And REBUILD MANIFEST.

A user's command is about the rows that the user's statements see, and so is the number that it returns: a USER table's
other scopes are no business of it. An admin's command is about everybody's. A command over all tables goes on past what
is damaged, which `system.tables` lists; one over a single table says so when it has done the rest.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial

from catalog.definition import Scope, TableDef, TableKind
from catalog.errors import DatabaseError, ErrorKind
from flightserver.access.rights import Use
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.rows import Affected
from flightserver.sql.statements import Statement, TableRef
from flightserver.sql.table_statements import Compact, Flush, PublishTable, RebuildManifest
from flush.compaction import compact, settle
from flush.hot_flush import flush
from flush.jobs.tasks import CompactTables, FlushTables, ManifestRebuild, PublishTables
from flush.partitions import loaded_users, users_of
from flush.publish.publish import publish, rows_in_files
from flush.reclaim import reclaim
from flush.small_scopes import stays_hot
from flush.work import Work
from providers.commit.definitions import StaleDefinitionError
from providers.commit.examination import damage_of
from providers.commit.scope_state import ScopeState
from providers.damage import Damage, DamagedError, DamagedPart

SMALL_SCOPES_AT_A_TIME = 16
"""A job in a small scope mostly waits for the disk, which serves several that wait about as fast as one."""

SMALL_SCOPE_ROWS = 10_000

PUBLISH_ATTEMPTS = 5
"""How often what is in memory and what is settled are moved in turn, while others write."""


_TASKS: Mapping[type[Statement], type[FlushTables | CompactTables | PublishTables]] = {
    Flush: FlushTables,
    Compact: CompactTables,
    PublishTable: PublishTables,
}

_Function = Callable[[Work, ScopeState], int]


class Maintenance:
    """Runs storage commands."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._functions: dict[type[Statement], _Function] = {
            Flush: self._flush,
            Compact: self._compact,
            PublishTable: self._publish,
        }

    def run(self, statement: Flush | Compact | PublishTable, context: Context) -> Affected:
        """Run a command over one table, or over all. It is seen as a job as long as it runs, and for a while after."""
        table = None if statement.table is None else self._committed(statement.table, context)
        everything = self._outside(context).door.tables(Use.MAINTAIN) if table is None else ()
        tables = [one for one in everything if not one.is_stream]
        if table is not None:
            _refuse_stream(table)
        if isinstance(statement, PublishTable) and table is not None and not table.is_published:
            raise DatabaseError(
                ErrorKind.INVALID, f"{table.name} is not published; ALTER TABLE … SET (publish = 'delta') before"
            )
        task = _TASKS[type(statement)](table_id=None if table is None else table.id)
        with self._database.jobs.at_work(task, context.user, context.stop) as work:
            job = partial(self._functions[type(statement)], work)
            if table is not None:
                return Affected(self._over_whole(table, job, context))
            leaves_few = isinstance(statement, Flush)
            return Affected(sum(self._over(one, job, context, leaves_few=leaves_few) for one in tables))

    def rebuild(self, statement: RebuildManifest, context: Context) -> Affected:
        """Make manifests again that are known to be damaged, of a table's rows that are the user's business."""
        table, jobs = self._committed(statement.table, context), self._database.jobs
        users = sorted(self._with_damaged_manifest(table, context), key=lambda user: user or "")
        done = [jobs.do(ManifestRebuild(table_id=table.id, user=user), context.user, context.stop) for user in users]
        return Affected(sum(not one.is_skipped for one in done))

    def _with_damaged_manifest(self, table: TableDef, context: Context) -> Iterator[str | None]:
        own = context.scope(table)[1]
        found = damage_of(self._database.store, table, own)
        found += [one for one in self._database.store.files.damages.of_table(table.id) if one.scope.user != own]
        for damage in found:
            whose = damage.scope.user
            if damage.part is DamagedPart.MANIFEST and (whose == own or context.principal.is_admin):
                yield whose

    def _over(self, table: TableDef, job: Callable[[ScopeState], int], context: Context, *, leaves_few: bool) -> int:
        """Run a job over one table of all, but for what is damaged; one that is dropped meanwhile needs none."""
        done = 0
        with suppress(StaleDefinitionError, DamagedError):
            users = self._users(table, context)
            if leaves_few:
                users = [user for user in users if not self._is_left_alone(table, user)]
            for result in self._results(table, job, users):
                done += result if isinstance(result, int) else 0
        return done

    def _over_whole(self, table: TableDef, job: Callable[[ScopeState], int], context: Context) -> int:
        """Run a job over one table; what is damaged is an error when the rest is done."""
        results = list(self._results(table, job, self._users(table, context)))
        for result in results:
            if isinstance(result, DamagedError):
                raise result
        return sum(result for result in results if isinstance(result, int))

    def _committed(self, ref: TableRef, context: Context) -> TableDef:
        """The committed definition of a table: a transaction's own is nobody else's business."""
        table = context.table(ref, Use.MAINTAIN)
        committed = self._outside(context).door.find_table(table.name, Use.MAINTAIN)
        if committed is None or committed.id != table.id:
            raise DatabaseError(
                ErrorKind.INVALID, f"table {table.name} is not committed yet; COMMIT, then flush or compact"
            )
        return committed

    def _outside(self, context: Context) -> Context:
        return replace(context, work=self._database.autocommit)

    def _is_left_alone(self, table: TableDef, user: str | None) -> bool:
        """Tell whether a partition's few hot rows stay, and nothing else of it is to be encoded."""
        state = self._database.store.in_memory(Scope(table.id, user))
        has_segments = state is not None and bool(state.head.manifest.segments)
        return not has_segments and stays_hot(self._database.store, table, user)

    def _results(
        self, table: TableDef, job: Callable[[ScopeState], int], users: Sequence[str | None]
    ) -> Iterator[int | DamagedError]:
        """Do a job in scopes of a table: in small ones side by side."""
        with ThreadPoolExecutor(SMALL_SCOPES_AT_A_TIME, thread_name_prefix="maintenance") as threads:
            begun: deque[Future[int | DamagedError]] = deque()
            for user in users:
                try:
                    state = self._database.store.state(table, user)
                except DamagedError as error:
                    yield error
                    continue
                if len(users) == 1 or not _is_small(state):
                    yield _done(job, state)
                    continue
                begun.append(threads.submit(_done, job, state))
                if len(begun) > 2 * SMALL_SCOPES_AT_A_TIME:
                    yield begun.popleft().result()
            for result in begun:
                yield result.result()

    def _users(self, table: TableDef, context: Context) -> list[str | None]:
        """The users, None for a SHARED table, whose scopes of a table the command is about."""
        store = self._database.store
        if table.kind is TableKind.SHARED or not context.principal.is_admin:
            return [context.scope(table)[1]]
        with_files = users_of(store, table) if table.is_published else ()
        return sorted(
            {*store.hot_records.users(table), *loaded_users(store, table), *with_files}, key=lambda user: user or ""
        )

    def _flush(self, work: Work, state: ScopeState) -> int:
        """Move hot rows into batches and settle those that are still as they came; return how many rows were hot."""
        flushed = flush(self._database.store, state, work).rows
        damages = self._damages(state)
        self._settle(work, state)
        segments = {entry.batch for entry in state.head.manifest.segments}
        _refuse(damage for damage in damages if damage.batch in segments)
        return flushed

    def _publish(self, work: Work, state: ScopeState) -> int:
        """Move everything into batches, and show those to other engines; return 1 where they learn of anything.

        Rows that others change while segments are settled are only seen by another flush.
        """
        for _ in range(PUBLISH_ATTEMPTS):
            self._flush(work, state)
            if rows_in_files(state) is not None:
                return int(publish(self._database.store, state).changed)
        raise DatabaseError(
            ErrorKind.UNAVAILABLE, f"streams of rows keep coming to {state.head.table.name}: it cannot be published now"
        )

    def _settle(self, work: Work, state: ScopeState) -> int:
        """Encode what is still as it came; return how many batches were replaced."""
        replaced = 0
        while done := settle(self._database.store, state, work).inputs:
            replaced += done
        return replaced

    def _compact(self, work: Work, state: ScopeState) -> int:
        """Merge until there is nothing to gain; return how many batches were replaced."""
        damages = self._damages(state)
        replaced = self._settle(work, state)
        while done := compact(self._database.store, state, work, everything=True).inputs:
            replaced += done
        reclaim(self._database.store, state)
        _refuse(damages)
        return replaced

    def _damages(self, state: ScopeState) -> list[Damage]:
        """What is known to be damaged of a scope; it may have been put back by now."""
        return damage_of(self._database.store, state.head.table, state.head.scope.user)


def _refuse_stream(table: TableDef) -> None:
    """Raise UNSUPPORTED for a table without files."""
    if table.is_stream:
        raise DatabaseError(
            ErrorKind.UNSUPPORTED,
            f"{table.name} is a STREAM table: its rows are never in files, so there is nothing to flush or to compact",
        )


def _refuse(damages: Iterable[Damage]) -> None:
    """Raise for the first damage by which statements fail."""
    for damage in damages:
        if damage.part.stops_statements:
            raise DamagedError(damage)


def _done(job: Callable[[ScopeState], int], state: ScopeState) -> int | DamagedError:
    """What a job does in a scope, or what of it is damaged."""
    try:
        return job(state)
    except DamagedError as error:
        return error


def _is_small(state: ScopeState) -> bool:
    """Tell whether several scopes like this are no matter for memory."""
    return state.head.hot.version_count + state.head.manifest.rows <= SMALL_SCOPE_ROWS
