"""A second text for queries with outer joins: one whose joins the engine pushes no condition through by name.

A side whose rows an outer join keeps is joined with one row that has no columns. That changes nothing of the rows, the
names or the stars; but a condition that DataFusion 55 pushes by the name of a column into the wrong side stops there.
Who reads plans decides which of the two texts is planned.
"""

from collections.abc import Iterator

from catalog.identifiers import TableName, quote_identifier
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

FENCE = TableName("$engine", "$fence")
"""One row without columns: what is joined with it has the same rows, and no condition is pushed into it by name."""

_FENCE = ".".join(map(quote_identifier, FENCE))
_SUB_QUERIES = (tree.ScalarQuery, tree.InQuery, tree.Quantified)
"""What the engine makes outer joins of, whose kept side is all that the query around reads."""


def fenced(writing: Writing) -> str | None:
    """The whole text with fences, None where there is nothing to fence. No more is written after it."""
    sides = [side for join, _ in writing.of_kind(tree.Join) for side in _kept_sides(join)]
    sides += _beside_sub_queries(writing)
    if not sides:
        return None
    for side in sides:
        is_join = isinstance(side, tree.Join)
        writing.edits.wrap(side, f"({_FENCE} CROSS JOIN {'(' * is_join}", f"{')' * is_join})")
    return writing.edits.done()


def _kept_sides(join: tree.Join) -> tuple[tree.Source, ...]:
    match join.kind:
        case "LEFT":
            return (join.left,)
        case "RIGHT":
            return (join.right,)
        case "FULL":
            return join.left, join.right
        case _:
            return ()


def _beside_sub_queries(writing: Writing) -> Iterator[tree.Source]:
    """What a query reads that has sub-queries in it; nothing of that is fenced that may use what stands before it."""
    selects = {id(found.scope.select) for kind in _SUB_QUERIES for _, found in writing.of_kind(kind)}
    for select, _ in writing.of_kind(tree.Select):
        if id(select) in selects:
            yield from (source for source in select.sources if _stands_alone(source, writing))


def _stands_alone(source: tree.Source, writing: Writing) -> bool:
    if isinstance(source, tree.QuerySource):
        return not writing.may_use_outer_columns(source.query)
    return isinstance(source, tree.TableSource | tree.Join)
