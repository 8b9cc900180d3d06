"""A sub-query that is a value, uses columns of the outer query, and may have several rows: the engine takes aggregates.

    (SELECT y FROM b WHERE b.k = a.k)                       the first value, if at most one row is counted
    (SELECT y FROM b WHERE b.k = a.k ORDER BY z LIMIT 1)    (SELECT first_value(y ORDER BY z) FROM b WHERE b.k = a.k)

More rows than one are an error where the value is asked for; none is NULL.
"""

from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql.meaning.aggregates import aggregates_all
from flightserver.sql.meaning.repairs.keys import asks_for_one
from flightserver.sql.meaning.scopes import output_name
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

DEPTH_MAX = 4
"""How deep such sub-queries may stand in each other: what they read is written twice, or three times for IN."""

_WRITTEN_OFTEN = tree.ScalarQuery | tree.InQuery | tree.Quantified
_DEEP = f"sub-queries as values that may have several rows are nested more than {DEPTH_MAX} times; write a join"


def write(writing: Writing) -> None:
    """Write such sub-queries as aggregates."""
    for node, found in writing.of_kind(tree.ScalarQuery):
        query = tree.unbracketed(node.query)
        select = query.body
        if not isinstance(select, tree.Select) or not _has_rows(query, select):
            continue
        if not writing.may_use_outer_columns(query) or (query.limit_start is None and asks_for_one(writing, select)):
            continue
        place = _place(writing, query)
        if place is None and query.limit_start is not None:
            continue
        writing.nameless.add(id(select))
        if place is None:
            within = sum(isinstance(above.node, _WRITTEN_OFTEN) for above in found.ancestors())
            if within >= DEPTH_MAX:
                raise DatabaseError(ErrorKind.RESOURCES, _DEEP)
            _write_only(writing, node, select)
        else:
            _write_first(writing, node, query, select, place)
        writing.keep_name(found, writing.written(node))


def _has_rows(query: tree.Query, select: tree.Select) -> bool:
    """Tell whether a query has one column, and a row for each that it reads."""
    if query.common or select.from_start is None or len(select.items) != 1:
        return False
    has_more = select.has_groups or select.having or select.qualify or select.distinct_on or select.windows
    item = select.items[0].value
    is_other = isinstance(item, tree.Star) or any(
        isinstance(node, tree.Call) and node.is_window for node in tree.walk_here(item)
    )
    return not has_more and not is_other and not aggregates_all(select)


def _place(writing: Writing, query: tree.Query) -> int | None:
    """Which row is asked for, from 1; None where that is not said by LIMIT 1 with or without a constant OFFSET."""
    select = query.body
    is_one = isinstance(query.limit, tree.OneRow) or _number(writing, query.limit) == 1
    if not is_one or (isinstance(select, tree.Select) and select.is_distinct):
        return None
    offset = 0 if query.offset is None else _number(writing, query.offset)
    return None if offset is None else offset + 1


def _number(writing: Writing, value: tree.Expression | None) -> int | None:
    is_number = isinstance(value, tree.Literal) and value.kind == "integer"
    return int(writing.written(value), 0) if is_number and value is not None else None


def _write_only(writing: Writing, node: tree.ScalarQuery, select: tree.Select) -> None:
    edits = writing.edits

    def written() -> str:
        value, rows = edits.text_of(select.items[0].value), _rows(writing, select)
        count = "count(1)"
        if select.is_distinct:
            count = f"count(DISTINCT {value}) + CASE WHEN count(1) > count({value}) THEN 1 ELSE 0 END"
        return f"(CASE true WHEN at_most_one((SELECT {count} {rows})) THEN (SELECT first_value({value}) {rows}) END)"

    edits.write(node, written)


def _write_first(writing: Writing, node: tree.ScalarQuery, query: tree.Query, select: tree.Select, place: int) -> None:
    edits, item = writing.edits, select.items[0]
    called = item.alias or output_name(item.value)

    def meant(value: tree.Expression) -> tree.Expression:
        """One of ORDER BY's; what the item is called, and its place, are the item."""
        is_item = _number(writing, value) == 1 or (isinstance(value, tree.Name) and value.parts == (called,))
        return item.value if is_item else value

    def written() -> str:
        value = edits.text_of(item.value)
        keys = [
            f"{edits.text_of(meant(by))} {edits.text_between(by.end, end)}".rstrip()
            for by, end in zip(query.order_by, _ends(query), strict=True)
            if not isinstance(meant(by), tree.Literal)
        ]
        order = f" ORDER BY {', '.join(keys)}" if keys else ""
        first = f"first_value({value}{order})" if place == 1 else f"array_element(array_agg({value}{order}), {place})"
        return f"(SELECT {first} {_rows(writing, select)})"

    edits.write(node, written)


def _ends(query: tree.Query) -> list[int]:
    """Where each of ORDER BY's keys ends, with ASC, DESC and NULLS behind it."""
    if not query.order_by:
        return []
    starts = [by.start - 1 for by in query.order_by[1:]]
    return [*starts, query.end if query.limit_start is None else query.limit_start]


def _rows(writing: Writing, select: tree.Select) -> str:
    end = select.from_end if select.where is None else select.where.end
    return writing.edits.text_between(select.from_start or 0, end)
