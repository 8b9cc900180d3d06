"""NaN that is computed: of Infinity - Infinity the processor makes one with a sign, and DataFusion 55 goes by its bits.

So does a minus in front of NaN. Such a NaN is less than all numbers, and neither equal to nor in one group with another
NaN. What may be NaN is made the one NaN, which is greater than all numbers, as in PostgreSQL; where a result goes to
the client as it is, there is no need.
"""

import pyarrow as pa

from flightserver.sql.meaning.aggregates import is_aggregate
from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.types import ARITHMETIC
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_FUNCTIONS = frozenset(
    {
        *("sum", "avg", "mean", "stddev", "stddev_pop", "stddev_samp", "var", "var_pop", "var_samp", "corr", "covar"),
        *("covar_pop", "covar_samp", "power", "pow", "exp", "ln", "log", "log2", "log10", "sqrt", "sin", "cos", "tan"),
        *("asin", "acos", "acosh", "atanh"),
    }
)
_THROUGH = (tree.Brackets, tree.Unary)


def repair(writing: Writing) -> None:
    """Make what may be NaN the one NaN."""
    computed = (*writing.of_kind(tree.Binary), *writing.of_kind(tree.Call), *writing.of_kind(tree.Unary))
    for node, found in computed:
        if not _may_be_nan(node) or _is_only_shown(writing, found):
            continue
        known = writing.type_of(node, found)
        if known is not None and pa.types.is_floating(known):
            name = "REAL" if pa.types.is_float32(known) else "DOUBLE"
            writing.edits.wrap(node, "nanvl(", f", CAST('NaN' AS {name}))")
            writing.keep_name(found, writing.written(node))


def _may_be_nan(node: tree.Expression) -> bool:
    if isinstance(node, tree.Call):
        return node.name in _FUNCTIONS
    if isinstance(node, tree.Unary):
        return node.operator == "-" and not isinstance(node.operand, tree.Literal)
    return isinstance(node, tree.Binary) and node.operator in ARITHMETIC


def _is_only_shown(writing: Writing, found: Visit) -> bool:
    """Tell whether a value is part of another that may be NaN itself, or an item of the outermost SELECT alone."""
    above = next((visit for visit in found.ancestors() if not isinstance(visit.node, _THROUGH)), None)
    if above is None:
        return False
    node = above.node
    if isinstance(node, tree.Binary | tree.Call):
        if found.scope.select is not None and found.scope.select.has_groups:
            return False  # what is grouped by must be written alike wherever it stands
        return _may_be_nan(node) and not (isinstance(node, tree.Call) and node.is_distinct and is_aggregate(node))
    outermost = writing.visits[0].node
    return isinstance(node, tree.Item) and isinstance(outermost, tree.Query) and _shows(outermost, found)


def _shows(query: tree.Query, found: Visit) -> bool:
    """Tell whether a query only shows the items of a SELECT."""
    select = query.body
    if not isinstance(select, tree.Select) or found.scope.select is not select:
        return False
    return not (select.is_distinct or select.has_groups or query.order_by)
