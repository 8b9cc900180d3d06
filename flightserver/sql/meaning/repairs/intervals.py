"""Intervals and differences of moments: DataFusion compares them by their parts, months before days before hours.

They are compared and sorted by their length, a month of 30 days, as in PostgreSQL; where the engine would tell equal
ones apart and nothing can be written instead, it is refused. What is extracted of a difference of moments is extracted
of whole days and the rest; its seconds keep their fraction.
"""

from collections.abc import Iterator

import pyarrow as pa

from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_LENGTH = ("interval_length(arrow_cast(", ", 'Interval(MonthDayNano)'))")
_EXTREMES = frozenset({"min", "max", "greatest", "least", "nullif", "mode"})


def repair(writing: Writing) -> None:
    """Compare by length, and extract of what is justified."""
    for values, found in writing.comparisons:
        types = [writing.type_of(value, found) for value in values]
        if any(map(_is_length, types)) and all(known is None or _is_length(known) for known in types):
            for value in values:
                writing.edits.wrap(value, *_LENGTH)
    for value, known in _sorted_values(writing):
        if _is_interval(known):
            if isinstance(value, tree.Literal):
                raise writing.unsupported(value, "an interval is sorted by its name, not by its place")
            writing.edits.wrap(value, *_LENGTH)
    for value, found in _told_apart(writing):
        if _is_interval(writing.type_of(value, found)):
            raise writing.unsupported(
                value, "intervals of equal length are told apart here; use extract(epoch FROM …), their seconds"
            )
    for node, found in writing.of_kind(tree.Compound):
        if node.what == "EXTRACT" and _is_length(writing.type_of(node.parts[0], found)):
            _extract(writing, found, node.parts[0])


def _sorted_values(writing: Writing) -> Iterator[tuple[tree.Expression, pa.DataType | None]]:
    """What queries, windows and aggregates sort by, with its type."""
    for window, found in writing.of_kind(tree.Window):
        yield from ((value, writing.type_of(value, found)) for value in window.order_by)
    for call, found in writing.of_kind(tree.Call):
        yield from ((value, writing.type_of(value, found)) for value in call.order_by)
    for query, found in writing.of_kind(tree.Query):
        columns = writing.columns_of(query) or ()
        of_names = {column.name: column.type for column in columns}
        of_places = {str(place): column.type for place, column in enumerate(columns, start=1)}
        for value in query.order_by:
            if isinstance(value, tree.Name) and len(value.parts) == 1 and value.parts[0] in of_names:
                yield value, of_names[value.parts[0]]
            elif isinstance(value, tree.Literal):
                yield value, of_places.get(writing.written(value))
            else:
                yield value, writing.type_of(value, found)


def _told_apart(writing: Writing) -> Iterator[tuple[tree.Expression, Visit]]:
    """What is grouped by, and of what an extreme or the different values are asked for."""
    for call, found in writing.of_kind(tree.Call):
        if call.name in _EXTREMES or call.is_distinct:
            for value in call.arguments:
                yield value, found
    for window, found in writing.of_kind(tree.Window):
        for value in window.partition_by:
            yield value, found
    for select, found in writing.of_kind(tree.Select):
        of_groups = [item.value for item in select.items] if select.is_distinct else []
        for value in (*select.group_by, *of_groups):
            yield value, found


def _extract(writing: Writing, found: Visit, operand: tree.Expression) -> None:
    field = writing.text.tokens[found.node.start + 2].text.strip("'").lower()
    if field == "epoch":
        writing.edits.write(
            found.node,
            lambda: (
                f"(interval_length(arrow_cast({writing.edits.text_of(operand)}, 'Interval(MonthDayNano)')) / 1000000.0)"
            ),
        )
    else:
        writing.edits.wrap(operand, "interval_justified(arrow_cast(", ", 'Interval(MonthDayNano)'))")
    writing.keep_name(found, writing.written(found.node))


def _is_interval(data_type: pa.DataType | None) -> bool:
    return data_type is not None and bool(pa.types.is_interval(data_type))


def _is_length(data_type: pa.DataType | None) -> bool:
    return data_type is not None and bool(pa.types.is_interval(data_type) or pa.types.is_duration(data_type))
