"""A query, planned over pinned snapshots in two passes.

First the text is planned against shapes (tables without rows), which takes well under a millisecond and yields the
filters that DataFusion pushes down to each table. From them and the manifests the batches are chosen. Then the text is
planned again with each table as its merged relation over the chosen batches. A table that a plan scans more than once
keeps every batch that any of its scans may need; one with a scan in a sub-query that the plan hides keeps all of them.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
from datafusion import DataFrame
from datafusion.catalog import Table

from catalog.definition import DELETED_COLUMN, SEQ_COLUMN, TableDef, ViewDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from catalog.registry import Registry
from flightserver.database import Database
from flightserver.execution.rewriting import qualified
from flightserver.execution.rows import Rows, client_schema, to_client
from flightserver.session import Session
from flightserver.sql.references import (
    hide_system_columns,
    mentions_system_columns,
    needs_stable_join_order,
    referenced_names,
)
from flightserver.sql.statements import TableRef
from manifest.predicate import AnyOf, Predicate, Unknown
from providers.engine_errors import engine_errors
from providers.predicates import scans, translate
from providers.pruning import Pruned, prune
from providers.query_engine import SqlDialect
from providers.relation import Columns
from providers.snapshot import Snapshot
from providers.streaming import Cancelled, StreamLoop, pull

VIEW_DEPTH_MAX = 32
SHORT_ROWS_MAX = 2_000_000
"""A query that passes once over at most this many rows of one table runs for milliseconds."""

Parameters = Mapping[str, pa.Scalar]
_MULTIPLIES = re.compile(r"Join|Recursive|Subquery|Unnest")
"""Parts of a plan that may make many more rows than they read."""

_SHAPE_SCAN = re.compile(r"TableScan: (?:\w+\.)*(t\d+)\b")


@dataclass(frozen=True)
class PlannedQuery:
    """A query ready to run. It keeps its snapshots alive, and with them their files."""

    frame: DataFrame
    schema: pa.Schema
    snapshots: Mapping[TableName, Snapshot]
    pruned: Mapping[TableName, Pruned]
    loop: StreamLoop
    is_short: bool

    def rows(self) -> Rows:
        """The result."""
        return Rows(self.schema, self._start)

    def _start(self, cancelled: Cancelled) -> Iterator[pa.RecordBatch]:
        batches = pull(self.frame) if self.is_short else self.loop.stream(self.frame, cancelled)
        yield from to_client(batches, self.schema)


@dataclass(frozen=True)
class _Names:
    """What a query may mean by its names: tables, and views from the innermost out."""

    tables: Mapping[TableName, TableDef]
    views: Mapping[TableName, ViewDef]


class Reader:
    """Plans queries for sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(
        self,
        text: str,
        session: Session,
        parameters: Parameters | None = None,
        *,
        snapshots: Mapping[TableName, Snapshot] | None = None,
        extra: Mapping[TableName, Table] | None = None,
        columns: Columns = Columns.VISIBLE,
        exact_literals: bool = False,
    ) -> PlannedQuery:
        """Plan `text`. `snapshots` are read instead of the newest; `extra` are further relations it may name.

        With `exact_literals`, numbers with a point are decimals and not floats.
        """
        registry = self._database.catalog.registry
        names = _names_in(text, session, registry)
        if columns is Columns.VISIBLE and any(map(mentions_system_columns, _texts(text, names))):
            columns = Columns.VERSIONED
            text = _hide_versions(text, session, names)
        pinned = {
            name: (snapshots or {}).get(name) or self._snapshot(table, session) for name, table in names.tables.items()
        }
        query = _Query(self._database, text, session, names, parameters, extra or {}, columns, exact_literals)
        if not pinned:
            frame, pruned, multiplies = query.frame({}), {}, " from " in f" {text.lower()} "
        else:
            predicates, multiplies = query.predicates(pinned)
            files = self._database.store.files
            pruned = {name: prune(pinned[name], predicates[name], files) for name in predicates}
            relations = self._database.relations
            merged = {name: relations.merged(pinned[name], choice, columns) for name, choice in pruned.items()}
            unread = {name: relations.shape(pinned[name].table, columns) for name in pinned.keys() - pruned.keys()}
            frame = query.frame({**unread, **merged})
        return PlannedQuery(
            frame,
            client_schema(frame.schema()),
            pinned,
            pruned,
            self._database.streams,
            not multiplies and _is_short(pruned),
        )

    def check_view(self, view: ViewDef, registry: Registry) -> None:
        """Raise INVALID when views nest too deeply under `view`, or in a circle."""
        _collect(f"TABLE {qualified(view.name)}", Session("", view.namespace), registry, {}, {}, 0)

    def _snapshot(self, table: TableDef, session: Session) -> Snapshot:
        return self._database.store.snapshot(table, session.scope_user(table))


@dataclass(frozen=True)
class _Query:
    """One text with everything that both passes share."""

    database: Database
    text: str
    session: Session
    names: _Names
    parameters: Parameters | None
    extra: Mapping[TableName, Table]
    columns: Columns
    exact_literals: bool

    def predicates(self, pinned: Mapping[TableName, Snapshot]) -> tuple[dict[TableName, Predicate], bool]:
        """What the rows that the query uses of each table satisfy, and whether it may multiply rows.

        Tables that it does not scan are left out.
        """
        shape = self.database.relations.shape
        shapes = {name: shape(snapshot.table, self.columns) for name, snapshot in pinned.items()}
        frame = self.frame(shapes)
        with engine_errors():
            plan = frame.optimized_logical_plan()
        by_shape = {f"t{snapshot.table.id}": name for name, snapshot in pinned.items()}
        found: dict[str, list[Predicate]] = defaultdict(list)
        for scan in scans(plan):
            if scan.table in by_shape:
                table = pinned[by_shape[scan.table]].table
                found[scan.table].append(translate(scan.filters, table) if scan.filters else Unknown())
        displayed = plan.display_indent()
        shown = Counter(_SHAPE_SCAN.findall(displayed))
        predicates: dict[TableName, Predicate] = {}
        for shape_name, occurrences in shown.items():
            parts = found[shape_name]
            whole = len(parts) == 1 and occurrences == 1
            hidden = occurrences > len(parts)
            predicates[by_shape[shape_name]] = Unknown() if hidden else parts[0] if whole else AnyOf(tuple(parts))
        return predicates, shown.total() > 1 or bool(_MULTIPLIES.search(displayed))

    def frame(self, tables: Mapping[TableName, Table]) -> DataFrame:
        """Plan the text over these relations."""
        relations = {**tables, **self.extra}
        for name, view in self.names.views.items():
            relations[name] = self._plan(view.query, relations, view.namespace, None).into_view()
        return self._plan(self.text, relations, self.session.namespace, self.parameters)

    def _plan(
        self, text: str, relations: Mapping[TableName, Table], namespace: str, parameters: Parameters | None
    ) -> DataFrame:
        dialect = (
            SqlDialect.EXACT_LITERALS
            if self.exact_literals
            else SqlDialect.STABLE_JOIN_ORDER
            if needs_stable_join_order(text)
            else SqlDialect.PLAIN
        )
        return self.database.engine.plan(text, relations, namespace, parameters, dialect)


def _is_short(pruned: Mapping[TableName, Pruned]) -> bool:
    """Tell whether a query reads so little that nobody needs to cancel it while it works."""
    return sum(sum(entry.rows for entry in choice.kept) + choice.hot_rows for choice in pruned.values()) <= (
        SHORT_ROWS_MAX
    )


def _texts(text: str, names: _Names) -> Iterator[str]:
    yield text
    yield from (view.query for view in names.views.values())


def _names_in(text: str, session: Session, registry: Registry) -> _Names:
    tables: dict[TableName, TableDef] = {}
    views: dict[TableName, ViewDef] = {}
    _collect(text, session, registry, tables, views, 0)
    return _Names(tables, views)


def _collect(
    text: str,
    session: Session,
    registry: Registry,
    tables: dict[TableName, TableDef],
    views: dict[TableName, ViewDef],
    depth: int,
) -> None:
    """Find what the names of a text may mean. A view comes after the views that it reads."""
    if depth > VIEW_DEPTH_MAX:
        raise DatabaseError(ErrorKind.INVALID, f"views are nested deeper than {VIEW_DEPTH_MAX}")
    for ref in referenced_names(text):
        name = session.name(ref)
        if name in registry.tables:
            tables[name] = registry.tables[name]
        elif name in registry.views and name not in views:
            view = registry.views[name]
            _collect(view.query, Session(session.user, view.namespace), registry, tables, views, depth + 1)
            views[name] = view


def _hide_versions(text: str, session: Session, names: _Names) -> str:
    def has_them(ref: TableRef) -> bool:
        return session.name(ref) in names.tables

    return hide_system_columns(text, (SEQ_COLUMN, DELETED_COLUMN), has_them)
