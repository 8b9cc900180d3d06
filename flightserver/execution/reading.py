"""A query, planned over pinned snapshots in two passes.

First the text is planned against shapes (tables without rows), which takes well under a millisecond and yields the
filters that DataFusion pushes down to each table. From them and the manifests the batches are chosen. Then the text is
planned again with each table as its merged relation over the chosen batches. A table that a plan scans more than once
keeps every batch that any of its scans may need.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

import pyarrow as pa

from catalog.definition import TableDef, ViewDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import Privilege
from catalog.identifiers import CATALOG_NAME, SYSTEM_NAMESPACE, TableName
from flightserver.access.door import Door
from flightserver.access.row_rules import RowRule, rule_on_rows
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.allowed_rows import AllowedRows
from flightserver.execution.catalogs import ViewColumns, catalog_tables
from flightserver.execution.damage import check_present, damage_named
from flightserver.execution.first_passes import FirstPasses, Run
from flightserver.execution.guarding import allowed_text, failing_closed
from flightserver.execution.names import Names, relation_of_rows, view_text
from flightserver.execution.passes import Asked, Guarded, Trusting
from flightserver.execution.plan_sizes import plan_size_of
from flightserver.execution.reads import Reads
from flightserver.execution.rewriting import qualified
from flightserver.execution.rows import Rows, client_schema, to_client
from flightserver.execution.sources import Parameters, SqlText, SubstraitPlan
from flightserver.execution.system import SystemTables
from flightserver.sql.meaning.constant_parameters import constant_of, constant_parameters
from flightserver.sql.meaning.counts import counted_table
from flightserver.sql.meaning.engine_text import Circumstances, EngineText, for_engine
from flightserver.sql.meaning.parameter_types import parameter_types
from flightserver.sql.meaning.plan_size import refuse_large
from flightserver.sql.meaning.scopes import Relation
from flightserver.sql.statements import SubstraitQuery
from flightserver.sql.text.query_text import QueryText
from providers.cold.files import ColdFiles
from providers.cold.pruning import Pruned, prune
from providers.engine.export import export
from providers.engine.session import BATCH_ROWS, EngineTable, Frame, SqlDialect
from providers.engine.streaming import StreamLoop, pull
from providers.lru import ByteBoundedCache
from providers.snapshot import Snapshot
from providers.stopping import Stop

SHORT_ROWS_MAX = 2_000_000
"""A query that passes once over at most this many rows of one table runs for milliseconds."""

PLAN_BYTES = 64 << 10
"""About what a planned query takes beside its snapshots."""

ENGINE_TEXTS_BYTES = 8 << 20


@dataclass(frozen=True)
class PlannedQuery:
    """A query ready to run. It keeps its snapshots alive, and with them their files."""

    frame: Frame
    schema: pa.Schema
    snapshots: Mapping[TableName, Snapshot]
    pruned: Mapping[TableName, Pruned]
    files: ColdFiles
    loop: StreamLoop
    turns: AbstractContextManager[object]
    is_short: bool
    exported: list[str] | None = None
    """The columns that a query returns of the whole of its only table, when it does nothing else."""
    held_bytes: int = 0
    """What it keeps in memory of tables with row policies."""
    read_once: frozenset[TableName] = frozenset()
    """Tables that it is known to read in one place alone."""

    def rows(self) -> Rows:
        """The result."""
        return Rows(
            self.schema, self._start, self.is_short, tuple(self.snapshots.values()), PLAN_BYTES + self.held_bytes
        )

    def _start(self, stop: Stop) -> Iterator[pa.RecordBatch]:
        yield from to_client(self._read(stop), self.schema)

    def _read(self, stop: Stop) -> Iterator[pa.RecordBatch]:
        with damage_named(self.files, self.snapshots, self.pruned, stop):
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

    schema: pa.Schema


@dataclass(frozen=True)
class Given:
    """What a statement brings along for the query that finds its rows: snapshots, and rows by name."""

    snapshots: Mapping[TableName, Snapshot] = field(default_factory=dict)
    rows: Mapping[TableName, pa.Table] = field(default_factory=dict)
    targets: tuple[pa.DataType | None, ...] = ()
    """The types of the columns that the query's own are stored in."""
    changed: tuple[TableName, Privilege] | None = None
    """The table whose rows the statement is about to change, and what for."""

    @property
    def relations(self) -> dict[TableName, Relation]:
        """The rows as relations for the text."""
        return {name: relation_of_rows(rows, name) for name, rows in self.rows.items()}


NOTHING = Given()

ALLOWED_PART = 16
"""Of the memory for queries, how much is kept of the rows that policies leave."""

GUARDED_PART = 4
"""Of the memory for queries, how much the rows of one table with policies may take."""


class Reader:
    """Plans queries for contexts."""

    def __init__(self, database: Database, system: SystemTables) -> None:
        self._database = database
        self._texts: ByteBoundedCache[object, EngineText] = ByteBoundedCache(ENGINE_TEXTS_BYTES)
        self._passes = FirstPasses(database.engine)
        self._allowed = AllowedRows((database.settings.memory_limit_mb << 20) // ALLOWED_PART)
        own = {TableName(SYSTEM_NAMESPACE, name): table for name, table in system.items()}
        self.system = {**own, **catalog_tables(own, ViewColumns(self._names, self._columns_of_view).of)}

    def plan(
        self, text: QueryText, context: Context, parameters: Parameters | None = None, given: Given = NOTHING
    ) -> PlannedQuery:
        """Plan `text`, with what is `given` in the place of, and beside, what is committed."""
        return self._plan(self._query(text, context, parameters, given), given)

    def plan_explained(self, words: str, text: QueryText, context: Context) -> PlannedQuery:
        """Plan `text` behind EXPLAIN and its options."""
        return self._plan(self._query(text, context, None, NOTHING, words), NOTHING)

    def plan_substrait(self, query: SubstraitQuery, context: Context) -> PlannedQuery:
        """Plan a serialized Substrait plan."""
        return self._plan(self._substrait_query(query, context), NOTHING)

    def describe(self, text: QueryText, context: Context) -> DescribedQuery:
        """What `text` would return, at a fraction of the cost of `plan`."""
        return self._describe(self._query(text, context, None, NOTHING))

    def describe_substrait(self, query: SubstraitQuery, context: Context) -> DescribedQuery:
        """What a serialized Substrait plan would return."""
        return self._describe(self._substrait_query(query, context))

    def count(self, text: QueryText, context: Context) -> Rows | None:
        """The result of a query that counts all rows of a table, which its snapshot knows; None for any other query."""
        counted = counted_table(text)
        if counted is None:
            return None
        names = self._names(context)
        name = names.full(counted.parts)
        table = None if name is None else names.find(name)
        if not isinstance(table, TableDef) or rule_on_rows(context.door, table, Privilege.SELECT) is not None:
            return None
        (snapshot,) = context.snapshots([table])
        schema = client_schema(pa.schema([(counted.column, pa.int64())]))
        return Rows.of_table(pa.table([[snapshot.live_count]], schema=schema))

    def parameter_types(self, text: QueryText, context: Context) -> dict[int, pa.DataType]:
        """The types of a query's parameters by number, as far as it tells them."""
        return parameter_types(text, self._names(context))

    def check_view(self, view: ViewDef, door: Door) -> None:
        """Raise INVALID when views nest too deeply under `view`, or in a circle."""
        Names(door, self.system, view.namespace).relation(view.name)

    def reads_system_only(self, text: QueryText, context: Context) -> bool:
        """Tell whether all that a query reads are system tables."""
        reads = self.reads(text, context)
        about_server = all(name.namespace == SYSTEM_NAMESPACE for name in reads.system)
        return bool(reads.system) and about_server and not reads.tables and not reads.views

    def reads(self, text: QueryText, context: Context) -> Reads:
        """What a query may read."""
        return self._query(text, context, None, NOTHING).reads

    def _columns_of_view(self, view: ViewDef, context: Context) -> pa.Schema:
        """The columns of a view."""
        return self.describe(QueryText(f"SELECT * FROM {qualified(view.name)}"), context).schema

    def _query(
        self, text: QueryText, context: Context, parameters: Parameters | None, given: Given, words: str = ""
    ) -> Asked:
        """What a text asks, maybe behind other words."""
        names = self._names(context, given)
        bound = {int(name): value.type for name, value in (parameters or {}).items()}
        constants = constant_parameters(text, names)
        if parameters:
            constants = {number: constant_of(parameters[str(number)]) for number in constants}
        about = Circumstances(_context_values(context, context.namespace), given.targets, bound, constants)
        written = self._for_engine(text, names, about)
        trusting = self._for_engine(text, names, replace(about, trusted=written.claims)) if written.claims else None
        reads = Reads(changed=given.changed)
        reads.guards = reads.add(written, names, self._view_reader(context))
        dialect = SqlDialect.STABLE_JOIN_ORDER if reads.has_optional_sides else SqlDialect.PLAIN
        source = SqlText(written.text, parameters, written.fenced, written.kept_orders).behind(words)
        query = Asked(self._database, source, context, reads, dialect)
        if trusting is None:
            return query
        return replace(query, trusting=Trusting(written.claims, SqlText(trusting.text, parameters).behind(words)))

    def _substrait_query(self, query: SubstraitQuery, context: Context) -> Asked:
        names = self._names(context)
        tables = {read.name: context.name(read.table) for read in query.reads}
        size = plan_size_of(query, {name: names.relation(table) for name, table in tables.items()})
        refuse_large(size)
        reads = Reads(value_bytes=size.largest)
        for table in dict.fromkeys(tables.values()):
            text = EngineText("", frozenset({table}), (), has_optional_sides=False)
            reads.guards |= reads.add(text, names, self._view_reader(context))
        plan = SubstraitPlan(query.plan, tuple((read.name, tables[read.name], read.columns) for read in query.reads))
        return Asked(self._database, plan, context, reads, SqlDialect.STABLE_JOIN_ORDER)

    def _names(self, context: Context, given: Given = NOTHING) -> Names:
        return Names(context.door, self.system, context.namespace, given.relations)

    def _view_reader(self, context: Context) -> Callable[[ViewDef, Names], EngineText]:
        """Writes the query of a view for the engine."""

        def read(view: ViewDef, within: Names) -> EngineText:
            about = Circumstances(_context_values(context, view.namespace), is_view=True)
            return self._for_engine(view_text(view.query), within, about)

        return read

    def _for_engine(self, text: QueryText, names: Names, about: Circumstances) -> EngineText:
        """The engine's text for a query. What was worked out holds as long as its names stand for the same."""
        key = (str(text), about.key)
        known = self._texts.find(key)
        if known is not None and all(names(parts) == found for parts, found in known.looked_up):
            return known
        written = for_engine(text, names, about)
        others = len(written.fenced or "") + len(written.kept_orders or "")
        self._texts.put(key, written, 2 * len(text) + len(written.text) + others)
        return written

    def _describe(self, query: Asked) -> DescribedQuery:
        empty = self._relations_of({n: t.schema.empty_table() for n, t in query.reads.system.items()})
        with self._database.engine.turns:
            return DescribedQuery(self._passes.described(query, empty))

    def _plan(self, query: Asked, given: Given) -> PlannedQuery:
        """Plan twice: against shapes, to choose batches, and against the merged relations of those."""
        reads = query.reads
        all_pinned = _pin(reads.tables, query.context, given.snapshots)
        guarded = self._allowed_rows(reads, all_pinned, query.context)
        pinned = {name: snapshot for name, snapshot in all_pinned.items() if name in reads.unguarded}
        query = query.over(pinned).narrowed(all_pinned)
        computed = self._relations_of({**{n: t.rows(query.context) for n, t in reads.system.items()}, **given.rows})
        relations = self._database.relations
        turns = self._database.engine.turns
        files = self._database.store.files
        with turns:
            tables = {name: snapshot.table for name, snapshot in all_pinned.items()}
            empty = query.shapes(tables)
            shapes = {**computed, **empty}
            run = Run(query, tables, empty, computed, pinned)
            known = self._passes.of(run)
            use = known.use
            predicates = query.predicates(use.scans, pinned)
            pruned = {name: prune(pinned[name], predicate, files) for name, predicate in predicates.items()}
            if all_pinned:
                check_present(files, pinned, pruned)
                with damage_named(files, pinned, pruned, query.context.stop):
                    merged = {
                        name: relations.merged(pinned[table], pruned[table], columns)
                        for name, (table, columns) in reads.variants.items()
                        if table in pruned
                    }
                    frame = query.as_used(use, all_pinned).frame({**shapes, **merged}, guarded)
            elif known.frame is not None and use.dialect is query.dialect:
                frame = known.frame
            else:
                frame = query.as_used(use, all_pinned).frame(shapes)
            schema = self._passes.schema_of(run, known, frame)
        return PlannedQuery(
            frame,
            schema,
            pinned,
            pruned,
            files,
            self._database.streams,
            turns,
            not use.multiplies
            and _is_short(pruned)
            and sum(map(len, guarded.values())) <= SHORT_ROWS_MAX
            and query.batch_rows == BATCH_ROWS,
            None if guarded else use.exported,
            held_bytes=sum(int(rows.nbytes) for rows in guarded.values()),
            read_once=query.read_once(use.scans, pinned),
        )

    def _allowed_rows(self, reads: Reads, pinned: Mapping[TableName, Snapshot], context: Context) -> Guarded:
        """The rows that policies leave of the tables that they are on: read first, so that nothing else is reached."""
        found: dict[tuple[TableName, RowRule], pa.Table] = {}
        limit = (self._database.settings.memory_limit_mb << 20) // GUARDED_PART
        for name, rule in reads.all_guards:
            table, columns = reads.variants[name]
            snapshot = pinned[table]
            text = allowed_text(snapshot.table, columns, rule)

            def run(text: QueryText = text, snapshot: Snapshot = snapshot) -> pa.Table:
                given = Given({snapshot.table.name: snapshot})
                query = self._query(text, context.unguarded(), None, given)

                def read() -> pa.Table:
                    return _bounded(self._plan(query, given).rows(), limit, snapshot.table.name, context.stop)

                if query.reads.is_lasting and isinstance(query.source, SqlText):
                    return self._allowed.get(snapshot, query.source.written, read)
                return read()

            found[name, rule] = failing_closed(snapshot.table.name, run)
        return found

    def _relations_of(self, computed: Mapping[TableName, pa.Table]) -> dict[TableName, EngineTable]:
        return {name: self._database.relations.of_rows(rows) for name, rows in computed.items()}


def _context_values(context: Context, namespace: str) -> dict[str, str]:
    """What the words that say something of the session stand for."""
    return {
        "CURRENT_USER": context.user,
        "SESSION_USER": context.principal.actor.name,
        "CURRENT_SCHEMA": namespace,
        "CURRENT_CATALOG": CATALOG_NAME,
    }


def _pin(
    tables: Mapping[TableName, TableDef], context: Context, given: Mapping[TableName, Snapshot]
) -> dict[TableName, Snapshot]:
    """The snapshots that a query reads: those given, and of all other tables what is there as of one moment."""
    others = {name: table for name, table in tables.items() if name not in given}
    read = context.snapshots(list(others.values())) if others else []
    return {**dict(zip(others, read, strict=True)), **{name: given[name] for name in tables if name in given}}


def _bounded(rows: Rows, bytes_max: int, name: TableName, stop: Stop) -> pa.Table:
    """All rows of a result; RESOURCES when they are more than one may have in memory."""
    found, size = [], 0
    for batch in rows.start(stop):
        found.append(batch)
        size += int(batch.nbytes)
        if size > bytes_max:
            raise DatabaseError(
                ErrorKind.RESOURCES, f"the rows that the policies of {name} allow take more than {bytes_max >> 20} MB"
            )
    return pa.Table.from_batches(found, rows.schema)


def _is_short(pruned: Mapping[TableName, Pruned]) -> bool:
    """Tell whether a query reads so little that nobody needs to cancel it while it works."""
    return sum(sum(entry.rows for entry in choice.kept) + choice.hot_rows for choice in pruned.values()) <= (
        SHORT_ROWS_MAX
    )
