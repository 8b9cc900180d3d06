"""Functions whose work is the product of the lengths of their arguments: they take short texts only, as in PostgreSQL.

The engine works on a whole batch before anybody can stop it; two texts of a megabyte would keep it for minutes.
"""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_QUADRATIC = frozenset({"levenshtein"})


def write_bounds(writing: Writing) -> None:
    """Let a function of ours look at the arguments first."""
    for call, found in writing.of_kind(tree.Call):
        if call.name in _QUADRATIC:
            for argument in call.arguments:
                writing.edits.wrap(argument, "short_text(", ")")
            writing.keep_name(found, writing.written(call))
