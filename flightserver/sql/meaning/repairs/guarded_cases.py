"""CASE as a guard: `CASE WHEN h <> 0 THEN 10 / h > 1 ELSE false END`.

DataFusion 55 (rule simplify_expressions) makes an AND of a CASE with one or two conditions, and works out both sides of
an AND for all rows. With three conditions it stays a CASE; those added repeat the first, and are never reached.
"""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

BRANCHES_KEPT = 3
_FAILING = frozenset({"/", "%", "*", "+", "-", "DIV"})


def repair(writing: Writing) -> None:
    """Give a CASE that guards something three conditions."""
    if not writing.has("CASE"):
        return
    for node, _ in writing.of_kind(tree.Case):
        if node.operand is None and len(node.branches) < BRANCHES_KEPT and _may_fail(node):
            condition, _result = node.branches[0]
            repeated = f" WHEN {writing.edits.text_of(condition)} THEN NULL" * (BRANCHES_KEPT - len(node.branches))
            writing.edits.wrap(tree.Node(node.branches[0][0].start, node.branches[-1][1].end), "", repeated)


def _may_fail(case: tree.Case) -> bool:
    """Tell whether a result of a CASE may be an error for rows that it is not meant for."""
    results = [result for _, result in case.branches] + ([case.otherwise] if case.otherwise is not None else [])
    return any(_fails(node) for result in results for node in tree.walk(result))


def _fails(node: tree.Node) -> bool:
    is_operator = isinstance(node, tree.Binary) and node.operator in _FAILING
    return is_operator or isinstance(node, tree.Cast | tree.Call | tree.Query)
