"""CASE among VALUES: DataFusion 55 takes the type of its first branch for that of the column, and fails over another.

One SELECT for each row says the same, and brings the types together.
"""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Write rows as queries."""
    if not writing.has("VALUES"):
        return
    for values, _ in writing.of_kind(tree.Values):
        if any(_has_case(value) for row in values.rows for value in row):
            if values.is_partial:
                raise writing.unsupported(values, "CASE may not stand among very many rows; write a query")
            _write(writing, values)


def _has_case(value: tree.Expression) -> bool:
    return any(isinstance(node, tree.Case) for node in tree.walk_here(value))


def _write(writing: Writing, values: tree.Values) -> None:
    def written_row(row: tuple[tree.Expression, ...]) -> str:
        items = (f"{writing.edits.text_of(value)} AS column{place}" for place, value in enumerate(row, start=1))
        return f"SELECT {', '.join(items)}"

    writing.edits.write(values, lambda: " UNION ALL ".join(map(written_row, values.rows)))
