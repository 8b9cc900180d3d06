"""0 and -0 are equal, and so they are to `=` and to groups: but DataFusion 55 orders and looks them up by their bits.

So -0 comes before 0 in an order, is a partition of its own in windows, another value to `CASE x WHEN 0` and to nullif.
Where that tells, zero is added, which makes 0 of -0.
"""

from collections.abc import Sequence
from typing import TypeGuard

import pyarrow as pa

from flightserver.sql.meaning.scopes import Visit, output_name
from flightserver.sql.meaning.types import is_pointed
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Add zero to doubles."""
    for window, found in writing.of_kind(tree.Window):
        _without_signs(writing, (*window.partition_by, *window.order_by), found)
    for query, _ in writing.of_kind(tree.Query):
        if len(query.order_by) > 1 and isinstance(query.body, tree.Select) and not query.body.is_distinct:
            scope = next(visit for select, visit in writing.of_kind(tree.Select) if select is query.body)
            _order_by_items(writing, query, query.body, scope)
            outputs = {item.alias or output_name(item.value) for item in query.body.items if not _is_name(item.value)}
            columns = [value for value in query.order_by[:-1] if not _is_name(value) or value.parts[-1] not in outputs]
            _without_signs(writing, columns, scope)
    for case, found in writing.of_kind(tree.Case):
        if case.operand is not None:
            _without_signs(writing, (case.operand, *(value for value, _ in case.branches)), found)
    for call, found in writing.of_kind(tree.Call):
        _without_signs(writing, call.order_by[:-1], found)
        if call.name == "nullif" and len(call.arguments) == 2:
            _without_signs(writing, call.arguments, found)
            writing.keep_name(found, writing.written(call))


def _order_by_items(writing: Writing, query: tree.Query, select: tree.Select, found: Visit) -> None:
    """Items that ORDER BY means by their places or their names are what is ordered."""
    for value in query.order_by[:-1]:
        for place, item in enumerate(select.items, start=1):
            is_place = isinstance(value, tree.Literal) and writing.written(value) == str(place)
            is_called = _is_name(value) and value.parts == (item.alias or output_name(item.value),)
            if is_place or (is_called and not _is_name(item.value)):
                _without_signs(writing, (item.value,), found)
                writing.kept_names.setdefault(id(item), item.alias or output_name(item.value) or writing.written(item))


def _is_name(value: tree.Expression) -> TypeGuard[tree.Name]:
    """Tell whether a value is a column by its name; in ORDER BY that may be what an item is called."""
    return isinstance(value, tree.Name)


def _without_signs(writing: Writing, values: Sequence[tree.Expression], found: Visit) -> None:
    for value in values:
        known = writing.type_of(value, found)
        if is_pointed(value) or (known is not None and pa.types.is_floating(known)):
            writing.edits.wrap(value, "(", " + 0)")
