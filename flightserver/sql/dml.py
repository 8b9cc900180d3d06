"""The grammar of statements that change rows: INSERT, UPDATE, DELETE, TRUNCATE.

Expressions are read to find their ends and kept as parts of the text. The source of an INSERT is only cut out, so that
a long one costs no more than that.
"""

from dataclasses import replace
from typing import TypeVar

from flightserver.sql.access_statements import AsUser
from flightserver.sql.assignments import read_assignments, read_expression
from flightserver.sql.default_cells import has_default_cell
from flightserver.sql.grants import accept_as_user
from flightserver.sql.literal_rows import parameter_rows
from flightserver.sql.returning import read_returning
from flightserver.sql.statements import Delete, Insert, Merge, OnConflict, Statement, Truncate, Update
from flightserver.sql.text.cursor import Cursor
from flightserver.sql.text.queries import QueryReader
from flightserver.sql.text.query_text import QueryText

Change = Insert | Update | Delete | Merge
Changing = TypeVar("Changing", Insert, Update, Delete)

_QUERY_STARTS = ("SELECT", "WITH", "VALUES", "FROM", "TABLE", "(")


def parse_insert(cursor: QueryReader) -> Insert | AsUser:
    """Read `INSERT [OR REPLACE] INTO table [AS USER 'u'] [(columns)] source [ON CONFLICT …] [RETURNING …]`."""
    replacing = OnConflict(None, do_nothing=False) if cursor.accept("OR", "REPLACE") else None
    if cursor.at_any("OR", "OVERWRITE", "IGNORE", "REPLACE"):
        raise cursor.unsupported("write INSERT INTO … ON CONFLICT (key) DO UPDATE SET … to replace rows")
    cursor.expect("INTO")
    cursor.accept("TABLE")
    table = cursor.table()
    user = accept_as_user(cursor)
    if cursor.at("AS"):
        raise cursor.unsupported("INSERT INTO table AS alias is not supported")
    columns = _columns(cursor)
    if cursor.accept("DEFAULT", "VALUES"):
        if columns is not None:
            raise cursor.error("DEFAULT VALUES is about all columns, so none is named")
        on_conflict = _conflict_clause(cursor, replacing)
        returning = read_returning(cursor)
        return _for(user, Insert(table, None, QueryText(""), on_conflict, says_default=True, returning=returning))
    if not cursor.at_any(*_QUERY_STARTS):
        raise cursor.error(f"expected VALUES or a query, found {cursor.found()}")
    source = cursor.slice_until("source of rows", _at_insert_tail)
    on_conflict = _conflict_clause(cursor, replacing)
    returning = read_returning(cursor)
    rows, says_default = parameter_rows(source), has_default_cell(source)
    return _for(user, Insert(table, columns, source, on_conflict, rows, says_default, returning))


def _for(user: str | None, statement: Changing) -> Changing | AsUser:
    """A statement, for the user that it names."""
    return statement if user is None else AsUser(user, statement)


def _columns(cursor: QueryReader) -> tuple[str, ...] | None:
    if not cursor.at("(") or cursor.peek(1).key in {"SELECT", "WITH", "VALUES", "FROM", "("}:
        return None
    start = cursor.peek()
    columns = cursor.names("column")
    if len(set(columns)) < len(columns):
        raise cursor.error("a column is named twice in this INSERT", token=start)
    return columns


def _at_insert_tail(cursor: Cursor) -> bool:
    on_conflict = cursor.at("ON", "CONFLICT") and cursor.peek(2).key in {"(", "DO", "ON"}
    return on_conflict or cursor.at("RETURNING")


def _conflict_clause(cursor: QueryReader, replacing: OnConflict | None) -> OnConflict | None:
    """Read `[ON CONFLICT …]`, which INSERT OR REPLACE has not."""
    if replacing is None:
        return _on_conflict(cursor) if cursor.accept("ON", "CONFLICT") else None
    if cursor.at("ON", "CONFLICT") or cursor.at("RETURNING"):
        raise cursor.unsupported("INSERT OR REPLACE has no ON CONFLICT and no RETURNING; write ON CONFLICT … DO UPDATE")
    return replacing


def _on_conflict(cursor: QueryReader) -> OnConflict:
    if cursor.at("ON", "CONSTRAINT"):
        raise cursor.unsupported("name the key columns instead, ON CONFLICT (column, …); for UNIQUE write MERGE INTO")
    target = cursor.names("column") if cursor.at("(") else None
    cursor.expect("DO")
    if cursor.accept("NOTHING"):
        return OnConflict(target, do_nothing=True)
    cursor.expect("UPDATE")
    if target is None:
        raise cursor.error("ON CONFLICT … DO UPDATE needs the key columns: ON CONFLICT (column, …)")
    cursor.expect("SET")
    assignments = read_assignments(cursor)
    where = _condition(cursor)
    return OnConflict(target, do_nothing=False, assignments=assignments, where=where)


def parse_update(cursor: QueryReader) -> Update | AsUser:
    """Read `UPDATE table [AS USER 'u'] [[AS] alias] SET … [FROM …] [WHERE …] [RETURNING …]`."""
    table = cursor.table()
    user = accept_as_user(cursor)
    alias = cursor.optional_alias("SET")
    cursor.expect("SET")
    assignments = read_assignments(cursor)
    sources = _sources(cursor) if cursor.accept("FROM") else None
    where = _condition(cursor)
    returning = read_returning(cursor, is_alone=sources is None)
    return _for(user, Update(table, alias, assignments, sources, where, returning=returning))


def parse_delete(cursor: QueryReader) -> Delete | AsUser:
    """Read `DELETE FROM table [AS USER 'u'] [[AS] alias] [USING …] [WHERE …] [RETURNING …]`."""
    cursor.expect("FROM")
    table = cursor.table()
    user = accept_as_user(cursor)
    alias = cursor.optional_alias("USING", "WHERE", "RETURNING")
    sources = _sources(cursor) if cursor.accept("USING") else None
    where = _condition(cursor)
    returning = read_returning(cursor, is_alone=sources is None)
    return _for(user, Delete(table, alias, sources, where, returning=returning))


def _sources(cursor: QueryReader) -> QueryText:
    first = cursor.position
    cursor.sources()
    return cursor.part_from(first)


def _condition(cursor: QueryReader) -> QueryText | None:
    return read_expression(cursor) if cursor.accept("WHERE") else None


def parse_truncate(cursor: QueryReader) -> Truncate:
    """Read `TRUNCATE [TABLE] table`."""
    cursor.accept("TABLE")
    return Truncate(cursor.table())


def with_common(cursor: QueryReader, common: QueryText, statement: Change | AsUser) -> Statement:
    """A change of rows that has WITH and its tables in front: an INSERT has them in front of its query."""
    match statement:
        case AsUser(user=user, statement=Insert() | Update() | Delete() | Merge() as inner):
            return AsUser(user, with_common(cursor, common, inner))
        case Insert(source=source):
            if not source or source.tokens[0].key == "WITH":
                raise cursor.unsupported("an INSERT takes one WITH, in front of INSERT or in front of its query")
            if statement.says_default:
                raise cursor.unsupported("behind WITH … INSERT, no value of VALUES is DEFAULT")
            conflict = statement.on_conflict
            texts = [*(a.expression for a in conflict.assignments), conflict.where] if conflict else []
            if any(text is not None and not text.keys.isdisjoint(_QUERY_STARTS[:-1]) for text in texts):
                raise cursor.unsupported("behind WITH … INSERT, ON CONFLICT DO UPDATE takes no sub-queries")
            return replace(statement, source=QueryText.joined([common, " ", source]), rows=None)
        case Update() | Delete() | Merge():
            return replace(statement, common=common)
    raise cursor.unsupported("WITH goes with a query, INSERT, UPDATE, DELETE or MERGE")
