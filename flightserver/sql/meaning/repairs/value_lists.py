"""`x IN (a, b, …)`: DataFusion 55 asks what a list holds by working it out over no rows.

A CASE that has no branch for no rows is a constant NULL then, for all rows; so what is neither a constant nor a name is
compared by itself, beside the rest of the list. And the set that is made of constants tells 0 from -0: zero is added to
doubles that are looked up among zeros, which makes 0 of -0. The engine's parser takes no list that begins with a
sub-query; that is mended by the same.
"""

from collections.abc import Sequence

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.types import is_whole
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

DEPTH_MAX = 4
"""How deep such lists may stand in each other's operands: an operand is written once for each value of its list."""

_DEEP = f"IN with values that are worked out is nested more than {DEPTH_MAX} times; write it as a join"


def repair(writing: Writing) -> None:
    """Compare apart what is no constant. RESOURCES when that would make the text too long."""
    if not writing.has("IN"):
        return
    apart: dict[int, tuple[tree.Expression, ...]] = {}
    for node, found in writing.of_kind(tree.InList):
        known = writing.type_of(node.operand, found)
        zeros = [] if is_whole(known) or _is_text(known) else [i for i in node.items if _may_be_zero(writing, i, found)]
        values = tuple(item for item in node.items if not _is_plain(item) or (known is None and item in zeros))
        if zeros and known is not None:
            _add_zero(writing, [*zeros, node.operand] if pa.types.is_floating(known) else zeros)
            writing.keep_name(found, writing.written(node))
        if values:
            apart[id(node)] = values
            if sum(id(above.node) in apart for above in found.ancestors()) >= DEPTH_MAX:
                raise DatabaseError(ErrorKind.RESOURCES, _DEEP)
            _write(writing, node, values)
            writing.keep_name(found, writing.written(node))


def _add_zero(writing: Writing, values: Sequence[tree.Expression]) -> None:
    for value in values:
        writing.edits.wrap(value, "(", " + 0)")


def _write(writing: Writing, node: tree.InList, apart: Sequence[tree.Expression]) -> None:
    edits = writing.edits
    rest = [item for item in node.items if not any(item is other for other in apart)]

    def written() -> str:
        operand = edits.text_of(node.operand)
        tests = [f"{operand} IN ({', '.join(map(edits.text_of, rest))})"] if rest else []
        tests += [f"{operand} = ({edits.text_of(item)})" for item in apart]
        together = f"({' OR '.join(tests)})"
        return f"(NOT {together})" if node.is_negated else together

    edits.write(node, written)


def _is_plain(value: tree.Expression) -> bool:
    """Tell whether the engine knows what a value is without any row: a constant, or a column."""
    match value:
        case tree.Literal() | tree.Name() | tree.Parameter():
            return True
        case tree.Unary(operand=inner) | tree.Cast(operand=inner) | tree.Brackets(items=(inner,)):
            return _is_plain(inner)
    return False


def _may_be_zero(writing: Writing, value: tree.Expression, found: Visit) -> bool:
    """Tell whether a plain value may be a zero of doubles: a constant, or a double that is bound or of a column."""
    match value:
        case tree.Literal(kind="integer"):
            return int(writing.written(value), 0) == 0
        case tree.Literal(kind="decimal" | "float"):
            return float(writing.written(value)) == 0
        case tree.Unary(operator="-" | "+", operand=inner) | tree.Brackets(items=(inner,)):
            return _may_be_zero(writing, inner, found)
    known = writing.type_of(value, found)
    return known is not None and bool(pa.types.is_floating(known))


def _is_text(known: pa.DataType | None) -> bool:
    return known is not None and bool(pa.types.is_string(known))
