"""What all changes of rows have in common: the query that finds them, the guard, and many rows of bound parameters.

The query runs over the merged relation of the newest state, with the scope's writer lock held, so that no other commit
comes between finding and writing. Several rows of parameters are one statement and one commit: where that cannot change
the result they are joined with the table at once, elsewhere they run one after another on a working snapshot that
nobody else sees.

It cannot change the result where no run sees what one before it has written: one run alone changes each row, the
table is read in no other place of the statement, and no run finds a row for what another has set in it. The first
is seen in what is found at once, the second in the plan. The last is known where nothing that is set is asked for, or
where each run names its own key; elsewhere it is tried out (`Matches`).
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import Privilege
from catalog.identifiers import TableName, quote_identifier
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.guarding import Guard
from flightserver.execution.parameters import bound_rows, comparable
from flightserver.execution.reading import Given, Reader
from flightserver.execution.returning import Returning
from flightserver.execution.rewriting import PLACE
from flightserver.execution.rows import Affected
from flightserver.execution.sources import Parameters
from flightserver.sql.statements import Delete, Insert, Merge, Update
from flightserver.sql.text.query_text import QueryText
from providers.commit.apply import after_commit, versions_of
from providers.commit.resolve import OnExisting, resolve_keys
from providers.rows.change import Change, key_of
from providers.rows.conversion import Strictness
from providers.rows.offered import admitted
from providers.snapshot import Snapshot

Found = TypeVar("Found")

Find = Callable[[Snapshot, Parameters | None, pa.Table | None], Change]
"""Finds the rows that a statement writes, given the state, one row of parameters, or all rows of them."""

Matches = Callable[[Snapshot, pa.Table], pa.Table]
"""The rows of a state that rows of parameters find: keys in physical columns, and the place of those as `RUN`."""

RUN = "$run"

OF_THE_STATEMENT = frozenset(
    {ErrorKind.INVALID, ErrorKind.NOT_FOUND, ErrorKind.SYNTAX, ErrorKind.UNSUPPORTED, ErrorKind.INTERNAL}
)
"""What a statement over all rows of its parameters may fail with where it would not with one of them."""


class ReadsItselfError(Exception):
    """A statement looks into the table that it changes: what one run of it writes, the next one may see."""


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
        *,
        once: bool = False,
    ) -> pa.Table:
        """The rows of a query over the table that a statement changes, and over what it brings along by name.

        Raise ReadsItselfError where the query may read the table in more than one place, and must read it `once`.
        """
        rows = {TableName(context.namespace, name): rows for name, rows in extra.items()}
        name = snapshot.table.name
        targets = tuple(column.storage for column in snapshot.table.columns)
        given = Given({name: snapshot}, rows, targets, (name, privilege))
        planned = self.reader.plan(text, context, parameters, given)
        if once and name not in planned.read_once:
            raise ReadsItselfError
        return planned.rows().to_table(context.stop)

    def returning(
        self, statement: Insert | Update | Delete | Merge, context: Context, bound: pa.Table | None
    ) -> Returning | None:
        """What a statement gives back; None where it has no RETURNING."""
        return Returning.of(self.reader, statement, context, bound)

    def write(
        self,
        table: TableDef,
        context: Context,
        find: Find,
        bound: pa.Table | None,
        *,
        together: bool,
        matches: Matches | None = None,
        returning: Returning | None = None,
    ) -> Affected:
        """Commit what `find` finds, for all rows of parameters.

        Where they may be taken `together`, `matches` tries out whether they find what others of them have changed.
        """

        def build(snapshot: Snapshot) -> Change:
            if bound is None:
                return distinct(find(snapshot, None, None), table)
            if bound.num_rows > 1 and together:
                change = self._together(snapshot, find, numbered(comparable(bound)), matches)
                if change is not None:
                    return distinct(change, table)
            return self._one_after_another(snapshot, find, bound)

        return commit(context, table, build, returning=returning)

    def _together(self, snapshot: Snapshot, find: Find, rows: pa.Table, matches: Matches | None) -> Change | None:
        """What a statement writes for all rows of parameters at once; None where it might write something else."""
        change = at_once(lambda: find(snapshot, None, rows))
        if change is None or change.deleted is not None:
            return change
        if not key_of(snapshot.table, change.rows).last_of_each.all():
            return None
        if matches is None or not change.rows.num_rows:
            return change
        after = self._after(snapshot, change)
        before_and_after = at_once(lambda: (matches(snapshot, rows), matches(after, rows)))
        return change if before_and_after is not None and _are_apart(*before_and_after) else None

    def _one_after_another(self, snapshot: Snapshot, find: Find, bound: pa.Table) -> Change:
        """What a statement writes when it runs for each row of parameters on top of the previous ones."""
        changes = []
        for parameters in bound_rows(bound):
            change = find(snapshot, parameters, None)
            changes.append(change)
            if bound.num_rows > 1 and change.rows.num_rows:
                snapshot = self._after(snapshot, change)
        return Change.concat(changes)

    def _after(self, snapshot: Snapshot, change: Change) -> Snapshot:
        """What a state is after a change, for the next runs of the statement alone."""
        resolved = resolve_keys(snapshot, change, OnExisting.REPLACE, self.database.store.files)
        seqs = np.arange(1, resolved.rows.num_rows + 1, dtype=np.int64) + snapshot.last_seq
        return after_commit(snapshot, resolved, versions_of(snapshot.table, resolved, seqs), seqs)


def numbered(bound: pa.Table) -> pa.Table:
    """The relation of bound parameters, with the place of each row."""
    named = bound.rename_columns([str(number) for number in range(1, bound.num_columns + 1)])
    return named.append_column(PLACE, pa.array(np.arange(bound.num_rows)))


def _are_apart(before: pa.Table, after: pa.Table) -> bool:
    """Tell whether no run finds what one before it has changed: by the rows that runs find without and with changes."""
    keys = [name for name in before.column_names if name != RUN]
    both = after.rename_columns([*keys, "$later"]).join(before, keys, join_type="inner")
    return len(both) == len(after) and not pc.any(pc.greater(both.column("$later"), both.column(RUN))).as_py()


def at_once(find: Callable[[], Found]) -> Found | None:
    """What all rows of parameters find together; None where that cannot be told, or only for each by itself."""
    try:
        return find()
    except ReadsItselfError:
        return None
    except DatabaseError as error:
        if error.kind not in OF_THE_STATEMENT:
            raise
        return None


def item_called(value: QueryText, name: str) -> QueryText:
    """An item of SELECT with the name of the column that it is for."""
    return QueryText.joined(["(", value, ") AS ", quote_identifier(name)])


def commit(
    context: Context,
    table: TableDef,
    build: Callable[[Snapshot], Change],
    rule: OnExisting = OnExisting.REPLACE,
    returning: Returning | None = None,
) -> Affected:
    """Carry out a change, which overrides existing rows unless the rule says otherwise."""
    scope = context.scope(table)
    if returning is None:
        return Affected(context.work.write(scope, build, rule, context.request).affected)
    outcome = context.work.write(scope, returning.noting(build), rule, context.request)
    return Affected(outcome.affected, returning.rows)


def distinct(change: Change, table: TableDef) -> Change:
    """Leave one row of each key, so that what is counted is rows of the table."""
    last = key_of(table, change.rows).last_of_each
    return change if last.all() else change.filter(last)


def refuse_changed_twice(table: TableDef, changed: Change, statement: str, why: str) -> None:
    """Raise INVALID where a statement would change the same row more than once."""
    keys = key_of(table, changed.rows)
    if not keys.last_of_each.all():
        row = int(np.argmin(keys.last_of_each))
        raise DatabaseError(
            ErrorKind.INVALID,
            f"{statement} cannot change a row of {table.name} twice: key {keys.describe(row)} {why}",
        )
