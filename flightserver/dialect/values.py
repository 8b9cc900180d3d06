"""Values on their way: what of a type changes between Python, a parameter, a literal and a result.

Where SQL has no name for a type, the engine's own name makes a parameter or an expression one of it (`engine_name`);
a parameter of a plain INSERT or UPDATE needs none, since its column tells its type. A span of time is such a type:
`ts - ts2` is one, a `timedelta` becomes one, and a column of `Interval` keeps it as a number of microseconds, because
columns hold no intervals.
"""

import datetime as dt
import decimal
import math
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, literal_column
from sqlalchemy import types as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import sqltypes
from sqlalchemy.sql.elements import BindParameter, ColumnElement
from sqlalchemy.sql.type_api import NativeForEmulated
from sqlalchemy.types import TypeEngine

from flightserver.dialect.types import FLOAT16, MICROSECOND_DIGITS, STRUCT, TIME, TIMESTAMP, UnsignedInteger

Processor = Callable[[Any], Any] | None

SPAN = "Duration(Microsecond)"
MICROSECOND = dt.timedelta(microseconds=1)
SIGNED_MAX = 2**63 - 1


class NamedByEngine(TypeEngine[Any]):
    """A type of which a parameter is told in an expression."""

    def bind_expression(self, bindvalue: BindParameter[Any]) -> ColumnElement[Any]:
        """The parameter as one of the engine's type, unless SQL's will do."""
        name = engine_name(self)
        if name is None:
            return bindvalue
        quoted: ColumnElement[str] = literal_column(f"'{name}'")
        return func.arrow_cast(bindvalue, quoted, type_=self)


class Span(NativeForEmulated, NamedByEngine, sqltypes._AbstractInterval):
    """A `timedelta`: a span in expressions and results, microseconds in parameters, literals and columns."""

    __visit_name__ = "INTERVAL"

    @classmethod
    def adapt_emulated_to_native(cls, impl: Any, **kw: Any) -> "Span":  # noqa: ARG003 - SQLAlchemy calls it so
        """In the place of `Interval`."""
        return cls()

    @property
    def python_type(self) -> type[dt.timedelta]:
        """What values are."""
        return dt.timedelta

    def bind_processor(self, dialect: Dialect) -> Processor:
        """To microseconds."""
        return _nullable(_microseconds)

    def literal_processor(self, dialect: Dialect) -> Processor:
        """To microseconds."""
        return lambda value: str(_microseconds(value))

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        """From a span, which the driver gives as it is or as pandas' with nanoseconds, or from microseconds."""
        return _nullable(_timedelta)

    def column_expression(self, colexpr: ColumnElement[Any]) -> ColumnElement[Any]:
        """As a span, also within sub-queries."""
        return Selected(colexpr)


class FrameSpan(Span):
    """A `timedelta` as the bound of a window, where only a literal with its unit may stand."""

    def literal_processor(self, dialect: Dialect) -> Processor:
        """To an interval."""
        return lambda value: f"INTERVAL '{_microseconds(value)} microseconds'"


class Selected(ColumnElement[Any]):
    """A column of a SELECT that the compiler must name, because it is written as an expression."""

    __visit_name__ = "selected"
    inherit_cache = False

    def __init__(self, element: ColumnElement[Any]) -> None:
        self.element = element
        self.type = element.type


class Uuid(sa.Uuid[Any]):
    """A UUID: text on the wire, in lower case and with dashes."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """To text; text is brought to the server's form."""
        return _nullable(_uuid_text)

    def literal_processor(self, dialect: Dialect) -> Processor:
        """To a quoted literal."""
        return lambda value: f"'{_uuid_text(value)}'"

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        """From text, unless text was asked for."""
        return _nullable(uuid.UUID) if self.as_uuid else None


class _OfMoments(TypeEngine[Any]):
    """Moments as literals and results; functions and casts may bring them with nanoseconds."""

    def literal_processor(self, dialect: Dialect) -> Processor:
        """To a typed literal, so that it compares as a moment."""
        return lambda value: _moment_text(value, getattr(self, "digits", MICROSECOND_DIGITS))

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        """From pandas' Timestamp, which has nanoseconds."""
        return _nullable(_plain_datetime)


class Moment(_OfMoments, sa.DateTime):
    """A datetime."""


class PlainTimestamp(_OfMoments, sa.TIMESTAMP):
    """A datetime, asked for by the name of TIMESTAMP."""


class FineTimestamp(_OfMoments, TIMESTAMP):
    """A moment with the digits and the zone of its column."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """Pandas' Timestamp as NumPy's, which says that it has nanoseconds."""
        return _nullable(_with_nanoseconds) if self.digits > MICROSECOND_DIGITS else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        """With all its digits."""
        return None if self.digits > MICROSECOND_DIGITS else super().result_processor(dialect, coltype)


class Day(sa.Date):
    """A date; a datetime is cut to its day."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """To a plain date."""
        return _nullable(_plain_date)

    def literal_processor(self, dialect: Dialect) -> Processor:
        """To a typed literal."""
        return lambda value: f"DATE '{_plain_date(value).isoformat()}'"


class DayTime(sa.Time):
    """A time of day."""

    def literal_processor(self, dialect: Dialect) -> Processor:
        """To a typed literal."""
        return lambda value: f"arrow_cast('{value.isoformat()}', 'Time64(Microsecond)')"


class FineTime(NamedByEngine, TIME):
    """A time of day with the digits of its column: the engine compares no others with it."""

    def literal_processor(self, dialect: Dialect) -> Processor:
        """To a typed literal."""
        return lambda value: f"arrow_cast('{value.isoformat()}', '{engine_name(self)}')"


class Number(sa.Numeric[Any]):
    """A decimal. Python's other numbers are taken too, at the value that they print as."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """To a decimal."""
        return _nullable(_decimal)

    def literal_processor(self, dialect: Dialect) -> Processor:
        """To a decimal of as many digits: a plain number of so many would be a float."""
        return lambda value: _decimal_text(_decimal(value))

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        """To what was asked for: expressions may bring floats."""
        return _nullable(_decimal if self.asdecimal else float)


class Real(sa.Float[Any]):
    """A float. Decimals are taken too."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """To a float."""
        return _nullable(float)

    def literal_processor(self, dialect: Dialect) -> Processor:
        """To a number, or the name of what is none."""
        return lambda value: str(value) if math.isfinite(value) else f"CAST('{float(value)}' AS DOUBLE)"


class Half(Real, FLOAT16):
    """A float of 16 bits."""


class Natural(UnsignedInteger):
    """An integer from 0. The driver takes none beyond 63 bits, but decimals."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """Large ones to decimals."""
        return _nullable(lambda value: decimal.Decimal(value) if value > SIGNED_MAX else value)


class Bytes(sa.LargeBinary):
    """Binary data."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """As it is."""
        return None

    def literal_processor(self, dialect: Dialect) -> Processor:
        """To a binary literal."""
        return lambda value: f"X'{value.hex()}'"


class Json(sa.JSON[Any]):
    """JSON, which is text."""

    def literal_processor(self, dialect: Dialect) -> Processor:
        """To a quoted literal."""
        serialize = self.bind_processor(dialect)  # type: ignore[no-untyped-call]
        return lambda value: _quoted(serialize(value))


class Items(sa.ARRAY[Any]):
    """A list, of which each item is what its type makes of it."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """Each item as a parameter."""
        convert = self.item_type.dialect_impl(dialect).bind_processor(dialect)
        return None if convert is None else _nullable(_each(convert, list))

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        """Each item as a result."""
        convert = self.item_type.dialect_impl(dialect).result_processor(dialect, coltype)
        make = tuple if self.as_tuple else list
        return _nullable(_each(convert or _same, make))

    def literal_processor(self, dialect: Dialect) -> Processor:
        """To a literal of its type, which an empty one could not tell."""
        render = self.item_type.dialect_impl(dialect).literal_processor(dialect)
        if render is None:
            return None
        write = _each(lambda item: "NULL" if item is None else render(item), lambda items: f"[{', '.join(items)}]")
        name = engine_name(self)
        if name is not None:
            return lambda value: f"arrow_cast({write(value)}, '{name}')"
        declared = dialect.type_compiler_instance.process(self, in_query=True)
        return lambda value: f"CAST({write(value)} AS {declared})"


class Fields(STRUCT):
    """Named fields as a literal."""

    def literal_processor(self, dialect: Dialect) -> Processor:
        """To a struct."""
        return lambda value: _literal(value, dialect)


COLSPECS: dict[type[TypeEngine[Any]], type[TypeEngine[Any]]] = {
    sa.Uuid: Uuid,
    sa.DateTime: Moment,
    sa.TIMESTAMP: PlainTimestamp,
    sa.Date: Day,
    sa.Time: DayTime,
    sa.Interval: Span,
    sqltypes._Binary: Bytes,
    sa.Numeric: Number,
    sa.Float: Real,
    sa.JSON: Json,
    sa.ARRAY: Items,
    TIMESTAMP: FineTimestamp,
    TIME: FineTime,
    UnsignedInteger: Natural,
    FLOAT16: Half,
    STRUCT: Fields,
}


def engine_name(type_: TypeEngine[Any]) -> str | None:
    """The engine's name of a type that cannot be named in SQL's CAST."""
    match type_:
        case sqltypes._AbstractInterval():
            return SPAN
        case FLOAT16():
            return "Float16"
        case TIME(digits=digits):
            return f"Time{'32' if digits == 3 else '64'}({_UNITS[digits]})"
        case sa.Time():
            return "Time64(Microsecond)"
        case TIMESTAMP(digits=digits, zone=str(zone)):
            return f'Timestamp({_UNITS[digits]}, Some("{zone}"))'
        case sa.ARRAY(item_type=item, dimensions=dimensions):
            name, depth = engine_name(item), dimensions or 1
            return None if name in {None, SPAN} else f"{'List(' * depth}{name}{')' * depth}"
    return None


def is_span(type_: TypeEngine[Any], dialect: Dialect) -> bool:
    """Tell whether values of a type are spans here: `Interval(native=False)` asks for moments instead."""
    return isinstance(type_.dialect_impl(dialect), Span)


def tells_its_type(type_: TypeEngine[Any], dialect: Dialect) -> bool:
    """Tell whether a parameter is wrapped in a cast only to tell its type."""
    impl = type_.dialect_impl(dialect)
    return isinstance(impl, NamedByEngine)


_UNITS = {3: "Millisecond", 6: "Microsecond", 9: "Nanosecond"}


def _same(value: Any) -> Any:
    return value


def _nullable(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def _each(convert: Callable[[Any], Any], make: Callable[[Iterable[Any]], Any]) -> Callable[[Any], Any]:
    """Convert the items of lists, and of lists of lists."""

    def converted(value: Any) -> Any:
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return make([converted(item) for item in value])
        return convert(value)

    return converted


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _literal(value: Any, dialect: Dialect) -> str:
    """A value of which nothing is known but itself."""
    if value is None:
        return "NULL"
    if isinstance(value, Mapping):
        return (
            f"named_struct({', '.join(f'{_quoted(name)}, {_literal(item, dialect)}' for name, item in value.items())})"
        )
    if isinstance(value, list | tuple):
        return f"[{', '.join(_literal(item, dialect) for item in value)}]"
    render = sqltypes._resolve_value_to_type(value).dialect_impl(dialect).literal_processor(dialect)
    return str(value) if render is None else str(render(value))


def _uuid_text(value: uuid.UUID | str) -> str:
    return str(value if isinstance(value, uuid.UUID) else uuid.UUID(value))


def _decimal(value: Any) -> decimal.Decimal:
    return value if isinstance(value, decimal.Decimal) else decimal.Decimal(str(value))


def _decimal_text(value: decimal.Decimal) -> str:
    _, digits, exponent = value.as_tuple()
    scale = max(-exponent, 0) if isinstance(exponent, int) else 0
    precision = max(len(digits) + max(exponent, 0) if isinstance(exponent, int) else 0, scale, 1)
    return f"CAST('{value:f}' AS DECIMAL({precision},{scale}))"


def _microseconds(value: dt.timedelta) -> int:
    return value // MICROSECOND


def _timedelta(value: Any) -> dt.timedelta:
    if isinstance(value, int | float):
        return value * MICROSECOND
    plain: dt.timedelta = value.to_pytimedelta() if hasattr(value, "to_pytimedelta") else value
    return plain


def _moment_text(value: dt.datetime, digits: int) -> str:
    text = value.isoformat(sep=" ")
    if value.tzinfo is None:
        return f"CAST('{text}' AS TIMESTAMP({digits}))"
    return f"arrow_cast('{text}', 'Timestamp({_UNITS[digits]}, Some(\"UTC\"))')"


def _plain_date(value: dt.date) -> dt.date:
    return value.date() if isinstance(value, dt.datetime) else value


def _with_nanoseconds(value: Any) -> Any:
    return value.to_datetime64() if hasattr(value, "to_datetime64") else value


def _plain_datetime(value: Any) -> Any:
    return value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
