"""RETURNING: a query over the rows that a change is about to write or to remove, and over nothing else of their table.

It runs before the commit, with the scope's writer lock held: what goes wrong in it, or is more than the user may have,
leaves the change undone. The rows are a snapshot of their own, so that everything means what it means in a SELECT of
the table. A policy that hides one of them from its user makes the change an error.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import Privilege
from catalog.identifiers import quote_identifier
from flightserver.access.rights import Use
from flightserver.access.row_rules import rule_on_rows
from flightserver.context import Context
from flightserver.execution.parameters import bound_rows
from flightserver.execution.reading import Given, Reader
from flightserver.execution.rewriting import mentions_query, qualified
from flightserver.execution.rows import Rows
from flightserver.execution.sources import Parameters
from flightserver.sql.statements import Delete, Insert, Merge, Statement, Update
from flightserver.sql.text.parameters import count_parameters
from flightserver.sql.text.query_text import QueryText
from providers.commit.apply import holding
from providers.rows.change import Change
from providers.rows.offered import tombstones
from providers.snapshot import Snapshot


def returning_query(statement: Statement, context: Context) -> QueryText | None:
    """The query that gives back what a change has written, were its rows all of the table; None for one that does not.

    Rows come in the order in which they are written.
    """
    if not isinstance(statement, Insert | Update | Delete | Merge) or statement.returning is None:
        return None
    alias = None if isinstance(statement, Insert) else statement.alias
    called = quote_identifier(alias or statement.table.table)
    source = f"{qualified(context.name(statement.table))} AS {called}"
    return QueryText.joined(["SELECT ", statement.returning, f" FROM {source} ORDER BY {called}._seq"])


@dataclass
class Returning:
    """What one run of a statement gives back: `rows`, once its change is made and before it is committed."""

    reader: Reader
    context: Context
    text: QueryText
    parameters: Parameters | None
    looks_around: bool
    rows: Rows | None = field(default=None, init=False)

    @classmethod
    def of(
        cls, reader: Reader, statement: Insert | Update | Delete | Merge, context: Context, bound: pa.Table | None
    ) -> "Returning | None":
        """What a statement gives back; None where it has no RETURNING."""
        text = returning_query(statement, context)
        if text is None or statement.returning is None:
            return None
        context.table(statement.table, Use.READ)
        parameters = None
        if bound is not None and count_parameters(statement.returning):
            if bound.num_rows != 1:
                raise DatabaseError(
                    ErrorKind.UNSUPPORTED,
                    "RETURNING with parameters takes one row of them at a time; run the statement once for each",
                )
            (parameters,) = bound_rows(bound)
        return cls(reader, context, text, parameters, mentions_query(statement.returning))

    def noting(self, build: Callable[[Snapshot], Change]) -> Callable[[Snapshot], Change]:
        """The same change, of which is noted what it gives back. Rows that it removes are given whole."""

        def noted(snapshot: Snapshot) -> Change:
            change = build(snapshot)
            self._note(snapshot, change.rows)
            if change.deleted is None:
                return change
            key = [column.physical for column in snapshot.table.key_columns]
            removed = change.rows.filter(pa.array(change.deleted)).select(key)
            return Change.concat([Change(change.live_rows), tombstones(snapshot.table, removed)])

        return noted

    def _note(self, snapshot: Snapshot, rows: pa.Table) -> None:
        table, context = snapshot.table, self.context
        given = Given({table.name: holding(snapshot, rows)})
        planned = self.reader.plan(self.text, context, self.parameters, given)
        if self.looks_around and table.name not in planned.read_once:
            raise DatabaseError(
                ErrorKind.UNSUPPORTED,
                f"a sub-query of RETURNING cannot read {table.name}, which the statement changes; read it afterwards",
            )
        batches, count, size = [], 0, 0
        for batch in planned.rows().start(context.stop):
            batches.append(batch)
            count, size = count + batch.num_rows, size + int(batch.nbytes)
            context.on_returned(count, size)
        if count != rows.num_rows:
            if rule_on_rows(context.door, table, Privilege.SELECT) is not None:
                raise DatabaseError(
                    ErrorKind.DENIED, f"a row for RETURNING may not be read by the row policies of {table.name}"
                )
            raise DatabaseError(ErrorKind.INVALID, "RETURNING gives one row for each row that is changed")
        self.rows = Rows.of_batches(batches, planned.schema)


def whole_rows(change: Change) -> Change:
    """The removal of rows that are known as a whole."""
    return Change(change.rows, np.ones(change.rows.num_rows, dtype=np.bool_))
