"""Which SELECTs aggregate everything that they read into one row."""

from flightserver.sql.text import tree

AGGREGATES = frozenset(
    {
        *("count", "sum", "avg", "mean", "min", "max", "median", "stddev", "stddev_pop", "stddev_samp", "var"),
        *("var_pop", "var_samp", "var_sample", "var_population", "variance", "corr", "covar", "covar_pop"),
        *("covar_samp", "array_agg", "string_agg", "listagg", "bit_and", "bit_or", "bit_xor", "bool_and", "bool_or"),
        *("first_value", "last_value", "nth_value", "approx_distinct", "approx_median", "approx_percentile_cont"),
        *("approx_percentile_cont_with_weight", "percentile_cont", "quantile_cont", "grouping", "regr_avgx"),
        *("regr_avgy", "regr_count", "regr_intercept", "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy"),
        *("any_value", "every", "quantile", "percentile_disc", "mode"),
    }
)
"""The engine's aggregate functions, as far as a text can call them; a test asks the engine for its own list."""


def is_aggregate(node: tree.Node) -> bool:
    """Tell whether a node is a call of an aggregate function by itself, and not over a window."""
    return isinstance(node, tree.Call) and node.name in AGGREGATES and not node.is_window


def aggregates_all(select: tree.Select) -> bool:
    """Tell whether a SELECT makes one row of all that it reads: it aggregates, and has no groups."""
    if select.has_groups:
        return False
    if select.having is not None:
        return True
    return any(is_aggregate(node) for item in select.items for node in tree.walk_here(item))


def is_one_row(query: tree.Query) -> bool:
    """Tell whether a query is one row, whatever it reads."""
    body = query.body
    if isinstance(body, tree.BracketBody):
        return query.limit_start is None and is_one_row(body.query)
    is_cut = query.limit_start is not None
    return isinstance(body, tree.Select) and not is_cut and body.having is None and aggregates_all(body)


def has_total(select: tree.Select) -> bool:
    """Tell whether a SELECT has a row of all that it reads beside those of its groups, even of nothing."""
    return bool(select.group_by) and all(map(_with_total, select.group_by))


def _with_total(group: tree.Expression) -> bool:
    match group:
        case tree.Call(name="cube" | "rollup"):
            return True
        case tree.Compound(what="GROUPING SETS", parts=sets):
            return any((isinstance(part, tree.Brackets) and not part.items) or _with_total(part) for part in sets)
    return False
