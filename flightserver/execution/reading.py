"""A query, planned over pinned snapshots in two passes.

First the text is planned against shapes (tables without rows), which takes well under a millisecond and yields the
filters that DataFusion pushes down to each table. From them and the manifests the batches are chosen. Then the text is
planned again with each table as its merged relation over the chosen batches. A table that a plan scans more than once
keeps every batch that any of its scans may need; one with a scan in a sub-query that the plan hides keeps all of them.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pyarrow as pa
from datafusion import DataFrame
from datafusion.catalog import Table

from catalog.definition import DELETED_COLUMN, SEQ_COLUMN, TableDef, ViewDef
from catalog.identifiers import SYSTEM_NAMESPACE, TableName
from catalog.registry import Registry
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.damage import check_present, damage_named
from flightserver.execution.names import Names, names_in
from flightserver.execution.origins import Origins, origins
from flightserver.execution.rewriting import qualified, with_context_values
from flightserver.execution.rows import Rows, client_schema, to_client
from flightserver.execution.sources import Parameters, Source, SqlText, SubstraitPlan
from flightserver.execution.system import SystemTables
from flightserver.sql.statements import SubstraitQuery, TableRef
from flightserver.sql.text.references import hide_system_columns, mentions_system_columns, needs_stable_join_order
from manifest.predicate import AnyOf, Predicate, Unknown
from providers.cold.files import ColdFiles
from providers.cold.pruning import Pruned, prune
from providers.engine.errors import engine_errors
from providers.engine.export import export, selected_columns
from providers.engine.predicates import scans, translate
from providers.engine.relations import Columns
from providers.engine.streaming import StreamLoop, pull
from providers.lru import ByteBoundedCache
from providers.snapshot import Snapshot
from providers.stopping import Stop

SHORT_ROWS_MAX = 2_000_000
"""A query that passes once over at most this many rows of one table runs for milliseconds."""

ORIGINS_BYTES = 1 << 20
ORIGIN_BYTES = 16
"""What is remembered of the origins of results, and about what a column takes."""

_MULTIPLIES = re.compile(r"Join|Recursive|Subquery(?!Alias)|Unnest")
"""Parts of a plan that may make many more rows than they read."""

_SHAPE_SCAN = re.compile(r"TableScan: (?:\w+\.)*(t\d+)\b")


@dataclass(frozen=True)
class PlannedQuery:
    """A query ready to run. It keeps its snapshots alive, and with them their files."""

    frame: DataFrame
    schema: pa.Schema
    snapshots: Mapping[TableName, Snapshot]
    pruned: Mapping[TableName, Pruned]
    files: ColdFiles
    loop: StreamLoop
    turns: AbstractContextManager[object]
    is_short: bool
    exported: list[str] | None = None
    """The columns that a query returns of the whole of its only table, when it does nothing else."""

    def rows(self) -> Rows:
        """The result."""
        return Rows(self.schema, self._start, self.is_short)

    def _start(self, stop: Stop) -> Iterator[pa.RecordBatch]:
        yield from to_client(self._read(stop), self.schema)

    def _read(self, stop: Stop) -> Iterator[pa.RecordBatch]:
        with damage_named(self.snapshots, self.pruned, stop):
            if self.exported is not None and not self.is_short:
                ((name, pruned),) = self.pruned.items()
                yield from export(self.snapshots[name], pruned, self.exported, self.schema, self.files, stop)
            elif self.is_short:
                yield from _in_turns(pull(self.frame), self.turns)
            else:
                yield from self.loop.stream(self.frame, stop)


def _in_turns(batches: Iterator[pa.RecordBatch], turns: AbstractContextManager[object]) -> Iterator[pa.RecordBatch]:
    while True:
        with turns:
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


@dataclass(frozen=True)
class DescribedQuery:
    """What is known of a query from the definitions of its tables alone: no row or batch was looked at."""

    frame: DataFrame
    schema: pa.Schema
    tables: Collection[TableDef]


class Reader:
    """Plans queries for contexts."""

    def __init__(self, database: Database, system: SystemTables) -> None:
        self._database = database
        self._origins: ByteBoundedCache[object, Origins] = ByteBoundedCache(ORIGINS_BYTES)
        self.system = {TableName(SYSTEM_NAMESPACE, name): table for name, table in system.items()}

    def plan(
        self,
        text: str,
        context: Context,
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
        return self._plan(self._query(text, context, parameters, extra, columns, exact_literals), snapshots or {})

    def plan_substrait(self, query: SubstraitQuery, context: Context) -> PlannedQuery:
        """Plan a serialized Substrait plan."""
        return self._plan(self._substrait_query(query, context), {})

    def describe(self, text: str, context: Context) -> DescribedQuery:
        """What `text` would return, at a fraction of the cost of `plan`."""
        return self._describe(self._query(text, context))

    def describe_substrait(self, query: SubstraitQuery, context: Context) -> DescribedQuery:
        """What a serialized Substrait plan would return."""
        return self._describe(self._substrait_query(query, context))

    def check_view(self, view: ViewDef, registry: Registry, context: Context) -> None:
        """Raise INVALID when views nest too deeply under `view`, or in a circle."""
        names_in(f"TABLE {qualified(view.name)}", context.namespace, registry, self.system)

    def _names_in(self, text: str, context: Context) -> Names:
        return names_in(text, context.namespace, context.registry, self.system)

    def _query(
        self,
        text: str,
        context: Context,
        parameters: Parameters | None = None,
        extra: Mapping[TableName, Table] | None = None,
        columns: Columns = Columns.VISIBLE,
        exact_literals: bool = False,
    ) -> "_Query":
        names = self._names_in(text, context)
        if columns is Columns.VISIBLE and any(map(mentions_system_columns, names.texts(text))):
            columns = Columns.VERSIONED
            text = _hide_versions(text, context, names)
        keeps_join_order = any(map(needs_stable_join_order, names.texts(text)))
        source = SqlText(with_context_values(text, context), parameters, exact_literals, keeps_join_order)
        return _Query(self._database, source, context, names, extra or {}, columns)

    def _substrait_query(self, query: SubstraitQuery, context: Context) -> "_Query":
        texts = [f"TABLE {qualified(context.name(ref))}" for ref in query.tables]
        names = Names.union([self._names_in(text, context) for text in texts])
        return _Query(self._database, SubstraitPlan(query.plan), context, names, {}, Columns.VISIBLE)

    def _describe(self, query: "_Query") -> DescribedQuery:
        tables = query.names.tables
        empty = self._relations_of({name: table.schema.empty_table() for name, table in query.names.system.items()})
        with self._database.engine.turns:
            shapes = query.shapes(tables)
            frame = query.frame({**empty, **shapes})
            schema = client_schema(frame.schema(), self._origins_of(query, frame, tables, shapes))
            return DescribedQuery(frame, schema, tables.values())

    def _plan(self, query: "_Query", snapshots: Mapping[TableName, Snapshot]) -> PlannedQuery:
        """Plan twice: against shapes, to choose batches, and against the merged relations of those."""
        pinned = _pin(query.names, query.context, snapshots)
        computed = self._relations_of({name: t.rows(query.context) for name, t in query.names.system.items()})
        relations = self._database.relations
        columns = query.columns
        turns = self._database.engine.turns
        files = self._database.store.files
        with turns:
            if not pinned:
                frame, pruned = query.frame(computed), {}
                use = _Use({}, bool(_MULTIPLIES.search(frame.logical_plan().display_indent())), None)
                found: Origins = ()
            else:
                tables = {name: snapshot.table for name, snapshot in pinned.items()}
                empty = query.shapes(tables)
                shapes = {**computed, **empty}
                shaped = query.frame(shapes)
                use = query.use(shaped, pinned)
                found = self._origins_of(query, shaped, tables, empty)
                pruned = {name: prune(pinned[name], predicate, files) for name, predicate in use.predicates.items()}
                check_present(pinned, pruned)
                with damage_named(pinned, pruned, query.context.stop):
                    merged = {name: relations.merged(pinned[name], choice, columns) for name, choice in pruned.items()}
                    frame = query.frame({**shapes, **merged})
            schema = client_schema(frame.schema(), found)
        return PlannedQuery(
            frame,
            schema,
            pinned,
            pruned,
            files,
            self._database.streams,
            turns,
            not use.multiplies and _is_short(pruned),
            use.exported if columns is Columns.VISIBLE and len(pruned) == 1 else None,
        )

    def _origins_of(
        self,
        query: "_Query",
        frame: DataFrame,
        tables: Mapping[TableName, TableDef],
        shapes: Mapping[TableName, Table],
    ) -> Origins:
        """Where the columns of a query over shapes come from, which a text tells once for the same tables and views."""
        written, views = query.source.written, query.names.views
        return self._origins.get(
            (written, query.context.namespace, frozenset(shapes.items()), frozenset(views.items())),
            lambda: origins(
                frame.logical_plan(), frame.schema().names, {f"t{table.id}": table for table in tables.values()}
            ),
            lambda found: len(written) + ORIGIN_BYTES * len(found),
        )

    def _relations_of(self, computed: Mapping[TableName, pa.Table]) -> dict[TableName, Table]:
        return {name: self._database.relations.of_rows(rows) for name, rows in computed.items()}


@dataclass(frozen=True)
class _Use:
    """What a query does with the tables that it scans.

    `predicates` is what the rows that it uses of each satisfy; `multiplies` says that it may make many more rows than
    it reads; `exported` are the columns of a query that returns them of its only table, and does nothing else.
    """

    predicates: Mapping[TableName, Predicate]
    multiplies: bool
    exported: list[str] | None


@dataclass(frozen=True)
class _Query:
    """One text with everything that both passes share."""

    database: Database
    source: Source
    context: Context
    names: Names
    extra: Mapping[TableName, Table]
    columns: Columns

    def shapes(self, tables: Mapping[TableName, TableDef]) -> dict[TableName, Table]:
        """The tables without their rows."""
        shape = self.database.relations.shape
        return {name: shape(table, self.columns) for name, table in tables.items()}

    def use(self, frame: DataFrame, pinned: Mapping[TableName, Snapshot]) -> "_Use":
        """What the query does with each table, as the engine's optimized plan over shapes tells."""
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
        exported = selected_columns(plan) if shown.total() == 1 else None
        return _Use(predicates, shown.total() > 1 or bool(_MULTIPLIES.search(displayed)), exported)

    def frame(self, tables: Mapping[TableName, Table]) -> DataFrame:
        """Plan the text over these relations."""
        relations = {**tables, **self.extra}
        engine = self.database.engine
        for name, view in self.names.views.items():
            query = SqlText(with_context_values(view.query, self.context))
            relations[name] = query.frame(engine, relations, view.namespace).into_view()
        return self.source.frame(engine, relations, self.context.namespace)


def _pin(names: Names, context: Context, given: Mapping[TableName, Snapshot]) -> dict[TableName, Snapshot]:
    """The snapshots that a query reads: those given, and of all other tables what is there as of one moment."""
    others = {name: table for name, table in names.tables.items() if name not in given}
    read = context.work.snapshots([context.scope(table) for table in others.values()])
    return {**dict(zip(others, read, strict=True)), **{name: given[name] for name in names.tables if name in given}}


def _is_short(pruned: Mapping[TableName, Pruned]) -> bool:
    """Tell whether a query reads so little that nobody needs to cancel it while it works."""
    return sum(sum(entry.rows for entry in choice.kept) + choice.hot_rows for choice in pruned.values()) <= (
        SHORT_ROWS_MAX
    )


def _hide_versions(text: str, context: Context, names: Names) -> str:
    def has_them(ref: TableRef) -> bool:
        return context.name(ref) in names.tables

    return hide_system_columns(text, (SEQ_COLUMN, DELETED_COLUMN), has_them)
