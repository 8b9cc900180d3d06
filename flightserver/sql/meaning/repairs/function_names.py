"""Functions of PostgreSQL that DataFusion has by another name."""

from collections.abc import Mapping

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

NAMES: Mapping[str, str] = {"sign": "signum", "every": "bool_and"}


def repair(writing: Writing) -> None:
    """Call them as the engine does."""
    for call, found in writing.of_kind(tree.Call):
        name = NAMES.get(call.name)
        if name is not None:
            writing.edits.span(call.start, call.start + 1, name)
            writing.keep_name(found, writing.written(call))
