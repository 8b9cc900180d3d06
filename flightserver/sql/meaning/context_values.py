"""`CURRENT_USER` and its kin: what a statement says of its session, written as its value.

They are words of SQL, not columns: only a column that one of the sources surely has hides them, as a quoted name does.
"""

from collections.abc import Mapping

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree
from flightserver.sql.text.words import CONTEXT_VALUES


def write_context_values(writing: Writing, values: Mapping[str, str]) -> None:
    """Write the values of the context; `values` has one for each of `CONTEXT_VALUES`."""
    if not writing.has(*CONTEXT_VALUES):
        return
    for name, visit in writing.of_kind(tree.Name):
        word = name.parts[0].upper()
        found = visit.scope.find(name.parts)
        is_column = found is not None and found[0].is_certain(name.parts)
        if name.is_plain and word in CONTEXT_VALUES and not is_column:
            _write(writing, name, values[word])
            writing.keep_name(visit, name.parts[0])
    for call, visit in writing.of_kind(tree.Call):
        if call.name.upper() in CONTEXT_VALUES and not call.arguments:
            _write(writing, call, values[call.name.upper()])
            writing.keep_name(visit, call.name)


def _write(writing: Writing, node: tree.Node, value: str) -> None:
    quoted = "'" + value.replace("'", "''") + "'"
    writing.edits.span(node.start, node.end, quoted)
