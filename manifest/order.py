"""The order of values: which casts keep it, so that bounds stay bounds, and where texts with a prefix end. Pure."""

import pyarrow as pa

_LAST = "\U0010ffff"
_BEFORE_SURROGATES, _AFTER_SURROGATES = 0xD7FF, 0xE000


def keeps_order(source: pa.DataType, target: pa.DataType) -> bool:
    """Tell whether of two values the smaller one never becomes the larger one, and every engine casts them alike."""
    if pa.types.is_integer(source):
        return any(matches(target) for matches in (pa.types.is_float64, pa.types.is_decimal, pa.types.is_integer))
    if pa.types.is_float32(source):
        return bool(pa.types.is_float64(target))
    if pa.types.is_decimal(source):
        return bool(pa.types.is_decimal(target)) and target.scale >= source.scale
    if pa.types.is_date32(source):
        return bool(pa.types.is_timestamp(target)) and target.tz is None
    if pa.types.is_timestamp(source):
        return source.tz in (None, "UTC") and bool(pa.types.is_date32(target))
    return False


def after_prefix(prefix: str) -> str | None:
    """The smallest text, by UTF-8's bytes, above all that begin with `prefix`; None where there is none."""
    trimmed = prefix.rstrip(_LAST)
    if not trimmed:
        return None
    code = ord(trimmed[-1])
    return trimmed[:-1] + chr(_AFTER_SURROGATES if code == _BEFORE_SURROGATES else code + 1)
