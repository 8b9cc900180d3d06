"""Substrait plans: which comparisons with a sub-query in them the engine answers right.

A text is written anew where the engine gets such a comparison wrong; a plan that is given cannot be, so it is refused.
"""

from collections.abc import Iterator

from datafusion import DataFrame, Expr
from datafusion import expr as nodes

from catalog.errors import DatabaseError, ErrorKind
from providers.engine.plans import operands, variant, walk

_INEXACT = (
    "a plan may compare with the rows of a sub-query only by IN and NOT IN, as a condition by itself or beside AND;"
    " send this query as SQL"
)
_SUB_QUERIES = frozenset({"InSubquery", "SetComparison"})


def refuse_inexact(frame: DataFrame) -> None:
    """Raise UNSUPPORTED for a comparison with a sub-query that is not a condition by itself."""
    for part in walk(frame.logical_plan()):
        node = variant(part)
        if isinstance(node, nodes.Filter):
            conditions = [item for item in _between_ands(node.predicate()) if not _is_exact(item)]
        elif isinstance(node, nodes.Projection):
            conditions = list(node.projections())
        else:
            continue
        if any(map(_compares, conditions)):
            raise DatabaseError(ErrorKind.UNSUPPORTED, _INEXACT)


def _between_ands(condition: Expr) -> Iterator[Expr]:
    node = variant(condition)
    if isinstance(node, nodes.BinaryExpr) and node.op() == "AND":
        yield from _between_ands(node.left())
        yield from _between_ands(node.right())
    else:
        yield condition


def _is_exact(condition: Expr) -> bool:
    """Tell whether a condition is IN or NOT IN of a column."""
    node = variant(condition)
    if isinstance(node, nodes.Not):
        condition = node.expr()
        node = variant(condition)
    return isinstance(node, nodes.InSubquery) and isinstance(variant(node.expr()), nodes.Column)


def _compares(expression: Expr) -> bool:
    return expression.variant_name() in _SUB_QUERIES or any(map(_compares, operands(expression)))
