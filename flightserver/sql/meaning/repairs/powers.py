"""`a ^ b` is a power and `a # b` an exclusive or, as in PostgreSQL.

To DataFusion 55 `^` is the exclusive or, which binds less tightly than a sum, and `#` is nothing.
"""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_WRITTEN = {"^": "power(CAST({} AS DOUBLE), CAST({} AS DOUBLE))", "#": "(({}) ^ ({}))"}


def repair(writing: Writing) -> None:
    """Write what the engine has for them."""
    if not writing.has("^", "#"):
        return
    for node, found in writing.of_kind(tree.Binary):
        if node.operator in _WRITTEN:
            _write(writing, node, _WRITTEN[node.operator])
            writing.keep_name(found, writing.written(node))


def _write(writing: Writing, node: tree.Binary, written: str) -> None:
    text_of = writing.edits.text_of
    writing.edits.write(node, lambda: written.format(text_of(node.left), text_of(node.right)))
