"""The grammar of a column in CREATE TABLE and ADD COLUMN, and of the constraints that stand beside columns.

A promise that would not be kept is refused.
"""

from dataclasses import dataclass, field, replace

import pyarrow as pa

from catalog.definition import SYSTEM_COLUMNS, CheckSpec, ColumnSpec, Default, DefaultFunction, UniqueSpec
from catalog.errors import DatabaseError, ErrorKind
from catalog.types import parse_type
from flightserver.sql.defaults import parse_default
from flightserver.sql.row_conditions import read_check
from flightserver.sql.text.cursor import Cursor, stop_at
from flightserver.sql.text.queries import QueryReader
from flightserver.sql.text.tokens import Kind, Token, is_identifier

_COLUMN_CLAUSES = (
    *("NOT", "NULL", "DEFAULT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "CONSTRAINT", "COLLATE", "GENERATED"),
    *("AUTO_INCREMENT", "COMMENT", "AS"),
)


_REFUSED_CONSTRAINTS = ("FOREIGN", "EXCLUDE", "INDEX", "KEY")


_SERIAL_TYPES = frozenset({"SERIAL", "BIGSERIAL"})


def constraint_name(cursor: Cursor) -> str | None:
    """Read `CONSTRAINT name` if it comes next, and is not a column of this name."""
    if not (cursor.at("CONSTRAINT") and is_identifier(cursor.peek(1)) and cursor.peek(2).kind is Kind.WORD):
        return None
    cursor.next()
    return cursor.name("constraint")


def unique_constraint(cursor: Cursor, name: str | None) -> UniqueSpec | None:
    """Read `UNIQUE [NULLS DISTINCT] (columns)` if it comes next, of a constraint with this name."""
    if not (cursor.at("UNIQUE") and (name is not None or cursor.peek(1).key in {"(", "NULLS"})):
        return None
    cursor.next()
    _nulls_are_distinct(cursor)
    return UniqueSpec(name, cursor.names("column"))


def _nulls_are_distinct(cursor: Cursor) -> None:
    """Read what is so anyway."""
    if cursor.at("NULLS", "NOT", "DISTINCT"):
        raise cursor.unsupported("UNIQUE takes any number of NULLs; write NOT NULL, or a value of your own for nothing")
    cursor.accept("NULLS", "DISTINCT")


def key_constraint(cursor: Cursor, *, is_named: bool) -> tuple[str, ...] | None:
    """Read `PRIMARY KEY (columns)` if it comes next; refuse other constraints."""
    if cursor.accept("PRIMARY", "KEY"):
        return cursor.names("key column")
    starts_constraint = is_named or cursor.peek(1).key in {"(", "KEY"}
    if starts_constraint and cursor.at_any(*_REFUSED_CONSTRAINTS):
        raise cursor.unsupported(f"{cursor.peek().key} constraints are not supported")
    if is_named:
        raise cursor.error(f"expected PRIMARY KEY, UNIQUE or CHECK, found {cursor.found()}")
    return None


@dataclass
class ColumnElement:
    """A column, whether it is the key, and the constraints that were written at it."""

    spec: ColumnSpec
    is_key: bool = False
    checks: list[CheckSpec] = field(default_factory=list)
    uniques: list[UniqueSpec] = field(default_factory=list)


def read_column(cursor: QueryReader) -> ColumnElement:
    """Read `name type [NOT NULL | NULL] [DEFAULT …] [PRIMARY KEY] [[CONSTRAINT name] CHECK (…) | UNIQUE] …`."""
    token = cursor.peek()
    name = cursor.name("column")
    if name in SYSTEM_COLUMNS:
        raise cursor.error(f"the column name {name!r} is reserved", ErrorKind.INVALID, token)
    column = ColumnElement(_typed(cursor, name))
    seen: set[str] = set()
    while cursor.at_any(*_COLUMN_CLAUSES):
        constraint = constraint_name(cursor)
        clause = cursor.next()
        if clause.key == "CHECK":
            column.checks.append(read_check(cursor, constraint, name))
            continue
        if clause.key == "UNIQUE":
            _nulls_are_distinct(cursor)
            column.uniques.append(UniqueSpec(constraint, (name,)))
            continue
        if clause.key in seen:
            raise cursor.error(f"column {name} has {clause.key} twice", token=clause)
        seen.add(clause.key)
        if clause.key == "PRIMARY":
            cursor.expect("KEY")
            column.is_key = True
        else:
            column.spec = _with_clause(cursor, column.spec, clause)
    if {"NOT", "NULL"} <= seen or (column.is_key and "NULL" in seen):
        raise cursor.error(f"column {name} is both NULL and NOT NULL", ErrorKind.INVALID, token)
    return column


def _typed(cursor: Cursor, name: str) -> ColumnSpec:
    if cursor.peek().key in _SERIAL_TYPES:
        cursor.next()
        default = Default(function=DefaultFunction.SNOWFLAKE_ID)
        return ColumnSpec(name, pa.int64(), nullable=False, default=default)
    token = cursor.peek()
    if cursor.at_end() or cursor.at_any(",", ")"):
        raise cursor.error(f"column {name} has no type")
    text = cursor.slice_type(stop_at(",", *_COLUMN_CLAUSES))
    try:
        return ColumnSpec(name, parse_type(text))
    except DatabaseError as error:
        raise cursor.error(f"column {name}: {error.message}", error.kind, token) from None


def _with_clause(cursor: Cursor, column: ColumnSpec, clause: Token) -> ColumnSpec:
    if clause.key == "NOT":
        cursor.expect("NULL")
        return replace(column, nullable=False)
    if clause.key == "NULL":
        return column
    if clause.key == "DEFAULT":
        start = cursor.peek()
        text = _default_text(cursor)
        try:
            return replace(column, default=parse_default(text, column.type, column.name))
        except DatabaseError as error:
            raise cursor.error(error.message, error.kind, start) from None
    message = f"{clause.key} on column {column.name} is not supported"
    if clause.key in {"GENERATED", "AS"}:
        message += "; put the expression into a view, or DEFAULT SNOWFLAKE_ID() for a column that numbers its rows"
    raise cursor.error(message, ErrorKind.UNSUPPORTED, clause)


def _default_text(cursor: Cursor) -> str:
    """Cut out the expression behind DEFAULT, whose first word may itself look like a clause: DEFAULT NULL."""
    first = cursor.position
    stop = stop_at(",", *_COLUMN_CLAUSES)
    return cursor.slice_until("default", lambda here: here.position > first and stop(here))
