"""Types of expressions as the engine will have them, as far as a query's text and the definitions tell.

None is "not known": what is decided by types leaves alone what is not known.
"""

from collections.abc import Callable, Sequence

import pyarrow as pa

from catalog.errors import DatabaseError
from catalog.types import parse_type, storage_type
from flightserver.sql.text import tree

TypeOfName = Callable[[tree.Name], pa.DataType | None]
TypeOfQuery = Callable[[tree.Query], pa.DataType | None]
TypeOfParameter = Callable[[tree.Parameter], pa.DataType | None]

TESTS = frozenset({"=", "==", "<>", "!=", "<", ">", "<=", ">=", "AND", "OR", "XOR", "LIKE", "ILIKE", "~"})
ARITHMETIC = frozenset({"+", "-", "*", "/", "%"})
_INTERVAL = pa.month_day_nano_interval()
_MOMENT, _MOMENT_IN_UTC = pa.timestamp("us"), pa.timestamp("us", "UTC")
_LITERALS = {
    "integer": pa.int64(),
    "float": pa.float64(),
    "string": pa.string(),
    "null": pa.null(),
    "boolean": pa.bool_(),
    "DATE": pa.date32(),
    "TIME": pa.time64("ns"),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMPTZ": pa.timestamp("us", "UTC"),
    "INTERVAL": _INTERVAL,
}
_OF_FIRST_KNOWN = frozenset({"coalesce", "nullif", "greatest", "least", "nvl", "ifnull"})
_OF_ARGUMENT = frozenset({"min", "max", "first_value", "last_value", "lag", "lead", "abs", "nth_value", "any_value"})
_OF_DOUBLE = frozenset({"floor", "ceil", "round", "trunc", "power", "pow", "signum", "sign", "median"})
"""Functions of doubles that yield doubles; of other numbers they yield this and that."""

_FIXED = {
    **dict.fromkeys(("count", "row_number", "rank", "dense_rank", "ntile", "array_length", "list_length"), pa.int64()),
    **dict.fromkeys(("cardinality", "array_position", "list_position", "approx_distinct"), pa.int64()),
    **dict.fromkeys(("sqrt", "cbrt", "ln", "log", "log2", "log10", "exp", "sin", "cos", "tan", "random"), pa.float64()),
    **dict.fromkeys(("stddev", "stddev_pop", "stddev_samp", "var", "var_pop", "var_samp", "corr"), pa.float64()),
    **dict.fromkeys(("upper", "lower", "trim", "btrim", "ltrim", "rtrim", "substr", "substring"), pa.string()),
    **dict.fromkeys(("concat", "concat_ws", "replace", "left", "right", "to_char", "reverse"), pa.string()),
    **dict.fromkeys(("json_extract", "json_extract_string", "json_value", "json_typeof", "jsonb_typeof"), pa.string()),
    **dict.fromkeys(("json_extract_path", "jsonb_extract_path", "json_get_json", "json_as_text"), pa.string()),
    **dict.fromkeys(("json_extract_path_text", "jsonb_extract_path_text", "json_get_str"), pa.string()),
    **dict.fromkeys(("json_get_int", "json_array_length", "jsonb_array_length"), pa.int64()),
    **dict.fromkeys(("json_get_bool", "json_valid"), pa.bool_()),
    **dict.fromkeys(("bool_and", "bool_or", "every", "isnan", "starts_with", "regexp_like"), pa.bool_()),
    "json_get_float": pa.float64(),
    **dict.fromkeys(("now", "current_timestamp"), pa.timestamp("us", "UTC")),
    **dict.fromkeys(("current_date", "today"), pa.date32()),
}


_CONDITIONS = tree.Test | tree.Between | tree.InList | tree.InQuery | tree.Quantified | tree.Exists

ANY_DECIMAL = pa.decimal128(38, 9)
"""Stands for the type of what is computed with decimals, whatever its digits."""


class TypeReader:
    """Tells the type of an expression, given those of names, sub-queries and parameters.

    Each node is looked at once: those of a long chain are asked for one by one, and each of them stands on all others.
    """

    def __init__(self, of_name: TypeOfName, of_query: TypeOfQuery, of_parameter: TypeOfParameter) -> None:
        self._of_name = of_name
        self._of_query = of_query
        self._of_parameter = of_parameter
        self._known: dict[
            int, tuple[tree.Node, pa.DataType | None]
        ] = {}  # a node that is kept, so that no other has its id

    def of(self, value: tree.Node) -> pa.DataType | None:
        """The type of an expression."""
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = value, self._read(value)
        return known[1]

    def _read(self, value: tree.Node) -> pa.DataType | None:
        if isinstance(value, _CONDITIONS):
            return pa.bool_()
        found: pa.DataType | None = None
        match value:
            case tree.Literal(kind=kind):
                found = _LITERALS.get(kind)
            case tree.Name():
                found = self._of_name(value)
                found = _FIXED.get(value.parts[0]) if found is None and value.is_plain else found
            case tree.Parameter():
                found = self._of_parameter(value)
            case tree.Brackets(items=(inner,)) | tree.Unary(operand=inner):
                found = self.of(inner)  # NOT is of a truth value
            case tree.Cast(type_text=text):
                found = cast_type(text)
            case tree.Binary():
                found = self._binary(value)
            case tree.Case(branches=branches, otherwise=otherwise):
                found = self._first([*(result for _, result in branches), otherwise])
            case tree.ScalarQuery(query=query):
                found = self._of_query(query)
            case tree.Call():
                found = self._call(value)
            case tree.Compound():
                found = self._compound(value)
        return found

    def _binary(self, value: tree.Binary) -> pa.DataType | None:
        if value.operator in TESTS or value.operator.startswith(("IS ", "NOT ")):
            return pa.bool_()
        if value.operator in {"||", "->", "->>"}:
            return pa.string()
        if value.operator == "^":
            return pa.float64()
        if value.operator not in ARITHMETIC:
            return None
        left, right = self.of(value.left), self.of(value.right)
        if is_pointed(value.left) and is_number(right):
            left = _beside_pointed(right)
        elif is_pointed(value.right) and is_number(left):
            right = _beside_pointed(left)
        elif _is_product(value.operator, left, right):
            return _INTERVAL
        return arithmetic_type(value.operator, left, right)

    def _compound(self, value: tree.Compound) -> pa.DataType | None:
        if value.what == "AT TIME ZONE":
            return _zoned_type(self.of(value.parts[0]))
        return _INTERVAL if value.what == "INTERVAL" else None

    def _call(self, call: tree.Call) -> pa.DataType | None:
        if call.name in _FIXED:
            return _FIXED[call.name]
        if call.name in _OF_FIRST_KNOWN:
            return self._first(list(call.arguments))
        first = self.of(call.arguments[0]) if call.arguments else None
        if call.name in _OF_ARGUMENT:
            return first
        if call.name in _OF_DOUBLE:
            return first if first is not None and pa.types.is_floating(first) else None
        if call.name == "avg":
            return None if first is None else ANY_DECIMAL if pa.types.is_decimal(first) else pa.float64()
        if call.name in {"date_trunc", "datetrunc", "date_bin"} and len(call.arguments) > 1:
            return _cut_type(self.of(call.arguments[1]), call.name)
        if call.name == "to_timestamp" and len(call.arguments) > 1:
            return _MOMENT_IN_UTC if first == pa.string() else None
        if call.name == "to_timestamp" and call.arguments:
            is_read = first == pa.string() or is_number(first) or is_pointed(call.arguments[0])
            return _MOMENT_IN_UTC if is_read else None
        return sum_type(first) if call.name == "sum" else None

    def _first(self, values: list[tree.Expression | None]) -> pa.DataType | None:
        """The type that several values have together, when those that have one agree."""
        said = [value for value in values if value is not None]
        found = [self.of(value) for value in said if not is_pointed(value)]
        known = [data_type for data_type in found if data_type is not None and not pa.types.is_null(data_type)]
        together = _together(set(known))
        if together is None or None in found:
            return None
        return together if len(found) == len(said) or not is_number(together) else _beside_pointed(together)


def _together(types: set[pa.DataType]) -> pa.DataType | None:
    """The type that values of several types have together; None where only the engine knows."""
    if len(types) < 2:
        return next(iter(types), None)
    if not all(map(is_number, types)):
        return None
    kinds = {pa.types.is_floating(one): one for one in types if not is_whole(one)}
    if len(kinds) != 1:
        return None
    return ANY_DECIMAL if False in kinds else pa.float64()


def _beside_pointed(number: pa.DataType | None) -> pa.DataType:
    """The type of a number with a point beside a number of a type."""
    return ANY_DECIMAL if number is not None and pa.types.is_decimal(number) else pa.float64()


def _zoned_type(moment: pa.DataType | None) -> pa.DataType | None:
    """The type of `moment AT TIME ZONE …`: of what has a zone the clock there, of a clock's time the moment."""
    if moment in {pa.date32(), pa.string(), pa.null()}:
        return _MOMENT
    if moment is None or not pa.types.is_timestamp(moment):
        return None
    return pa.timestamp(moment.unit, "UTC" if moment.tz is None else None)


def _cut_type(moment: pa.DataType | None, name: str) -> pa.DataType | None:
    """The type of a moment of which less is left; of a date, its midnight is. Bins of other types are the engine's."""
    if moment == pa.date32():
        return _MOMENT
    is_kept = moment in {_MOMENT, _MOMENT_IN_UTC} or name != "date_bin"
    return moment if moment is not None and pa.types.is_timestamp(moment) and is_kept else None


def cast_type(text: str) -> pa.DataType | None:
    """The type that a cast makes."""
    if text.upper() == "INTERVAL":
        return _INTERVAL
    try:
        return storage_type(parse_type(text))
    except DatabaseError:
        return None


def arithmetic_type(operator: str, left: pa.DataType | None, right: pa.DataType | None) -> pa.DataType | None:
    """The type of `left operator right`."""
    if left is None or right is None:
        return None
    if is_whole(left) and is_whole(right):
        wide = left.bit_width == 64 or right.bit_width == 64 or left != right
        return pa.int64() if wide else left
    if is_number(left) and is_number(right):
        if any(pa.types.is_floating(one) for one in (left, right)):
            return left if left == right else pa.float64()
        return ANY_DECIMAL
    if pa.types.is_timestamp(left) and pa.types.is_timestamp(right) and operator == "-":
        return pa.duration("us")
    if pa.types.is_date(left) and pa.types.is_date(right) and operator == "-":
        return pa.int64()
    if operator not in {"+", "-"}:
        return None
    return _moved_type(left, right) or (_moved_type(right, left) if operator == "+" else None)


def _is_product(operator: str, left: pa.DataType | None, right: pa.DataType | None) -> bool:
    """Tell whether an interval is taken times a number, or over one: nothing else can be."""
    return (operator in {"*", "/"} and is_length(left)) or (operator == "*" and is_length(right))


def is_length(data_type: pa.DataType | None) -> bool:
    """Tell whether a type is of intervals, or of differences of moments."""
    return data_type is not None and bool(pa.types.is_interval(data_type) or pa.types.is_duration(data_type))


def _moved_type(moment: pa.DataType, by: pa.DataType) -> pa.DataType | None:
    """The type of a moment, a date or an interval that is moved by an interval."""
    if not pa.types.is_interval(by):
        return None
    if pa.types.is_date(moment):
        return pa.timestamp("us")
    return moment if pa.types.is_timestamp(moment) or pa.types.is_interval(moment) else None


def sum_type(data_type: pa.DataType | None) -> pa.DataType | None:
    """The type of the sum of numbers."""
    if data_type is None:
        return None
    if is_whole(data_type):
        return pa.int64()
    if pa.types.is_floating(data_type):
        return pa.float64()
    return pa.decimal128(min(data_type.precision + 10, 38), data_type.scale) if pa.types.is_decimal(data_type) else None


def is_pointed(value: tree.Node) -> bool:
    """Tell whether a value is a number with a point, which takes the type of what it meets."""
    match value:
        case tree.Literal(kind="decimal"):
            return True
        case tree.Unary(operator="-" | "+", operand=inner) | tree.Brackets(items=(inner,)):
            return is_pointed(inner)
        case tree.Call(name=name, arguments=parts) if name in _OF_ARGUMENT | _OF_FIRST_KNOWN:
            return _are_pointed(parts)
        case tree.Case():
            return _are_pointed(results_of(value))
    return False


def _are_pointed(parts: Sequence[tree.Expression]) -> bool:
    """Tell whether a value of several has no other type than that of a number with a point."""
    others = [part for part in parts if not is_pointed(part)]
    return len(others) < len(parts) and all(
        isinstance(part, tree.Literal) and part.kind in {"integer", "null"} for part in others
    )


def results_of(case: tree.Case) -> list[tree.Expression]:
    """What a CASE may yield."""
    return [*(result for _, result in case.branches), *([] if case.otherwise is None else [case.otherwise])]


def is_whole(data_type: pa.DataType | None) -> bool:
    """Tell whether a type is of whole numbers."""
    return data_type is not None and bool(pa.types.is_integer(data_type))


def is_number(data_type: pa.DataType | None) -> bool:
    """Tell whether a type is of numbers."""
    return data_type is not None and bool(
        pa.types.is_integer(data_type) or pa.types.is_floating(data_type) or pa.types.is_decimal(data_type)
    )
