"""Whole numbers beyond their type: DataFusion wraps them around, and stores what that makes.

Sums, differences and products of whole numbers are checked, and so are the sums of BIGINT columns; what does not fit is
an error, as in PostgreSQL.
"""

import pyarrow as pa

from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.types import is_whole
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_CHECKED = {"+": "checked_add", "-": "checked_subtract", "*": "checked_multiply"}
_SMALL = 1 << 31
"""The sum and the product of two numbers below it are far from the end of BIGINT."""


def repair(writing: Writing) -> None:
    """Check what may go beyond its type."""
    if writing.has(*_CHECKED):
        for node, found in writing.of_kind(tree.Binary):
            if node.operator in _CHECKED:
                _check(writing, node, found)
    for call, found in writing.of_kind(tree.Call):
        if call.name == "sum" and len(call.arguments) == 1:
            _check_sum(writing, call, found)


def _check(writing: Writing, node: tree.Binary, found: Visit) -> None:
    left, right = writing.type_of(node.left, found), writing.type_of(node.right, found)
    if not is_whole(left) or not is_whole(right) or (_is_small(writing, node.left) and _is_small(writing, node.right)):
        return
    edits, function = writing.edits, _CHECKED[node.operator]
    is_narrow = left == right == pa.int32()

    def written() -> str:
        parts = (_as_bigint(edits.text_of(part), known) for part, known in ((node.left, left), (node.right, right)))
        checked = f"{function}({', '.join(parts)})"
        return f"CAST({checked} AS INT)" if is_narrow else checked

    edits.write(node, written)
    writing.keep_name(found, writing.written(node))


def _as_bigint(text: str, data_type: pa.DataType | None) -> str:
    return text if data_type == pa.int64() else f"CAST({text} AS BIGINT)"


def _is_small(writing: Writing, value: tree.Expression) -> bool:
    return isinstance(value, tree.Literal) and value.kind == "integer" and int(writing.written(value), 0) < _SMALL


def _check_sum(writing: Writing, call: tree.Call, found: Visit) -> None:
    """Sum BIGINT as decimals, which hold every sum, and bring the result back."""
    (argument,) = call.arguments
    if writing.type_of(argument, found) in {pa.int64(), pa.uint64()}:
        writing.edits.wrap(argument, "CAST(", " AS DECIMAL(38,0))")
        writing.edits.wrap(call, "CAST(", " AS BIGINT)")
        writing.keep_name(found, writing.written(call))
