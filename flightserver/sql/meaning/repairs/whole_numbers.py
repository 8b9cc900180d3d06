"""Whole numbers beyond their type: DataFusion wraps them around, and stores what that makes.

Sums, differences and products of whole numbers are checked, and so are the sums of BIGINT columns; what does not fit is
an error, as in PostgreSQL.
"""

import pyarrow as pa

from flightserver.sql.meaning.claims import Fact
from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.types import is_whole
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_CHECKED = {"+": "checked_add", "-": "checked_subtract", "*": "checked_multiply"}
CALLS_MAX = 16
"""How deep calls may nest: the engine's parser takes some 50 levels in all."""

_OVERFLOWING = frozenset({pa.int64(), pa.uint64()})
"""What is summed as decimals, which hold every sum, unless it is known to be small."""

_SUMMED_WITHIN = _OVERFLOWING | {pa.uint8(), pa.uint16(), pa.uint32()}
"""Sums of narrower types with a sign are what they must be: BIGINT, and never beyond it."""

_SMALL = 1 << 31
"""The sum and the product of two numbers below it are far from the end of BIGINT."""


def repair(writing: Writing) -> None:
    """Check what may go beyond its type."""
    if writing.has(*_CHECKED):
        for node, found in writing.of_kind(tree.Binary):
            if node.operator in _CHECKED:
                _check(writing, node, found)
    for call, found in writing.of_kind(tree.Call):
        summed = _summed_type(writing, call, found)
        if summed not in _SUMMED_WITHIN:
            continue
        may_overflow = summed in _OVERFLOWING and not writing.trusts(Fact.SMALL_SUM, call.arguments[0], found)
        if may_overflow:
            writing.edits.wrap(call.arguments[0], "CAST(", " AS DECIMAL(38,0))")
        if may_overflow or pa.types.is_unsigned_integer(summed):
            writing.edits.wrap(call, "CAST(", " AS BIGINT)")
        writing.keep_name(found, writing.written(call))


def _check(writing: Writing, node: tree.Binary, found: Visit) -> None:
    if not _is_checked(writing, node, found):
        return
    if _is_in_long_chain(node, found):
        _check_chain(writing, node, found)
        return
    left, right = writing.type_of(node.left, found), writing.type_of(node.right, found)
    edits, function = writing.edits, _CHECKED[node.operator]
    is_narrow = left == right == pa.int32()

    def written() -> str:
        parts = (_as_bigint(edits.text_of(part), known) for part, known in ((node.left, left), (node.right, right)))
        checked = f"{function}({', '.join(parts)})"
        return f"CAST({checked} AS INT)" if is_narrow else checked

    edits.write(node, written)
    writing.keep_name(found, writing.written(node))


def _is_checked(writing: Writing, node: tree.Node, found: Visit) -> bool:
    """Tell whether a node adds, takes off or multiplies whole numbers that are not both small constants."""
    if not isinstance(node, tree.Binary) or node.operator not in _CHECKED:
        return False
    is_constant = _is_small(writing, node.left) and _is_small(writing, node.right)
    return not is_constant and all(is_whole(writing.type_of(part, found)) for part in (node.left, node.right))


def _is_in_long_chain(node: tree.Binary, found: Visit) -> bool:
    """Tell whether so many operators stand within each other that calls would be nested too deeply for the engine."""
    return _depth(_top(node, found)) > CALLS_MAX


def _top(node: tree.Binary, found: Visit) -> tree.Binary:
    """The outermost operator of a chain."""
    top = node
    for above in found.ancestors():
        if isinstance(above.node, tree.Binary) and above.node.operator in _CHECKED:
            top = above.node
        elif not isinstance(above.node, tree.Brackets):
            break
    return top


def _depth(node: tree.Node) -> int:
    depth = 0
    level: list[tree.Node] = [node]
    while level and depth <= CALLS_MAX:
        depth += 1
        level = [part for one in level for part in tree.parts_of(one) if isinstance(part, tree.Binary | tree.Brackets)]
    return depth


def _check_chain(writing: Writing, node: tree.Binary, found: Visit) -> None:
    """Work a long chain out in decimals, which hold 38 digits, and bring its result back."""
    for part in (node.left, node.right):
        if not isinstance(part, tree.Binary | tree.Brackets):
            writing.edits.wrap(part, "CAST(", " AS DECIMAL(38,0))")
    if _top(node, found) is node:
        writing.edits.wrap(node, "CAST(", " AS BIGINT)")
        writing.keep_name(found, writing.written(node))


def _as_bigint(text: str, data_type: pa.DataType | None) -> str:
    return text if data_type == pa.int64() else f"CAST({text} AS BIGINT)"


def _is_small(writing: Writing, value: tree.Expression) -> bool:
    return isinstance(value, tree.Literal) and value.kind == "integer" and int(writing.written(value), 0) < _SMALL


def _summed_type(writing: Writing, call: tree.Call, found: Visit) -> pa.DataType | None:
    """The type of what a call sums, if it sums. Sums of whole numbers are BIGINT, or refused where they are larger."""
    is_sum = call.name == "sum" and len(call.arguments) == 1
    return writing.type_of(call.arguments[0], found) if is_sum else None
