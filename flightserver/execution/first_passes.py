"""First passes of queries, over shapes: made once for a text, and kept for as many of its runs as they hold for.

What is kept holds no row and no value: it depends on the text, the definitions that its names stand for, and the types
of what is bound (`Asked.lasting_key`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from catalog.definition import TableDef
from catalog.errors import DatabaseError
from catalog.identifiers import TableName
from flightserver.execution.passes import Asked, FirstPass, Reach
from flightserver.execution.rows import client_schema
from providers.engine.origins import Origins, columns_of, origins
from providers.engine.plans import optimized
from providers.engine.session import EngineTable, Frame, QueryEngine
from providers.lru import ByteBoundedCache
from providers.snapshot import Snapshot

ORIGINS_BYTES = 1 << 20
ORIGIN_BYTES = 16
"""What is remembered of the origins of results, and about what a column takes."""

PASSES_BYTES = 8 << 20
PASS_BYTES = 4 << 10
"""What is remembered of the first passes of queries, and about what one takes beside its text."""

Shapes = Mapping[TableName, EngineTable]
"""Tables without rows, or rows in memory."""


@dataclass(frozen=True)
class Run:
    """A query over shapes of its `tables`, and what is `computed` for it; `pinned` are snapshots of what it scans."""

    query: Asked
    tables: Mapping[TableName, TableDef]
    shapes: Shapes
    computed: Shapes
    pinned: Mapping[TableName, Snapshot]

    @property
    def scanned(self) -> list[TableDef]:
        """The definitions of the tables that it scans."""
        return [snapshot.table for snapshot in self.pinned.values()]

    def frame(self, query: Asked) -> Frame:
        """Plan the query, or a form of it, over all of that."""
        return query.frame({**self.computed, **self.shapes})

    def hidden(self, query: Asked) -> list[Frame]:
        """The same of the sub-queries in it that no plan shows."""
        return query.hidden_frames({**self.computed, **self.shapes})

    def key_of(self, query: Asked) -> object | None:
        """What the first pass of the query, or of a form of it, depends on; None where it holds for one run."""
        return query.lasting_key(self.shapes) if self.shapes and not self.computed else None


class FirstPasses:
    """Makes first passes, and keeps them."""

    def __init__(self, engine: QueryEngine) -> None:
        self._engine = engine
        self._origins: ByteBoundedCache[object, Origins] = ByteBoundedCache(ORIGINS_BYTES)
        self._kept: ByteBoundedCache[object, FirstPass] = ByteBoundedCache(PASSES_BYTES)

    def described(self, query: Asked, computed: Shapes) -> pa.Schema:
        """The schema of what a query returns, whatever its parameters are. For its runs, that is the first pass."""
        tables = query.reads.tables
        run = Run(query, tables, query.shapes(tables), computed, {})
        key = run.key_of(query)
        known = None if key is None else self._kept.find(key)
        if known is not None and known.schema is not None:
            return client_schema(known.schema, known.origins)
        frame = run.frame(query)
        found_origins = self._origins_of(run, frame)
        scanned = [table for name, table in tables.items() if name in query.reads.unguarded]
        try:
            found = query.first_pass(frame, run.hidden(query), found_origins, scanned, Reach.ALL_VALUES)
        except DatabaseError:  # what is refused is said when it runs, with values that may do
            return client_schema(self._engine.schema_of(optimized(frame)), found_origins)
        self._keep(run, found)
        return self.schema_of(run, found, frame)

    def of(self, run: Run) -> FirstPass:
        """The first pass of a query.

        A text with parameters is planned without their values when it is prepared, or when it comes again, and from
        then on what they mean for its scans follows from that plan. With a join it never is: what the engine makes of
        one depends on the values.
        """
        query, key = run.query, run.key_of(run.query)
        known = None if key is None else self._kept.find(key) or self._as_described(run)
        if known is not None and known.reach is Reach.ALL_VALUES:
            return known
        reach = Reach.ALL_VALUES if not query.source.has_values else Reach.ITS_VALUES if known is None else known.reach
        found = None
        if known is not None and reach is Reach.ITS_VALUES and not (known.use.multiplies or query.source.has_nulls):
            found, reach = self._without_values(run, known), Reach.EACH_RUN
        if found is None:
            frame = run.frame(query)
            found = query.first_pass(frame, run.hidden(query), self._origins_of(run, frame), run.scanned, reach)
        if known is None or found.reach is not known.reach:
            self._keep(run, found)
        return found

    def schema_of(self, run: Run, known: FirstPass, frame: Frame) -> pa.Schema:
        """The schema of what a run returns that has been planned as `frame`."""
        schema = known.schema
        if schema is None:
            schema = self._engine.schema_of(optimized(frame))
            self._keep(run, known._replace(schema=schema))
        return client_schema(schema, known.origins)

    def _as_described(self, run: Run) -> FirstPass | None:
        """What is known of a text since it was prepared, if that tells all of the rows that these values mean."""
        query = run.query
        found = self._kept.find(run.key_of(query.without_values())) if query.source.has_values else None
        if found is None or found.use.multiplies or not query.told(found.use.scans, run.pinned).is_all:
            return None
        return found._replace(schema=None)

    @staticmethod
    def _without_values(run: Run, known: FirstPass) -> FirstPass | None:
        """The first pass for any values of the types that are bound; the result's types are known.

        None where it would tell less of the rows than one with values: it cannot work out what is computed of them.
        """
        query, without = run.query, run.query.without_values()
        try:
            found = without.first_pass(
                run.frame(without), run.hidden(without), known.origins, run.scanned, Reach.ALL_VALUES
            )
        except DatabaseError:  # some texts cannot be planned like this
            return None
        if query.told(found.use.scans, run.pinned).conditions < query.told(known.use.scans, run.pinned).conditions:
            return None
        return found._replace(schema=known.schema, frame=None)

    def _keep(self, run: Run, found: FirstPass) -> None:
        key = run.key_of(run.query)
        if key is not None:
            self._kept.put(key, found._replace(frame=None), PASS_BYTES + 2 * len(run.query.source.written))

    def _origins_of(self, run: Run, frame: Frame) -> Origins:
        """Where the columns of a query over shapes come from, which a text tells once for the same tables and views."""
        reads, written = run.query.reads, run.query.source.written
        return self._origins.get(
            (written, run.query.context.namespace, frozenset(run.shapes.items()), frozenset(reads.views.items())),
            lambda: origins(
                frame.logical_plan(),
                frame.schema().names,
                {
                    f"t{table.id}": columns_of(table, is_writable=name not in reads.behind_views)
                    for name, table in run.tables.items()
                },
            ),
            lambda found: len(written) + ORIGIN_BYTES * len(found),
        )
