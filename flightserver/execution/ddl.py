"""Definitions: namespaces, tables, columns, views. Each statement is one durable change of the catalog."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

import pyarrow as pa

from catalog.definition import ColumnSpec, TableDef, TableKind, ViewDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.evolution import add_column, create_table, drop_column, rename_column, set_options
from catalog.identifiers import TableName
from catalog.registry import Registry
from catalog.store import Change
from catalog.types import is_nested, storable
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.ingest import Load, ingest
from flightserver.execution.reading import Reader
from flightserver.execution.rows import Affected
from flightserver.sql.options import parse_options
from flightserver.sql.statements import (
    AddColumn,
    AlterAction,
    AlterTable,
    CreateNamespace,
    CreateTable,
    CreateTableAs,
    CreateView,
    DropColumn,
    DropNamespace,
    DropTable,
    DropView,
    RenameColumn,
    SetOptions,
    Statement,
)
from providers.commit.resolve import OnExisting
from providers.rows.conversion import Strictness
from providers.rows.defaults import literal_value

_DONE = Affected(0)


class Ddl:
    """Runs statements that change definitions."""

    def __init__(self, database: Database, reader: Reader) -> None:
        self._database = database
        self._reader = reader
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
    ) -> TableDef:
        """A definition that the catalog does not hold yet, with an id of its own."""
        table = create_table(self._database.catalog.reserve_table_id(), name, kind, columns, key)
        _check_defaults(table)
        return _with_options(table, options) if options else table

    def publish(self, table: TableDef, context: Context, *, replacing: bool = False) -> None:
        """Put a new table into the catalog; one that it replaces is gone in the same moment."""

        def change(registry: Registry) -> Registry:
            if table.name in registry.tables and not replacing:
                raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"table {table.name} exists already")
            return registry.with_table(table)

        self._change(context, change)

    def publish_temporary(self, table: TableDef, context: Context) -> None:
        """Show a new table to its session alone, in the place of an older temporary one."""
        replaced = context.temporary.add(table)
        if replaced is not None:
            self._database.store.drop_table(replaced)

    def _change(self, context: Context, change: Change) -> None:
        for table in context.define(change):
            self._database.store.drop_table(table)

    def _create_namespace(self, statement: CreateNamespace, context: Context) -> Affected:
        if not (statement.if_not_exists and statement.name in context.registry.namespaces):
            self._change(context, lambda registry: registry.with_namespace(statement.name))
        return _DONE

    def _drop_namespace(self, statement: DropNamespace, context: Context) -> Affected:
        registry = context.registry
        if statement.if_exists and statement.name not in registry.namespaces:
            return _DONE

        def change(registry: Registry) -> Registry:
            if statement.cascade:
                for view in registry.views_in(statement.name):
                    registry = registry.without_view(view.name)
                for table in registry.tables_in(statement.name):
                    registry = registry.without_table(table.name)
            return registry.without_namespace(statement.name)

        self._change(context, change)
        return _DONE

    def _create_table(self, statement: CreateTable, context: Context) -> Affected:
        name = context.name(statement.table)
        if _is_taken(name, context, temporary=statement.temporary, allowed=statement.if_not_exists):
            return _DONE
        table = self.define(name, statement.kind, statement.columns, statement.primary_key, statement.options)
        self._publisher(table, context, temporary=statement.temporary)()
        return _DONE

    def _create_table_as(self, statement: CreateTableAs, context: Context) -> Affected:
        name = context.name(statement.table)
        if _is_taken(name, context, temporary=statement.temporary, allowed=statement.if_not_exists):
            return _DONE
        planned = self._reader.plan(statement.query_text, context)
        columns = tuple(ColumnSpec(field.name, storable(field.type, field.name)) for field in planned.schema)
        table = self.define(name, statement.kind, columns, statement.primary_key, statement.options)
        rows = planned.rows().start(context.stop)
        load = Load(OnExisting.REFUSE, Strictness.STATEMENT)
        publish = self._publisher(table, context, temporary=statement.temporary)
        return Affected(self.create_loaded(table, context, rows, load, publish))

    def _publisher(self, table: TableDef, context: Context, *, temporary: bool) -> Callable[[], None]:
        return partial(self.publish_temporary if temporary else self.publish, table, context)

    def create_loaded(
        self,
        table: TableDef,
        context: Context,
        batches: Iterable[pa.RecordBatch],
        load: Load,
        publish: Callable[[], None],
    ) -> int:
        """Load a table that nobody sees yet, then publish it; return how many rows it got."""
        unseen = replace(context, work=self._database.autocommit)
        try:
            outcome = ingest(self._database, table, unseen, batches, load)
            publish()
        except BaseException:
            self._database.store.drop_table(table)
            raise
        return outcome.affected

    def _drop_table(self, statement: DropTable, context: Context) -> Affected:
        name = context.name(statement.table)
        if not (statement.if_exists and name not in context.registry.tables):
            self._change(context, lambda registry: registry.without_table(name))
        return _DONE

    def _alter_table(self, statement: AlterTable, context: Context) -> Affected:
        name = context.name(statement.table)

        def change(registry: Registry) -> Registry:
            table = registry.table(name)
            after = _altered(table, statement.action)
            _check_defaults(after)
            return registry.with_table(after)

        self._change(context, change)
        return _DONE

    def _create_view(self, statement: CreateView, context: Context) -> Affected:
        name = context.name(statement.table)
        registry = context.registry
        if statement.if_not_exists and name in registry.views:
            return _DONE
        if name in registry.views and not statement.or_replace:
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"view {name} exists already")
        self._reader.describe(statement.query_text, context)
        view = ViewDef(name, statement.query_text, context.namespace)

        def change(registry: Registry) -> Registry:
            after = registry.with_view(view)
            self._reader.check_view(view, after)
            return after

        self._change(context, change)
        return _DONE

    def _drop_view(self, statement: DropView, context: Context) -> Affected:
        name = context.name(statement.table)
        if not (statement.if_exists and name not in context.registry.views):
            self._change(context, lambda registry: registry.without_view(name))
        return _DONE


def _is_taken(name: TableName, context: Context, *, temporary: bool, allowed: bool) -> bool:
    """Tell whether a table exists, where that is allowed; raise before any work where it is not.

    A temporary table is only in the way of another one.
    """
    registry = context.registry
    registry.require_namespace(name.namespace)
    if temporary and all(table.name != name for table in context.temporary.tables):
        return False
    if name in registry.tables and allowed:
        return True
    if registry.exists(name):
        what = "table" if name in registry.tables else "view"
        raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"{what} {name} exists already")
    return False


def _altered(table: TableDef, action: AlterAction) -> TableDef:
    match action:
        case AddColumn(column, if_not_exists):
            return table if if_not_exists and column.name in table.by_name else add_column(table, column)
        case DropColumn(name, if_exists):
            return table if if_exists and name not in table.by_name else drop_column(table, name)
        case RenameColumn(old, new):
            return rename_column(table, old, new)
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
    return set_options(table, parsed)


def _check_defaults(table: TableDef) -> None:
    """Raise INVALID for a literal DEFAULT that its column cannot hold."""
    for column in table.columns:
        if column.default is not None and column.default.literal is not None:
            value = literal_value(column.default, column)
            if not column.nullable and not value.is_valid:
                raise DatabaseError(
                    ErrorKind.INVALID, f"column {column.name} is NOT NULL, so its DEFAULT cannot be NULL"
                )
