"""What must hold before a condition becomes a constraint: it can be asked, and every row that is there satisfies it.

Rows are looked at with the constraint in force already, so that none can come in between; who is about to write by the
definition before it is refused, and tries again by the new one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from catalog.definition import Check, TableDef, Unique
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName, quote_identifier
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.constraints import OFFERED, broken_text, counted, offered_rows, refuse_broken
from flightserver.execution.reading import Given, Reader
from flightserver.execution.rewriting import qualified
from flightserver.sql.text.query_text import QueryText
from flush.partitions import loaded_users, users_of
from providers.commit.uniqueness import refuse_repeated
from providers.snapshot import Snapshot


@dataclass(frozen=True)
class Demands:
    """What every row must satisfy."""

    checks: Sequence[Check]
    uniques: Sequence[Unique]

    @property
    def names(self) -> frozenset[str]:
        """What it is called."""
        return frozenset([*(check.name for check in self.checks), *(unique.name for unique in self.uniques)])


class NewConstraints:
    """Looks at conditions before they become constraints, and at the rows that are there."""

    def __init__(self, database: Database, reader: Reader) -> None:
        self._store = database.store
        self._reader = reader

    def refuse_unusable(self, table: TableDef, context: Context) -> None:
        """Raise for a constraint of a new definition that cannot be asked of its rows, or is not true or false."""
        given = Given(rows={TableName(context.namespace, OFFERED): table.schema.empty_table()})
        for check in table.checks:
            text = QueryText(f"SELECT ({check.condition}) AS condition FROM {offered_rows(table)}")
            (field,) = self._reader.plan(text, context.unguarded(), None, given).schema
            if not pa.types.is_boolean(field.type):
                raise DatabaseError(
                    ErrorKind.INVALID, f"the condition of {check.name} is true or false, and not {field.type}"
                )

    def refuse_broken_by_others(
        self, table: TableDef, demands: Demands, context: Context, sound: Sequence[Snapshot] = ()
    ) -> list[Snapshot]:
        """Raise INVALID when a row of anybody breaks a constraint. What is written from now on is held against them.

        Return what was looked at. What is `sound` satisfies the same demands, and is not looked at again.
        """
        known = {snapshot.scope: snapshot for snapshot in sound}
        found = []
        self._store.refuse_older(table)
        for user in {*users_of(self._store, table), *loaded_users(self._store, table)}:
            self._store.wait_shown(self._store.state(table, user))
            snapshot = self._store.snapshot(table, user)
            before = known.get(snapshot.scope)
            if before is None or not snapshot.has_rows_of(before):
                self.refuse_broken_in(snapshot, demands, context.unguarded())
            found.append(snapshot)
        return found

    def refuse_broken_in(self, snapshot: Snapshot, demands: Demands, context: Context) -> None:
        """Raise INVALID when a row of a state breaks a constraint, ALREADY_EXISTS when two have one value."""
        table, checks = snapshot.table, demands.checks
        refuse_repeated(snapshot, demands.uniques, self._store.files, "is there twice")
        if not checks:
            return
        text = broken_text(checks, f"{qualified(table.name)} AS {quote_identifier(table.name.table)}")
        counts = self._reader.plan(text, context, None, Given({table.name: snapshot})).rows().to_table(context.stop)
        refuse_broken(table, checks, counted(counts))
