"""`SELECT count(*) FROM table`: a question that the storage answers without reading a row."""

from typing import NamedTuple

from flightserver.sql.text import tree
from flightserver.sql.text.queries import query_of
from flightserver.sql.text.query_text import QueryText


class Counted(NamedTuple):
    """The table whose rows are counted, as it is named, and how the count is called."""

    parts: tuple[str, ...]
    column: str


def counted_table(text: QueryText) -> Counted | None:
    """What a query counts that does nothing else; None for any other."""
    if text.tokens[0].key != "SELECT" or len(text.tokens) < 7 or text.tokens[1].key != "COUNT":
        return None
    query = query_of(text)
    select = query.body
    if query.common or query.limit_start is not None or query.order_by or not isinstance(select, tree.Select):
        return None
    has_more = select.where or select.has_groups or select.having or select.qualify or select.is_distinct
    if has_more or len(select.items) != 1 or len(select.sources) != 1:
        return None
    (item,), (source,) = select.items, select.sources
    call = item.value
    if not isinstance(source, tree.TableSource) or not isinstance(call, tree.Call) or call.is_window or call.condition:
        return None
    is_star = len(call.arguments) == 1 and isinstance(call.arguments[0], tree.Star) and not call.arguments[0].qualifier
    return Counted(source.parts, item.alias or "count(*)") if is_star and call.name == "count" else None
