"""Aggregates with FILTER, and without groups, over a query that aggregates everything itself.

DataFusion 55 (rule aggregate_statistics) looks below such aggregates for some that statistics answer, finds those of
the inner query, puts them in the place of the outer ones, and fails. It looks no further than to a join: so the inner
query is crossed with one row.
"""

from flightserver.sql.meaning.aggregates import aggregates_all, is_aggregate
from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_ONE_ROW = ' CROSS JOIN (SELECT 1 AS "$one") AS "$one"'


def repair(writing: Writing) -> None:
    """Cross what is aggregated with one row."""
    if not writing.has("FILTER"):
        return
    for select, found in writing.of_kind(tree.Select):
        if not aggregates_all(select) or len(select.sources) != 1 or not _is_filtered(select):
            continue
        (source,) = select.sources
        if _may_aggregate(source, writing) and not _is_tied(found, writing):
            writing.edits.wrap(source, "", _ONE_ROW)


def _is_filtered(select: tree.Select) -> bool:
    nodes = (node for part in (*select.items, select.having) if part is not None for node in tree.walk_here(part))
    return any(isinstance(node, tree.Call) and is_aggregate(node) and node.condition is not None for node in nodes)


def _may_aggregate(source: tree.Source, writing: Writing) -> bool:
    """Tell whether a source may be the rows of a query; a table is none, a view is."""
    if not isinstance(source, tree.TableSource):
        return isinstance(source, tree.QuerySource)
    scope = next(found.scope for node, found in writing.of_kind(tree.TableSource) if node is source)
    relation = next((origin.relation for origin in scope.origins if origin.source is source), None)
    return relation is None or relation.size is not None


def _is_tied(select: Visit, writing: Writing) -> bool:
    """Tell whether a SELECT is in a query that may use columns of one around it: that is planned as a join."""
    queries = (above.node for above in select.ancestors() if isinstance(above.node, tree.Query))
    return any(writing.may_use_outer_columns(query) for query in queries)
