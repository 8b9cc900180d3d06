"""RETURNING: items of SELECT over each row that a change has written or removed."""

from catalog.definition import SYSTEM_COLUMNS
from catalog.errors import ErrorKind
from flightserver.sql.meaning.aggregates import is_aggregate
from flightserver.sql.text import tree
from flightserver.sql.text.queries import QueryReader
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tokens import Token, identifier_name, is_identifier


def read_returning(cursor: QueryReader, *, is_alone: bool = True) -> QueryText | None:
    """Read `[RETURNING item, …]` of a change that names no other tables if it `is_alone`."""
    if not cursor.accept("RETURNING"):
        return None
    if cursor.at_any("DISTINCT", "ALL"):
        raise cursor.error(f"RETURNING gives one row for each row that is changed: {cursor.found()} cannot stand here")
    first, start = cursor.position, cursor.peek()
    items = cursor.items()
    found = cursor.part_from(first)
    _check(cursor, items, found, start)
    if not is_alone and any(isinstance(item.value, tree.Star) and not item.value.qualifier for item in items):
        message = "RETURNING * is not supported beside other tables; name the columns, or write table.*"
        raise cursor.error(message, ErrorKind.UNSUPPORTED, start)
    return found


def _check(cursor: QueryReader, items: tuple[tree.Item, ...], found: QueryText, start: Token) -> None:
    """Refuse what is not about one row, and what is only known once the change is committed."""
    calls = [node for item in items for node in tree.walk_here(item) if isinstance(node, tree.Call)]
    if any(call.is_window or is_aggregate(call) for call in calls):
        message = "RETURNING has no aggregates and no windows: its items are about one row"
        raise cursor.error(message, ErrorKind.INVALID, start)
    hidden = {identifier_name(token) for token in found.tokens if is_identifier(token)} & SYSTEM_COLUMNS
    if hidden:
        message = f"RETURNING cannot have {min(hidden)}, which a row gets when it is committed; read it with SELECT"
        raise cursor.error(message, ErrorKind.UNSUPPORTED, start)
