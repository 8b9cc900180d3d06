"""IN, BETWEEN and LIKE bind more tightly than comparisons: `a = b IN (c)` asks whether `a` is what `b IN (c)` says.

DataFusion 55 takes them from left to right, as `(a = b) IN (c)`, and LIKE for the weaker one. Brackets say it.
"""

from flightserver.sql.meaning.writing import COMPARISONS, Writing
from flightserver.sql.text import tree

_LIKE = frozenset({"LIKE", "ILIKE", "SIMILAR", "RLIKE", "REGEXP"})


def repair(writing: Writing) -> None:
    """Write brackets around those that are compared."""
    if not writing.has("IN", "BETWEEN", *_LIKE):
        return
    for node, _ in writing.of_kind(tree.Binary):
        if node.operator in COMPARISONS:
            for operand in (node.left, node.right):
                if _is_membership(operand):
                    writing.edits.wrap(operand, "(", ")")


def _is_membership(value: tree.Expression) -> bool:
    if isinstance(value, tree.Binary):
        return value.operator.removeprefix("NOT ") in _LIKE
    return isinstance(value, tree.InList | tree.InQuery | tree.Between)
