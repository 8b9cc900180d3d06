"""A text for queries whose orders the engine would lose: one that does not let it know which columns have one value.

`LEFT JOIN b ON … AND b.x = 5 ORDER BY b.x`: DataFusion 55 takes b.x for a constant above the join, where it may be
NULL. `coalesce(b.x, NULL) = 5` says the same, and the engine draws nothing from it. Who reads plans decides
whether this text is planned, and looks whether its orders are kept.
"""

from collections.abc import Iterator

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_OUTER = ("LEFT", "RIGHT", "FULL")


def with_kept_orders(writing: Writing) -> str | None:
    """The whole text in that way, with all that was written before; None where it would be no other one."""
    columns = [
        name for value in _equal_to_constants(writing) for name in tree.walk(value) if isinstance(name, tree.Name)
    ]
    for name in columns:
        writing.edits.wrap(name, "coalesce(", ", NULL)")
    return writing.edits.done() if columns else None


def _equal_to_constants(writing: Writing) -> Iterator[tree.Expression]:
    """What conditions below or on outer joins set equal to something without columns."""
    joins = [join for join, _ in writing.of_kind(tree.Join) if join.kind in _OUTER]
    if not joins:
        return
    conditions = [join.on for join in joins]
    for select, found in writing.of_kind(tree.Select):
        if found.above is not None and found.above.above is not None:  # not of the query itself
            conditions.append(select.where)
    for condition in conditions:
        if condition is not None:
            yield from _compared(condition)


def _compared(condition: tree.Expression) -> Iterator[tree.Expression]:
    match condition:
        case tree.Binary(operator="AND", left=left, right=right):
            yield from _compared(left)
            yield from _compared(right)
        case tree.Brackets(items=(inner,)):
            yield from _compared(inner)
        case tree.Binary(operator="=" | "==", left=left, right=right):
            for side, other in ((left, right), (right, left)):
                if _has_columns(side) and not _has_columns(other):
                    yield side


def _has_columns(value: tree.Expression) -> bool:
    return any(isinstance(node, tree.Name | tree.Query) for node in tree.walk(value))
