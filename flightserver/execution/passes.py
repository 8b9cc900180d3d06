"""One query over relations: over shapes, to find out what it does, and over what was chosen for it.

What the first pass tells is a value (`Use`), and holds for more than one run (`FirstPass`).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, unique
from types import MappingProxyType
from typing import NamedTuple

import pyarrow as pa

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from flightserver.access.row_rules import RowRule
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.reads import Reads
from flightserver.execution.sources import Source, SqlText
from flightserver.sql.meaning.claims import Claim, Fact
from flightserver.sql.meaning.fences import FENCE
from flightserver.sql.meaning.series import ROWS_MAX
from flightserver.sql.meaning.system_columns import of_all_columns
from flightserver.sql.meaning.value_sizes import STORED_BYTES
from manifest.predicate import AnyOf, Predicate, Told, Unknown, told
from providers.cold.magnitude import largest_magnitude
from providers.engine.estimates import casts_lose
from providers.engine.export import selected_columns
from providers.engine.lost_orders import lost_order
from providers.engine.origins import Origins
from providers.engine.plans import SERIES_SCAN, JoinSide, Plan, PlanFacts, Scan, facts, optimized
from providers.engine.predicates import translate
from providers.engine.relations import Columns
from providers.engine.session import BATCH_ROWS, PAIRED_ROWS, PAIRS_MAX, EngineTable, Frame, SqlDialect
from providers.snapshot import Snapshot

Guarded = Mapping[tuple[TableName, RowRule], pa.Table]
"""The rows that rules leave of tables."""

NOT_GUARDED: Guarded = MappingProxyType({})

SAMPLED_BATCHES = 8
UNPACKED = 3
"""A stored row is taken to be so many times as large as its file has it."""

_UNFENCED = (
    "a condition that is checked after an outer join, beside a join with more conditions than equal columns:"
    " give the columns of both sides different names, each side in a sub-query of its own"
)

_LOST_ORDER = (
    "what is sorted by {} has one value wherever an outer join finds something, and the engine would not sort by it:"
    " write its condition as coalesce(column, NULL) = value, and a constant as CASE WHEN key IS NOT NULL THEN value END"
)

_FENCED = (SqlDialect.FENCED_JOINS, SqlDialect.KEPT_ORDERS)
_LOOKED_AT_AGAIN = (*_FENCED, SqlDialect.APART)
"""Of which the first plan does not tell all."""

_KEEPING = (*_FENCED, SqlDialect.PLAIN, SqlDialect.STABLE_JOIN_ORDER, SqlDialect.MERGED_JOINS)
"""In place of which a plan may be made so that orders are kept: the others mend what that would not."""

_WHERE_CASTS_COUNT = (SqlDialect.PLAIN, SqlDialect.STABLE_JOIN_ORDER, SqlDialect.WITHOUT_JOIN_FILTERS)
"""What reads statistics, with which casts that lose digits are estimated wrong."""

SUM_MAX = 1 << 62
"""A sum that is surely below it needs no check."""


@dataclass(frozen=True)
class Use:
    """What a query does with the tables that it scans.

    `scans` are those of its plan with their filters; `multiplies` says that it may make many more rows than it reads;
    `exported` are the columns of a query that returns them of its only table, and does nothing else. `joins` has both
    sides of each join.
    """

    scans: tuple[Scan, ...]
    multiplies: bool
    exported: list[str] | None
    dialect: SqlDialect
    joins: tuple[tuple[JoinSide, JoinSide], ...] = ()

    def pairs(self, pinned: Mapping[TableName, Snapshot]) -> int:
        """How many pairs of rows a join may look at. Those of a join by the key of a table are few."""
        by_shape = {f"t{snapshot.table.id}": snapshot for snapshot in pinned.values()}

        def is_by_key(side: JoinSide) -> bool:
            keys = (by_shape[name].table.key_columns for name in side.scanned if name in by_shape)
            return any(side.columns.issuperset(column.name for column in key) for key in keys)

        def rows(side: JoinSide) -> int:
            made = ROWS_MAX if SERIES_SCAN in side.scanned else 1
            return max((by_shape[name].live_count for name in side.scanned if name in by_shape), default=made)

        joins = [sides for sides in self.joins if not any(map(is_by_key, sides))]
        return max((rows(left) * rows(right) for left, right in joins), default=0)


@unique
class Reach(Enum):
    """For which runs of a text a first pass holds."""

    ALL_VALUES = "all"
    ITS_VALUES = "those with the same values, until it is planned without them"
    EACH_RUN = "the one that it was made for, as for each other one another is"


class FirstPass(NamedTuple):
    """What the first pass of a query tells: what it does with its tables, and where its columns come from.

    The `schema` of the result is None where it was planned without values: its types follow from theirs.
    """

    use: Use
    origins: Origins
    reach: Reach
    schema: pa.Schema | None
    frame: Frame | None = None


@dataclass(frozen=True)
class Trusting:
    """A text that leaves out some repairs, for snapshots where what it claims of their columns holds."""

    claims: frozenset[Claim]
    source: Source

    def holds(self, pinned: Mapping[TableName, Snapshot]) -> bool:
        """Tell whether all that is claimed is so."""
        return all(self._is_so(claim, pinned.get(of_all_columns(claim.table) or claim.table)) for claim in self.claims)

    @staticmethod
    def _is_so(claim: Claim, snapshot: Snapshot | None) -> bool:
        column = None if snapshot is None else snapshot.table.by_name.get(claim.column)
        if snapshot is None or column is None:  # of a view or a system table
            return False
        largest = largest_magnitude(snapshot, column)
        if largest is None:
            return False
        if claim.fact is Fact.FINITE:
            return math.isfinite(largest)
        return largest * max(snapshot.live_count, 1) < SUM_MAX


@dataclass(frozen=True)
class Asked:
    """One text with everything that both passes share."""

    database: Database
    source: Source
    context: Context
    reads: Reads
    dialect: SqlDialect
    trusting: Trusting | None = None
    batch_rows: int = BATCH_ROWS

    def over(self, pinned: Mapping[TableName, Snapshot]) -> "Asked":
        """The query as it is best asked of these snapshots."""
        if self.trusting is None or not self.trusting.holds(pinned):
            return self
        return replace(self, source=self.trusting.source)

    def narrowed(self, pinned: Mapping[TableName, Snapshot]) -> "Asked":
        """The query with as many rows in a batch as fit, by what its values and the rows of its tables take."""
        stored = max(map(_row_bytes, pinned.values()), default=0)
        values = max(self.reads.value_bytes, self.source.parameter_bytes)
        row_bytes = values + UNPACKED * stored * values // STORED_BYTES
        return replace(self, batch_rows=self.database.engine.batch_rows(row_bytes))

    def as_used(self, use: Use, pinned: Mapping[TableName, Snapshot]) -> "Asked":
        """The query as it is best run, now that it is known what it does."""
        batch_rows = min(self.batch_rows, PAIRED_ROWS) if use.pairs(pinned) > PAIRS_MAX else self.batch_rows
        return replace(self, dialect=use.dialect, batch_rows=batch_rows)

    def lasting_key(self, shapes: Mapping[TableName, EngineTable]) -> object | None:
        """What the outcome of its first pass depends on; None when that is another one each time.

        A shape is made once for each version of a table, and a view's text is what its names stood for.
        """
        if not self.reads.is_lasting or not isinstance(self.source, SqlText):
            return None
        bound = tuple((name, value.type) for name, value in (self.source.parameters or {}).items())
        views = frozenset(self.reads.views.items())
        unguarded = frozenset(self.reads.unguarded)
        return (
            self.source.text,
            bound,
            self.context.namespace,
            self.dialect,
            frozenset(shapes.items()),
            views,
            unguarded,
        )

    def without_values(self) -> "Asked":
        """The same with placeholders for its parameters."""
        return replace(self, source=self.source.without_values())

    def predicates(self, scans: Iterable[Scan], pinned: Mapping[TableName, Snapshot]) -> dict[TableName, Predicate]:
        """What the rows that it uses of each table satisfy, by the filters of its scans."""
        by_shape = {f"t{snapshot.table.id}": name for name, snapshot in pinned.items()}
        values = self.source.parameters or {} if isinstance(self.source, SqlText) else {}
        parts: dict[TableName, list[Predicate]] = defaultdict(list)
        for scan in scans:
            if scan.table in by_shape:
                name = by_shape[scan.table]
                parts[name].append(translate(scan.filters, pinned[name].table, values))
        found = {name: some[0] if len(some) == 1 else AnyOf(tuple(some)) for name, some in parts.items()}
        return found | dict.fromkeys(self.reads.hidden & pinned.keys(), Unknown())

    def read_once(self, scans: Sequence[Scan], pinned: Mapping[TableName, Snapshot]) -> frozenset[TableName]:
        """The tables that one scan reads, and nothing that a plan does not show."""
        count = Counter(scan.table for scan in scans)
        once = (name for name, snapshot in pinned.items() if count[f"t{snapshot.table.id}"] == 1)
        return frozenset(once) - self.reads.hidden

    def shapes(self, tables: Mapping[TableName, TableDef]) -> dict[TableName, EngineTable]:
        """The tables without their rows, under each name that they are read by."""
        shape = self.database.relations.shape
        return {name: shape(tables[table], columns) for name, (table, columns) in self.reads.variants.items()}

    def told(self, scans: Iterable[Scan], pinned: Mapping[TableName, Snapshot]) -> Told:
        """How much is known of the rows that it uses."""
        parts = [told(predicate) for predicate in self.predicates(scans, pinned).values()]
        return Told(sum(part.conditions for part in parts), all(part.is_all for part in parts))

    def first_pass(
        self, frame: Frame, hidden: Sequence[Frame], origins: Origins, tables: Collection[TableDef], reach: Reach
    ) -> FirstPass:
        """What it does with each table, and what it yields, as the engine's optimized plan over shapes tells.

        `hidden` are its sub-queries that are values, whose plans that one does not show.
        """
        plan = optimized(frame)
        use = self._use(plan, list(map(optimized, hidden)), tables)
        return FirstPass(use, origins, reach, self.database.engine.schema_of(plan), frame)

    def _use(self, plan: Plan, hidden: Sequence[Plan], tables: Collection[TableDef]) -> Use:
        found = facts(plan, hidden)
        if found.mixes_names and found.joins_by_more and any(facts(inner).mixes_names for inner in hidden):
            raise DatabaseError(ErrorKind.UNSUPPORTED, _UNFENCED)
        for inner in hidden:
            self._refuse_lost_order(inner)
        unsorted = lost_order(plan)
        is_whole = [columns for _, columns in self.reads.variants.values()] == [Columns.VISIBLE]
        exported = selected_columns(plan) if is_whole and len(found.scans) == 1 and tables else None
        dialect = self._dialect(found)
        if dialect in _WHERE_CASTS_COUNT and casts_lose(plan, tables):
            dialect = SqlDialect.WITHOUT_ESTIMATES
        if unsorted is not None:
            if dialect not in _KEEPING:
                raise DatabaseError(ErrorKind.UNSUPPORTED, _LOST_ORDER.format(unsorted))
            dialect = SqlDialect.KEPT_ORDERS
        multiplies = found.multiplies or self.reads.has_values
        return Use(found.scans, multiplies, exported, dialect, found.joins)

    @staticmethod
    def _refuse_lost_order(plan: Plan) -> None:
        unsorted = lost_order(plan)
        if unsorted is not None:
            raise DatabaseError(ErrorKind.UNSUPPORTED, _LOST_ORDER.format(unsorted))

    def _dialect(self, found: PlanFacts) -> SqlDialect:
        """How a plan like this one is best made."""
        dialect = self.dialect
        if found.mixes_names:
            is_fenced = found.joins_by_more or found.joins_by_constants
            dialect = SqlDialect.FENCED_JOINS if is_fenced else SqlDialect.MERGED_JOINS
        elif found.shares_windows:
            dialect = SqlDialect.APART
        elif dialect is SqlDialect.PLAIN and any(map(self.database.engine.is_floating, found.made_keys)):
            dialect = SqlDialect.WITHOUT_JOIN_FILTERS
        return dialect

    def hidden_frames(self, tables: Mapping[TableName, EngineTable]) -> list[Frame]:
        """Its sub-queries that are values and that no plan shows, planned by themselves over these relations."""
        if not isinstance(self.source, SqlText):
            return []
        asked = [
            replace(
                self, source=SqlText(text, self.source.parameters), context=replace(self.context, namespace=namespace)
            )
            for text, namespace in self.reads.values
        ]
        return [one.frame(tables) for one in asked]

    def frame(self, tables: Mapping[TableName, EngineTable], guarded: Guarded = NOT_GUARDED) -> Frame:
        """Plan the text over these relations, and over the rows that policies leave where they stand between."""
        relations = dict(tables)
        if self.dialect in _FENCED:
            relations[FENCE] = self.database.relations.one_row
        engine, of_rows = self.database.engine, self.database.relations.of_rows
        allowed = {key: of_rows(rows.combine_chunks()) for key, rows in guarded.items()}

        def seen(guards: Iterable[tuple[TableName, RowRule]]) -> Mapping[TableName, EngineTable]:
            return {**relations, **{key[0]: allowed[key] for key in guards if key in allowed}}

        for name, view in self.reads.views.items():
            source = SqlText(view.text, fenced=view.fenced, kept_orders=view.kept_orders)
            planned = source.frame(engine, seen(view.guards), view.namespace, self.dialect, self.batch_rows)
            relations[name] = planned.into_view()
        frame = self.source.frame(
            engine, seen(self.reads.guards.items()), self.context.namespace, self.dialect, self.batch_rows
        )
        if self.dialect in _LOOKED_AT_AGAIN:
            plan = optimized(frame)
            if self.dialect in _FENCED and facts(plan).mixes_names:
                raise DatabaseError(ErrorKind.UNSUPPORTED, _UNFENCED)
            self._refuse_lost_order(plan)
        return frame


def _row_bytes(snapshot: Snapshot) -> int:
    """About what a row of a table takes where it lies, as its first batches tell."""
    cold, hot = snapshot.manifest.batches[:SAMPLED_BATCHES], snapshot.hot.batches[:SAMPLED_BATCHES]
    rows = sum(entry.rows for entry in cold) + sum(batch.num_rows for batch in hot)
    size = sum(entry.bytes for entry in cold) + sum(int(batch.nbytes) for batch in hot)
    return int(size // max(rows, 1))
