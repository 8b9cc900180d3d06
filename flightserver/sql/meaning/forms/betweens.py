"""`x BETWEEN SYMMETRIC a AND b`: between the two, whichever is less. The engine's parser lacks the word."""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def write(writing: Writing) -> None:
    """Write both orders; ASYMMETRIC is what BETWEEN is."""
    if not writing.has("SYMMETRIC", "ASYMMETRIC"):
        return
    for node, found in writing.of_kind(tree.Between):
        if not node.order:
            continue
        if any(isinstance(above.node, tree.Between) and above.node.order for above in found.ancestors()):
            raise writing.unsupported(node, f"BETWEEN {node.order} within another is not supported; name its value")
        _write(writing, node)
        writing.keep_name(found, writing.written(node))


def _write(writing: Writing, node: tree.Between) -> None:
    def written() -> str:
        operand, low, high = map(writing.edits.text_of, (node.operand, node.low, node.high))
        word = "NOT BETWEEN" if node.is_negated else "BETWEEN"
        inner = f"{operand} {word} {low} AND {high}"
        if node.order == "SYMMETRIC":
            inner = f"({inner}) {'AND' if node.is_negated else 'OR'} ({operand} {word} {high} AND {low})"
        return f"({inner})"

    writing.edits.write(node, written)
