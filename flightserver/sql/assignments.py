"""What SET gives to columns: expressions, DEFAULT, and rows of them."""

from collections.abc import Callable
from itertools import chain
from typing import TypeVar

from flightserver.sql.statements import Assignment
from flightserver.sql.text import tree
from flightserver.sql.text.queries import QueryReader
from flightserver.sql.text.query_text import QueryText

Item = TypeVar("Item")

_QUERY_WORDS = ("SELECT", "WITH", "VALUES", "FROM", "TABLE")
_PLAIN_QUERY = (
    "the query of SET (a, b) = (SELECT …) names its values, without *, WITH, DISTINCT, ORDER BY, LIMIT and numbers in"
    " GROUP BY; write SET a = (SELECT …), b = (SELECT …), or UPDATE … FROM"
)
_BEHIND_VALUE = frozenset({"", ",", "WHERE", "FROM", ")", "RETURNING", "WHEN"})


def read_assignments(cursor: QueryReader) -> tuple[Assignment, ...]:
    """Read what follows SET."""
    start = cursor.peek()
    assignments = tuple(chain.from_iterable(cursor.separated(lambda: _set_items(cursor))))
    columns = {assignment.column for assignment in assignments}
    if len(columns) < len(assignments):
        raise cursor.error("a column is set twice", token=start)
    return assignments


def _set_items(cursor: QueryReader) -> tuple[Assignment, ...]:
    """`column = value`, or `(column, …) = [ROW] (value, …)` or a query: one assignment for each column."""
    if not cursor.at("("):
        column = _set_column(cursor)
        cursor.expect("=")
        return (Assignment(column, read_value(cursor)),)
    start = cursor.peek()
    columns = _bracketed(cursor, _set_column)
    cursor.expect("=")
    is_row = cursor.accept("ROW")
    if not cursor.at("("):
        raise cursor.error(f"expected a row of values for the columns, ( … ), found {cursor.found()}")
    is_query = not is_row and cursor.peek(1).key in _QUERY_WORDS
    values = _items_of_query(cursor) if is_query else _bracketed(cursor, read_value)
    if len(values) != len(columns):
        raise cursor.error(f"SET names {len(columns)} columns and gives {len(values)} values", token=start)
    return tuple(map(Assignment, columns, values))


def _items_of_query(cursor: QueryReader) -> tuple[QueryText, ...]:
    """Read `(SELECT x, y …)`; return it with each of its items by itself."""
    start = cursor.position
    cursor.expect("(")
    query = cursor.query()
    cursor.expect(")")
    body = query.body
    is_plain = isinstance(body, tree.Select) and not (query.common or query.order_by or body.distinct_on)
    if not isinstance(body, tree.Select) or not is_plain or query.limit_start is not None or body.is_distinct:
        raise cursor.unsupported(_PLAIN_QUERY)
    if any(isinstance(node, tree.Literal) for part in body.group_by for node in tree.walk(part)) or any(
        isinstance(item.value, tree.Star) for item in body.items
    ):
        raise cursor.unsupported(_PLAIN_QUERY)
    text = QueryText.with_tokens(cursor.text, cursor.tokens)
    before, behind = text.part(start, body.items_start), text.part(body.items[-1].end, cursor.position)
    return tuple(QueryText.joined([before, " ", text.part(item.start, item.end), " ", behind]) for item in body.items)


def _bracketed(cursor: QueryReader, item: Callable[[QueryReader], Item]) -> tuple[Item, ...]:
    cursor.expect("(")
    items = cursor.separated(lambda: item(cursor))
    cursor.expect(")")
    return items


def _set_column(cursor: QueryReader) -> str:
    column = cursor.name("column")
    if cursor.at("."):
        raise cursor.unsupported("SET takes the name of a column of the table, without a qualifier or a field")
    return column


def read_value(cursor: QueryReader) -> QueryText:
    """Read an expression, or DEFAULT."""
    if cursor.at("DEFAULT") and cursor.peek(1).key in _BEHIND_VALUE:
        cursor.next()
        return cursor.part_from(cursor.position - 1)
    return read_expression(cursor)


def read_expression(cursor: QueryReader) -> QueryText:
    """Read an expression as a part of the text."""
    first = cursor.position
    cursor.expression()
    return cursor.part_from(first)
