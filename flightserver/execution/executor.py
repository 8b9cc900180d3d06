"""Which statement goes where: the one entrance for everything that a client can say."""

from dataclasses import dataclass

import pyarrow as pa

from catalog.definition import TableKind
from catalog.errors import DatabaseError, ErrorKind
from flightserver.database import Database
from flightserver.execution.ddl import Ddl
from flightserver.execution.dml import Dml
from flightserver.execution.parameters import bound_rows, parameter_schema, plan_parameter_types
from flightserver.execution.reading import PlannedQuery, Reader
from flightserver.execution.rewriting import finding_query
from flightserver.execution.rows import Affected, Rows
from flightserver.execution.show import Show
from flightserver.session import Session
from flightserver.sql.parameters import number_placeholders
from flightserver.sql.parser import parse
from flightserver.sql.statements import Compact, Flush, Insert, Query, Statement, TableRef, Update
from flush.compaction import compact
from flush.hot_flush import flush
from flush.reclaim import reclaim
from providers.scope import ScopeState


@dataclass(frozen=True)
class Prepared:
    """A statement ready to run, and what a client must know to bind its parameters.

    `schema` is None for statements that change something.
    """

    statement: Statement
    parameters: pa.Schema
    schema: pa.Schema | None


class Executor:
    """Runs statements."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.reader = Reader(database)
        self.ddl = Ddl(database, self.reader)
        self._dml = Dml(database, self.reader)
        self._show = Show(database, self.reader)

    def execute(self, text: str, session: Session) -> Rows | Affected:
        """Run a statement without parameters. Changes have happened when this returns; rows are yet to be read."""
        numbered, count = number_placeholders(text)
        return self.run(parse(numbered), session, None, count)

    def prepare(self, text: str, session: Session) -> Prepared:
        """Parse and check a statement; find out the types of its parameters and its result."""
        numbered, count = number_placeholders(text)
        statement = parse(numbered)
        if isinstance(statement, Query):
            planned = self.reader.plan(statement.text, session)
            types = _planned_types(planned) if count else {}
            return Prepared(statement, parameter_schema(count, types), planned.schema)
        types = self._assigned_types(statement, session) if count else {}
        schema = self._show.run(statement, session).schema if self._show.handles(statement) else None
        return Prepared(statement, parameter_schema(count, types), schema)

    def run(self, statement: Statement, session: Session, bound: pa.Table | None, count: int) -> Rows | Affected:
        """Run a statement with `count` parameters; of several rows of them, a query's results follow each other."""
        if isinstance(statement, Query):
            return self._query(statement, session, bound, count)
        if self._dml.handles(statement):
            return self._dml.run(statement, session, bound, count)
        if count:
            raise DatabaseError(ErrorKind.INVALID, "only queries, INSERT, UPDATE and DELETE take parameters")
        if self._show.handles(statement):
            return self._show.run(statement, session)
        if self.ddl.handles(statement):
            return self.ddl.run(statement, session)
        match statement:
            case Flush(table):
                return Affected(sum(flush(self._database.store, state).rows for state in self._states(table, session)))
            case Compact(table):
                return Affected(sum(self._compact(state) for state in self._states(table, session)))
        raise DatabaseError(ErrorKind.UNSUPPORTED, f"{type(statement).__name__} is not served by this version")

    def _query(self, statement: Query, session: Session, bound: pa.Table | None, count: int) -> Rows:
        if not count:
            return self.reader.plan(statement.text, session).rows()
        if bound is None or not bound.num_rows:
            raise DatabaseError(ErrorKind.INVALID, f"the query has {count} parameters, but none were bound")
        results = [
            self.reader.plan(statement.text, session, parameters).rows() for parameters in bound_rows(bound, count)
        ]
        if len(results) == 1:
            return results[0]
        return Rows(
            results[0].schema, lambda cancelled: (batch for result in results for batch in result.start(cancelled))
        )

    def _assigned_types(self, statement: Statement, session: Session) -> dict[int, pa.DataType]:
        """Types of parameters in changes: of the columns that they are inserted into, assigned to or compared with."""
        if isinstance(statement, Insert) and statement.placeholders_only is not None:
            table = self._database.catalog.registry.table(session.name(statement.table))
            names = statement.columns or [column.name for column in table.visible_columns]
            return {
                number: table.column(name).storage
                for number, name in zip(statement.placeholders_only, names, strict=False)
            }
        text = finding_query(statement, session)
        if text is None:
            return {}
        planned = self.reader.plan(text, session)
        types = _planned_types(planned)
        if isinstance(statement, Update):
            table = self._database.catalog.registry.table(session.name(statement.table))
            for assignment in statement.assignments:
                expression = assignment.expression.strip()
                if expression.startswith("$") and expression[1:].isdigit():
                    types[int(expression[1:])] = table.column(assignment.column).storage
        return types

    def _states(self, ref: TableRef | None, session: Session) -> list[ScopeState]:
        """The scopes that a storage command means: of one table, or of all, for every user who has any."""
        registry = self._database.catalog.registry
        tables = list(registry.tables.values()) if ref is None else [registry.table(session.name(ref))]
        store = self._database.store
        states = []
        for table in tables:
            users = {None} if table.kind is TableKind.SHARED else set(store.users_with_hot_rows(table))
            loaded = {s.head.scope.user for s in store.loaded() if s.head.table.id == table.id}
            states += [store.state(table, user) for user in sorted(users | loaded, key=lambda user: user or "")]
        return states

    def _compact(self, state: ScopeState) -> int:
        """Merge until there is nothing to gain; return how many batches were replaced."""
        replaced = 0
        while done := compact(self._database.store, state, everything=True).inputs:
            replaced += done
        reclaim(state)
        return replaced


def _planned_types(planned: PlannedQuery) -> dict[int, pa.DataType]:
    """Types of a query's parameters, from the columns of the tables that it reads."""
    columns = {c.name: c.storage for s in planned.snapshots.values() for c in s.table.columns}
    return plan_parameter_types(planned.frame.logical_plan(), columns)
