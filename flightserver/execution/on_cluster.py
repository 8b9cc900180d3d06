"""Which queries run on a cluster, and over what: the published versions of the very snapshots that a plan has pinned.

A query is planned here first. That decides rights, records reads, and says what the result's types are; nothing is
asked of the cluster that our own engine would refuse. Then each table must be published as it was pinned. What has
rows that a user may not see, or anything else that a text alone does not carry there, is refused.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from catalog.definition import Column
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import CATALOG_NAME, TableName
from flightserver.activity.statement import Engine
from flightserver.cluster.connection import Cluster
from flightserver.cluster.results import brought_to, check_types
from flightserver.cluster.translation.kinds import refused
from flightserver.cluster.translation.scopes import PublishedTable
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.reading import PLAN_BYTES, PlannedQuery, Reader
from flightserver.execution.reads import Reads
from flightserver.execution.rows import Rows, sliced
from flightserver.sql.text.query_text import QueryText
from flightserver.without import do_with
from flush.compaction import settle
from flush.hot_flush import flush
from flush.jobs.tasks import PublishTables
from flush.publish.publish import publication_of, publish
from providers.engine.relations import Columns
from providers.snapshot import Snapshot
from providers.stopping import Stop

ATTEMPTS = 4
"""How often tables are published anew that change meanwhile."""


@dataclass(frozen=True)
class OnCluster:
    """A query as the cluster is asked it; `shown` is its text without the server's paths."""

    text: str
    shown: str
    versions: Mapping[TableName, int]
    schema: pa.Schema
    snapshots: tuple[Snapshot, ...]
    cluster: Cluster

    def noted(self, context: Context) -> "OnCluster":
        """The same; its statement is listed as one that runs there."""
        if context.statement is not None:
            context.statement.engine = Engine.CLUSTER
        return self

    def rows(self) -> Rows:
        """The result."""
        return Rows(self.schema, self._start, pinned=self.snapshots, nbytes=PLAN_BYTES)

    def _start(self, stop: Stop) -> Iterator[pa.RecordBatch]:
        yield from sliced(brought_to(batch, self.schema) for batch in self.cluster.stream(self.text, stop))


class ClusterQueries:
    """Decides for planned queries."""

    def __init__(self, database: Database, reader: Reader) -> None:
        self._database = database
        self._reader = reader

    def query(
        self, text: QueryText, context: Context, planned: PlannedQuery, *, has_parameters: bool
    ) -> OnCluster | None:
        """The query for the cluster, None when it runs here; UNSUPPORTED when its session wants what cannot be."""
        settings = self._database.settings.cluster
        if settings is None or context.in_transaction or context.engine is Engine.LOCAL:
            return None
        is_wanted = context.engine is Engine.CLUSTER
        if not is_wanted and not 0 < settings.min_mb << 20 < _bytes_read(planned):
            return None
        try:
            return self._on_cluster(text, context, planned, Cluster(settings.url, settings.silence_s), has_parameters)
        except DatabaseError as error:
            if is_wanted or error.kind is not ErrorKind.UNSUPPORTED:
                raise
            return None

    def _on_cluster(
        self, text: QueryText, context: Context, planned: PlannedQuery, cluster: Cluster, has_parameters: bool
    ) -> OnCluster | None:
        reads = self._reader.reads(text, context)
        if not reads.tables and not reads.all_guards:
            return None
        _check(reads, has_parameters=has_parameters)
        do_with("pandas")  # which the cluster's client insists on
        from flightserver.cluster.translation.queries import translated  # noqa: PLC0415 - 8 MB, for clusters alone

        unread = {name: _table(snapshot, "?") for name, snapshot in planned.snapshots.items()}
        check_types((one.value.kind for one in translated(str(text), _finder(context, unread)).outputs), planned.schema)
        planned, versions = self._published(text, context, planned)
        tables = {
            name: _table(snapshot, f"delta.`{_path(snapshot)}` VERSION AS OF {versions[name]}")
            for name, snapshot in planned.snapshots.items()
        }
        shown = {name: replace(table, text=f"{name}@{versions[name]}") for name, table in tables.items()}
        return OnCluster(
            translated(str(text), _finder(context, tables)).text,
            translated(str(text), _finder(context, shown)).text,
            versions,
            planned.schema,
            tuple(planned.snapshots.values()),
            cluster,
        )

    def _published(
        self, text: QueryText, context: Context, planned: PlannedQuery
    ) -> tuple[PlannedQuery, dict[TableName, int]]:
        """The query over snapshots that are all published, and the versions; publishes what is not, and plans again."""
        for attempt in range(ATTEMPTS):
            versions = {name: self._version(snapshot) for name, snapshot in planned.snapshots.items()}
            missing = [name for name, version in versions.items() if version is None]
            if not missing:
                return planned, {name: version for name, version in versions.items() if version is not None}
            if attempt < ATTEMPTS - 1:
                for name in missing:
                    self._publish(planned.snapshots[name], context)
                planned = self._reader.plan(text, context)
        raise DatabaseError(
            ErrorKind.UNAVAILABLE,
            f"{', '.join(map(str, missing))} changes faster than it is published; retry, or SET engine = 'local'",
        )

    def _version(self, snapshot: Snapshot) -> int | None:
        """The version of the Delta table that shows exactly these rows; None when there is none."""
        if snapshot.has_unflushed or snapshot.manifest.segments or snapshot.hot.live_count:
            return None
        state = self._database.store.state(snapshot.table, snapshot.scope.user)
        found = publication_of(state, snapshot)
        is_same = found.manifest == snapshot.manifest.version and found.definition == snapshot.table.version
        return found.version if is_same and found.rows == snapshot.live_count else None

    def _publish(self, snapshot: Snapshot, context: Context) -> None:
        """Move everything of a scope into batches, and show those, as a job."""
        store = self._database.store
        state = store.state(snapshot.table, snapshot.scope.user)
        task = PublishTables(table_id=snapshot.table.id)
        with self._database.jobs.at_work(task, context.user, context.stop) as work:
            flush(store, state, work)
            while settle(store, state, work).inputs:
                work.check()
            publish(store, state)


def _check(reads: Reads, *, has_parameters: bool) -> None:
    """Raise UNSUPPORTED for what a text does not carry to a cluster."""
    if has_parameters:
        raise refused("it has parameters")
    if reads.system:
        raise refused(f"{min(reads.system)} is a system table")
    if reads.views:
        raise refused(f"{min(reads.views)} is a view")
    if reads.all_guards:
        raise refused(f"row policies are on {min(name for name, _ in reads.all_guards)}")
    for name, table in reads.tables.items():
        if not table.is_published:
            raise refused(f"{name} is not published: ALTER TABLE … SET (publish = 'delta')")
    if any(columns is not Columns.VISIBLE for _, columns in reads.variants.values()):
        raise refused("it reads columns of the system")


def _bytes_read(planned: PlannedQuery) -> int:
    """What a query reads of files, as its manifests say."""
    return sum(entry.bytes for pruned in planned.pruned.values() for entry in pruned.kept)


def _finder(
    context: Context, tables: Mapping[TableName, PublishedTable]
) -> Callable[[tuple[str, ...]], PublishedTable | None]:
    def find(parts: tuple[str, ...]) -> PublishedTable | None:
        if len(parts) == 3 and parts[0] != CATALOG_NAME:
            return None
        return tables.get(TableName(parts[-2] if len(parts) > 1 else context.namespace, parts[-1]))

    return find


def _table(snapshot: Snapshot, text: str) -> PublishedTable:
    columns = {column.name: _described(column) for column in snapshot.table.visible_columns}
    return PublishedTable(text, columns)


def _described(column: Column) -> tuple[pa.DataType, bool]:
    return column.storage, column.nullable


def _path(snapshot: Snapshot) -> str:
    return snapshot.cold.folder.local_path("").rstrip("/").replace("`", "``")
