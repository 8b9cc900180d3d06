"""The column of USING and NATURAL over RIGHT and FULL joins: DataFusion 55 takes the left one, which may be missing.

The bare name, and the star, get the column of the side that always has rows; over FULL the one of both that is there.
Over other joins the engine does not know within an expression which of both the name means, and is told.
"""

from flightserver.sql.meaning.scopes import output_name, star_columns
from flightserver.sql.meaning.system_columns import merged_value, written_column
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Write what a merged column stands for."""
    if not writing.has("USING", "NATURAL"):
        return
    for name, visit in writing.of_kind(tree.Name):
        found = visit.scope.find(name.parts)
        merged = found[0].merged.get(name.parts[0]) if found is not None and len(name.parts) == 1 else None
        above = visit.above.node if visit.above else None
        is_plain = merged is not None and merged.is_exact and isinstance(above, tree.Item)
        if merged is None or is_plain or _is_selected(name, above):
            continue
        writing.edits.span(name.start, name.end, merged_value(merged))
        writing.keep_name(visit, name.parts[0])
    for star, visit in writing.of_kind(tree.Star):
        select = visit.scope.select
        is_item = visit.above is not None and isinstance(visit.above.node, tree.Item)
        if (
            not is_item
            or star.qualifier
            or select is None
            or not any(_merges_wrongly(source) for source in select.sources)
        ):
            continue
        columns = star_columns(star, visit.scope)
        if columns is None or star.parts:
            raise writing.unsupported(
                star, "name the columns instead of * over USING or NATURAL with RIGHT or FULL JOIN"
            )
        writing.edits.span(star.start, star.end, ", ".join(map(written_column, columns)))


def _is_selected(name: tree.Name, above: tree.Node | None) -> bool:
    """Tell whether a name of ORDER BY is that of an item with an alias, or of an item of SELECT DISTINCT."""
    if not isinstance(above, tree.Query) or not isinstance(above.body, tree.Select):
        return False
    return name in above.order_by and any(
        item.alias == name.parts[0] or (above.body.is_distinct and output_name(item.value) == name.parts[0])
        for item in above.body.items
    )


def _merges_wrongly(source: tree.Source) -> bool:
    return any(
        isinstance(node, tree.Join) and node.kind in {"RIGHT", "FULL"} and (node.is_natural or node.using)
        for node in tree.walk_here(source)
    )
