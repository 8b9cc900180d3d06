"""EXCEPT ALL and INTERSECT ALL: DataFusion 55 keeps or drops all equal rows together, instead of counting them.

Equal rows are numbered on both sides, which makes them distinct; then the operation without ALL is the right one.
"""

from catalog.identifiers import quote_identifier
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Number the rows of both sides."""
    if not writing.has("EXCEPT", "INTERSECT", "MINUS"):
        return
    for node, _ in writing.of_kind(tree.SetOperation):
        if not node.is_all or node.operator not in {"EXCEPT", "INTERSECT"}:
            continue
        found = writing.columns_of(node.left)
        columns = [column.name for column in found or ()]
        if not columns or "" in columns or len(set(columns)) != len(columns):
            raise writing.unsupported(
                node, f"{node.operator} ALL needs names for all columns, each another; give them in the first SELECT"
            )
        names = ", ".join(map(quote_identifier, columns))

        def written(node: tree.SetOperation = node, names: str = names) -> str:
            sides = (_numbered(writing.edits.text_of(side), names) for side in (node.left, node.right))
            return f"(SELECT {names} FROM ({f' {node.operator} '.join(sides)}) AS {quote_identifier('$rows')})"

        writing.edits.write(node, written)


def _numbered(body: str, names: str) -> str:
    number = quote_identifier("$number")
    rows = f"({body}) AS {quote_identifier('$side')}({names})"
    return f"SELECT {names}, row_number() OVER (PARTITION BY {names}) AS {number} FROM {rows}"
