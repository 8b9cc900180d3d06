"""What a query extracts of moments: `extract(unit FROM moment)` and `date_part('unit', moment)` are one."""

from collections.abc import Iterator

from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree
from flightserver.sql.text.tokens import string_value


def parts_of_moments(writing: Writing) -> Iterator[tuple[str, tree.Expression, Visit]]:
    """What is extracted by EXTRACT or date_part, of which moment, and where."""
    tokens = writing.text.tokens
    for node, found in writing.of_kind(tree.Compound):
        if node.what == "EXTRACT":
            yield tokens[node.start + 2].text.strip("'"), node.parts[0], found
    for call, found in writing.of_kind(tree.Call):
        if call.name in {"date_part", "datepart"} and len(call.arguments) == 2:
            unit = call.arguments[0]
            if isinstance(unit, tree.Literal) and unit.kind == "string":
                yield string_value(tokens[unit.start]), call.arguments[1], found
