"""ALTER TABLE: actions on a definition, all or none, and what they demand of rows that are there.

Most actions are a change of the definition alone. ADD CHECK, ADD UNIQUE and SET NOT NULL demand something of every
row that is there (see `demanding`), and stand beside their kind and defaults only.
"""

from collections.abc import Sequence

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.evolution import rename_table
from catalog.registry import Registry
from catalog.types import keeps_values
from flightserver.access.door import Door
from flightserver.access.rights import Use
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.altered import altered, for_session, refuse_named_column, what_names
from flightserver.execution.demanding import Demanding, new_demands
from flightserver.execution.new_constraints import NewConstraints
from flightserver.execution.reading import Reader
from flightserver.execution.retyping import Retyping, refuse_read
from flightserver.execution.rows import Affected
from flightserver.execution.view_readers import without_readers_of
from flightserver.sql.table_statements import (
    AddCheck,
    AddUnique,
    AlterAction,
    AlterTable,
    DropColumn,
    RenameTable,
    SetDefault,
    SetNullable,
    SetType,
)

_DONE = Affected(0)


class Altering:
    """Runs statements that change the definition of a table that is there."""

    def __init__(self, database: Database, reader: Reader, constraints: NewConstraints) -> None:
        self._database = database
        self._reader = reader
        self._constraints = constraints
        self._demanding = Demanding(constraints)
        self._retyping = Retyping(database, constraints)

    def alter(self, statement: AlterTable, context: Context) -> Affected:
        """Carry out all actions of a statement, or none."""
        table = context.table(statement.table, Use.DEFINE)
        if any(_demands(action) for action in statement.actions):
            return self._demand(table, statement.actions, context)
        if any(_rewrites(table, action) for action in statement.actions):
            self._retyping.retype(table, statement.actions, context)
            return _DONE
        if table.name in context.temporary.by_name:
            context.temporary.alter(table, lambda now: for_session(self._after(now, statement.actions)))
            return _DONE

        def change(registry: Registry) -> Registry:
            now = _door(context, registry).table(table.name, Use.DEFINE)
            for action in statement.actions:
                refuse_named_column(action, registry.policies_of(now.id), ())
                after = self._after(now, [action])
                registry = self._without_readers(action, now, _door(context, registry), registry.with_table(after))
                now = after
            return registry

        context.work.define(change, context.request)
        return _DONE

    def rename(self, statement: RenameTable, context: Context) -> Affected:
        """Give a table another name, which nothing has; INVALID while something reads it by the one that it has."""
        table = context.table(statement.table, Use.DEFINE)
        if table.name in context.temporary.by_name:
            raise DatabaseError(ErrorKind.UNSUPPORTED, f"{table.name} is temporary and keeps its name")

        def change(registry: Registry) -> Registry:
            door = _door(context, registry)
            now = door.table(table.name, Use.DEFINE)
            after = rename_table(now, statement.new)
            door.refuse_taken(after.name)
            _refuse_named(now, door)
            return registry.with_table_renamed(now, after)

        context.work.define(change, context.request)
        return _DONE

    def _without_readers(self, action: AlterAction, table: TableDef, door: Door, after: Registry) -> Registry:
        """Definitions after an action on a table, without the views that go with it."""
        if not (isinstance(action, DropColumn) and action.cascade and action.name in table.by_name):
            return after
        return without_readers_of(action.name, table.name, door, after, self._reader.system)

    def _after(self, table: TableDef, actions: Sequence[AlterAction]) -> TableDef:
        now_ms = self._database.store.allocator.now_ms()
        for action in actions:
            table = altered(table, action, now_ms)
        return table

    def _demand(self, table: TableDef, actions: Sequence[AlterAction], context: Context) -> Affected:
        """Change a definition in a way that every row must satisfy."""
        if context.in_transaction:
            message = (
                "ADD CHECK, ADD UNIQUE and SET NOT NULL are no part of a transaction: they look at everybody's rows"
            )
            raise DatabaseError(ErrorKind.UNSUPPORTED, f"{message}; send them by themselves")
        if not all(_demands(action) or isinstance(action, SetDefault | SetNullable) for action in actions):
            message = (
                "ADD CHECK, ADD UNIQUE and SET NOT NULL look at every row, and stand beside their kind and defaults"
            )
            raise DatabaseError(ErrorKind.UNSUPPORTED, f"{message} only; send the others by themselves")
        wanted = self._after(table, actions)
        self._constraints.refuse_unusable(wanted, context)
        if table.name in context.temporary.by_name:
            demands = new_demands(table, wanted)
            self._constraints.refuse_broken_in(self._database.store.snapshot(*context.scope(table)), demands, context)
            context.temporary.alter(table, lambda now: for_session(self._after(now, actions)))
            return _DONE
        self._demanding.define(table, lambda now: self._after(now, actions), context)
        return _DONE


def _door(context: Context, registry: Registry) -> Door:
    """The door to what lasts, among the definitions that a change finds."""
    return context.door.lasting.onto(registry)


def _demands(action: AlterAction) -> bool:
    """Tell whether an action demands something of every row."""
    return isinstance(action, AddCheck | AddUnique) or (isinstance(action, SetNullable) and not action.nullable)


def _rewrites(table: TableDef, action: AlterAction) -> bool:
    """Tell whether an action changes how values are stored."""
    column = table.by_name.get(action.name) if isinstance(action, SetType) else None
    return column is not None and isinstance(action, SetType) and not keeps_values(column.type, action.type)


def _refuse_named(table: TableDef, door: Door) -> None:
    """Raise INVALID while a view, a policy or a constraint names a table."""
    refuse_read(table, door)
    namer = what_names(table.name.table, door.registry.policies_of(table.id), table.checks)
    if namer is not None:
        raise DatabaseError(ErrorKind.INVALID, f"{namer} names {table.name}; drop that first")
