"""A query, planned over pinned snapshots in two passes.

First the text is planned against shapes (tables without rows), which takes well under a millisecond and yields the
filters that DataFusion pushes down to each table. From them and the manifests the batches are chosen. Then the text is
planned again with each table as its merged relation over the chosen batches. A table that a plan scans more than once
keeps every batch that any of its scans may need.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import reduce
from types import MappingProxyType

import pyarrow as pa

from catalog.definition import TableDef, ViewDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import Privilege
from catalog.identifiers import CATALOG_NAME, SYSTEM_NAMESPACE, TableName
from flightserver.access.door import Door
from flightserver.access.row_rules import RowRule, rule_on_rows
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.damage import check_present, damage_named
from flightserver.execution.guarding import allowed_text, failing_closed
from flightserver.execution.names import Names, relation_of_rows, view_text
from flightserver.execution.rows import Rows, client_schema, to_client
from flightserver.execution.sources import Parameters, Source, SqlText, SubstraitPlan
from flightserver.execution.system import SystemTable, SystemTables
from flightserver.sql.meaning.constant_parameters import constant_of, constant_parameters
from flightserver.sql.meaning.counts import counted_table
from flightserver.sql.meaning.engine_text import Circumstances, EngineText, for_engine
from flightserver.sql.meaning.parameter_types import parameter_types
from flightserver.sql.meaning.plan_size import PlanSize, refuse_large
from flightserver.sql.meaning.repairs.whole_numbers import Summed
from flightserver.sql.meaning.scopes import Relation
from flightserver.sql.meaning.system_columns import of_all_columns
from flightserver.sql.meaning.value_sizes import STORED_BYTES
from flightserver.sql.statements import SubstraitQuery
from flightserver.sql.text.query_text import QueryText
from manifest.predicate import AnyOf, Predicate, Unknown
from providers.cold.files import ColdFiles
from providers.cold.magnitude import largest_magnitude
from providers.cold.pruning import Pruned, prune
from providers.engine.estimates import casts_lose
from providers.engine.export import export, selected_columns
from providers.engine.origins import Origins, columns_of, origins
from providers.engine.plans import facts, optimized
from providers.engine.predicates import translate
from providers.engine.relations import Columns
from providers.engine.session import BATCH_ROWS, EngineTable, Frame, SqlDialect
from providers.engine.streaming import StreamLoop, pull
from providers.lru import ByteBoundedCache
from providers.snapshot import Snapshot
from providers.stopping import Stop

SHORT_ROWS_MAX = 2_000_000
"""A query that passes once over at most this many rows of one table runs for milliseconds."""

PLAN_BYTES = 64 << 10
"""About what a planned query takes beside its snapshots."""

ORIGINS_BYTES = 1 << 20
ORIGIN_BYTES = 16
"""What is remembered of the origins of results, and about what a column takes."""

ENGINE_TEXTS_BYTES = 8 << 20

SAMPLED_BATCHES = 8
UNPACKED = 3
"""A stored row is taken to be so many times as large as its file has it."""

SUM_MAX = 1 << 62
"""A sum that is surely below it needs no check."""


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

    frame: Frame
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

Guarded = Mapping[tuple[TableName, RowRule], pa.Table]
"""The rows that rules leave of tables."""

NOT_GUARDED: Guarded = MappingProxyType({})

GUARDED_PART = 4
"""Of the memory for queries, how much the rows of one table with policies may take."""


class Reader:
    """Plans queries for contexts."""

    def __init__(self, database: Database, system: SystemTables) -> None:
        self._database = database
        self._origins: ByteBoundedCache[object, Origins] = ByteBoundedCache(ORIGINS_BYTES)
        self._texts: ByteBoundedCache[object, EngineText] = ByteBoundedCache(ENGINE_TEXTS_BYTES)
        self.system = {TableName(SYSTEM_NAMESPACE, name): table for name, table in system.items()}

    def plan(
        self, text: QueryText, context: Context, parameters: Parameters | None = None, given: Given = NOTHING
    ) -> PlannedQuery:
        """Plan `text`, with what is `given` in the place of, and beside, what is committed."""
        return self._plan(self._query(text, context, parameters, given), given)

    def plan_explained(self, words: str, text: QueryText, context: Context) -> PlannedQuery:
        """Plan `text` behind EXPLAIN and its options."""
        query = self._query(text, context, None, NOTHING)
        return self._plan(replace(query, source=SqlText(f"{words} {query.source.written!s}")), NOTHING)

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
        reads = self._query(text, context, None, NOTHING).reads
        return bool(reads.system) and not reads.tables and not reads.views

    def _query(self, text: QueryText, context: Context, parameters: Parameters | None, given: Given) -> "_Query":
        names = self._names(context, given)
        bound = {int(name): value.type for name, value in (parameters or {}).items()}
        constants = constant_parameters(text, names)
        if parameters:
            constants = {number: constant_of(parameters[str(number)]) for number in constants}
        about = Circumstances(_context_values(context, context.namespace), given.targets, bound, constants)
        written = self._for_engine(text, names, about)
        trusting = self._for_engine(text, names, replace(about, trusts_sums=True)) if written.sums else None
        reads = _Reads(changed=given.changed)
        reads.guards = reads.add(written, names, self._view_reader(context))
        dialect = SqlDialect.STABLE_JOIN_ORDER if reads.has_optional_sides else SqlDialect.PLAIN
        query = _Query(self._database, SqlText(written.text, parameters), context, reads, dialect)
        if trusting is None or written.sums is None:
            return query
        return replace(query, trusting=_Trusting(written.sums, SqlText(trusting.text, parameters)))

    def _substrait_query(self, query: SubstraitQuery, context: Context) -> "_Query":
        names = self._names(context)
        reads = _Reads()
        found = [names.relation(context.name(ref)) for ref in query.tables]
        refuse_large(reduce(PlanSize.beside, [r.size for r in found if r is not None and r.size], PlanSize()))
        for ref in dict.fromkeys(query.tables):
            text = EngineText("", frozenset({context.name(ref)}), (), has_optional_sides=False)
            reads.guards |= reads.add(text, names, self._view_reader(context))
        return _Query(self._database, SubstraitPlan(query.plan), context, reads, SqlDialect.STABLE_JOIN_ORDER)

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
        self._texts.put(key, written, 2 * len(text) + len(written.text))
        return written

    def _describe(self, query: "_Query") -> DescribedQuery:
        tables = query.reads.tables
        empty = self._relations_of({n: t.schema.empty_table() for n, t in query.reads.system.items()})
        with self._database.engine.turns:
            shapes = query.shapes(tables)
            frame = query.frame({**empty, **shapes})
            result = self._database.engine.schema_of(optimized(frame))
            schema = client_schema(result, self._origins_of(query, frame, tables, shapes))
            return DescribedQuery(frame, schema)

    def _plan(self, query: "_Query", given: Given) -> PlannedQuery:
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
            shaped = query.frame(shapes)
            use = query.use(shaped, pinned)
            found = self._origins_of(query, shaped, tables, empty)
            pruned = {name: prune(pinned[name], predicate, files) for name, predicate in use.predicates.items()}
            if all_pinned:
                check_present(files, pinned, pruned)
                with damage_named(files, pinned, pruned, query.context.stop):
                    merged = {
                        name: relations.merged(pinned[table], pruned[table], columns)
                        for name, (table, columns) in reads.variants.items()
                        if table in pruned
                    }
                    frame = replace(query, dialect=use.dialect).frame({**shapes, **merged}, guarded)
            else:
                frame = shaped
            schema = client_schema(use.schema, found)
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
        )

    def _allowed_rows(self, reads: "_Reads", pinned: Mapping[TableName, Snapshot], context: Context) -> Guarded:
        """The rows that policies leave of the tables that they are on: read first, so that nothing else is reached."""
        found: dict[tuple[TableName, RowRule], pa.Table] = {}
        limit = (self._database.settings.memory_limit_mb << 20) // GUARDED_PART
        for name, rule in reads.all_guards:
            table, columns = reads.variants[name]
            snapshot = pinned[table]
            text = allowed_text(snapshot.table, columns, rule)

            def run(text: QueryText = text, snapshot: Snapshot = snapshot) -> pa.Table:
                planned = self.plan(text, context.unguarded(), None, Given({snapshot.table.name: snapshot}))
                return _bounded(planned.rows(), limit, snapshot.table.name, context.stop)

            found[name, rule] = failing_closed(snapshot.table.name, run)
        return found

    def _origins_of(
        self,
        query: "_Query",
        frame: Frame,
        tables: Mapping[TableName, TableDef],
        shapes: Mapping[TableName, EngineTable],
    ) -> Origins:
        """Where the columns of a query over shapes come from, which a text tells once for the same tables and views."""
        written, views = query.source.written, query.reads.views
        return self._origins.get(
            (written, query.context.namespace, frozenset(shapes.items()), frozenset(views.items())),
            lambda: origins(
                frame.logical_plan(),
                frame.schema().names,
                {
                    f"t{table.id}": columns_of(table, is_writable=name not in query.reads.behind_views)
                    for name, table in tables.items()
                },
            ),
            lambda found: len(written) + ORIGIN_BYTES * len(found),
        )

    def _relations_of(self, computed: Mapping[TableName, pa.Table]) -> dict[TableName, EngineTable]:
        return {name: self._database.relations.of_rows(rows) for name, rows in computed.items()}


@dataclass(frozen=True)
class _View:
    """A view that a query reads: its text for the engine, where its names resolve, and what guards those."""

    text: str
    namespace: str
    guards: frozenset[tuple[TableName, RowRule]]


@dataclass
class _Reads:
    """What a query may read. `variants` has for each name of a table the table, and which of its columns it shows.

    Tables `behind_views` are named by a view; views stand in the order in which they can be planned, innermost first.
    """

    tables: dict[TableName, TableDef] = field(default_factory=dict)
    variants: dict[TableName, tuple[TableName, Columns]] = field(default_factory=dict)
    views: dict[TableName, _View] = field(default_factory=dict)
    system: dict[TableName, SystemTable] = field(default_factory=dict)
    behind_views: set[TableName] = field(default_factory=set)
    has_optional_sides: bool = False
    has_values: bool = False
    hidden: set[TableName] = field(default_factory=set)
    hidden_views: set[TableName] = field(default_factory=set)
    value_bytes: int = STORED_BYTES
    unguarded: set[TableName] = field(default_factory=set)
    guards: dict[TableName, RowRule] = field(default_factory=dict)
    changed: tuple[TableName, Privilege] | None = None

    @property
    def all_guards(self) -> set[tuple[TableName, RowRule]]:
        """Every name that stands for a table of which a policy leaves only some rows, with its rule."""
        of_views = {item for view in self.views.values() for item in view.guards}
        return {*self.guards.items(), *of_views}

    def _rule(self, name: TableName, found: TableDef, names: Names) -> RowRule | None:
        """Which rows of a table a name stands for; those to be changed must allow that, too."""
        whole = of_all_columns(name)
        if self.changed is not None and whole == self.changed[0]:
            return rule_on_rows(names.door, found, Privilege.SELECT, self.changed[1])
        return rule_on_rows(names.door, found, Privilege.SELECT)

    def add(
        self,
        text: EngineText,
        names: Names,
        of_view: Callable[[ViewDef, Names], EngineText],
        *,
        is_behind_view: bool = False,
        is_hidden: bool = False,
    ) -> dict[TableName, RowRule]:
        """Add what a text names, and what the views that it names do; return what guards the tables that it names."""
        guards: dict[TableName, RowRule] = {}
        self.has_optional_sides |= text.has_optional_sides
        self.has_values |= text.has_values
        self.value_bytes = max(self.value_bytes, text.value_bytes)
        for name in text.relations - names.given.keys():
            table = of_all_columns(name) or name
            hides = is_hidden or table in text.hidden
            if is_behind_view:
                self.behind_views.add(table)
            match names.find(name):
                case TableDef() as found:
                    if self.tables.setdefault(table, found) is not found:
                        raise _two_meanings(table)
                    self.variants[name] = (table, Columns.VISIBLE if table == name else Columns.ALL)
                    self.hidden |= {table} if hides else set()
                    rule = self._rule(name, found, names)
                    if rule is None:
                        self.unguarded.add(table)
                    else:
                        guards[name] = rule
                case SystemTable() as found:
                    self.system[name] = found
                case ViewDef() as found if name not in (self.hidden_views if hides else self.views):
                    self.hidden_views |= {name} if hides else set()
                    within = names.within(found)
                    written = of_view(found, within)
                    inner = self.add(written, within, of_view, is_behind_view=True, is_hidden=hides)
                    self.views.setdefault(name, _View(written.text, found.namespace, frozenset(inner.items())))
        for name in self.tables.keys() & self.views.keys():
            raise _two_meanings(name)
        return guards


@dataclass(frozen=True)
class _Use:
    """What a query does with the tables that it scans.

    `predicates` is what the rows that it uses of each satisfy; `multiplies` says that it may make many more rows than
    it reads; `exported` are the columns of a query that returns them of its only table, and does nothing else.
    """

    schema: pa.Schema
    predicates: Mapping[TableName, Predicate]
    multiplies: bool
    exported: list[str] | None
    dialect: SqlDialect


@dataclass(frozen=True)
class _Trusting:
    """A text that leaves out to check some sums, for snapshots whose numbers are so small that no sum is too large."""

    sums: frozenset[Summed]
    source: Source

    def holds(self, pinned: Mapping[TableName, Snapshot]) -> bool:
        """Tell whether the numbers are so small."""
        return all(self._fits(summed, pinned.get(of_all_columns(summed.table) or summed.table)) for summed in self.sums)

    @staticmethod
    def _fits(summed: Summed, snapshot: Snapshot | None) -> bool:
        column = None if snapshot is None else snapshot.table.by_name.get(summed.column)
        if snapshot is None or column is None:  # of a view or a system table
            return False
        largest = largest_magnitude(snapshot, column)
        return largest is not None and largest * max(snapshot.live_count, 1) < SUM_MAX


@dataclass(frozen=True)
class _Query:
    """One text with everything that both passes share."""

    database: Database
    source: Source
    context: Context
    reads: _Reads
    dialect: SqlDialect
    trusting: _Trusting | None = None
    batch_rows: int = BATCH_ROWS

    def over(self, pinned: Mapping[TableName, Snapshot]) -> "_Query":
        """The query as it is best asked of these snapshots."""
        if self.trusting is None or not self.trusting.holds(pinned):
            return self
        return replace(self, source=self.trusting.source)

    def narrowed(self, pinned: Mapping[TableName, Snapshot]) -> "_Query":
        """The query with as many rows in a batch as fit, by what its values and the rows of its tables take."""
        stored = max(map(_row_bytes, pinned.values()), default=0)
        values = max(self.reads.value_bytes, self.source.parameter_bytes)
        row_bytes = values + UNPACKED * stored * values // STORED_BYTES
        return replace(self, batch_rows=self.database.engine.batch_rows(row_bytes))

    def shapes(self, tables: Mapping[TableName, TableDef]) -> dict[TableName, EngineTable]:
        """The tables without their rows, under each name that they are read by."""
        shape = self.database.relations.shape
        return {name: shape(tables[table], columns) for name, (table, columns) in self.reads.variants.items()}

    def use(self, frame: Frame, pinned: Mapping[TableName, Snapshot]) -> "_Use":
        """What the query does with each table, as the engine's optimized plan over shapes tells."""
        plan = optimized(frame)
        found = facts(plan)
        by_shape = {f"t{snapshot.table.id}": name for name, snapshot in pinned.items()}
        parts: dict[TableName, list[Predicate]] = defaultdict(list)
        for scan in found.scans:
            if scan.table in by_shape:
                name = by_shape[scan.table]
                parts[name].append(translate(scan.filters, pinned[name].table))
        predicates = {name: some[0] if len(some) == 1 else AnyOf(tuple(some)) for name, some in parts.items()}
        predicates |= dict.fromkeys(self.reads.hidden & pinned.keys(), Unknown())
        is_whole = [columns for _, columns in self.reads.variants.values()] == [Columns.VISIBLE]
        exported = selected_columns(plan) if is_whole and len(found.scans) == 1 and predicates else None
        dialect = self.dialect
        if found.mixes_names:
            dialect = SqlDialect.MERGED_JOINS
        elif casts_lose(plan, (snapshot.table for snapshot in pinned.values())):
            dialect = SqlDialect.WITHOUT_ESTIMATES
        multiplies = found.multiplies or self.reads.has_values
        return _Use(self.database.engine.schema_of(plan), predicates, multiplies, exported, dialect)

    def frame(self, tables: Mapping[TableName, EngineTable], guarded: Guarded = NOT_GUARDED) -> Frame:
        """Plan the text over these relations, and over the rows that policies leave where they stand between."""
        relations = dict(tables)
        engine, of_rows = self.database.engine, self.database.relations.of_rows
        allowed = {key: of_rows(rows.combine_chunks()) for key, rows in guarded.items()}

        def seen(guards: Iterable[tuple[TableName, RowRule]]) -> Mapping[TableName, EngineTable]:
            return {**relations, **{key[0]: allowed[key] for key in guards if key in allowed}}

        for name, view in self.reads.views.items():
            planned = SqlText(view.text).frame(engine, seen(view.guards), view.namespace, self.dialect, self.batch_rows)
            relations[name] = planned.into_view()
        return self.source.frame(
            engine, seen(self.reads.guards.items()), self.context.namespace, self.dialect, self.batch_rows
        )


def _two_meanings(name: TableName) -> DatabaseError:
    """The names of a view are those of what lasts; a relation of each name is all that a plan can have."""
    return DatabaseError(
        ErrorKind.UNSUPPORTED,
        f"a view of the query reads {name}, which a temporary table hides from the query; rename the temporary one",
    )


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


def _row_bytes(snapshot: Snapshot) -> int:
    """About what a row of a table takes where it lies, as its first batches tell."""
    cold, hot = snapshot.manifest.batches[:SAMPLED_BATCHES], snapshot.hot.batches[:SAMPLED_BATCHES]
    rows = sum(entry.rows for entry in cold) + sum(batch.num_rows for batch in hot)
    size = sum(entry.bytes for entry in cold) + sum(int(batch.nbytes) for batch in hot)
    return int(size // max(rows, 1))


def _is_short(pruned: Mapping[TableName, Pruned]) -> bool:
    """Tell whether a query reads so little that nobody needs to cancel it while it works."""
    return sum(sum(entry.rows for entry in choice.kept) + choice.hot_rows for choice in pruned.values()) <= (
        SHORT_ROWS_MAX
    )
