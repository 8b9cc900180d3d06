"""The grammar of MERGE: a table, what is held against it, and what happens to rows that match and that do not."""

from flightserver.sql.access_statements import AsUser
from flightserver.sql.assignments import read_assignments, read_expression, read_value
from flightserver.sql.grants import accept_as_user
from flightserver.sql.returning import read_returning
from flightserver.sql.statements import Assignment, Merge, MergeAction, MergeClause
from flightserver.sql.text.queries import QueryReader
from flightserver.sql.text.query_text import QueryText


def parse_merge(cursor: QueryReader) -> Merge | AsUser:
    """Read `MERGE INTO table [AS USER 'u'] [[AS] alias] USING source ON condition WHEN … THEN …, … [RETURNING …]`."""
    cursor.expect("INTO")
    table = cursor.table()
    user = accept_as_user(cursor)
    alias = cursor.optional_alias("USING")
    cursor.expect("USING")
    first = cursor.position
    cursor.source()
    source = cursor.part_from(first)
    cursor.expect("ON")
    condition = read_expression(cursor)
    clauses = []
    while cursor.accept("WHEN"):
        clauses.append(_clause(cursor))
    if not clauses:
        raise cursor.error(f"expected WHEN MATCHED or WHEN NOT MATCHED, found {cursor.found()}")
    returning = read_returning(cursor, is_alone=False)
    statement = Merge(table, alias, source, condition, tuple(clauses), returning=returning)
    return statement if user is None else AsUser(user, statement)


def _clause(cursor: QueryReader) -> MergeClause:
    """Read what follows WHEN."""
    is_matched = not cursor.accept("NOT")
    cursor.expect("MATCHED")
    if cursor.accept("BY") and (is_matched or not cursor.accept("TARGET")):
        message = "WHEN NOT MATCHED BY SOURCE is not supported; write UPDATE or DELETE … WHERE NOT EXISTS (…)"
        raise cursor.unsupported(message)
    condition = read_expression(cursor) if cursor.accept("AND") else None
    cursor.expect("THEN")
    if cursor.accept("DO"):
        cursor.expect("NOTHING")
        return MergeClause(is_matched, condition, MergeAction.NOTHING)
    if not is_matched:
        cursor.expect("INSERT")
        return MergeClause(is_matched, condition, MergeAction.INSERT, *_inserted(cursor))
    if cursor.accept("DELETE"):
        return MergeClause(is_matched, condition, MergeAction.DELETE)
    cursor.expect("UPDATE")
    cursor.expect("SET")
    return MergeClause(is_matched, condition, MergeAction.UPDATE, None, read_assignments(cursor))


def _inserted(cursor: QueryReader) -> tuple[tuple[str, ...] | None, tuple[Assignment, ...]]:
    """Read `[(columns)] VALUES (…) | DEFAULT VALUES`: the columns, and their values where these are named."""
    start = cursor.peek()
    columns = cursor.names("column") if cursor.at("(") else None
    if columns is None and cursor.accept("DEFAULT", "VALUES"):
        return None, ()
    cursor.expect("VALUES")
    cursor.expect("(")
    values: tuple[QueryText, ...] = cursor.separated(lambda: read_value(cursor))
    cursor.expect(")")
    if columns is not None and len(columns) != len(values):
        raise cursor.error(f"INSERT names {len(columns)} columns, VALUES has {len(values)}", token=start)
    names = columns or ("",) * len(values)
    return columns, tuple(map(Assignment, names, values))
