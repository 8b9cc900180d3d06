"""`a ^ b` is a power, as in PostgreSQL; to DataFusion 55 it is an exclusive or, and binds less tightly than a sum."""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Write a call."""
    if not writing.has("^"):
        return
    for node, found in writing.of_kind(tree.Binary):
        if node.operator == "^":
            _write(writing, node)
            writing.keep_name(found, writing.written(node))


def _write(writing: Writing, node: tree.Binary) -> None:
    text_of = writing.edits.text_of
    writing.edits.write(
        node, lambda: f"power(CAST({text_of(node.left)} AS DOUBLE), CAST({text_of(node.right)} AS DOUBLE))"
    )
