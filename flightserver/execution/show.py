"""Tables about tables: SHOW, DESCRIBE, EXPLAIN."""

import re
from collections.abc import Callable

import pyarrow as pa

from catalog.definition import Column, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import Privilege
from catalog.identifiers import COMPUTED_NAMESPACES, TableName
from catalog.types import format_type, type_name
from flightserver.access.rights import Use
from flightserver.access.row_rules import rule_on_rows
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.granting import grants_seen
from flightserver.execution.jobs_seen import jobs_seen
from flightserver.execution.manifests_seen import MANIFEST_CACHE, manifests_seen
from flightserver.execution.on_cluster import ClusterQueries
from flightserver.execution.published_seen import PUBLISHED, published_seen
from flightserver.execution.reading import Reader
from flightserver.execution.rewriting import finding_query, qualified
from flightserver.execution.rows import Rows, client_schema
from flightserver.execution.targets import check_columns, target
from flightserver.sql.access_statements import ShowGrants
from flightserver.sql.rendering import create_table_text, create_view_text
from flightserver.sql.statements import Explain, Statement
from flightserver.sql.table_statements import (
    Describe,
    ShowColumns,
    ShowCreate,
    ShowJobs,
    ShowManifest,
    ShowManifestCache,
    ShowNamespaces,
    ShowPublished,
    ShowTables,
)
from flightserver.sql.text.query_text import QueryText
from providers.cold.pruning import Pruned

_STORED_FILE = re.compile(r"(?:[^\s\[\],:]*/)+(batch|shape)(-[\w-]+)(\.(?:parquet|arrow))")

_STORED_SCAN = re.compile(r"storage\.files\.(?:b[0-9a-f]{32}|t\d+)|\?table\?")

_EXPLAINED = pa.schema([("plan_type", pa.string()), ("plan", pa.string())])
_NAMESPACES = pa.schema([("namespace", pa.string())])
_TABLES = pa.schema([("namespace", pa.string()), ("table", pa.string()), ("kind", pa.string())])
_COLUMNS = pa.schema(
    [
        ("column", pa.string()),
        ("type", pa.string()),
        ("nullable", pa.bool_()),
        ("key_position", pa.int32()),
        ("default", pa.string()),
    ]
)
_CREATE = pa.schema([("name", pa.string()), ("statement", pa.string())])
_MANIFEST = pa.schema(
    [
        ("batch", pa.int64()),
        ("rows", pa.int64()),
        ("dead", pa.int64()),
        ("bytes", pa.int64()),
        ("min_seq", pa.int64()),
        ("max_seq", pa.int64()),
        ("schema_version", pa.int32()),
        ("created_at", pa.string()),
        ("checksum", pa.string()),
    ]
)


class Show:
    """Runs statements that describe."""

    def __init__(self, database: Database, reader: Reader, cluster: ClusterQueries) -> None:
        self._database = database
        self._reader = reader
        self._cluster = cluster
        self._handlers: dict[type[Statement], Callable[..., pa.Table]] = {
            ShowNamespaces: self._namespaces,
            ShowTables: self._tables,
            ShowColumns: self._columns,
            Describe: self._columns,
            ShowManifest: self._manifest,
            ShowCreate: self._create,
            Explain: self._explain,
            ShowJobs: lambda _, context: jobs_seen(database, context),
            ShowManifestCache: lambda _, context: pa.Table.from_pylist(
                list(manifests_seen(database, context)), schema=MANIFEST_CACHE
            ),
            ShowPublished: lambda _, context: pa.Table.from_pylist(
                list(published_seen(database, context)), schema=PUBLISHED
            ),
            ShowGrants: lambda statement, context: grants_seen(context, statement),
        }

    def handles(self, statement: Statement) -> bool:
        """Tell whether `run` takes the statement."""
        return type(statement) in self._handlers

    def run(self, statement: Statement, context: Context) -> Rows:
        """Run a statement."""
        table = self._handlers[type(statement)](statement, context)
        return Rows.of_table(table.cast(client_schema(table.schema)))

    def _namespaces(self, _: ShowNamespaces, context: Context) -> pa.Table:
        return pa.table([sorted([*context.door.namespaces, *COMPUTED_NAMESPACES])], schema=_NAMESPACES)

    def _tables(self, statement: ShowTables, context: Context) -> pa.Table:
        door, temporary = context.door, context.temporary.by_name
        namespace = statement.namespace or context.namespace
        if namespace not in COMPUTED_NAMESPACES:
            door.require_namespace(namespace)
        tables, views = door.tables_in(namespace, Use.DESCRIBE), door.views_in(namespace, Use.DESCRIBE)
        listed = [(t.name, "TEMPORARY" if t.name in temporary else t.kind_name) for t in tables]
        listed += [(view.name, "VIEW") for view in views]
        listed += [(name, "SYSTEM") for name in self._reader.system if name.namespace == namespace]
        listed.sort()
        columns = [[name.namespace for name, _ in listed], [name.table for name, _ in listed], [k for _, k in listed]]
        return pa.table(columns, schema=_TABLES)

    def _columns(self, statement: Describe | ShowColumns, context: Context) -> pa.Table:
        name = context.name(statement.table)
        door = context.door
        if name in self._reader.system or door.find_view(name, Use.DESCRIBE) is not None:
            described = self._reader.describe(QueryText(f"SELECT * FROM {qualified(name)}"), context)
            rows: list[_ColumnRow] = [(f.name, type_name(f.type), f.nullable, None, None) for f in described.schema]
        else:
            table = door.table(name, Use.DESCRIBE)
            rows = [_described(column, table) for column in table.visible_columns]
        return pa.table([list(values) for values in zip(*rows, strict=True)], schema=_COLUMNS)

    def _create(self, statement: ShowCreate, context: Context) -> pa.Table:
        name = context.name(statement.table)
        view = context.door.find_view(name, Use.DESCRIBE)
        text = create_view_text(view) if view is not None else create_table_text(context.door.table(name, Use.DESCRIBE))
        return pa.table([[str(name)], [text]], schema=_CREATE)

    def _manifest(self, statement: ShowManifest, context: Context) -> pa.Table:
        table = context.table(statement.table, Use.INSPECT)
        if rule_on_rows(context.door, table, Privilege.SELECT) is not None:
            raise DatabaseError(
                ErrorKind.DENIED, f"row policies of {table.name} hide rows, so its manifest is not shown"
            )
        (snapshot,) = context.work.snapshots([context.scope(table)])
        rows = [
            {
                "batch": entry.batch,
                "rows": entry.rows,
                "dead": snapshot.dead_in(entry).count,
                "bytes": entry.bytes,
                "min_seq": entry.min_seq,
                "max_seq": entry.max_seq,
                "schema_version": entry.schema_version,
                "created_at": entry.created_at,
                "checksum": entry.checksum,
            }
            for entry in snapshot.manifest.batches
        ]
        return pa.Table.from_pylist(rows, schema=_MANIFEST)

    def _explain(self, statement: Explain, context: Context) -> pa.Table:
        written = target(statement.query, context)
        text = finding_query(statement.query, context)
        if text is None:
            raise DatabaseError(ErrorKind.UNSUPPORTED, "EXPLAIN takes a query, INSERT, UPDATE or DELETE")
        plain = self._reader.plan(text, context)
        there = self._cluster.query(text, context, plain, has_parameters=False) if written is None else None
        if there is not None and not statement.analyze:
            tables = [f"{name}: version {version}" for name, version in sorted(there.versions.items())]
            types = ["published"] * len(tables) + ["cluster"]
            return pa.table([types, [*tables, there.shown]], schema=_EXPLAINED)
        if there is not None:
            raise DatabaseError(ErrorKind.UNSUPPORTED, "the cluster does not tell how a query ran: EXPLAIN shows it")
        if written is not None:
            check_columns(statement.query, written, len(plain.schema))
        words = "EXPLAIN ANALYZE VERBOSE" if statement.verbose and statement.analyze else "EXPLAIN"
        if statement.analyze != statement.verbose:
            words += " ANALYZE" if statement.analyze else " VERBOSE"
        engine = self._reader.plan_explained(words, text, context).rows().to_table()
        plans = [_readable(plan) for plan in engine.column("plan").to_pylist()]
        pruning = [_pruning_line(name, pruned) for name, pruned in sorted(plain.pruned.items())]
        types = ["pruning"] * len(pruning) + engine.column("plan_type").to_pylist()
        return pa.table([types, pruning + plans], schema=_EXPLAINED)


_ColumnRow = tuple[str, str, bool, int | None, str | None]


def _described(column: Column, table: TableDef) -> _ColumnRow:
    position = table.key.index(column.id) + 1 if column.id in table.key else None
    default = None if column.default is None else str(column.default)
    return column.name, format_type(column.type), column.nullable, position, default


def _readable(plan: str) -> str:
    """A plan without the server's paths and without the names of scans, which nobody can use.

    The number of a shape counts what everybody has planned, so it is not shown.
    """
    return _STORED_SCAN.sub("batches", _STORED_FILE.sub(_shown_file, plan))


def _shown_file(stored: re.Match[str]) -> str:
    kind, number, ending = stored.groups()
    return f"{kind}{ending}" if kind == "shape" else f"{kind}{number}{ending}"


def _pruning_line(name: TableName, pruned: Pruned) -> str:
    return (
        f"{name}: batches total={pruned.total} kept={len(pruned.kept)} pruned_by_range={pruned.by_range} "
        f"pruned_by_bloom={pruned.by_bloom}, hot rows={pruned.hot_rows}"
    )
