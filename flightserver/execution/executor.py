"""Which statement goes where: the one entrance for everything that a client can say."""

import sys
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from catalog.types import parse_type, storage_type
from flightserver.access.rights import Use
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.administration import Administration
from flightserver.execution.checks import Checks
from flightserver.execution.ddl import Ddl
from flightserver.execution.direct import NO_PARAMETERS, Described, DirectReads
from flightserver.execution.dml import Dml
from flightserver.execution.granting import Granting
from flightserver.execution.maintenance import Maintenance
from flightserver.execution.merging import Merging
from flightserver.execution.on_cluster import ClusterQueries
from flightserver.execution.parameters import bound_rows, check_bound, comparable, parameter_schema
from flightserver.execution.reading import PlannedQuery, Reader
from flightserver.execution.returning import returning_query
from flightserver.execution.rewriting import finding_query
from flightserver.execution.rows import Affected, Rows
from flightserver.execution.show import Show
from flightserver.execution.sources import Parameters
from flightserver.execution.system import SystemTables
from flightserver.execution.targets import target
from flightserver.execution.written_defaults import with_defaults
from flightserver.sql.meaning.lookups import value_of
from flightserver.sql.parser import Parsed
from flightserver.sql.statements import Delete, Insert, Merge, Query, Statement, SubstraitQuery, Update
from flightserver.sql.table_statements import Compact, Flush, PublishTable, RebuildManifest
from flightserver.sql.text.constants import is_constant
from flightserver.sql.text.parameters import count_parameters, places_in_values
from flightserver.sql.text.query_text import QueryText
from providers.commit.definitions import StaleDefinitionError
from providers.lru import ByteBoundedCache

CONSTANTS_BYTES = 1 << 20

TREE_DEPTH_MAX = 20_000
"""Calls within calls: a chain of as many operators as a statement may have is as deep as it is long."""

ATTEMPTS = 4
"""How often a change is made whose table is defined anew each time."""


@dataclass(frozen=True)
class Prepared:
    """A statement ready to run, and what a client must know to bind its parameters.

    `schema` is None for statements that change something and give nothing back.
    """

    parsed: Parsed
    parameters: pa.Schema
    schema: pa.Schema | None


class Executor:
    """Runs statements."""

    def __init__(self, database: Database, system: SystemTables) -> None:
        sys.setrecursionlimit(max(sys.getrecursionlimit(), TREE_DEPTH_MAX))
        self._database = database
        self.reader = Reader(database, system)
        self.ddl = Ddl(database, self.reader)
        self.direct = DirectReads(database.store.files, self._described)
        self.dml = Dml(database, self.reader, self.direct)
        self._cluster = ClusterQueries(database, self.reader)
        self._show = Show(database, self.reader, self._cluster)
        self._granting = Granting(self.reader)
        self._maintenance = Maintenance(database)
        self._administration = Administration(database)
        self._checks = Checks(database)
        self._constants: ByteBoundedCache[str, Rows] = ByteBoundedCache(CONSTANTS_BYTES)

    def prepare(self, parsed: Parsed, context: Context) -> Prepared:
        """Check a statement; find out the types of its parameters and its result."""
        statement, count = with_defaults(parsed.statement, context), parsed.parameter_count
        if isinstance(statement, Query):
            constant = self._constant(statement, context)
            if constant is not None:
                return Prepared(parsed, pa.schema([]), constant.schema)
            described = self.direct.describe(statement.text, context) or self._described(statement.text, context)
            return Prepared(parsed, described.parameters, described.result)
        if isinstance(statement, SubstraitQuery):
            return Prepared(parsed, pa.schema([]), self.reader.describe_substrait(statement, context).schema)
        if self._administration.handles(statement):
            return Prepared(parsed, pa.schema([]), self._administration.schema(statement))
        if self._checks.handles(statement):
            return Prepared(parsed, pa.schema([]), self._checks.schema(statement))
        types = self._assigned_types(statement, context) if count else {}
        returning = returning_query(statement, context)
        if returning is not None:
            returned = self.reader.parameter_types(returning, context) if count_parameters(returning) else {}
            schema = self.reader.describe(returning, context).schema
            return Prepared(parsed, parameter_schema(count, {**returned, **types}), schema)
        schema = self._show.run(statement, context).schema if self._show.handles(statement) else None
        return Prepared(parsed, parameter_schema(count, types), schema)

    def run(self, parsed: Parsed, context: Context, bound: pa.Table | None) -> Rows | Affected:
        """Run a statement with its parameters; of several rows of them, a query's results follow each other.

        Changes have happened when this returns; rows are yet to be read.
        """
        statement, count = with_defaults(parsed.statement, context), parsed.parameter_count
        if bound is not None:
            check_bound(bound, count)
        if isinstance(statement, Query):
            return self._query(statement, context, bound, count)
        if isinstance(statement, SubstraitQuery):
            return _noted(self.reader.plan_substrait(statement, context), context).rows()
        if self.dml.handles(statement):
            return self._change(statement, context, bound, count)
        if count:
            raise DatabaseError(ErrorKind.INVALID, "only queries, INSERT, UPDATE, DELETE and MERGE take parameters")
        for handler in (self._show, self.ddl, self._granting, self._administration, self._checks):
            if handler.handles(statement):
                return handler.run(statement, context)
        if isinstance(statement, Flush | Compact | PublishTable):
            return self._maintenance.run(statement, context)
        if isinstance(statement, RebuildManifest):
            return self._maintenance.rebuild(statement, context)
        raise DatabaseError(ErrorKind.UNSUPPORTED, f"{type(statement).__name__} is not served by this version")

    def asks_about_server(self, parsed: Parsed, context: Context) -> bool:
        """Tell whether a statement reads system tables and nothing else."""
        return isinstance(parsed.statement, Query) and self.reader.reads_system_only(parsed.statement.text, context)

    def _change(self, statement: Statement, context: Context, bound: pa.Table | None, count: int) -> Affected:
        """Run a change. Where its table is defined anew meanwhile, nothing was written, and it is made again."""
        for _ in range(ATTEMPTS - 1):
            with suppress(StaleDefinitionError):
                return self.dml.run(statement, context, bound, count)
        return self.dml.run(statement, context, bound, count)

    def _query(self, statement: Query, context: Context, bound: pa.Table | None, count: int) -> Rows:
        if not count:
            known = self._constant(statement, context) or self.reader.count(statement.text, context)
            return known or self._rows(statement, context, None)
        if bound is None or not bound.num_rows:
            raise DatabaseError(ErrorKind.INVALID, f"the query has {count} parameters, but none were bound")
        at_once = self.direct.each(statement.text, context, comparable(bound)) if bound.num_rows > 1 else None
        if at_once is not None:
            return at_once
        results = [self._rows(statement, context, parameters) for parameters in bound_rows(bound)]
        if len(results) == 1:
            return results[0]
        return Rows(
            results[0].schema,
            lambda stop: (batch for result in results for batch in result.start(stop)),
            pinned=tuple({snapshot for result in results for snapshot in result.pinned}),
            nbytes=sum(result.nbytes for result in results),
        )

    def _constant(self, statement: Query, context: Context) -> Rows | None:
        """The result of a query that is the same for everybody for ever; connection pools ask `SELECT 1` all day."""
        if not is_constant(statement.text):
            return None
        return self._constants.get(
            statement.text,
            lambda: Rows.of_table(self._plan(statement, context, None).rows().to_table()),
            lambda rows: len(statement.text) + rows.nbytes,
        )

    def _rows(self, statement: Query, context: Context, parameters: Parameters | None) -> Rows:
        """The result of a query: of a look-up by key without the engine, of a large one maybe from the cluster."""
        found = self.direct.rows(statement.text, context, parameters or NO_PARAMETERS)
        if found is not None:
            return found
        planned = self._plan(statement, context, parameters)
        there = self._cluster.query(statement.text, context, planned, has_parameters=parameters is not None)
        return planned.rows() if there is None else there.noted(context).rows()

    def _described(self, text: QueryText, context: Context) -> Described:
        count = count_parameters(text)
        types = self.reader.parameter_types(text, context) if count else {}
        return Described(parameter_schema(count, types), self.reader.describe(text, context).schema)

    def _plan(self, statement: Query, context: Context, parameters: Parameters | None) -> PlannedQuery:
        return _noted(self.reader.plan(statement.text, context, parameters), context)

    def _assigned_types(self, statement: Statement, context: Context) -> dict[int, pa.DataType]:
        """Types of parameters in changes: of the columns that they are inserted into, assigned to or compared with."""
        if isinstance(statement, Insert) and statement.rows is not None:
            return _inserted_types(statement, context)
        if isinstance(statement, Merge):
            return Merging.of(statement, context).parameter_types(self.reader, context)
        table = target(statement, context)
        types = self._types_by_key(statement, context)
        if types is None:
            text = finding_query(statement, context)
            if text is None:
                return {}
            self.reader.describe(text, context)
            types = self.reader.parameter_types(text, context)
        if isinstance(statement, Insert):
            types = {**_inserted_types(statement, context), **types}
        if isinstance(statement, Update) and table is not None:
            for assignment in statement.assignments:
                expression = assignment.expression.strip()
                if expression.startswith("$") and expression[1:].isdigit():
                    types[int(expression[1:])] = table.column(assignment.column).storage
        return types

    def _types_by_key(self, statement: Statement, context: Context) -> dict[int, pa.DataType] | None:
        """Types of parameters in a change that says rows by key, and new values by themselves; None for any other."""
        match statement:
            case Update(table=ref, alias=alias, from_text=None, where=QueryText() as where):
                table = context.table(ref, Use.UPDATE)
                is_plain = all(value_of(assignment.expression) is not None for assignment in statement.assignments)
            case Delete(table=ref, alias=alias, using_text=None, where=QueryText() as where):
                table, is_plain = context.table(ref, Use.DELETE), True
            case _:
                return None
        if not is_plain or not context.door.admits(Use.READ, table):
            return None
        return self.direct.types_of_change(where, alias or ref.table, table)


def _inserted_types(statement: Insert, context: Context) -> dict[int, pa.DataType]:
    """Types of parameters in rows of VALUES: what they are cast to, or the type of the column that they are for."""
    table = context.table(statement.table, Use.INSERT)
    names = statement.columns or [column.name for column in table.visible_columns]
    types: dict[int, pa.DataType] = {}
    for place in places_in_values(statement.source):
        if place.cast_to is not None:
            types.setdefault(place.number, storage_type(parse_type(place.cast_to)))
        elif place.column < len(names):
            types.setdefault(place.number, table.column(names[place.column]).storage)
    return types


def _noted(planned: PlannedQuery, context: Context) -> PlannedQuery:
    if context.statement is not None:
        context.statement.note_pruning(planned.pruned.values())
    return planned
