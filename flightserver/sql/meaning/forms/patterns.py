"""LIKE with an escape of one's own, and SIMILAR TO.

The engine knows no escape but the backslash, and takes a pattern of SIMILAR TO for a regular expression in which `%` is
a letter and that any part of a text may match. So functions of ours read the patterns: literals once, when it plans.
"""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_BACKSLASH = "'\\'"
_SIMILAR = {"SIMILAR": "~", "NOT SIMILAR": "!~"}


def write(writing: Writing) -> None:
    """Write patterns as the engine has them."""
    if not writing.has("ESCAPE", "SIMILAR"):
        return
    for escaped, found in writing.of_kind(tree.Escaped):
        _write(writing, escaped, escaped.escape)
        writing.keep_name(found, writing.written(escaped))
    for node, found in writing.of_kind(tree.Binary):
        if node.operator in _SIMILAR:
            _write(writing, node, None)
            writing.keep_name(found, writing.written(node))


def _write(writing: Writing, node: tree.Binary, escape: tree.Expression | None) -> None:
    operator = _SIMILAR.get(node.operator, node.operator)
    reader = "similar_pattern" if node.operator in _SIMILAR else "like_pattern"
    text_of = writing.edits.text_of

    def written() -> str:
        letter = _BACKSLASH if escape is None else text_of(escape)
        return f"({text_of(node.left)} {operator} {reader}({text_of(node.right)}, {letter}))"

    writing.edits.write(node, written)
