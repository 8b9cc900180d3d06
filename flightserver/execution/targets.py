"""What a change writes to: its table and columns, checked before a row is looked at."""

from collections.abc import Sequence
from typing import overload

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from flightserver.access.rights import Use
from flightserver.context import Context
from flightserver.sql.statements import (
    Assignment,
    Delete,
    Insert,
    Merge,
    MergeAction,
    OnConflict,
    Statement,
    Update,
)
from flightserver.sql.text.query_text import QueryText

_USES = {MergeAction.UPDATE: Use.UPDATE, MergeAction.DELETE: Use.DELETE, MergeAction.INSERT: Use.INSERT}


@overload
def target(statement: Insert | Update | Delete | Merge, context: Context) -> TableDef: ...


@overload
def target(statement: Statement, context: Context) -> TableDef | None: ...


def target(statement: Statement, context: Context) -> TableDef | None:
    """The table that a change writes to, None where nothing is written; NOT_FOUND unless all of it may be done.

    What searches for its rows reads them, too.
    """
    match statement:
        case Insert(on_conflict=OnConflict(do_nothing=False)):
            context.table(statement.table, Use.INSERT)
            return context.table(statement.table, Use.UPDATE)
        case Insert():
            return context.table(statement.table, Use.INSERT)
        case Update():
            _refuse_stream(context.table(statement.table, Use.UPDATE))
            return context.table(statement.table, Use.READ)
        case Merge(clauses=clauses):
            for use in {_USES[clause.action] for clause in clauses if clause.action in _USES}:
                context.table(statement.table, use)
            table = context.table(statement.table, Use.READ)
            if any(clause.action is MergeAction.UPDATE for clause in clauses):
                _refuse_stream(table)
            return table
        case Delete(where=None, using_text=None):
            return context.table(statement.table, Use.DELETE)
        case Delete():
            context.table(statement.table, Use.DELETE)
            return context.table(statement.table, Use.READ)
    return None


def _refuse_stream(table: TableDef) -> None:
    """Raise UNSUPPORTED for new versions of rows that are only appended."""
    if table.is_stream:
        raise DatabaseError(
            ErrorKind.UNSUPPORTED,
            f"{table.name} is a STREAM table, whose rows are only appended: UPDATE is not supported; INSERT or DELETE",
        )


def check_columns(statement: Statement, table: TableDef, source_width: int) -> None:
    """Raise what the change would raise of its table's columns, with a source or a search of so many columns."""
    match statement:
        case Insert():
            check_width(inserted_columns(statement, table), source_width)
            if statement.on_conflict is not None:
                check_conflict(statement.on_conflict, table)
        case Update():
            assigned_columns(statement.assignments, table)


def inserted_columns(statement: Insert, table: TableDef) -> list[str]:
    """The columns that INSERT gives values to."""
    if statement.columns is None:
        return [column.name for column in table.visible_columns]
    names = [table.column(name).name for name in statement.columns]
    if len(set(names)) != len(names):
        raise DatabaseError(ErrorKind.INVALID, f"INSERT into {table.name} names a column twice")
    return names


def check_width(names: Sequence[str], width: int) -> None:
    """Raise INVALID unless the source of INSERT has a column for each that it names."""
    if width != len(names):
        raise DatabaseError(ErrorKind.INVALID, f"INSERT names {len(names)} columns, its source has {width}")


def assigned_columns(assignments: Sequence[Assignment], table: TableDef) -> dict[str, QueryText]:
    """The expressions that SET gives to columns, by column."""
    assigned: dict[str, QueryText] = {}
    for assignment in assignments:
        column = table.column(assignment.column)
        if column.id in table.key:
            raise DatabaseError(
                ErrorKind.INVALID,
                f"UPDATE may not change key column {column.name} of {table.name}; delete the row and insert it anew",
            )
        if column.name in assigned:
            raise DatabaseError(ErrorKind.INVALID, f"column {column.name} of {table.name} is assigned twice")
        assigned[column.name] = assignment.expression
    return assigned


def check_conflict(conflict: OnConflict, table: TableDef) -> None:
    """Raise INVALID when ON CONFLICT names other columns than the key, or SET any that it must not."""
    key = {column.name for column in table.key_columns}
    if conflict.target is not None and set(conflict.target) != key:
        message = f"ON CONFLICT must name the key of {table.name}: ({', '.join(sorted(key))})"
        if any({column.name for column in table.columns_of(one)} == set(conflict.target) for one in table.uniques):
            message += "; beside a UNIQUE constraint write ON CONFLICT DO NOTHING without columns, or MERGE INTO"
        raise DatabaseError(ErrorKind.INVALID, message)
    assigned_columns(conflict.assignments, table)
