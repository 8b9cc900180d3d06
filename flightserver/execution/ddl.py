"""Definitions: namespaces, tables, columns, views. Each statement is one durable change of the catalog.

What exists is decided in the change itself, which nobody's other change can come before. A name that a temporary table
hides is not taken by it: what is made to last is made beside it, and what is dropped or altered is what the name means.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from catalog.constraints import add_check, add_unique
from catalog.definition import ColumnSpec, TableDef, TableKind, ViewDef, fresh_id, kind_name
from catalog.errors import DatabaseError, ErrorKind
from catalog.evolution import create_table
from catalog.identifiers import DEFAULT_NAMESPACE, TableName
from catalog.registry import Registry
from catalog.types import storable, storage_type
from flightserver.access.door import Door
from flightserver.access.rights import Kind, Use
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.altered import check_defaults, for_session, publishable, what_names, with_options
from flightserver.execution.altering import Altering
from flightserver.execution.ingest import Load
from flightserver.execution.new_constraints import NewConstraints
from flightserver.execution.new_table import NewTable, may_replace
from flightserver.execution.reading import Given, Reader
from flightserver.execution.rows import Affected
from flightserver.execution.view_readers import without_readers
from flightserver.execution.writing import Writing
from flightserver.sql.lifetimes import base_options
from flightserver.sql.likeness import written_out
from flightserver.sql.statements import Statement
from flightserver.sql.table_statements import (
    AlterTable,
    Copied,
    CreateNamespace,
    CreateTable,
    CreateTableAs,
    CreateTableLike,
    CreateView,
    DropNamespace,
    DropTable,
    DropView,
    Likeness,
    RenameTable,
)
from providers.commit.resolve import OnExisting
from providers.rows.conversion import Strictness

_DONE = Affected(0)


class Ddl:
    """Runs statements that change definitions."""

    def __init__(self, database: Database, reader: Reader) -> None:
        self._database = database
        self._reader = reader
        self._writing = Writing(database, reader)
        self._constraints = NewConstraints(database, reader)
        self._altering = Altering(database, reader, self._constraints)
        self._handlers: dict[type[Statement], Callable[..., Affected]] = {
            CreateNamespace: self._create_namespace,
            DropNamespace: self._drop_namespace,
            CreateTable: self._create_table,
            CreateTableAs: self._create_table_as,
            CreateTableLike: self._create_table_like,
            DropTable: self._drop_table,
            AlterTable: self._altering.alter,
            RenameTable: self._altering.rename,
            CreateView: self._create_view,
            DropView: self._drop_view,
        }

    def handles(self, statement: Statement) -> bool:
        """Tell whether `run` takes the statement."""
        return type(statement) in self._handlers

    def run(self, statement: Statement, context: Context) -> Affected:
        """Run a statement."""
        return self._handlers[type(statement)](statement, context)

    def define(
        self,
        name: TableName,
        kind: TableKind,
        columns: tuple[ColumnSpec, ...],
        key: tuple[str, ...],
        options: Mapping[str, str],
        *,
        is_stream: bool = False,
    ) -> TableDef:
        """A definition that the catalog does not hold yet, with an id of its own."""
        base = base_options(is_stream=is_stream)
        table = create_table(self._database.catalog.reserve_table_id(), name, kind, columns, key, base)
        check_defaults(table)
        return publishable(with_options(table, options)) if options or is_stream else table

    def _create_namespace(self, statement: CreateNamespace, context: Context) -> Affected:
        def change(registry: Registry) -> Registry:
            there = _door(context, registry).has_namespace(statement.name)
            if there and statement.if_not_exists:
                return registry
            return registry.with_namespace(statement.name, context.user)

        context.door.refuse_making(Kind.NAMESPACE)
        context.work.define(change, context.request)
        return _DONE

    def _drop_namespace(self, statement: DropNamespace, context: Context) -> Affected:
        """Temporary tables of the session go with it; those of others are nobody's business."""
        mine = [name for name in context.temporary.by_name if name.namespace == statement.name]
        if mine and not statement.cascade:
            raise DatabaseError(
                ErrorKind.INVALID, f"namespace {statement.name} still holds {mine[0]}; drop it first or use CASCADE"
            )

        def change(registry: Registry) -> Registry:
            door = _door(context, registry)
            if statement.if_exists and not door.has_namespace(statement.name, Use.DEFINE):
                return registry
            door.require_namespace(statement.name, Use.DEFINE)
            if statement.name == DEFAULT_NAMESPACE:
                return registry.without_namespace(statement.name)
            if statement.cascade:
                for view in door.views_in(statement.name, Use.DEFINE):
                    registry = registry.without_view(view.name)
                for table in door.tables_in(statement.name, Use.DEFINE):
                    registry = registry.without_table(table.name)
            door.onto(registry).refuse_left(statement.name)
            return registry.without_namespace(statement.name)

        context.work.define(change, context.request)
        self._forget(mine, context)
        return _DONE

    def _create_table(self, statement: CreateTable, context: Context) -> Affected:
        if not _is_taken(statement, context):
            table = self._defined(statement, statement.columns, context)
            self._new_table(table, statement, context).publish()
        return _DONE

    def _create_table_like(self, statement: CreateTableLike, context: Context) -> Affected:
        likenesses = [column for column in statement.columns if isinstance(column, Likeness)]
        sources = {likeness.table: context.table(likeness.table, Use.READ) for likeness in likenesses}
        for likeness in likenesses:
            if Copied.CONSTRAINTS in likeness.copied:
                _refuse_own_name(sources[likeness.table], context.name(statement.table))
        return self._create_table(written_out(statement, sources), context)

    def _create_table_as(self, statement: CreateTableAs, context: Context) -> Affected:
        if _is_taken(statement, context):
            return _DONE
        targets = tuple(storage_type(column.type) for column in statement.columns)
        planned = self._reader.plan(statement.query_text, context, None, Given(targets=targets))
        columns = statement.columns or tuple(
            ColumnSpec(field.name, storable(field.type, field.name)) for field in planned.schema
        )
        if len(columns) != len(planned.schema):
            raise DatabaseError(
                ErrorKind.INVALID, f"the table has {len(columns)} columns, its query {len(planned.schema)}"
            )
        table = self._defined(statement, columns, context)
        names = [column.name for column in columns]
        rows = (batch.rename_columns(names) for batch in planned.rows().start(context.stop))
        guard = self._writing.guard(table, context)
        load = Load(OnExisting.REFUSE, Strictness.STATEMENT, guard=guard)
        return Affected(self._new_table(table, statement, context).publish_filled(rows, load) or 0)

    def _defined(
        self, statement: CreateTable | CreateTableAs, columns: tuple[ColumnSpec, ...], context: Context
    ) -> TableDef:
        name, key, options = context.name(statement.table), statement.primary_key, statement.options
        table = self.define(name, statement.kind, columns, key, options, is_stream=statement.is_stream)
        for check in statement.checks:
            table = add_check(table, check)
        for unique in statement.uniques:
            table = add_unique(table, unique)
        if isinstance(statement, CreateTable):
            table = replace(table, comment=statement.comment)
        self._constraints.refuse_unusable(table, context)
        return replace(for_session(table) if statement.temporary else table, owner=context.user)

    def _new_table(self, table: TableDef, statement: CreateTable | CreateTableAs, context: Context) -> NewTable:
        return NewTable(
            self._database, table, context, statement.temporary, statement.if_not_exists, statement.or_replace
        )

    def _drop_table(self, statement: DropTable, context: Context) -> Affected:
        name = context.name(statement.table)
        if name in context.temporary.by_name:
            self._forget([name], context)
            return _DONE

        def without(door: Door) -> Registry:
            if statement.if_exists and door.find_table(name, Use.DEFINE) is None:
                return door.registry
            return door.registry.without_table(door.table(name, Use.DEFINE).name)

        return self._drop(statement, without, context)

    def _forget(self, names: Iterable[TableName], context: Context) -> None:
        """Drop temporary tables."""
        for table in context.temporary.remove(list(names)):
            self._database.store.drop_table(table)

    def _create_view(self, statement: CreateView, context: Context) -> Affected:
        name = context.name(statement.table)
        context.door.refuse_making(Kind.VIEW)
        if _is_taken_by_view(name, statement, context.work.registry, context):
            return _DONE
        _refuse_same_names(name, self._reader.describe(statement.query_text, context).schema.names)
        view = ViewDef(name, statement.query_text, context.namespace, fresh_id(), context.user)

        def change(registry: Registry) -> Registry:
            if _is_taken_by_view(name, statement, registry, context):
                return registry
            replaced = _door(context, registry).find_view(name, Use.DEFINE)
            kept = view if replaced is None else replace(view, id=replaced.id, owner=replaced.owner)
            after = registry.with_view(kept)
            self._reader.check_view(kept, _door(context, after))
            return after

        context.work.define(change, context.request)
        return _DONE

    def _drop_view(self, statement: DropView, context: Context) -> Affected:
        name = context.name(statement.table)

        def without(door: Door) -> Registry:
            if statement.if_exists and door.find_view(name, Use.DEFINE) is None:
                return door.registry
            return door.registry.without_view(door.view(name, Use.DEFINE).name)

        return self._drop(statement, without, context)

    def _drop(self, statement: DropTable | DropView, without: Callable[[Door], Registry], context: Context) -> Affected:
        """Leave out a table or a view, with CASCADE also the views that read it."""
        name = context.name(statement.table)

        def change(registry: Registry) -> Registry:
            door = _door(context, registry)
            after = without(door)
            drops_others = statement.cascade and after is not registry
            return without_readers(name, door.onto(after)) if drops_others else after

        context.work.define(change, context.request)
        return _DONE


def _door(context: Context, registry: Registry) -> Door:
    """The door to what lasts, among the definitions that a change finds."""
    return context.door.lasting.onto(registry)


def _is_taken(statement: CreateTable | CreateTableAs, context: Context) -> bool:
    """Tell whether a table exists, where that is allowed and it stays; raise before any work where it is not.

    A temporary table is only in the way of another one.
    """
    name, temporary = context.name(statement.table), statement.temporary
    context.refuse_making(statement.kind, temporary=temporary)
    door = context.door
    door.require_namespace(name.namespace)
    if temporary and (name not in context.temporary.by_name or statement.or_replace):
        return False
    beside = door if temporary else door.lasting
    if statement.if_not_exists and beside.find_table(name, Use.DESCRIBE) is not None:
        return True
    kind = kind_name(statement.kind, is_stream=statement.is_stream)
    if not (statement.or_replace and may_replace(name, kind, beside)):
        beside.refuse_taken(name)
    return False


def _refuse_own_name(source: TableDef, name: TableName) -> None:
    """Raise INVALID for a constraint that has the name of its table in it, and would mean nothing in another one."""
    if source.name.table == name.table or source.name.table in source.by_name:
        return
    namer = what_names(source.name.table, (), source.checks)
    if namer is not None:
        raise DatabaseError(
            ErrorKind.INVALID, f"{namer} names {source.name} itself; write EXCLUDING CONSTRAINTS, and the CHECK anew"
        )


def _refuse_same_names(name: TableName, columns: Sequence[str]) -> None:
    """Refuse a view of whose columns two have one name: no query could tell them apart."""
    twice = next((column for column, count in Counter(columns).items() if count > 1), None)
    if twice is not None:
        raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"view {name} has a column {twice} already")


def _is_taken_by_view(name: TableName, statement: CreateView, registry: Registry, context: Context) -> bool:
    """Tell whether a view exists, where that is allowed and it stays; raise where it is not."""
    door = _door(context, registry)
    door.require_namespace(name.namespace)
    if statement.if_not_exists and door.find_view(name, Use.DESCRIBE) is not None:
        return True
    if not statement.or_replace or door.find_view(name, Use.DEFINE) is None:
        door.refuse_taken(name)
    return False
