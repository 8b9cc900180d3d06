"""DEFAULT where a value may stand: a change with the defaults of its columns written out, or left to the table.

What DEFAULT means is known with the table, so it is written out when a statement is prepared and when it runs, before
anything else looks at it.
"""

from dataclasses import replace

from catalog.definition import Column, DefaultFunction, TableDef
from catalog.errors import DatabaseError, ErrorKind
from flightserver.access.rights import Use
from flightserver.context import Context
from flightserver.execution.targets import check_width, inserted_columns
from flightserver.sql.default_cells import without_defaults
from flightserver.sql.literal_rows import parameter_rows
from flightserver.sql.statements import (
    Assignment,
    Explain,
    Insert,
    Merge,
    MergeAction,
    MergeClause,
    OnConflict,
    Statement,
    Update,
)
from flightserver.sql.text.query_text import QueryText

_TEXTS = {DefaultFunction.NOW: "now()", DefaultFunction.CURRENT_USER: "CURRENT_USER"}


def with_defaults(statement: Statement, context: Context) -> Statement:
    """The statement without the word DEFAULT."""
    match statement:
        case Explain(query=query):
            inner = with_defaults(query, context)
            return statement if inner is query else replace(statement, query=inner)
        case Insert(on_conflict=conflict) if statement.says_default or (conflict and _are_said(conflict.assignments)):
            table = context.table(statement.table, Use.INSERT)
            filled = _inserted(statement, table) if statement.says_default else statement
            return filled if conflict is None else replace(filled, on_conflict=_on_conflict(conflict, table))
        case Update(assignments=assignments) if _are_said(assignments):
            table = context.table(statement.table, Use.UPDATE)
            return replace(statement, assignments=_assigned(assignments, table))
        case Merge(clauses=clauses) if any(_leaves_out(clause) for clause in clauses):
            table = context.table(statement.table, Use.READ)
            return replace(statement, clauses=tuple(_merged(clause, table) for clause in clauses))
        case _:
            return statement


def _inserted(statement: Insert, table: TableDef) -> Insert:
    names = inserted_columns(statement, table)
    if not statement.source:
        names.sort(key=lambda name: _text(table.column(name)) is None)
        source = QueryText(f"VALUES ({_written(table.column(names[0]))})")
        return replace(statement, columns=(names[0],), source=source, says_default=False)
    left, source = without_defaults(statement.source, len(names), lambda place: _written(table.column(names[place])))
    columns, rows = tuple(names[place] for place in left), parameter_rows(source)
    return replace(statement, columns=columns, source=source, rows=rows, says_default=False)


def _leaves_out(clause: MergeClause) -> bool:
    """Tell whether a clause of MERGE says DEFAULT, or inserts nothing else."""
    return _are_said(clause.values) or (clause.action is MergeAction.INSERT and not clause.values)


def _merged(clause: MergeClause, table: TableDef) -> MergeClause:
    """A clause without the columns of a new row that get their defaults, as long as there are others."""
    if clause.action is not MergeAction.INSERT:
        return replace(clause, values=_assigned(clause.values, table))
    names = clause.columns or tuple(column.name for column in table.visible_columns)
    if clause.values:
        check_width(names, len(clause.values))
    given = {name: one for name, one in zip(names, clause.values, strict=False) if not _is_default(one)}
    if not given:
        name = min(names, key=lambda name: _text(table.column(name)) is None)
        given = {name: Assignment(name, QueryText(_written(table.column(name))))}
    return replace(clause, columns=tuple(given), values=tuple(given.values()))


def _on_conflict(conflict: OnConflict, table: TableDef) -> OnConflict:
    return replace(conflict, assignments=_assigned(conflict.assignments, table))


def _are_said(assignments: tuple[Assignment, ...]) -> bool:
    return any(map(_is_default, assignments))


def _assigned(assignments: tuple[Assignment, ...], table: TableDef) -> tuple[Assignment, ...]:
    return tuple(
        replace(one, expression=QueryText(_written(table.column(one.column)))) if _is_default(one) else one
        for one in assignments
    )


def _is_default(assignment: Assignment) -> bool:
    return assignment.expression.upper() == "DEFAULT"


def _text(column: Column) -> str | None:
    """A column's default as SQL; None for one that is another value in each row, and not of the engine's making."""
    default = column.default
    if default is None:
        return "NULL"
    return default.literal if default.function is None else _TEXTS.get(default.function)


def _written(column: Column) -> str:
    text = _text(column)
    if text is None:
        raise DatabaseError(
            ErrorKind.UNSUPPORTED,
            f"DEFAULT {column.default} of column {column.name} cannot stand beside other values of it; "
            "write the rows that take it in an INSERT of their own, without the column",
        )
    return text
