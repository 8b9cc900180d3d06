"""CASE in a row of VALUES: for DataFusion 55 the type of its first branch is the column's, and it fails over another.

A SELECT says the same of one row, and brings the types together. Among several rows it stays an error.
"""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Write the row as a query."""
    if not writing.has("VALUES"):
        return
    for values, _ in writing.of_kind(tree.Values):
        if len(values.rows) == 1 and not values.is_partial and any(map(_has_case, values.rows[0])):
            _write(writing, values)


def _has_case(value: tree.Expression) -> bool:
    return any(isinstance(node, tree.Case) for node in tree.walk_here(value))


def _write(writing: Writing, values: tree.Values) -> None:
    def written() -> str:
        (row,) = values.rows
        items = (f"{writing.edits.text_of(value)} AS column{place}" for place, value in enumerate(row, start=1))
        return f"SELECT {', '.join(items)}"

    writing.edits.write(values, written)
