"""Definitions: namespaces, tables, columns, views. Each statement is one durable change of the catalog.

What exists is decided in the change itself, which nobody's other change can come before. A name that a temporary table
hides is not taken by it: what is made to last is made beside it, and what is dropped or altered is what the name means.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from catalog.definition import Column, ColumnSpec, TableDef, TableKind, ViewDef, fresh_id
from catalog.errors import DatabaseError, ErrorKind
from catalog.evolution import add_check, add_column, create_table, drop_check, drop_column, rename_column, set_options
from catalog.identifiers import DEFAULT_NAMESPACE, TableName
from catalog.policies import Policy
from catalog.registry import Registry
from catalog.types import format_type, is_nested, storable, storage_type
from flightserver.access.door import Door
from flightserver.access.rights import Kind, Use
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.ingest import Load
from flightserver.execution.names import names_in_view
from flightserver.execution.new_constraints import NewConstraints
from flightserver.execution.new_table import NewTable
from flightserver.execution.reading import Given, Reader
from flightserver.execution.rewriting import names_in
from flightserver.execution.rows import Affected
from flightserver.execution.writing import Writing
from flightserver.sql.lifetimes import base_options
from flightserver.sql.options import parse_options
from flightserver.sql.statements import Statement
from flightserver.sql.table_statements import (
    AddCheck,
    AddColumn,
    AlterAction,
    AlterTable,
    CreateNamespace,
    CreateTable,
    CreateTableAs,
    CreateView,
    DropColumn,
    DropConstraint,
    DropNamespace,
    DropTable,
    DropView,
    RenameColumn,
    SetOptions,
)
from flightserver.sql.text.query_text import QueryText
from flush.publish.columns import check_publishable
from providers.commit.resolve import OnExisting
from providers.rows.conversion import Strictness
from providers.rows.defaults import literal_value

_DONE = Affected(0)


class Ddl:
    """Runs statements that change definitions."""

    def __init__(self, database: Database, reader: Reader) -> None:
        self._database = database
        self._reader = reader
        self._writing = Writing(database, reader)
        self._constraints = NewConstraints(database, reader)
        self._handlers: dict[type[Statement], Callable[..., Affected]] = {
            CreateNamespace: self._create_namespace,
            DropNamespace: self._drop_namespace,
            CreateTable: self._create_table,
            CreateTableAs: self._create_table_as,
            DropTable: self._drop_table,
            AlterTable: self._alter_table,
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
        _check_defaults(table)
        return _publishable(_with_options(table, options)) if options or is_stream else table

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
        name = context.name(statement.table)
        context.refuse_making(statement.kind, temporary=statement.temporary)
        if not _is_taken(name, context, temporary=statement.temporary, allowed=statement.if_not_exists):
            table = self._defined(name, statement, statement.columns, context)
            self._new_table(table, statement, context).publish()
        return _DONE

    def _create_table_as(self, statement: CreateTableAs, context: Context) -> Affected:
        name = context.name(statement.table)
        context.refuse_making(statement.kind, temporary=statement.temporary)
        if _is_taken(name, context, temporary=statement.temporary, allowed=statement.if_not_exists):
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
        table = self._defined(name, statement, columns, context)
        names = [column.name for column in columns]
        rows = (batch.rename_columns(names) for batch in planned.rows().start(context.stop))
        guard = self._writing.guard(table, context)
        load = Load(OnExisting.REFUSE, Strictness.STATEMENT, guard=guard)
        return Affected(self._new_table(table, statement, context).publish_filled(rows, load) or 0)

    def _defined(
        self,
        name: TableName,
        statement: CreateTable | CreateTableAs,
        columns: tuple[ColumnSpec, ...],
        context: Context,
    ) -> TableDef:
        key, options = statement.primary_key, statement.options
        table = self.define(name, statement.kind, columns, key, options, is_stream=statement.is_stream)
        for check in statement.checks:
            table = add_check(table, check)
        self._constraints.refuse_unusable(table, context)
        return replace(_for_session(table) if statement.temporary else table, owner=context.user)

    def _new_table(self, table: TableDef, statement: CreateTable | CreateTableAs, context: Context) -> NewTable:
        return NewTable(self._database, table, context, statement.temporary, statement.if_not_exists)

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

    def _alter_table(self, statement: AlterTable, context: Context) -> Affected:
        table = context.table(statement.table, Use.DEFINE)
        now_ms = self._database.store.allocator.now_ms()
        if isinstance(statement.action, AddCheck):
            return self._add_check(table, statement.action, context)
        if table.name in context.temporary.by_name:
            context.temporary.alter(table, lambda now: _for_session(_altered(now, statement.action, now_ms)))
            return _DONE

        def change(registry: Registry) -> Registry:
            now = _door(context, registry).table(table.name, Use.DEFINE)
            _refuse_in_policies(registry.policies_of(now.id), statement.action)
            return registry.with_table(_altered(now, statement.action, now_ms))

        context.work.define(change, context.request)
        return _DONE

    def _add_check(self, table: TableDef, action: AddCheck, context: Context) -> Affected:
        """Add a constraint that every row satisfies; should one come meanwhile that does not, it is taken back."""
        if context.in_transaction:
            message = "ADD CHECK is not part of a transaction: it looks at everybody's rows; send it by itself"
            raise DatabaseError(ErrorKind.UNSUPPORTED, message)
        with_check = add_check(table, action.check)
        self._constraints.refuse_unusable(with_check, context)
        check = with_check.checks[-1]
        if table.name in context.temporary.by_name:
            self._constraints.refuse_broken_in(self._database.store.snapshot(*context.scope(table)), check, context)
            context.temporary.alter(table, lambda now: add_check(now, action.check))
            return _DONE
        self._constraints.refuse_broken_by_others(table, check, context)

        def change(registry: Registry) -> Registry:
            now = _door(context, registry).table(table.name, Use.DEFINE)
            return registry.with_table(add_check(now, replace(action.check, name=check.name)))

        context.work.define(change, context.request)
        try:
            after = context.door.lasting.table(table.name, Use.DEFINE)
            self._constraints.refuse_broken_by_others(after, check, context)
        except BaseException:
            self._take_back(table, check.name, context)
            raise
        return _DONE

    def _take_back(self, table: TableDef, name: str, context: Context) -> None:
        def change(registry: Registry) -> Registry:
            now = _door(context, registry).find_table(table.name, Use.DEFINE)
            return registry if now is None or now.id != table.id else registry.with_table(drop_check(now, name))

        context.work.define(change)

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
            return _without_readers(name, door.onto(after)) if drops_others else after

        context.work.define(change, context.request)
        return _DONE


def _door(context: Context, registry: Registry) -> Door:
    """The door to what lasts, among the definitions that a change finds."""
    return context.door.lasting.onto(registry)


def _without_readers(name: TableName, door: Door) -> Registry:
    """Definitions without the views that read a relation, and those that read them."""
    for view in [view.name for view in door.views(Use.DEPEND) if name in names_in_view(view)]:  # before any is gone
        if door.find_view(view, Use.DEPEND) is not None:
            door = door.onto(_without_readers(view, door.onto(door.registry.without_view(view))))
    return door.registry


def _is_taken(name: TableName, context: Context, *, temporary: bool, allowed: bool) -> bool:
    """Tell whether a table exists, where that is allowed; raise before any work where it is not.

    A temporary table is only in the way of another one.
    """
    door = context.door
    door.require_namespace(name.namespace)
    if temporary and name not in context.temporary.by_name:
        return False
    beside = door if temporary else door.lasting
    if allowed and beside.find_table(name, Use.DESCRIBE) is not None:
        return True
    beside.refuse_taken(name)
    return False


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


def _refuse_in_policies(policies: Iterable[Policy], action: AlterAction) -> None:
    """Raise INVALID for another name of a column, or its end, while a policy names it."""
    name = action.old if isinstance(action, RenameColumn) else action.name if isinstance(action, DropColumn) else None
    for policy in policies:
        if any(name in names_in(QueryText(condition)) for condition in policy.conditions):
            raise DatabaseError(ErrorKind.INVALID, f"column {name} is used by policy {policy.name}; drop that first")


def _refuse_in_checks(table: TableDef, action: AlterAction) -> None:
    """Raise INVALID for another name of a column, or its end, while a constraint names it."""
    name = action.old if isinstance(action, RenameColumn) else action.name if isinstance(action, DropColumn) else None
    for check in table.checks:
        if name in names_in(QueryText(check.condition)):
            raise DatabaseError(ErrorKind.INVALID, f"column {name} is used by constraint {check.name}; drop that first")


def _altered(table: TableDef, action: AlterAction, now_ms: int) -> TableDef:
    _refuse_in_checks(table, action)
    after = _changed(table, action)
    _check_defaults(after)
    _publishable(after)
    before, limits = table.options.stream, after.options.stream
    if before is None or limits is None or before == limits:
        return after
    return replace(after, options=replace(after.options, stream=limits.succeeding(before, now_ms)))


def _changed(table: TableDef, action: AlterAction) -> TableDef:
    match action:
        case AddColumn(column, if_not_exists):
            return table if if_not_exists and column.name in table.by_name else add_column(table, column)
        case DropColumn(name, if_exists):
            return table if if_exists and name not in table.by_name else drop_column(table, name)
        case RenameColumn(old, new):
            return rename_column(table, old, new)
        case AddCheck(check):
            return add_check(table, check)
        case DropConstraint(name, if_exists):
            is_absent = name not in {check.name for check in table.checks}
            return table if if_exists and is_absent else drop_check(table, name)
        case SetOptions(options):
            return _with_options(table, options)


def _with_options(table: TableDef, options: Mapping[str, str]) -> TableDef:
    ids = {column.name: column.id for column in table.columns}
    parsed = parse_options(options, ids, table.options)
    for column_id in parsed.bloom_columns:
        column = table.by_id[column_id]
        if is_nested(column.type):
            raise DatabaseError(
                ErrorKind.INVALID, f"column {column.name} of type {column.type} cannot have a bloom filter"
            )
    if parsed.retention is not None and parsed.retention.column is not None:
        _check_age_column(table.by_id[parsed.retention.column])
    return set_options(table, parsed)


def _publishable(table: TableDef) -> TableDef:
    """The same; UNSUPPORTED where it is published, and has a column that cannot be."""
    if table.is_published:
        check_publishable(table)
    return table


def _for_session(table: TableDef) -> TableDef:
    """A temporary table; INVALID where its rows are to be deleted some day, or read by others."""
    if table.is_published:
        raise DatabaseError(ErrorKind.INVALID, "a temporary table is its session's alone, and is not published")
    if table.options.retention is not None:
        raise DatabaseError(ErrorKind.INVALID, "a temporary table has no retention: it goes with its session")
    return table


def _check_age_column(column: Column) -> None:
    """Raise INVALID for a column that does not say when."""
    if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        raise DatabaseError(
            ErrorKind.INVALID,
            f"retention_column is a TIMESTAMP or a DATE, and {column.name} is {format_type(column.type)}",
        )


def _check_defaults(table: TableDef) -> None:
    """Raise INVALID for a literal DEFAULT that its column cannot hold."""
    for column in table.columns:
        if column.default is not None and column.default.literal is not None:
            value = literal_value(column.default, column)
            if not column.nullable and not value.is_valid:
                raise DatabaseError(
                    ErrorKind.INVALID, f"column {column.name} is NOT NULL, so its DEFAULT cannot be NULL"
                )
