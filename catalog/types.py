"""Column types: their SQL names, and which Arrow types can be stored.

Invariants:
- `parse_type(format_type(t)) == t` for every declared type t; `storable` returns declared types only.
- A type that is not in these tables is refused by name. Nothing is approximated, except that the length of VARCHAR(n),
  CHAR(n) and BINARY(n) is read and not enforced, as documented.
- A UUID column is declared as `pa.uuid()` and stored as canonical lower-case text, because DataFusion drops extension
  types: `storage_type` maps the declared type to the stored one.
"""

import re
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import check_name, display_identifier

DECIMAL_PRECISION_MAX = 38
DECIMAL_DEFAULT = (38, 10)
NESTING_DEPTH_MAX = 16
FRACTION_DIGITS_MAX = 9
DEFAULT_FRACTION_DIGITS = 6

_INTEGERS = {
    "TINYINT": (pa.int8(), pa.uint8()),
    "SMALLINT": (pa.int16(), pa.uint16()),
    "INT": (pa.int32(), pa.uint32()),
    "BIGINT": (pa.int64(), pa.uint64()),
}
_ALIASES = {
    "INTEGER": "INT",
    "INT1": "TINYINT",
    "INT2": "SMALLINT",
    "INT4": "INT",
    "INT8": "BIGINT",
    "INT16": "SMALLINT",
    "INT32": "INT",
    "INT64": "BIGINT",
    "BOOL": "BOOLEAN",
    "REAL": "FLOAT",
    "FLOAT4": "FLOAT",
    "FLOAT32": "FLOAT",
    "FLOAT8": "DOUBLE",
    "FLOAT64": "DOUBLE",
    "HALF": "FLOAT16",
    "NUMERIC": "DECIMAL",
    "STRING": "TEXT",
    "VARCHAR": "TEXT",
    "CHAR": "TEXT",
    "CHARACTER": "TEXT",
    "BLOB": "BYTEA",
    "BINARY": "BYTEA",
    "VARBINARY": "BYTEA",
    "BYTES": "BYTEA",
    "DATETIME": "TIMESTAMP",
    "ARRAY": "LIST",
}
_UNSIGNED_ALIASES = {
    "UTINYINT": "TINYINT",
    "USMALLINT": "SMALLINT",
    "UINT": "INT",
    "UINTEGER": "INT",
    "UBIGINT": "BIGINT",
    "UINT16": "SMALLINT",
    "UINT32": "INT",
    "UINT64": "BIGINT",
}
_PLAIN = {
    "BOOLEAN": pa.bool_(),
    "FLOAT16": pa.float16(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "TEXT": pa.string(),
    "BYTEA": pa.binary(),
    "DATE": pa.date32(),
    "UUID": pa.uuid(),
}
_WITH_LENGTH = frozenset({"VARCHAR", "CHAR", "CHARACTER", "BINARY", "VARBINARY"})
_PLAIN_NAMES = {
    **{arrow: name for name, arrow in _PLAIN.items()},
    **{signed: name for name, (signed, _) in _INTEGERS.items()},
    **{unsigned: f"{name} UNSIGNED" for name, (_, unsigned) in _INTEGERS.items()},
}
_DIGITS_OF_UNIT = {"ms": 3, "us": 6, "ns": 9}

_TYPE_TOKEN = re.compile(
    r"""\s*(?:(?P<word>[^\W\d]\w*)|(?P<number>-?\d+)|(?P<quoted>"(?:[^"]|"")+")|(?P<string>'[^']*')|(?P<symbol>\S))"""
)
_FIXED_OFFSET = re.compile(r"[+-](?:0\d|1[0-4]):[0-5]\d\Z")


def parse_type(text: str) -> pa.DataType:
    """Return the declared type that SQL text names; raise SYNTAX or UNSUPPORTED with the text otherwise."""
    return _TypeText(text).whole()


def format_type(declared: pa.DataType) -> str:
    """Write a declared type as canonical SQL text."""
    name = _PLAIN_NAMES.get(declared)
    if name is not None:
        return name
    if pa.types.is_list(declared):
        return f"LIST<{format_type(declared.value_type)}>"
    if pa.types.is_struct(declared):
        fields = ", ".join(f"{display_identifier(child.name)} {format_type(child.type)}" for child in declared)
        return f"STRUCT<{fields}>"
    if pa.types.is_decimal128(declared):
        return f"DECIMAL({declared.precision},{declared.scale})"
    if pa.types.is_time(declared) and declared.unit in _DIGITS_OF_UNIT:
        return f"TIME({_DIGITS_OF_UNIT[declared.unit]})"
    if pa.types.is_timestamp(declared) and declared.unit in _DIGITS_OF_UNIT:
        return f"TIMESTAMP({_DIGITS_OF_UNIT[declared.unit]}){_format_zone(declared.tz)}"
    raise DatabaseError(ErrorKind.UNSUPPORTED, f"type {declared} has no SQL name here")


def type_name(data_type: pa.DataType) -> str:
    """What to call the type of a result's column: its SQL name, or Arrow's where columns cannot have it."""
    try:
        return format_type(data_type)
    except DatabaseError:
        return str(data_type)


def _format_zone(zone: str | None) -> str:
    if zone is None:
        return ""
    return " WITH TIME ZONE" if zone == "UTC" else f" WITH TIME ZONE '{zone}'"


def keeps_values(before: pa.DataType, after: pa.DataType) -> bool:
    """Tell whether all values of a type are values of another one, stored alike."""
    return bool(before == after or (before == pa.uuid() and after == storage_type(before)))


def storage_type(declared: pa.DataType) -> pa.DataType:
    """Return the type that files and hot batches hold: UUID becomes text, also inside lists and structs."""
    if declared == pa.uuid():
        return pa.string()
    if pa.types.is_list(declared):
        return pa.list_(storage_type(declared.value_type))
    if pa.types.is_struct(declared):
        return pa.struct([pa.field(child.name, storage_type(child.type)) for child in declared])
    return declared


def is_nested(declared: pa.DataType) -> bool:
    """Tell whether a declared type is a list or a struct: such columns cannot be keys or have blooms."""
    return bool(pa.types.is_nested(declared))


def storable(offered: pa.DataType, where: str) -> pa.DataType:
    """Return the declared type that holds every value of an Arrow type; raise UNSUPPORTED naming `where` otherwise.

    Dictionaries and run-end encodings are decoded, 64-bit offsets and views become plain, seconds become milliseconds,
    fixed sizes are forgotten, and children of lists and structs become nullable. What holds nothing but NULL is text,
    as in PostgreSQL.
    """
    return _normalise(offered, where, 0)


def _normalise(offered: pa.DataType, where: str, depth: int) -> pa.DataType:
    if depth > NESTING_DEPTH_MAX:
        raise _refusal(offered, where, f"nested deeper than {NESTING_DEPTH_MAX} levels")
    if offered in _PLAIN_NAMES:
        return offered
    for matches, convert in _NORMALISATIONS:
        if matches(offered):
            return convert(offered, where, depth)
    raise _refusal(offered, where, "cannot be stored")


def _refusal(offered: pa.DataType, where: str, reason: str) -> DatabaseError:
    return DatabaseError(ErrorKind.UNSUPPORTED, f"column {where}: type {str(offered)[:200]} {reason}")


def _normalise_decimal(offered: pa.DataType, where: str, _: int) -> pa.DataType:
    if offered.precision > DECIMAL_PRECISION_MAX:
        raise _refusal(offered, where, f"has more than {DECIMAL_PRECISION_MAX} digits")
    if not 0 <= offered.scale <= offered.precision:
        raise _refusal(offered, where, "has a scale that is negative or above its precision")
    return pa.decimal128(offered.precision, offered.scale)


def _normalise_timestamp(offered: pa.DataType, where: str, _: int) -> pa.DataType:
    if offered.tz is not None and not _is_zone(offered.tz):
        raise _refusal(offered, where, "names an unknown time zone")
    return pa.timestamp("ms" if offered.unit == "s" else offered.unit, offered.tz)


def _normalise_list(offered: pa.DataType, where: str, depth: int) -> pa.DataType:
    return pa.list_(_normalise(offered.value_type, f"{where}[]", depth + 1))


def _normalise_struct(offered: pa.DataType, where: str, depth: int) -> pa.DataType:
    if not len(offered):
        raise _refusal(offered, where, "has no fields")
    names = [child.name for child in offered]
    for name in names:
        check_name("field", name)
        if names.count(name) > 1:
            raise _refusal(offered, where, f"has two fields called {name!r}")
    return pa.struct(
        [pa.field(child.name, _normalise(child.type, f"{where}.{child.name}", depth + 1)) for child in offered]
    )


def _is_text(offered: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(offered) or pa.types.is_string_view(offered) or pa.types.is_null(offered))


def _is_bytes(offered: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_large_binary(offered) or types.is_binary_view(offered) or types.is_fixed_size_binary(offered))


def _is_list(offered: pa.DataType) -> bool:
    types = pa.types
    views = types.is_list_view(offered) or types.is_large_list_view(offered)
    return bool(views or types.is_list(offered) or types.is_large_list(offered) or types.is_fixed_size_list(offered))


def _is_encoded(offered: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(offered) or pa.types.is_run_end_encoded(offered))


_Normalisation = tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType, str, int], pa.DataType]]
_NORMALISATIONS: tuple[_Normalisation, ...] = (
    (pa.types.is_null, lambda *_: pa.string()),
    (_is_text, lambda *_: pa.string()),
    (_is_bytes, lambda *_: pa.binary()),
    (_is_encoded, lambda offered, where, depth: _normalise(offered.value_type, where, depth + 1)),
    (_is_list, _normalise_list),
    (pa.types.is_struct, _normalise_struct),
    (pa.types.is_decimal, _normalise_decimal),
    (pa.types.is_timestamp, _normalise_timestamp),
    (pa.types.is_date, lambda *_: pa.date32()),
    (pa.types.is_time32, lambda *_: pa.time32("ms")),
    (pa.types.is_time64, lambda offered, *_: offered),
)


def _is_zone(zone: str) -> bool:
    if _FIXED_OFFSET.match(zone):
        return True
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


class _TypeText:
    """A recursive descent over the text of one type."""

    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self._tokens = [(match.lastgroup or "", match[match.lastgroup or 0]) for match in _TYPE_TOKEN.finditer(text)]
        self._position = 0

    def whole(self) -> pa.DataType:
        parsed = self._type(0)
        if self._position < len(self._tokens):
            raise self._error()
        return parsed

    def _type(self, depth: int) -> pa.DataType:
        if depth > NESTING_DEPTH_MAX:
            raise DatabaseError(ErrorKind.UNSUPPORTED, f"types nest at most {NESTING_DEPTH_MAX} levels deep")
        parsed = self._element(depth)
        while self._accept("["):
            self._expect("]")
            depth += 1
            if depth > NESTING_DEPTH_MAX:
                raise DatabaseError(ErrorKind.UNSUPPORTED, f"types nest at most {NESTING_DEPTH_MAX} levels deep")
            parsed = pa.list_(parsed)
        return parsed

    def _element(self, depth: int) -> pa.DataType:
        written = self._word()
        if written in _UNSIGNED_ALIASES:
            return _INTEGERS[_UNSIGNED_ALIASES[written]][1]
        name = _ALIASES.get(written, written)
        if name in _INTEGERS:
            signed, unsigned = _INTEGERS[name]
            return unsigned if self._accept("UNSIGNED") else signed
        if name in _PLAIN:
            self._skip_decoration(written)
            return _PLAIN[name]
        parse = _PARAMETRIC.get(name)
        if parse is None:
            hint = " (write TINYINT UNSIGNED)" if written == "UINT8" else ""
            raise DatabaseError(ErrorKind.UNSUPPORTED, f"type {self._text[:80]} cannot be stored{hint}")
        return parse(self, depth)

    def _skip_decoration(self, written: str) -> None:
        """Read what may follow a plain name without changing the type: PRECISION, VARYING, a length."""
        if written == "DOUBLE":
            self._accept("PRECISION")
        if written in {"CHARACTER", "CHAR", "BINARY"}:
            self._accept("VARYING")
        if written in _WITH_LENGTH and self._accept("("):
            self._number()
            self._expect(")")

    def decimal(self, _: int) -> pa.DataType:
        """Read `(p[, s])`."""
        if not self._accept("("):
            return pa.decimal128(*DECIMAL_DEFAULT)
        precision = self._number()
        scale = self._number() if self._accept(",") else 0
        self._expect(")")
        if not 1 <= precision <= DECIMAL_PRECISION_MAX or not 0 <= scale <= precision:
            raise DatabaseError(
                ErrorKind.UNSUPPORTED,
                f"type {self._text[:80]}: precision is 1 to {DECIMAL_PRECISION_MAX}, scale 0 to precision",
            )
        return pa.decimal128(precision, scale)

    def time(self, _: int) -> pa.DataType:
        """Read `[(digits)] [WITHOUT TIME ZONE]`."""
        unit = self._unit()
        if self._accept("WITHOUT"):
            self._expect("TIME", "ZONE")
        return pa.time32("ms") if unit == "ms" else pa.time64(unit)

    def timestamp(self, _: int) -> pa.DataType:
        """Read `[(digits)] [WITH TIME ZONE ['zone'] | WITHOUT TIME ZONE]`."""
        unit = self._unit()
        if self._accept("WITHOUT"):
            self._expect("TIME", "ZONE")
        elif self._accept("WITH"):
            self._expect("TIME", "ZONE")
            return pa.timestamp(unit, self._zone())
        return pa.timestamp(unit)

    def timestamp_with_zone(self, _: int) -> pa.DataType:
        """Read `[(digits)] ['zone']`."""
        return pa.timestamp(self._unit(), self._zone())

    def list(self, depth: int) -> pa.DataType:
        """Read `<element>` or `(element)`."""
        close = self._open()
        element = self._type(depth + 1)
        self._expect(close)
        return pa.list_(element)

    def struct(self, depth: int) -> pa.DataType:
        """Read `<name type, …>` or `(name type, …)`."""
        close = self._open()
        fields = [self._field(depth)]
        while self._accept(","):
            fields.append(self._field(depth))
        self._expect(close)
        names = [child.name for child in fields]
        if len(set(names)) < len(names):
            raise DatabaseError(ErrorKind.INVALID, f"type {self._text[:80]} has two fields of one name")
        return pa.struct(fields)

    def _field(self, depth: int) -> pa.Field:
        kind, text = self._peek()
        if kind not in {"word", "quoted"}:
            raise self._error()
        self._position += 1
        name = text[1:-1].replace('""', '"') if kind == "quoted" else text.lower()
        self._accept(":")
        return pa.field(check_name("field", name), self._type(depth + 1))

    def _unit(self) -> str:
        digits = DEFAULT_FRACTION_DIGITS
        if self._accept("("):
            digits = self._number()
            self._expect(")")
        if not 0 <= digits <= FRACTION_DIGITS_MAX:
            raise DatabaseError(ErrorKind.UNSUPPORTED, f"type {self._text[:80]}: digits are 0 to {FRACTION_DIGITS_MAX}")
        return next(unit for unit, most in _DIGITS_OF_UNIT.items() if digits <= most)

    def _zone(self) -> str:
        kind, text = self._peek()
        if kind != "string":
            return "UTC"
        self._position += 1
        zone = text[1:-1]
        if not _is_zone(zone):
            raise DatabaseError(ErrorKind.INVALID, f"type {self._text[:80]}: unknown time zone {zone[:40]!r}")
        return zone

    def _open(self) -> str:
        if self._accept("<"):
            return ">"
        self._expect("(")
        return ")"

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._position] if self._position < len(self._tokens) else ("", "")

    def _accept(self, expected: str) -> bool:
        kind, text = self._peek()
        if kind not in {"word", "symbol"} or text.upper() != expected:
            return False
        self._position += 1
        return True

    def _expect(self, *expected: str) -> None:
        for text in expected:
            if not self._accept(text):
                raise self._error()

    def _word(self) -> str:
        kind, text = self._peek()
        if kind != "word":
            raise self._error()
        self._position += 1
        return text.upper()

    def _number(self) -> int:
        kind, text = self._peek()
        if kind != "number" or len(text) > FRACTION_DIGITS_MAX:
            raise self._error()
        self._position += 1
        return int(text)

    def _error(self) -> DatabaseError:
        _, found = self._peek()
        near = f" near {found[:40]!r}" if found else ""
        return DatabaseError(ErrorKind.SYNTAX, f"cannot read the type {self._text[:80]!r}{near}")


_PARAMETRIC: dict[str, Callable[[_TypeText, int], pa.DataType]] = {
    "DECIMAL": _TypeText.decimal,
    "TIME": _TypeText.time,
    "TIMESTAMP": _TypeText.timestamp,
    "TIMESTAMPTZ": _TypeText.timestamp_with_zone,
    "LIST": _TypeText.list,
    "STRUCT": _TypeText.struct,
}
