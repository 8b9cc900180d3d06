"""ALTER COLUMN TYPE: a column of the other type takes the place of the old one, and every row is written anew.

Both are one transaction, so that nobody sees the one without the other, and a crash leaves all or nothing. It holds the
table, of a USER table the rows of everybody who has some or is about to: whoever commits rows in between makes it begin
again, because their rows would lack the new column, and who had none before is refused until it is over. What was
demanded of the old column, by constraints, is asked of all rows again.
"""

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from catalog.definition import TableDef, TableKind
from catalog.errors import DatabaseError, ErrorKind
from catalog.registry import Registry
from flightserver.access.door import Door
from flightserver.access.rights import Use
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.altered import altered, what_names
from flightserver.execution.names import names_in_view
from flightserver.execution.new_constraints import Demands, NewConstraints
from flightserver.sql.table_statements import AlterAction, SetType
from flightserver.temporary import TemporaryTables
from flush.partitions import loaded_users, users_of
from providers.commit.definitions import changed
from providers.commit.resolve import OnExisting
from providers.commit.transaction import Transaction
from providers.commit.work import ScopeOf
from providers.rows.change import Change
from providers.rows.conversion import Strictness
from providers.rows.defaults import columns_by, missing_values
from providers.rows.offered import convert
from providers.snapshot import Snapshot

ROWS_MAX = 2_000_000
"""Rows pass through memory and the hot tier, all at once."""

USERS_MAX = 1_000
"""The rows of each are held until all are written."""

ATTEMPTS = 5

_OF_VALUES = frozenset({ErrorKind.INVALID, ErrorKind.ALREADY_EXISTS})
"""Errors that may show values, which only those may see whose they are."""

_WAY_OUT = "add a column, then UPDATE, DROP and RENAME"


class Retyping:
    """Runs ALTER COLUMN TYPE."""

    def __init__(self, database: Database, constraints: NewConstraints) -> None:
        self._database = database
        self._store = database.store
        self._constraints = constraints

    def retype(self, table: TableDef, actions: Sequence[AlterAction], context: Context) -> None:
        """Carry out actions that are all of this kind; CONFLICT where others write to the table all the time."""
        if context.in_transaction or not all(isinstance(action, SetType) for action in actions):
            message = "another TYPE is set by itself, outside of transactions: every row is written anew"
            raise DatabaseError(ErrorKind.UNSUPPORTED, message)
        if table.is_stream:
            message = f"rows of a STREAM table are never written anew, so columns of {table.name} keep their types"
            raise DatabaseError(ErrorKind.UNSUPPORTED, f"{message}; make another one, and INSERT a query of this one")
        if table.name in context.temporary.by_name:
            context.temporary.alter(table, lambda now: self._retyped_temporary(now, actions, context))
            return
        for attempt in range(1, ATTEMPTS + 1):
            transaction = self._database.begin()
            try:
                self._retype(table, actions, replace(context, work=transaction), transaction)
            except DatabaseError as error:
                transaction.rollback()
                if error.kind is not ErrorKind.CONFLICT or attempt == ATTEMPTS:
                    raise
            except BaseException:
                transaction.rollback()
                raise
            else:
                return

    def _retype(
        self, table: TableDef, actions: Sequence[AlterAction], context: Context, transaction: Transaction
    ) -> None:
        door = context.door.lasting
        before = door.table(table.name, Use.DEFINE)
        refuse_read(before, door)
        for action in actions:
            if isinstance(action, SetType):
                _refuse_policies(action.name, before, door.registry)
        made = self._made(before, actions, context)
        users = self._users(before)
        for user in users:
            transaction.hold((before, user))
        with self._store.awaited(made):
            if not self._users(before) <= users:
                raise changed(before)
            transaction.define(lambda registry: registry.with_table(made), context.request)
            self._rewrite(before, made, sorted(users, key=str), context.unguarded(), transaction)
            transaction.commit()
            self._store.refuse_older(made)

    def _retyped_temporary(self, before: TableDef, actions: Sequence[AlterAction], context: Context) -> TableDef:
        """The definition of a session's table after its rows were written anew."""
        made = self._made(before, actions, context)
        after = TemporaryTables()
        after.add(made)
        transaction = self._database.begin()
        try:
            transaction.hold((before, None))
            self._rewrite(before, made, [None], replace(context, work=transaction, temporary=after), transaction)
            transaction.commit()
        except BaseException:
            transaction.rollback()
            raise
        return made

    def _made(self, before: TableDef, actions: Sequence[AlterAction], context: Context) -> TableDef:
        made = before
        for action in actions:
            made = altered(made, action, self._store.allocator.now_ms())
        self._constraints.refuse_unusable(made, context)
        return made

    def _users(self, table: TableDef) -> set[str | None]:
        """Whose rows there are, or may be soon; UNSUPPORTED when they are too many to be held at once."""
        if table.kind is not TableKind.USER:
            return {None}
        users = {*users_of(self._store, table), *loaded_users(self._store, table)}
        if len(users) > USERS_MAX:
            message = f"more than {USERS_MAX:,} users have rows of {table.name}, too many to be written anew at once"
            raise DatabaseError(ErrorKind.UNSUPPORTED, f"{message}; {_WAY_OUT}")
        return users

    def _rewrite(
        self,
        before: TableDef,
        made: TableDef,
        users: Sequence[str | None],
        context: Context,
        transaction: Transaction,
    ) -> None:
        """Write all rows by another definition, and hold them against its constraints."""
        snapshots = transaction.snapshots([(before, user) for user in users])
        if sum(snapshot.live_count for snapshot in snapshots) > ROWS_MAX:
            message = f"{before.name} has more than {ROWS_MAX:,} rows, too many to be written anew at once"
            raise DatabaseError(ErrorKind.UNSUPPORTED, f"{message}; {_WAY_OUT}")
        for user, snapshot in zip(users, snapshots, strict=True):
            try:
                self._rewrite_scope((made, user), snapshot, context, transaction)
            except DatabaseError as error:
                if user in (None, context.user) or error.kind not in _OF_VALUES:
                    raise
                message = f"rows of another user of {made.name} do not fit the type, or a constraint by it"
                raise DatabaseError(error.kind, message) from None

    def _rewrite_scope(self, scope: ScopeOf, snapshot: Snapshot, context: Context, transaction: Transaction) -> None:
        made, _ = scope
        change = Change(_converted(self._rows(snapshot), snapshot.table, made))
        transaction.write(scope, lambda _: change, OnExisting.REPLACE)
        (after,) = transaction.snapshots([scope])
        self._constraints.refuse_broken_in(after, Demands(made.checks, made.uniques), context)

    def _rows(self, snapshot: Snapshot) -> pa.Table:
        """All rows of a table, in physical columns."""
        schema, missing = snapshot.table.row_schema, missing_values(snapshot.table)
        files = self._store.files
        parts = [pa.Table.from_batches([batch.select(schema.names) for batch in snapshot.hot.batches], schema)]
        for entry in snapshot.manifest.batches:
            rows = files.rows(snapshot.cold, entry).filter(pa.array(snapshot.dead_in(entry).live_mask))
            parts.append(pa.Table.from_arrays(columns_by(rows, schema, missing), schema.names).cast(schema))
        return pa.concat_tables(parts)


def _converted(rows: pa.Table, before: TableDef, made: TableDef) -> pa.Table:
    """The same rows by the new definition; INVALID for a value that does not fit."""
    columns = []
    for old, new in zip(before.columns, made.columns, strict=True):
        values = rows.column(old.physical)
        columns.append(values if old.id == new.id else convert(values, new, made, Strictness.STATEMENT))
    return pa.Table.from_arrays(columns, schema=made.row_schema)


def refuse_read(table: TableDef, door: Door) -> None:
    """Raise INVALID while a view reads a table."""
    reader = next((view for view in door.views(Use.DEPEND) if table.name in names_in_view(view)), None)
    if reader is not None:
        what = f"view {reader.name}" if door.admits(Use.DESCRIBE, reader) else "a view of others"
        raise DatabaseError(ErrorKind.INVALID, f"{what} reads {table.name} by its name; drop that first")


def _refuse_policies(column: str, table: TableDef, registry: Registry) -> None:
    """Raise INVALID while a policy names a column."""
    policy = what_names(column, registry.policies_of(table.id), ())
    if policy is not None:
        raise DatabaseError(ErrorKind.INVALID, f"column {column} is used by {policy}; drop that first")
