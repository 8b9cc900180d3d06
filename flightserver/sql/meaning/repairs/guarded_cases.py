"""CASE as a guard: `CASE WHEN h <> 0 THEN 10 / h > 1 ELSE false END`.

DataFusion 55 (rule simplify_expressions) makes ANDs and ORs of it, and works out both sides for all rows. As
`CASE true WHEN …`, which says the same, it stays a CASE.
"""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_FAILING = frozenset({"/", "%", "*", "+", "-", "DIV"})


def repair(writing: Writing) -> None:
    """Let a CASE that guards something compare with true."""
    if not writing.has("CASE"):
        return
    for node, found in writing.of_kind(tree.Case):
        if node.operand is None and _may_fail(node):
            writing.edits.wrap(tree.Node(node.start, node.start + 1), "", " true")
            writing.keep_name(found, writing.written(node))


def _may_fail(case: tree.Case) -> bool:
    """Tell whether a result of a CASE may be an error for rows that it is not meant for."""
    results = [result for _, result in case.branches] + ([case.otherwise] if case.otherwise is not None else [])
    return any(_fails(node) for result in results for node in tree.walk(result))


def _fails(node: tree.Node) -> bool:
    is_operator = isinstance(node, tree.Binary) and node.operator in _FAILING
    return is_operator or isinstance(node, tree.Cast | tree.Call | tree.Query)
