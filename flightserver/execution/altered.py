"""One action of ALTER TABLE: from a definition to the next one, or an error that says why not. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain

import pyarrow as pa

from catalog.constraints import add_check, add_unique, constraint_names, drop_constraint
from catalog.definition import Check, Column, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.evolution import (
    add_column,
    drop_column,
    rename_column,
    set_comment,
    set_default,
    set_nullable,
    set_options,
    set_type,
)
from catalog.policies import Policy
from catalog.types import format_type, is_nested
from flightserver.execution.rewriting import names_in
from flightserver.sql.defaults import parse_default
from flightserver.sql.options import parse_options
from flightserver.sql.table_statements import (
    AddCheck,
    AddColumn,
    AddUnique,
    AlterAction,
    DropColumn,
    DropConstraint,
    RenameColumn,
    SetComment,
    SetDefault,
    SetNullable,
    SetOptions,
    SetType,
)
from flightserver.sql.text.query_text import QueryText
from flush.publish.columns import check_publishable
from providers.rows.defaults import literal_value


def what_names(name: str, policies: Iterable[Policy], checks: Iterable[Check]) -> str | None:
    """The first policy or constraint whose condition has a name in it, as errors say it."""
    conditions = chain(
        ((f"policy {policy.name}", condition) for policy in policies for condition in policy.conditions),
        ((f"constraint {check.name}", check.condition) for check in checks),
    )
    return next((what for what, condition in conditions if name in names_in(QueryText(condition))), None)


def refuse_named_column(action: AlterAction, policies: Iterable[Policy], checks: Iterable[Check]) -> None:
    """Raise INVALID for another name of a column, or its end, while a policy or a constraint names it."""
    match action:
        case RenameColumn(old=name) | DropColumn(name=name):
            user = what_names(name, policies, checks)
            if user is not None:
                raise DatabaseError(ErrorKind.INVALID, f"column {name} is used by {user}; drop that first")


def altered(table: TableDef, action: AlterAction, now_ms: int) -> TableDef:
    """The definition after an action; what the action demands of rows that are there is not looked at."""
    if isinstance(action, DropColumn) and action.cascade and action.name in table.by_name:
        table = without_constraints_on(table, action.name)
    refuse_named_column(action, (), table.checks)
    after = _changed(table, action)
    check_defaults(after)
    publishable(after)
    before, limits = table.options.stream, after.options.stream
    if before is None or limits is None or before == limits:
        return after
    return replace(after, options=replace(after.options, stream=limits.succeeding(before, now_ms)))


def without_constraints_on(table: TableDef, column: str) -> TableDef:
    """The definition without the constraints that are about a column."""
    checks = [check.name for check in table.checks if column in names_in(QueryText(check.condition))]
    uniques = [unique.name for unique in table.uniques if table.column(column).id in unique.columns]
    for name in (*checks, *uniques):
        table = drop_constraint(table, name)
    return table


def _changed(table: TableDef, action: AlterAction) -> TableDef:
    match action:
        case AddColumn(column, if_not_exists):
            return table if if_not_exists and column.name in table.by_name else add_column(table, column)
        case DropColumn(name=name, if_exists=if_exists):
            return table if if_exists and name not in table.by_name else drop_column(table, name)
        case RenameColumn(old, new):
            return rename_column(table, old, new)
        case AddCheck() | AddUnique() | DropConstraint():
            return _with_constraints(table, action)
        case SetComment(name, comment):
            return set_comment(table, name, comment)
        case SetOptions(options):
            return with_options(table, options)
        case SetNullable(name, nullable):
            return set_nullable(table, name, nullable=nullable)
        case SetType(name, data_type):
            return set_type(table, name, data_type)
        case SetDefault(name, text):
            default = None if text is None else parse_default(text, table.column(name).type, name)
            return set_default(table, name, default)


def _with_constraints(table: TableDef, action: AddCheck | AddUnique | DropConstraint) -> TableDef:
    match action:
        case AddCheck(check):
            return add_check(table, check)
        case AddUnique(unique):
            return add_unique(table, unique)
        case DropConstraint(name, if_exists):
            return table if if_exists and name not in constraint_names(table) else drop_constraint(table, name)


def with_options(table: TableDef, options: Mapping[str, str]) -> TableDef:
    """The definition with other options, checked against its columns."""
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


def publishable(table: TableDef) -> TableDef:
    """The same; UNSUPPORTED where it is published, and has a column that cannot be."""
    if table.is_published:
        check_publishable(table)
    return table


def for_session(table: TableDef) -> TableDef:
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


def check_defaults(table: TableDef) -> None:
    """Raise INVALID for a literal DEFAULT that its column cannot hold."""
    for column in table.columns:
        if column.default is not None and column.default.literal is not None:
            value = literal_value(column.default, column)
            if not column.nullable and not value.is_valid:
                raise DatabaseError(
                    ErrorKind.INVALID, f"column {column.name} is NOT NULL, so its DEFAULT cannot be NULL"
                )
