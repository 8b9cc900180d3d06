"""Functions whose work is the product of the lengths of their arguments: they take short texts only, as in PostgreSQL.

The engine works on a whole batch before anybody can stop it; two texts of a megabyte would keep it for minutes.
"""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

BOUNDING = "short_text"
"""The engine's function of ours that refuses long texts, and else is the text."""

QUADRATIC = frozenset({"levenshtein"})
"""Functions that are given what it lets through."""


def write_bounds(writing: Writing) -> None:
    """Let a function of ours look at the arguments first."""
    for call, found in writing.of_kind(tree.Call):
        if call.name in QUADRATIC:
            for argument in call.arguments:
                writing.edits.wrap(argument, f"{BOUNDING}(", ")")
            writing.keep_name(found, writing.written(call))
