"""The type that text seems to have: the first of a ladder that holds every value without changing it, else TEXT.

What a number would lose stays text: `007`, `0x1F`, `+5`. A number with more digits than a DOUBLE or a BIGINT keeps is a
DECIMAL. Texts of JSON may be moments but no numbers, because JSON has numbers of its own.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catalog.types import DECIMAL_PRECISION_MAX
from flightserver.cli.values.parsed import Number, json_text, read

_WHOLE = r"^(?:0|-?[1-9][0-9]*)$"
_DECIMAL = r"^-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)$"
_FLOAT = r"^(?:-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|-?(?i:inf|infinity)|(?i:nan))$"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
_DATE = f"^{_DAY}$"
_TIME = f"^{_CLOCK}$"
_LOCAL = f"^{_DAY}(?:[ T]{_CLOCK})?$"
_ZONED = f"^{_DAY}[ T]{_CLOCK}(?:Z|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)$"
_BEYOND_MICROSECONDS = r"\.[0-9]{6}[0-9]*[1-9]"
_INTEGER_DIGITS_MAX = 18
_DOUBLE_DIGITS_MAX = 17
"""As many as a DOUBLE has when it is printed in full."""


def guess(texts: pa.Array) -> pa.DataType:
    """The type of a column of text; TEXT when there is no value at all."""
    present = texts.drop_null()
    if not len(present):
        return pa.string()
    if _all(pc.is_in(present, pa.array(["true", "false", "True", "False", "TRUE", "FALSE"]))):
        return pa.bool_()
    return _number(present) or _moment(present) or pa.string()


def guess_json(values: Sequence[Any]) -> pa.DataType:
    """The type of values of JSON, lists and structs included; TEXT when they have none in common."""
    present = [value for value in values if value is not None]
    if not present:
        return pa.string()
    if all(isinstance(value, list) for value in present):
        return pa.list_(guess_json(list(chain.from_iterable(present))))
    if all(isinstance(value, dict) for value in present):
        names = dict.fromkeys(chain.from_iterable(present))
        fields = [pa.field(name, guess_json([value.get(name) for value in present])) for name in names]
        return pa.struct(fields) if fields else pa.string()
    if all(isinstance(value, bool) for value in present):
        return pa.bool_()
    texts = pa.array([json_text(value) for value in present], pa.string())
    if all(isinstance(value, Number) for value in present):
        return _number(texts) or pa.string()
    if all(isinstance(value, str) and not isinstance(value, Number) for value in present):
        return _moment(texts) or pa.string()
    return pa.string()


def _number(present: pa.Array) -> pa.DataType | None:
    digits = pc.utf8_length(pc.replace_substring_regex(present, r"(?:[eE].*)|[^0-9]", ""))
    if _matches(present, _WHOLE):
        if pc.max(digits).as_py() <= _INTEGER_DIGITS_MAX or _reads(present, pa.int64()):
            return pa.int64()
        return _decimal(present)
    if not _matches(present, _FLOAT) or not _reads(present, pa.float64()):
        return None
    if pc.max(digits).as_py() <= _DOUBLE_DIGITS_MAX:
        return pa.float64()
    significant = pc.replace_substring_regex(present, r"(?:[eE].*)|^-?0?\.0*|[^0-9]", "")
    is_exact = pc.max(pc.utf8_length(significant)).as_py() <= _DOUBLE_DIGITS_MAX
    return pa.float64() if is_exact else _decimal(present)


def _decimal(present: pa.Array) -> pa.DataType | None:
    """The decimal that holds the digits of all values; None when there are too many, or an exponent."""
    if not _matches(present, _DECIMAL):
        return None
    whole = pc.max(pc.utf8_length(pc.replace_substring_regex(present, r"\..*|-", ""))).as_py()
    fraction = pc.max(pc.utf8_length(pc.replace_substring_regex(present, r"^[^.]*\.?", ""))).as_py()
    return pa.decimal128(DECIMAL_PRECISION_MAX, fraction) if whole + fraction <= DECIMAL_PRECISION_MAX else None


def _moment(present: pa.Array) -> pa.DataType | None:
    unit = "ns" if pc.any(pc.match_substring_regex(present, _BEYOND_MICROSECONDS)).as_py() else "us"
    ladder = (
        (_DATE, pa.date32()),
        (_TIME, pa.time64(unit)),
        (_LOCAL, pa.timestamp(unit)),
        (_ZONED, pa.timestamp(unit, "UTC")),
    )
    return next((guess for form, guess in ladder if _matches(present, form) and _reads(present, guess)), None)


def _matches(present: pa.Array, form: str) -> bool:
    return _all(pc.match_substring_regex(present, form))


def _all(truths: pa.Array) -> bool:
    return bool(pc.all(truths).as_py())


def _reads(present: pa.Array, target: pa.DataType) -> bool:
    try:
        read(present, target)
    except ValueError:
        return False
    return True
