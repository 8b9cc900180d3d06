"""`x IS DISTINCT FROM y AND z`: the engine's parser takes everything behind FROM for its operand (sqlparser 0.6x).

So DELETE … WHERE f IS DISTINCT FROM true AND g removes too much. Brackets around the comparison end it where SQL does.
In ON, IS NOT DISTINCT FROM is written in another way: see `null_equalities`.
"""

from functools import partial

import pyarrow as pa

from flightserver.sql.meaning.null_equalities import null_equality
from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing, row_of
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Put brackets around the comparison, or write it as an equality."""
    if not writing.has("DISTINCT"):
        return
    for node, found in writing.of_kind(tree.Binary):
        if node.operator == "IS NOT DISTINCT FROM" and _joins(node, found):
            types = writing.type_of(node.left, found), writing.type_of(node.right, found)
            writing.edits.write(node, partial(_equality, writing, node, types))
        elif node.operator.endswith("DISTINCT FROM"):
            writing.edits.wrap(node, "(", ")")


def _equality(writing: Writing, node: tree.Binary, types: tuple[pa.DataType | None, pa.DataType | None]) -> str:
    left, right = (f"({writing.edits.text_of(side)})" for side in (node.left, node.right))
    return null_equality(left, right, types)


def _joins(node: tree.Binary, found: Visit) -> bool:
    """Tell whether a comparison of columns is a condition of ON, by itself or beside AND."""
    if row_of(node.left) is not None or not all(map(_has_names, (node.left, node.right))):
        return False
    for above in found.ancestors():
        if isinstance(above.node, tree.Join):
            return True
        is_and = isinstance(above.node, tree.Binary) and above.node.operator == "AND"
        if not is_and and not isinstance(above.node, tree.Brackets):
            return False
    return False


def _has_names(value: tree.Expression) -> bool:
    nodes = list(tree.walk(value))
    return any(isinstance(node, tree.Name) for node in nodes) and not any(isinstance(n, tree.Query) for n in nodes)
