"""`x IS DISTINCT FROM y AND z`: the engine's parser takes everything behind FROM for its operand (sqlparser 0.6x).

So DELETE … WHERE f IS DISTINCT FROM true AND g removes too much. Brackets around the comparison end it where SQL does.
"""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Put brackets around the comparison."""
    if not writing.has("DISTINCT"):
        return
    for node, _ in writing.of_kind(tree.Binary):
        if node.operator.endswith("DISTINCT FROM"):
            writing.edits.wrap(node, "(", ")")
