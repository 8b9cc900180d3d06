"""Numbers with a point: exact where they meet decimals, floats elsewhere.

The engine reads `1234567890123456.78` as a double. Beside a decimal, compared, added to it or stored in it, that would
be another number; beside doubles it is the right one. So a number with a point that is combined with a decimal by
anything but a division is written as a decimal, and so is one that is stored in a column of decimals or whole numbers.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from catalog.types import DECIMAL_PRECISION_MAX
from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.types import is_pointed, is_whole, results_of
from flightserver.sql.meaning.writing import Writing, row_of
from flightserver.sql.text import tree

_EXACT = frozenset({"+", "-", "*", "%"})
_CHOICES = frozenset({"coalesce", "nullif", "greatest", "least", "nvl", "ifnull"})


def write_exact_numbers(writing: Writing, targets: Sequence[pa.DataType | None]) -> None:
    """Write numbers with a point that must be exact; `targets` are the columns that the query's own are stored in."""
    if not any("." in token.text and token.text[:1] in "0123456789." for token in writing.text.tokens):
        return
    meeting = [
        value
        for values, types in (*_meeting(writing), *_members(writing))
        if any(_is_decimal(known) for known in types)
        for value in values
        if any(_pointed(value))
    ]
    exact = {literal.start: literal for value in (*meeting, *_alike(writing, meeting)) for literal in _pointed(value)}
    for value, target in _stored(writing, targets):
        if _is_decimal(target) or is_whole(target):
            exact |= {literal.start: literal for literal in _pointed(value)}
    for literal in exact.values():
        digits = writing.written(literal)
        whole, _, fraction = digits.partition(".")
        precision = max(len(whole.lstrip("0") + fraction), 1)
        if precision <= DECIMAL_PRECISION_MAX:
            written = f"CAST('{digits}' AS DECIMAL({max(precision, len(fraction))},{len(fraction)}))"
            writing.edits.span(literal.start, literal.end, written)


def _alike(writing: Writing, values: list[tree.Expression]) -> Iterator[tree.Expression]:
    """What is grouped by, and is one of the values: it must be written alike wherever it stands."""
    said = {writing.keys_of(value) for value in values}
    for select, _ in writing.of_kind(tree.Select):
        if select.has_groups and said:
            of_items = (item.value for item in select.items)
            yield from (value for value in (*select.group_by, *of_items) if writing.keys_of(value) in said)


def _meeting(writing: Writing) -> Iterator[tuple[list[tree.Expression], list[pa.DataType | None]]]:
    """Values that are compared or combined with each other, and their types."""
    for values, found in _beside(writing):
        yield values, [writing.type_of(value, found) for value in values]


def _members(writing: Writing) -> Iterator[tuple[list[tree.Expression], list[pa.DataType | None]]]:
    """What is compared with the rows of a sub-query, and the items of that."""
    asked: list[tuple[tree.InQuery | tree.Quantified, Visit]] = [
        *writing.of_kind(tree.InQuery),
        *writing.of_kind(tree.Quantified),
    ]
    for node, found in asked:
        select, columns = tree.unbracketed(node.query).body, writing.columns_of(node.query)
        for place, operand in enumerate(row_of(node.operand) or (node.operand,)):
            column = columns[place].type if columns is not None and place < len(columns) else None
            has_item = isinstance(select, tree.Select) and place < len(select.items)
            items = [select.items[place].value] if isinstance(select, tree.Select) and has_item else []
            yield [operand, *items], [writing.type_of(operand, found), column]


def _beside(writing: Writing) -> Iterator[tuple[list[tree.Expression], Visit]]:
    for values, found in writing.comparisons:
        yield list(values), found
    for node, found in writing.of_kind(tree.Binary):
        if node.operator in _EXACT:
            yield [node.left, node.right], found
    for call, found in writing.of_kind(tree.Call):
        if call.name in _CHOICES:
            yield list(call.arguments), found
    for case, found in writing.of_kind(tree.Case):
        yield results_of(case), found
        if case.operand is not None:
            yield [case.operand, *(condition for condition, _ in case.branches)], found


def _stored(
    writing: Writing, targets: Sequence[pa.DataType | None]
) -> Iterator[tuple[tree.Expression, pa.DataType | None]]:
    """Values of a query that go into columns by themselves, with the types of those."""
    if not targets:
        return
    for found in writing.visits:
        is_outermost = all(
            isinstance(above.node, tree.Query | tree.SetOperation | tree.BracketBody) for above in found.ancestors()
        )
        if isinstance(found.node, tree.Select) and is_outermost:
            items = found.node.items
            if not any(isinstance(item.value, tree.Star) for item in items):
                yield from zip((item.value for item in items), targets, strict=False)
        elif isinstance(found.node, tree.Values) and is_outermost:
            for row in found.node.rows:
                yield from zip(row, targets, strict=False)


def _pointed(value: tree.Expression) -> Iterator[tree.Literal]:
    """The numbers with a point in a value that are combined with nothing else than its own parts, exactly."""
    match value:
        case tree.Literal(kind="decimal"):
            yield value
        case tree.Unary(operator="-" | "+", operand=operand):
            yield from _pointed(operand)
        case tree.Brackets(items=(inner,)):
            yield from _pointed(inner)
        case tree.Case():
            for result in results_of(value):
                yield from _pointed(result)
        case tree.Binary(operator=operator, left=left, right=right) if operator in _EXACT:
            yield from _pointed(left)
            yield from _pointed(right)
        case tree.Call(arguments=parts) if is_pointed(value):
            for part in parts:
                yield from _pointed(part)


def _is_decimal(data_type: pa.DataType | None) -> bool:
    return data_type is not None and bool(pa.types.is_decimal(data_type))
