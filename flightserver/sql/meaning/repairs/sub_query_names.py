"""How a sub-query that is a value or a condition calls what it selects.

`EXISTS (SELECT 1 AS k FROM b WHERE b.k = a.k)`: DataFusion 55 puts b.k beside k, and takes no two columns that a name
may mean. Nobody asks for such a name, so it becomes one that occurs nowhere else. DISTINCT, which says nothing of a set
that is asked for members, ends queries in the same way, and goes.
"""

from catalog.identifiers import quote_identifier
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_Set = tree.InQuery | tree.Quantified | tree.Exists


def repair(writing: Writing) -> None:
    """Give what is selected other names."""
    asked: list[_Set | tree.ScalarQuery] = [
        *(node for node, _ in writing.of_kind(tree.InQuery)),
        *(node for node, _ in writing.of_kind(tree.Quantified)),
        *(node for node, _ in writing.of_kind(tree.Exists)),
        *(node for node, _ in writing.of_kind(tree.ScalarQuery)),
    ]
    for node in asked:
        _write(writing, node)


def _write(writing: Writing, node: _Set | tree.ScalarQuery) -> None:
    query = tree.unbracketed(node.query)
    select = query.body
    if not isinstance(select, tree.Select) or query.order_by or query.limit_start is not None or select.distinct_on:
        return
    if select.is_distinct and not isinstance(node, tree.ScalarQuery):
        writing.edits.span(select.items_start - 1, select.items_start, "")
    _rename(writing, select)


def _rename(writing: Writing, select: tree.Select) -> None:
    asked = [part for part in (*select.group_by, select.having, select.qualify) if part is not None]
    used = {node.parts for part in asked for node in tree.walk(part) if isinstance(node, tree.Name)}
    for number, item in enumerate(select.items, start=1):
        if item.alias is not None and (item.alias,) not in used:
            name = quote_identifier(f"$value {select.start} {number}")
            writing.edits.span(item.alias_start, item.end, f" AS {name}")
