"""Parameters that the engine wants to know before it plans: they are written into its text as constants.

So are the unit of `date_trunc(?, ts)`, the bounds of a frame, what is added to a moment, and what stands in the items
of a SELECT with groups, whose parts the engine would not recognise. All others stay parameters, so that one text serves
all of their values. A statement that is only described gets a value of the kind that is meant.
"""

from collections.abc import Mapping

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from catalog.types import type_name
from flightserver.sql.meaning.scopes import Definitions, Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree
from flightserver.sql.text.parameters import parameter_number
from flightserver.sql.text.query_text import QueryText

_UNITS_FIRST = frozenset({"date_trunc", "datetrunc", "date_part", "datepart"})


def constant_parameters(text: QueryText, definitions: Definitions) -> dict[int, str]:
    """The parameters to be written as constants, by number, each with a value of its kind as SQL says it."""
    if "$" not in text:
        return {}
    writing = Writing(text, definitions)
    found: dict[int, str] = {}
    for parameter, place in writing.of_kind(tree.Parameter):
        number = parameter_number(text.tokens[parameter.start], 0)
        example = _example(writing, place)
        if number is not None and example is not None:
            found.setdefault(number, example)
    return found


def _example(writing: Writing, place: Visit) -> str | None:
    """A value of the kind that is meant; None where a parameter may stay one."""
    above = place.above.node if place.above is not None else None
    if isinstance(above, tree.Call) and above.name in _UNITS_FIRST and above.arguments[0] is place.node:
        return "'day'"
    if isinstance(above, tree.Frame):
        return "1"
    if isinstance(above, tree.Binary) and above.operator == "+":
        other = writing.type_of(above.right if above.left is place.node else above.left, place)
        if other is not None and (pa.types.is_timestamp(other) or pa.types.is_date(other)):
            return "INTERVAL '1 day'"
    return "NULL" if _is_grouped(place) else None


def _is_grouped(place: Visit) -> bool:
    """Tell whether a place is an item of a SELECT with groups, or one of the groups."""
    select = place.scope.select
    if select is None or not select.has_groups:
        return False
    nodes = [above.node for above in place.ancestors()]
    return any(node in select.group_by for node in [place.node, *nodes]) or any(
        isinstance(node, tree.Item) for node in nodes
    )


def write_constant_parameters(writing: Writing, constants: Mapping[int, str]) -> None:
    """Write parameters as constants."""
    for parameter, _ in writing.of_kind(tree.Parameter) if constants else ():
        number = parameter_number(writing.text.tokens[parameter.start], 0)
        if number is not None and number in constants:
            writing.edits.span(parameter.start, parameter.end, constants[number])


def constant_of(value: pa.Scalar) -> str:
    """A bound value as SQL says it. INVALID for one that no constant says."""
    data_type = value.type
    if not value.is_valid:
        return "NULL"
    if pa.types.is_boolean(data_type) or pa.types.is_integer(data_type):
        return str(value.as_py()).lower()
    if pa.types.is_interval(data_type):
        months, days, nanoseconds = value.as_py()
        return f"INTERVAL '{months} months {days} days {nanoseconds} nanoseconds'"
    if pa.types.is_duration(data_type):
        return f"INTERVAL '{value.cast(pa.duration('ns')).value} nanoseconds'"
    if pa.types.is_decimal(data_type):
        return f"CAST('{value.as_py()}' AS DECIMAL({data_type.precision},{data_type.scale}))"
    if pa.types.is_floating(data_type):
        return f"CAST('{value.as_py()!r}' AS DOUBLE)"
    text = str(value.cast(pa.string()).as_py()).replace("'", "''") if not pa.types.is_nested(data_type) else ""
    if pa.types.is_date(data_type):
        return f"DATE '{text}'"
    if pa.types.is_timestamp(data_type):
        return f"TIMESTAMP '{text}'"
    if pa.types.is_string(data_type) or pa.types.is_string_view(data_type) or pa.types.is_large_string(data_type):
        return f"'{text}'"
    raise DatabaseError(ErrorKind.INVALID, f"a parameter at this place cannot have type {type_name(data_type)}")
