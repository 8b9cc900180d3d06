"""Values of one type as values of another: the one set of conversions, for whatever becomes a value of a column.

INSERT, UPDATE, defaults, bound rows and streams all convert here; they differ in `Strictness` alone. Where several
readings are possible, it is PostgreSQL's assignment: text is parsed, numbers are rounded half away from zero, and a
float means its shortest decimal digits, so that it does not matter as what a number was read. What would lose more than
digits behind a point or of a moment is refused. Results are plain (`catalog/plain.py`).
"""

from collections.abc import Callable
from enum import Enum, unique

import pyarrow as pa
import pyarrow.compute as pc

from catalog.plain import are_known_to_be_plain, plain_values
from catalog.types import storage_type
from providers.rows.moments import (
    is_moment,
    moments_from_moments,
    moments_from_text,
    refuse_where,
    text_of_moments,
)
from providers.rows.uuids import canonical_uuids

_TRUE = pa.array(["t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"])
_FALSE = pa.array(["f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"])

_INTEGER_DIGITS = 20
_WORKING_DIGITS, _WORKING_EXTRA = 76, 37
"""All digits that Arrow can hold, and how many of them may stand behind those of a type before they are rounded."""


@unique
class Strictness(Enum):
    """How freely a value may change its type on the way into a column."""

    STREAM = "within a family of types, and only without loss"
    STATEMENT = "as an SQL assignment: text is parsed, and numbers become text"


def converted(values: pa.ChunkedArray, declared: pa.DataType, strictness: Strictness) -> pa.ChunkedArray:
    """Values as a column of a declared type stores them. ValueError says in one line why they cannot be."""
    if values.num_chunks and values.type == declared and are_known_to_be_plain(values):
        return values
    pieces = plain_values(values)
    if strictness is Strictness.STREAM and not _same_family(pieces.type, declared):
        raise ValueError(f"the offered values have type {values.type}")
    try:
        chunks = [_convert(chunk, declared, strictness) for chunk in pieces.chunks]
    except pa.ArrowException as error:
        raise ValueError(str(error).splitlines()[0]) from error
    return pa.chunked_array(chunks, storage_type(declared))


def _convert(values: pa.Array, declared: pa.DataType, strictness: Strictness) -> pa.Array:
    """Plain values; families of types were looked at before."""
    types, source, storage = pa.types, values.type, storage_type(declared)
    if types.is_null(source):
        return pa.nulls(len(values), storage)
    if types.is_list(storage) and types.is_list(source):
        elements = _convert(values.values, declared.value_type, strictness)
        return pa.ListArray.from_arrays(values.offsets, elements, type=storage, mask=values.is_null())
    if types.is_struct(storage) and types.is_struct(source):
        return _convert_struct(values, declared, strictness)
    if declared == pa.uuid():
        return canonical_uuids(values)
    return values if source == storage else _convert_leaf(values, storage, strictness)


def _convert_leaf(values: pa.Array, storage: pa.DataType, strictness: Strictness) -> pa.Array:
    if pa.types.is_decimal(storage):
        return _decimals(values, storage, strictness)
    if pa.types.is_floating(storage):
        return _floats(values, storage, strictness)
    if pa.types.is_string(values.type):
        return _parsed(values, storage)
    if is_moment(values.type) or is_moment(storage):
        return _from_moments(values, storage, strictness)
    if pa.types.is_integer(storage) and strictness is Strictness.STATEMENT:
        return _rounded(values, 0).cast(storage)
    return values.cast(storage)


def _parsed(texts: pa.Array, storage: pa.DataType) -> pa.Array:
    if is_moment(storage):
        return moments_from_text(texts, storage)
    if pa.types.is_boolean(storage):
        return _booleans(texts)
    return (pc.utf8_trim_whitespace(texts) if pa.types.is_integer(storage) else texts).cast(storage)


def _from_moments(values: pa.Array, storage: pa.DataType, strictness: Strictness) -> pa.Array:
    if pa.types.is_string(storage):
        return text_of_moments(values)
    lacks_day = pa.types.is_time(values.type) and not pa.types.is_time(storage)
    if lacks_day or not (is_moment(values.type) and is_moment(storage)):
        raise ValueError(f"{values.type} is not converted")
    return moments_from_moments(values, storage, exact=strictness is Strictness.STREAM)


def _convert_struct(values: pa.StructArray, declared: pa.DataType, strictness: Strictness) -> pa.Array:
    offered = {field.name: values.field(number) for number, field in enumerate(values.type)}
    if len(offered) < len(values.type):
        raise ValueError("two fields have one name")
    unknown = set(offered) - {field.name for field in declared}
    if unknown:
        raise ValueError(f"there is no field {min(unknown)}")
    children = [_convert(offered.get(field.name, pa.nulls(len(values))), field.type, strictness) for field in declared]
    return pa.StructArray.from_arrays(children, fields=list(storage_type(declared)), mask=values.is_null())


def _decimals(values: pa.Array, storage: pa.DataType, strictness: Strictness) -> pa.Array:
    """Decimals, by way of as many digits as Arrow has. Floats are rounded in a stream too: they never were exact."""
    source, scale = values.type, storage.scale
    is_rounded = strictness is Strictness.STATEMENT or pa.types.is_floating(source)
    if pa.types.is_floating(source):
        doubles = values.cast(pa.float64()) if pa.types.is_float16(source) else values
        too_small_to_count = pc.less(pc.abs(doubles), pa.scalar(10.0 ** -(scale + 1), doubles.type))
        values = pc.if_else(too_small_to_count, pa.scalar(0, doubles.type), doubles).cast(pa.string())
    if pa.types.is_string(values.type):
        values = pc.utf8_trim_whitespace(values).cast(pa.decimal256(_WORKING_DIGITS, scale + _WORKING_EXTRA))
    elif pa.types.is_integer(source):
        values = values.cast(pa.decimal256(_INTEGER_DIGITS + scale, scale))
    return (_rounded(values, scale) if is_rounded else values).cast(storage)


def _rounded(numbers: pa.Array, scale: int) -> pa.Array:
    """Numbers with at most `scale` digits behind their point."""
    if pa.types.is_float16(numbers.type):
        numbers = numbers.cast(pa.float32())
    if pa.types.is_decimal(numbers.type):
        if numbers.type.scale <= scale:
            return numbers
        numbers = numbers.cast(pa.decimal256(_WORKING_DIGITS, numbers.type.scale))
    elif not pa.types.is_floating(numbers.type):
        return numbers
    return pc.round(numbers, scale, round_mode="half_towards_infinity")


def _floats(values: pa.Array, storage: pa.DataType, strictness: Strictness) -> pa.Array:
    if pa.types.is_string(values.type):
        values = pc.utf8_trim_whitespace(values)
        is_finite = pc.invert(pc.match_substring(values, "inf", ignore_case=True))
    elif pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
        is_finite = values.is_valid()
    elif pa.types.is_float16(values.type):
        return values.cast(storage)
    else:
        if pa.types.is_decimal(values.type) or (
            pa.types.is_integer(values.type) and strictness is Strictness.STATEMENT
        ):
            values = values.cast(pa.float64(), safe=False)
        is_finite = pc.is_finite(values)
    found = values.cast(storage)
    if pc.any(pc.and_(pc.is_inf(found.cast(pa.float64())), is_finite), min_count=0).as_py():
        raise ValueError("the number is too large")
    return found


def _booleans(texts: pa.Array) -> pa.Array:
    words = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    is_true = pc.is_in(words, _TRUE)
    refuse_where(texts, pc.invert(pc.or_(is_true, pc.is_in(words, _FALSE))), "is no truth value")
    return pc.if_else(texts.is_valid(), is_true, pa.scalar(None, pa.bool_()))


def _same_family(offered: pa.DataType, declared: pa.DataType) -> bool:
    """Tell whether a stream may bring values of a plain type for a column."""
    types = pa.types
    if types.is_null(offered):
        return True
    if types.is_list(declared):
        return bool(types.is_list(offered)) and _same_family(offered.value_type, declared.value_type)
    if types.is_struct(declared):
        theirs = {field.name: field.type for field in offered} if types.is_struct(offered) else {}
        return all(field.name in theirs and _same_family(theirs[field.name], field.type) for field in declared)
    if declared == pa.uuid():
        return bool(types.is_string(offered) or types.is_binary(offered))
    return any(matches(offered) and matches(declared) for matches in _FAMILIES)


def _is_number(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(data_type) or pa.types.is_floating(data_type) or pa.types.is_decimal(data_type))


def _is_date_or_timestamp(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_date(data_type) or pa.types.is_timestamp(data_type))


_FAMILIES: tuple[Callable[[pa.DataType], bool], ...] = (
    _is_number,
    _is_date_or_timestamp,
    pa.types.is_time,
    pa.types.is_string,
    pa.types.is_binary,
    pa.types.is_boolean,
)
