"""INSERT, UPDATE, DELETE, MERGE, TRUNCATE: each becomes rows for the one commit path."""

from collections.abc import Callable

import pyarrow as pa

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.changes import Changes
from flightserver.execution.direct import DirectReads
from flightserver.execution.guarding import Guard
from flightserver.execution.inserts import Inserts
from flightserver.execution.merging import Merges
from flightserver.execution.reading import Reader
from flightserver.execution.rows import Affected
from flightserver.execution.writing import Writing
from flightserver.sql.statements import Delete, Insert, Merge, Statement, Truncate, Update


class Dml:
    """Runs data-changing statements."""

    def __init__(self, database: Database, reader: Reader, direct: DirectReads) -> None:
        self._writing = Writing(database, reader)
        changes = Changes(self._writing, direct)
        self._handlers: dict[type[Statement], Callable[..., Affected]] = {
            Insert: Inserts(self._writing).run,
            Update: changes.update,
            Delete: changes.delete,
            Merge: Merges(self._writing).run,
            Truncate: changes.truncate,
        }

    def handles(self, statement: Statement) -> bool:
        """Tell whether `run` takes the statement."""
        return type(statement) in self._handlers

    def run(self, statement: Statement, context: Context, bound: pa.Table | None, count: int) -> Affected:
        """Run a statement with `count` parameters, once for each row of `bound`."""
        if count and bound is None:
            raise DatabaseError(ErrorKind.INVALID, f"the statement has {count} parameters, but none were bound")
        return self._handlers[type(statement)](statement, context, bound if count else None)

    def guard(self, table: TableDef, context: Context) -> Guard | None:
        """What a change of a table must keep to; None where nothing stands between."""
        return self._writing.guard(table, context)
