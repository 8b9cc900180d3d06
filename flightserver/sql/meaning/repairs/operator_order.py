"""IN, BETWEEN and LIKE bind more tightly than comparisons: `a = b IN (c)` asks whether `a` is what `b IN (c)` says.

DataFusion 55 takes them from left to right, as `(a = b) IN (c)`, and LIKE for the weaker one. And `||`, `|` and `&`
bind less tightly than sums, all alike: `'a' || 1 + 1` is `'a2'`; the engine begins with `'a' || 1`. Brackets say it.
"""

from flightserver.sql.meaning.writing import COMPARISONS, Writing
from flightserver.sql.text import tree

_OTHER = frozenset({"||", "|", "&"})
_LIKE = frozenset({"LIKE", "ILIKE", "SIMILAR", "RLIKE", "REGEXP"})


def repair(writing: Writing) -> None:
    """Write brackets around operands that bind more tightly."""
    if not writing.has("IN", "BETWEEN", *_LIKE, *_OTHER):
        return
    for node, _ in writing.of_kind(tree.Binary):
        for operand in (node.left, node.right):
            if node.operator in COMPARISONS:
                is_loose = _is_membership(operand)
            else:
                is_loose = node.operator in _OTHER and _is_another(operand, node.operator)
            if is_loose:
                writing.edits.wrap(operand, "(", ")")


def _is_another(operand: tree.Expression, operator: str) -> bool:
    return isinstance(operand, tree.Binary) and operand.operator != operator


def _is_membership(value: tree.Expression) -> bool:
    if isinstance(value, tree.Binary):
        return value.operator.removeprefix("NOT ") in _LIKE
    return isinstance(value, tree.InList | tree.InQuery | tree.Between)
