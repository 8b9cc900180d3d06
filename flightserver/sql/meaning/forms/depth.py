"""How deep calls may nest that operators are written as: the engine's parser takes some 50 levels in all."""

from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

CALLS_MAX = 16


def refuse_deep(writing: Writing, found: Visit) -> None:
    """Refuse an operator that stands within too many others."""
    depth = 0
    for above in found.ancestors():
        if not isinstance(above.node, tree.Binary | tree.Compound | tree.Brackets):
            return
        depth += not isinstance(above.node, tree.Brackets)
        if depth >= CALLS_MAX:
            raise writing.unsupported(
                found.node, f"more than {CALLS_MAX} of these within each other; name a step of them"
            )
