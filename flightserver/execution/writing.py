"""What all changes of rows have in common: the query that finds them, the guard, and many rows of bound parameters.

The query runs over the merged relation of the newest state, with the scope's writer lock held, so that no other commit
comes between finding and writing. Several rows of parameters are one statement and one commit: where that cannot change
the result they are joined with the table at once, elsewhere they run one after another on a working snapshot that
nobody else sees.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import pyarrow as pa

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import Privilege
from catalog.identifiers import TableName, quote_identifier
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.guarding import Guard
from flightserver.execution.parameters import bound_rows, comparable
from flightserver.execution.reading import Given, Reader
from flightserver.execution.rows import Affected
from flightserver.execution.sources import Parameters
from flightserver.sql.text.query_text import QueryText
from providers.commit.apply import after_commit, versions_of
from providers.commit.resolve import OnExisting, resolve
from providers.rows.change import Change, key_of
from providers.rows.conversion import Strictness
from providers.rows.offered import admitted
from providers.snapshot import Snapshot

Found = TypeVar("Found")

Find = Callable[[Snapshot, Parameters | None, pa.Table | None], Change]
"""Finds the rows that a statement writes, given the state, one row of parameters, or all rows of them."""

OF_THE_STATEMENT = frozenset({ErrorKind.INVALID, ErrorKind.NOT_FOUND, ErrorKind.SYNTAX, ErrorKind.UNSUPPORTED})
"""What a statement over all rows of its parameters may fail with where it would not with one of them."""


class Writing:
    """Finds rows by queries, and commits them."""

    def __init__(self, database: Database, reader: Reader) -> None:
        self.database = database
        self.reader = reader

    def guard(self, table: TableDef, context: Context) -> Guard | None:
        """What a change of a table must keep to; None where nothing stands between."""

        def ask(
            text: QueryText, rows: Mapping[TableName, pa.Table], snapshots: Mapping[TableName, Snapshot]
        ) -> pa.Table:
            given = Given(snapshots, rows)
            return self.reader.plan(text, context.unguarded(), None, given).rows().to_table(context.stop)

        return Guard.of(table, context, ask, self.database.store.files)

    def offered(self, table: TableDef, rows: pa.Table, context: Context) -> Change:
        """Rows as they are to be stored, with defaults, checked."""
        return admitted(table, rows, context.user, self.database.store.allocator, Strictness.STATEMENT)

    def new_versions(self, table: TableDef, found: pa.Table, context: Context) -> Change:
        """New versions of rows, which may be written."""
        change = self.offered(table, found, context)
        guard = self.guard(table, context)
        if guard is not None:
            guard.admit(change.rows, Privilege.UPDATE)
        return change

    def read(
        self,
        text: QueryText,
        context: Context,
        snapshot: Snapshot,
        parameters: Parameters | None,
        extra: Mapping[str, pa.Table],
        privilege: Privilege,
    ) -> pa.Table:
        """The rows of a query over the table that a statement changes, and over what it brings along by name."""
        rows = {TableName(context.namespace, name): rows for name, rows in extra.items()}
        name = snapshot.table.name
        targets = tuple(column.storage for column in snapshot.table.columns)
        given = Given({name: snapshot}, rows, targets, (name, privilege))
        return self.reader.plan(text, context, parameters, given).rows().to_table(context.stop)

    def write(
        self, table: TableDef, context: Context, find: Find, bound: pa.Table | None, *, together: bool
    ) -> Affected:
        """Commit what `find` finds, for all rows of parameters."""

        def build(snapshot: Snapshot) -> Change:
            if bound is None:
                return distinct(find(snapshot, None, None), table)
            if bound.num_rows > 1 and together:
                change = at_once(lambda: find(snapshot, None, comparable(bound)))
                if change is not None and (change.deleted is not None or key_of(table, change.rows).last_of_each.all()):
                    return distinct(change, table)
            return self._one_after_another(snapshot, find, bound)

        return Affected(commit(context, table, build))

    def _one_after_another(self, snapshot: Snapshot, find: Find, bound: pa.Table) -> Change:
        """What a statement writes when it runs for each row of parameters on top of the previous ones."""
        changes = []
        for parameters in bound_rows(bound):
            change = find(snapshot, parameters, None)
            changes.append(change)
            if bound.num_rows > 1 and change.rows.num_rows:
                resolved = resolve(snapshot, change, OnExisting.REPLACE, self.database.store.files)
                seqs = np.arange(1, resolved.rows.num_rows + 1, dtype=np.int64) + snapshot.last_seq
                snapshot = after_commit(snapshot, resolved, versions_of(snapshot.table, resolved, seqs), seqs)
        return Change.concat(changes)


def at_once(find: Callable[[], Found]) -> Found | None:
    """What all rows of parameters find together; None where the engine wants a value where they are a column."""
    try:
        return find()
    except DatabaseError as error:
        if error.kind not in OF_THE_STATEMENT:
            raise
        return None


def item_called(value: QueryText, name: str) -> QueryText:
    """An item of SELECT with the name of the column that it is for."""
    return QueryText.joined(["(", value, ") AS ", quote_identifier(name)])


def commit(context: Context, table: TableDef, build: Callable[[Snapshot], Change]) -> int:
    """Carry out a change that overrides existing rows; return how many it affected."""
    scope = context.scope(table)
    return context.work.write(scope, build, OnExisting.REPLACE, context.request).affected


def distinct(change: Change, table: TableDef) -> Change:
    """Leave one row of each key, so that what is counted is rows of the table."""
    last = key_of(table, change.rows).last_of_each
    return change if last.all() else change.filter(last)
