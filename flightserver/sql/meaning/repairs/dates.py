"""A date that is moved by an interval: for DataFusion a date again, so that hours are lost; in PostgreSQL a moment.

The date becomes its midnight first. Where a date that is moved by whole days is compared with nothing but dates, it
stays one: that says the same, and rules out batches by their dates. The days between two dates are a number, which
DataFusion 55 takes for a duration where it looks at statistics; so they are subtracted as numbers.
"""

import re
from collections.abc import Sequence

import pyarrow as pa

from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import COMPARISONS, Writing
from flightserver.sql.text import tree

_DAYS = "day|week|mon|month|quarter|year|decade"
_WHOLE_DAYS = re.compile(rf"\s*('?\s*[-+]?\d+\s*'?\s*({_DAYS})s?\s*'?\s*)+", re.IGNORECASE)


def repair(writing: Writing) -> None:
    """Move midnights."""
    for node, found in writing.of_kind(tree.Binary):
        if node.operator == "-" and all(
            writing.type_of(side, found) == pa.date32() for side in (node.left, node.right)
        ):
            for side in (node.left, node.right):
                writing.edits.wrap(side, "CAST(CAST(", " AS INT) AS BIGINT)")
            writing.keep_name(found, writing.written(node))
        date = _moved_date(writing, node, found)
        if date is not None and not _is_compared_as_date(writing, found):
            writing.edits.wrap(date, "CAST(", " AS TIMESTAMP(6))")
            writing.keep_name(found, writing.written(node))


def are_days(writing: Writing, values: Sequence[tree.Expression], found: Visit) -> bool:
    """Tell whether values are dates, some of them moved by whole days, or texts beside such."""
    moved = [_is_moved_by_days(writing, value, found) for value in values]
    return any(moved) and all(
        is_moved or _is_text(value) or writing.type_of(value, found) == pa.date32()
        for value, is_moved in zip(values, moved, strict=True)
    )


def _moved_date(writing: Writing, node: tree.Binary, found: Visit) -> tree.Expression | None:
    """The date of a sum or difference of a date and an interval."""
    if node.operator not in {"+", "-"}:
        return None
    sides = [(node.left, node.right)] + ([(node.right, node.left)] if node.operator == "+" else [])
    for date, by in sides:
        interval = writing.type_of(by, found)
        if interval is not None and pa.types.is_interval(interval) and writing.type_of(date, found) == pa.date32():
            return date
    return None


def _is_compared_as_date(writing: Writing, found: Visit) -> bool:
    above = next((visit for visit in found.ancestors() if not isinstance(visit.node, tree.Brackets)), None)
    values: tuple[tree.Expression, ...] = ()
    match above.node if above is not None else None:
        case tree.Binary(operator=operator, left=left, right=right) if operator in COMPARISONS:
            values = (left, right)
        case tree.Between(operand=operand, low=low, high=high):
            values = (operand, low, high)
        case tree.InList(operand=operand, items=items):
            values = (operand, *items)
    return above is not None and bool(values) and are_days(writing, values, above)


def _is_moved_by_days(writing: Writing, value: tree.Expression, found: Visit) -> bool:
    match value:
        case tree.Brackets(items=(inner,)):
            return _is_moved_by_days(writing, inner, found)
        case tree.Binary():
            date = _moved_date(writing, value, found)
            by = value.left if date is value.right else value.right
            text = writing.written(by).strip("() ")
            return date is not None and _WHOLE_DAYS.fullmatch(text.upper().removeprefix("INTERVAL")) is not None
    return False


def _is_text(value: tree.Expression) -> bool:
    return isinstance(value, tree.Literal) and value.kind in {"string", "null"}
