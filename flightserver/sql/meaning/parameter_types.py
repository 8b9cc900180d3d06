"""Types of parameters, as far as a query tells them.

A parameter has the type that it is cast to, of what it is compared or combined with, or BIGINT as a limit. What stands
beside it is looked up in its own scope: another table's column of the same name says nothing.
"""

import pyarrow as pa

from catalog.types import storage_type
from flightserver.sql.meaning.scopes import Definitions, Visit
from flightserver.sql.meaning.types import ARITHMETIC, cast_type
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree
from flightserver.sql.text.parameters import parameter_number
from flightserver.sql.text.query_text import QueryText

_TEXT_OPERATORS = frozenset({"LIKE", "ILIKE", "SIMILAR", "NOT LIKE", "NOT ILIKE", "NOT SIMILAR", "||", "~"})
_NAMED_PARTS = frozenset({"date_trunc", "date_part", "datetrunc", "datepart"})
_FINE = frozenset({"us", "ns"})
_SAME_TYPE = frozenset({"coalesce", "nullif", "greatest", "least", "nvl", "ifnull"})


def parameter_types(text: QueryText, definitions: Definitions) -> dict[int, pa.DataType]:
    """The types of a query's parameters by number; those that nothing tells are left out."""
    if not any(token.text.startswith("$") for token in text.tokens):
        return {}
    writing = Writing(text, definitions)
    types: dict[int, pa.DataType] = {}
    for parameter, found in writing.of_kind(tree.Parameter):
        number = parameter_number(text.tokens[parameter.start], 0)
        told = _told(writing, found)
        if number is not None and told is not None and not pa.types.is_null(told):
            types.setdefault(number, storage_type(told))
    return types


def _told(writing: Writing, found: Visit) -> pa.DataType | None:
    """What stands around a value says of its type."""
    above = found.above
    told: pa.DataType | None = None
    match above.node if above is not None else None:
        case tree.Brackets(items=(_,)) | tree.Unary(operator="-" | "+"):
            told = _told(writing, above) if above is not None else None
        case tree.Cast(type_text=text):
            told = _cast_to(cast_type(text))
        case tree.Query(limit=limit, offset=offset) if found.node in (limit, offset):
            told = pa.int64()
        case tree.Binary() as node:
            told = _beside(writing, node, found)
        case tree.Between(operand=operand, low=low, high=high):
            told = _first_of(writing, found, operand, low, high)
        case tree.InList(operand=operand, items=items):
            told = _first_of(writing, found, operand, *items)
        case tree.InQuery(query=query) | tree.Quantified(query=query):
            columns = writing.columns_of(query)
            told = columns[0].type if columns else None
        case tree.Call() as call:
            told = _in_call(writing, call, found)
        case tree.Case() as case:
            told = _in_case(writing, case, found)
    return told


def _cast_to(told: pa.DataType | None) -> pa.DataType | None:
    """What is sent to be cast: text for moments finer than the milliseconds that JDBC's driver can send."""
    if told is None or not (pa.types.is_timestamp(told) or pa.types.is_time(told)):
        return told
    return pa.string() if told.unit in _FINE else told


def _in_call(writing: Writing, call: tree.Call, found: Visit) -> pa.DataType | None:
    if call.name in _SAME_TYPE and found.above is not None:
        return _first_of(writing, found, *call.arguments) or _told(writing, found.above)
    is_part = call.name in _NAMED_PARTS and bool(call.arguments) and call.arguments[0] is found.node
    return pa.string() if is_part else None


def _in_case(writing: Writing, case: tree.Case, found: Visit) -> pa.DataType | None:
    conditions, results = [c for c, _ in case.branches], [r for _, r in case.branches]
    if found.node in conditions:
        return _first_of(writing, found, case.operand, *conditions) if case.operand is not None else pa.bool_()
    others = _first_of(writing, found, *results, case.otherwise)
    return others or (_told(writing, found.above) if found.above is not None else None)


def _beside(writing: Writing, node: tree.Binary, found: Visit) -> pa.DataType | None:
    if node.operator in _TEXT_OPERATORS:
        return pa.string()
    other = writing.type_of(node.right if found.node is node.left else node.left, found)
    if node.operator in ARITHMETIC and other is not None and pa.types.is_temporal(other):
        return pa.month_day_nano_interval() if node.operator == "+" else other
    if other is None and node.operator in ARITHMETIC and found.above is not None:
        return _told(writing, found.above)
    return other


def _first_of(writing: Writing, found: Visit, *values: tree.Expression | None) -> pa.DataType | None:
    types = (writing.type_of(value, found) for value in values if value is not None and value is not found.node)
    return next((known for known in types if known is not None and not pa.types.is_null(known)), None)
