"""array_has_all and array_has_any of NULL.

In a batch whose lists are all NULL or empty, DataFusion 55 answers true or false instead of NULL.
"""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_QUESTIONS = frozenset({"array_has_all", "list_has_all", "array_has_any", "list_has_any", "arrays_overlap"})


def repair(writing: Writing) -> None:
    """Ask only of lists that are there."""
    for node, visit in writing.of_kind(tree.Call):
        if node.name in _QUESTIONS and len(node.arguments) == 2:
            unknown = " OR ".join(f"({writing.written(argument)}) IS NULL" for argument in node.arguments)
            writing.edits.wrap(node, f"CASE WHEN {unknown} THEN NULL ELSE ", " END")
            writing.keep_name(visit, node.name)
