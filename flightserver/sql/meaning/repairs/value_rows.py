"""CASE in a row of VALUES: for DataFusion 55 the type of its first branch is the column's, and it fails over another.

A sub-query there is asked for before it has been run.

A SELECT says the same of one row, and UNION ALL of several, and they bring the types together. Among more rows than
`ROWS_MAX` it stays an error.
"""

from itertools import chain

from catalog.identifiers import quote_identifier
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

ROWS_MAX = 100
"""Each row is a plan of its own."""

_ROWS, _PLACE = quote_identifier("$rows"), quote_identifier("$place")


def repair(writing: Writing) -> None:
    """Write the row as a query."""
    if not writing.has("VALUES"):
        return
    for values, _ in writing.of_kind(tree.Values):
        if len(values.rows) <= ROWS_MAX and not values.is_partial and _has_parts(values):
            _write(writing, values)


def _has_parts(values: tree.Values) -> bool:
    """Tell whether there is a CASE or a sub-query in rows of one length; others the engine refuses."""
    nodes = chain.from_iterable(map(tree.walk_here, chain.from_iterable(values.rows)))
    return len(set(map(len, values.rows))) == 1 and any(isinstance(node, tree.Case | tree.Query) for node in nodes)


def _write(writing: Writing, values: tree.Values) -> None:
    columns = [f"column{place}" for place in range(1, len(values.rows[0]) + 1)]

    def written() -> str:
        rows = [_selected(writing, row, columns) for row in values.rows]
        if len(rows) == 1:
            return f"SELECT {rows[0]}"
        placed = " UNION ALL ".join(f"SELECT {row}, {place} AS {_PLACE}" for place, row in enumerate(rows))
        ordered = f"SELECT {', '.join(columns)} FROM ({placed}) AS {_ROWS} ORDER BY {_PLACE}"
        return f"SELECT * FROM ({ordered}) AS {_ROWS}"

    writing.edits.write(values, written)


def _selected(writing: Writing, row: tuple[tree.Expression, ...], columns: list[str]) -> str:
    return ", ".join(f"{writing.edits.text_of(value)} AS {column}" for value, column in zip(row, columns, strict=True))
