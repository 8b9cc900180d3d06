"""The grammar of the actions of ALTER TABLE, on its columns, its constraints and its options, and of COMMENT."""

from collections.abc import Callable

import pyarrow as pa

from catalog.definition import SYSTEM_COLUMNS
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import CATALOG_NAME
from catalog.types import parse_type
from flightserver.sql.columns import constraint_name, read_column, unique_constraint
from flightserver.sql.options import check_option_names, option_list
from flightserver.sql.row_conditions import read_check
from flightserver.sql.statements import TableRef
from flightserver.sql.table_statements import (
    AddCheck,
    AddColumn,
    AddUnique,
    AlterAction,
    AlterTable,
    DropColumn,
    DropConstraint,
    RenameColumn,
    SetComment,
    SetDefault,
    SetNullable,
    SetOptions,
    SetType,
)
from flightserver.sql.text.cursor import Cursor, stop_at
from flightserver.sql.text.queries import QueryReader
from flightserver.sql.text.tokens import Kind, string_value

COMMENT_LENGTH_MAX = 4_096


def read_action(cursor: QueryReader) -> AlterAction:
    """Read one action of ALTER TABLE."""
    action = _ACTIONS.get(cursor.peek().key)
    if action is None:
        raise cursor.unsupported(
            "expected ADD COLUMN, DROP COLUMN, ALTER COLUMN, RENAME COLUMN, ADD CHECK, ADD UNIQUE, DROP CONSTRAINT or"
            f" SET (option = value), found {cursor.found()}"
        )
    cursor.next()
    return action(cursor)


def _alter_column(cursor: Cursor) -> SetDefault | SetNullable | SetType:
    """Read what follows ALTER within ALTER TABLE: `[COLUMN] c SET | DROP | TYPE …`."""
    cursor.accept("COLUMN")
    name = cursor.name("column")
    if cursor.accept("SET", "DEFAULT"):
        return SetDefault(name, _default_text(cursor))
    if cursor.accept("DROP", "DEFAULT"):
        return SetDefault(name, None)
    if cursor.accept("SET", "NOT", "NULL"):
        return SetNullable(name, nullable=False)
    if cursor.accept("DROP", "NOT", "NULL"):
        return SetNullable(name, nullable=True)
    if cursor.accept("TYPE") or cursor.accept("SET", "DATA", "TYPE"):
        return SetType(name, _type(cursor, name))
    raise cursor.unsupported(
        f"expected TYPE, SET DEFAULT, DROP DEFAULT, SET NOT NULL or DROP NOT NULL, found {cursor.found()}"
    )


def _type(cursor: Cursor, column: str) -> pa.DataType:
    """Read a type; how values become it is not to be said."""
    start = cursor.peek()
    text = cursor.slice_type(stop_at(",", "USING", "COLLATE"))
    if cursor.at_any("USING", "COLLATE"):
        message = (
            "values are converted as INSERT does; add a column, then UPDATE, DROP and RENAME for other conversions"
        )
        raise cursor.unsupported(message)
    try:
        return parse_type(text)
    except DatabaseError as error:
        raise cursor.error(f"column {column}: {error.message}", error.kind, start) from None


def _default_text(cursor: Cursor) -> str:
    """Cut out the expression behind DEFAULT, up to the next action."""
    return cursor.slice_until("default", stop_at(","))


def parse_comment(cursor: QueryReader) -> AlterTable:
    """Read what follows COMMENT: `ON TABLE t | COLUMN t.c IS 'text' | NULL`."""
    cursor.expect("ON")
    column = None
    if cursor.accept("COLUMN"):
        table, column = _column_of_table(cursor)
    elif cursor.accept("TABLE"):
        table = cursor.table()
    else:
        raise cursor.unsupported("a comment is on a TABLE or on a COLUMN of one")
    cursor.expect("IS")
    token = cursor.next()
    if token.key != "NULL" and not (token.kind is Kind.STRING and token.text[0] in "'$"):
        raise cursor.error("expected the comment as a string, 'like this', or NULL", token=token)
    text = "" if token.key == "NULL" else string_value(token)
    if len(text) > COMMENT_LENGTH_MAX:
        raise cursor.error(f"a comment has at most {COMMENT_LENGTH_MAX} letters", ErrorKind.INVALID, token)
    return AlterTable(table, (SetComment(column, text),))


def _column_of_table(cursor: QueryReader) -> tuple[TableRef, str]:
    """Read `[[main.]namespace.]table.column`."""
    start = cursor.peek()
    parts = [cursor.name("table")]
    while cursor.accept("."):
        parts.append(cursor.name("column"))
    if not 2 <= len(parts) <= 4 or (len(parts) == 4 and parts[0] != CATALOG_NAME):
        raise cursor.error("expected a column of a table: table.column", token=start)
    return TableRef(parts[-3] if len(parts) > 2 else None, parts[-2]), parts[-1]


def _add(cursor: QueryReader) -> AddColumn | AddCheck | AddUnique:
    name = constraint_name(cursor)
    if cursor.at("CHECK", "("):
        cursor.next()
        return AddCheck(read_check(cursor, name))
    unique = unique_constraint(cursor, name)
    if unique is not None:
        return AddUnique(unique)
    if name is not None or cursor.at_any("PRIMARY", "FOREIGN"):
        raise cursor.unsupported("CHECK and UNIQUE can be added to a table; the key is part of CREATE TABLE")
    cursor.accept("COLUMN")
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    start = cursor.peek()
    column = read_column(cursor)
    if column.is_key:
        raise cursor.error("a column cannot be added to the key", ErrorKind.UNSUPPORTED, start)
    if column.checks or column.uniques:
        message = "a column is added without constraints; add the column, then write ALTER TABLE … ADD CHECK or UNIQUE"
        raise cursor.error(message, ErrorKind.UNSUPPORTED, start)
    return AddColumn(column.spec, if_not_exists)


def _drop(cursor: QueryReader) -> DropColumn | DropConstraint:
    if cursor.accept("CONSTRAINT"):
        if_there = cursor.accept("IF", "EXISTS")
        name = cursor.name("constraint")
        cursor.accept_any("CASCADE", "RESTRICT")
        return DropConstraint(name, if_there)
    if cursor.at("PRIMARY"):
        raise cursor.unsupported("the key of a table cannot be dropped")
    cursor.accept("COLUMN")
    if_exists = cursor.accept("IF", "EXISTS")
    name = cursor.name("column")
    cascade = cursor.accept("CASCADE")
    _ = cascade or cursor.accept("RESTRICT")
    return DropColumn(name, if_exists, cascade)


def _rename_column(cursor: Cursor) -> RenameColumn:
    if cursor.at("TO"):
        raise cursor.unsupported("another name for the table is no action beside others; send RENAME TO by itself")
    cursor.accept("COLUMN")
    old = cursor.name("column")
    cursor.expect("TO")
    token = cursor.peek()
    new = cursor.name("column")
    if new in SYSTEM_COLUMNS:
        raise cursor.error(f"the column name {new!r} is reserved", ErrorKind.INVALID, token)
    return RenameColumn(old, new)


def _set_options(cursor: Cursor) -> SetOptions:
    options = option_list(cursor)
    check_option_names(options)
    return SetOptions(options)


_ACTIONS: dict[str, Callable[[QueryReader], AlterAction]] = {
    "ADD": _add,
    "ALTER": _alter_column,
    "DROP": _drop,
    "RENAME": _rename_column,
    "SET": _set_options,
}
