"""Intervals and differences of moments: DataFusion compares them by their parts, months before days before hours.

They are compared and sorted by their length, a month of 30 days, as in PostgreSQL; where the engine would tell equal
ones apart and nothing can be written instead, it is refused. What is extracted of a difference of moments is extracted
of whole days and the rest; its seconds keep their fraction.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa

from flightserver.sql.meaning.scopes import Column, Visit, type_of_star_column
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_LENGTH = ("interval_length(arrow_cast(", ", 'Interval(MonthDayNano)'))")
_EXTREMES = frozenset({"min", "max", "greatest", "least", "nullif", "mode"})


def repair(writing: Writing) -> None:
    """Compare by length, and extract of what is justified."""
    of_cases = (
        ((case.operand, *(value for value, _ in case.branches)), found)
        for case, found in writing.of_kind(tree.Case)
        if case.operand is not None
    )
    for values, found in (*writing.comparisons, *of_cases):
        types = [writing.type_of(value, found) for value in values]
        if any(map(_is_length, types)) and all(known is None or _is_length(known) for known in types):
            for value in values:
                writing.edits.wrap(value, *_LENGTH)
    for value, known in _sorted_values(writing):
        if _is_interval(known):
            if isinstance(value, tree.Literal):
                raise writing.unsupported(value, "an interval is sorted by its name, not by its place")
            writing.edits.wrap(value, *_LENGTH)
    for node, known in _told_apart(writing):
        if _is_interval(known):
            raise writing.unsupported(
                node, "intervals of equal length are told apart here; use extract(epoch FROM …), their seconds"
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
        for value in query.order_by:
            named = _named_type(writing, writing.columns_of(query) or (), value)
            yield value, writing.type_of(value, found) if named is None else named


def _told_apart(writing: Writing) -> Iterator[tuple[tree.Node, pa.DataType | None]]:
    """What is grouped by, looked up, merged, or of what an extreme or the different values are asked; with its type."""
    for call, found in writing.of_kind(tree.Call):
        if call.name in _EXTREMES or call.is_distinct:
            yield from ((value, writing.type_of(value, found)) for value in call.arguments)
    for window, found in writing.of_kind(tree.Window):
        yield from ((value, writing.type_of(value, found)) for value in window.partition_by)
    yield from ((node.operand, writing.type_of(node.operand, found)) for node, found in writing.of_kind(tree.InQuery))
    yield from (
        (node.operand, writing.type_of(node.operand, found)) for node, found in writing.of_kind(tree.Quantified)
    )
    for select, found in writing.of_kind(tree.Select):
        for value in (*_groups(select.group_by), *select.distinct_on):
            named = _named_type(writing, writing.columns_of(select) or (), value)
            yield value, writing.type_of(value, found) if named is None else named
        yield from ((select, type_of_star_column(merged, found.scope)) for merged in found.scope.merged.values())
        if select.is_distinct:
            yield from _columns(writing, select)
    for operation, _ in writing.of_kind(tree.SetOperation):
        if not (operation.is_all and operation.operator == "UNION"):
            for side in (operation.left, operation.right):
                yield from _columns(writing, side)


def _groups(values: Iterable[tree.Expression]) -> Iterator[tree.Expression]:
    """What is grouped by, also within ROLLUP, CUBE and GROUPING SETS."""
    for value in values:
        match value:
            case tree.Call(name="rollup" | "cube", arguments=parts) | tree.Brackets(items=parts):
                yield from _groups(parts)
            case tree.Compound(what="GROUPING SETS", parts=parts):
                yield from _groups(parts)
            case _:
                yield value


def _named_type(writing: Writing, columns: Iterable[Column], value: tree.Expression) -> pa.DataType | None:
    """The type of a column of the result that is meant by its name or its place; None where none is."""
    if isinstance(value, tree.Name) and len(value.parts) == 1:
        return {column.name: column.type for column in columns}.get(value.parts[0])
    if isinstance(value, tree.Literal):
        return {str(place): column.type for place, column in enumerate(columns, start=1)}.get(writing.written(value))
    return None


def _columns(writing: Writing, body: tree.Body) -> Iterator[tuple[tree.Node, pa.DataType | None]]:
    return ((body, column.type) for column in writing.columns_of(body) or ())


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
