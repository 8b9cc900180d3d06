"""`x IS TRUE` and its kin: DataFusion 55 plans them as never NULL, and makes of them what may be NULL.

Where rows are then made distinct, united or grouped, its two schemas differ, and the query ends. The comparisons that
say the same have one schema. So it makes such a test of `coalesce(x, true)`, of which nullif leaves no more than may be
NULL.
"""

import pyarrow as pa

from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_COMPARISONS = {
    "TRUE": "IS NOT DISTINCT FROM true",
    "FALSE": "IS NOT DISTINCT FROM false",
    "UNKNOWN": "IS NULL",
    "NOT TRUE": "IS DISTINCT FROM true",
    "NOT FALSE": "IS DISTINCT FROM false",
    "NOT UNKNOWN": "IS NOT NULL",
}

_CHOICES = frozenset({"coalesce", "nvl", "ifnull"})


def repair(writing: Writing) -> None:
    """Write them as comparisons, and what becomes one of them where it is no condition."""
    for call, found in writing.of_kind(tree.Call):
        is_choice = call.name in _CHOICES and not _is_of_condition(found)
        if is_choice and writing.type_of(call, found) == pa.bool_():
            writing.edits.wrap(call, "nullif(", ", NULL)")
            writing.keep_name(found, writing.written(call))
    if not writing.has("IS"):
        return
    for node, found in writing.of_kind(tree.Test):
        comparison = _COMPARISONS.get(node.what)
        if comparison is not None:
            writing.edits.wrap(node.operand, "(", f") {comparison}")
            writing.edits.span(node.operand.end, node.end, "")
            writing.edits.wrap(node, "(", ")")
            writing.keep_name(found, writing.written(node))


def _is_of_condition(found: Visit) -> bool:
    """Tell whether a value is a part of WHERE or ON, which yield no rows."""
    below = found.node
    for above in found.ancestors():
        match above.node:
            case tree.Select(where=where):
                return below is where
            case tree.Join():
                return True
            case tree.Query():
                return False
        below = above.node
    return False
