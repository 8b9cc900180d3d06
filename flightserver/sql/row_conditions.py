"""Conditions about one row, of policies and constraints: in brackets, without sub-queries and parameters."""

from catalog.definition import SYSTEM_COLUMNS, CheckSpec
from catalog.errors import ErrorKind
from flightserver.sql.meaning.aggregates import is_aggregate
from flightserver.sql.text import tree
from flightserver.sql.text.queries import QueryReader
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tokens import Kind, identifier_name, is_identifier

_QUERY_WORDS = frozenset({"SELECT", "WITH", "VALUES", "EXISTS"})


def row_condition(cursor: QueryReader, of: str) -> QueryText:
    """Read `(condition)`, which is `of` something, as errors say it."""
    cursor.expect("(")
    first, start = cursor.position, cursor.peek()
    condition = cursor.expression()
    found = cursor.part_from(first)
    cursor.expect(")")
    if not found.keys.isdisjoint(_QUERY_WORDS):
        message = f"{of} has no sub-query: its condition is about one row"
        raise cursor.error(message, ErrorKind.UNSUPPORTED, start)
    calls = [node for node in tree.walk_here(condition) if isinstance(node, tree.Call)]
    if any(call.is_window or is_aggregate(call) for call in calls):
        message = f"{of} has no aggregates and no windows: its condition is about one row"
        raise cursor.error(message, ErrorKind.UNSUPPORTED, start)
    if any(token.kind is Kind.PARAMETER for token in found.tokens):
        raise cursor.error(f"{of} has no parameters", ErrorKind.INVALID, start)
    return found


def read_check(cursor: QueryReader, name: str | None, column: str | None = None) -> CheckSpec:
    """Read what follows CHECK, of a constraint with this name, or at a column."""
    start = cursor.peek()
    condition = row_condition(cursor, "a CHECK")
    hidden = {identifier_name(token) for token in condition.tokens if is_identifier(token)} & SYSTEM_COLUMNS
    if hidden:
        raise cursor.error(f"a CHECK is about what users write, and not about {min(hidden)}", ErrorKind.INVALID, start)
    return CheckSpec(name, str(condition), column)
