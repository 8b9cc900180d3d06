"""Column types: the server's as SQLAlchemy's, and values that need a change of form on their way.

`of_declared` is total over the types that the server declares, and the DDL of what it returns declares the same type
again. What SQLAlchemy has no type for (unsigned integers, small floats, digits and zones of times, structs) is here.
"""

import datetime as dt
import decimal
import uuid
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from sqlalchemy import types as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from catalog.types import format_type, parse_type

Processor = Callable[[Any], Any] | None


class TINYINT(sa.Integer):
    """8 bits."""

    __visit_name__ = "TINYINT"


class UnsignedInteger(sa.Integer):
    """An integer from 0; `name` is the signed type of the same width."""

    __visit_name__ = "unsigned_integer"

    def __init__(self, name: str = "INT") -> None:
        self.name = name


class FLOAT16(sa.Float[float]):
    """A float of 16 bits."""

    __visit_name__ = "FLOAT16"


class TIME(sa.TIME):
    """A time of day with 3, 6 or 9 digits behind the second."""

    def __init__(self, digits: int = 6) -> None:
        super().__init__(timezone=False)
        self.digits = digits


class TIMESTAMP(sa.TIMESTAMP):
    """A moment with 3, 6 or 9 digits behind the second; `zone` is a name, an offset, or None.

    Moments with 9 digits come as pandas' Timestamp, because Python's own datetime has 6.
    """

    def __init__(self, digits: int = 6, zone: str | None = None) -> None:
        super().__init__(timezone=zone is not None)
        self.digits = digits
        self.zone = zone

    def bind_processor(self, dialect: Dialect) -> Processor:
        """Pandas' Timestamp as NumPy's, which says that it has nanoseconds."""
        return _nullable(_with_nanoseconds) if self.digits == _NANOSECOND_DIGITS else None


class STRUCT(TypeEngine[dict[str, Any]]):
    """Named fields; `fields` is the SQL text between the angle brackets. Values are dicts."""

    __visit_name__ = "STRUCT"

    def __init__(self, fields: str) -> None:
        self.fields = fields


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


class Moment(sa.DateTime):
    """A datetime; functions and casts may bring it with nanoseconds."""

    def literal_processor(self, dialect: Dialect) -> Processor:
        """To a typed literal, so that it compares as a moment."""
        return _moment_text

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        """From pandas' Timestamp, which has nanoseconds."""
        return _nullable(_plain_datetime)


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


class Number(sa.Numeric[Any]):
    """A decimal. Python's other numbers are taken too, at the value that they print as."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """To a decimal."""
        return _nullable(_decimal)

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        """To what was asked for: expressions may bring floats."""
        return _nullable(_decimal if self.asdecimal else float)


class Real(sa.Float[Any]):
    """A float. Decimals are taken too."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """To a float."""
        return _nullable(float)


class Bytes(sa.LargeBinary):
    """Binary data."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """As it is."""
        return None

    def literal_processor(self, dialect: Dialect) -> Processor:
        """To a binary literal."""
        return lambda value: f"X'{value.hex()}'"


COLSPECS: dict[type[TypeEngine[Any]], type[TypeEngine[Any]]] = {
    sa.Uuid: Uuid,
    sa.DateTime: Moment,
    sa.Date: Day,
    sa.Time: DayTime,
    sa.LargeBinary: Bytes,
    sa.Numeric: Number,
    sa.Float: Real,
    sa.TIMESTAMP: sa.TIMESTAMP,
    sa.TIME: sa.TIME,
}


def of_text(text: str) -> TypeEngine[Any]:
    """The type that DESCRIBE names."""
    return of_declared(parse_type(text))


def of_declared(declared: pa.DataType) -> TypeEngine[Any]:
    """The SQLAlchemy type of a type that the server declares."""
    make = _PLAIN.get(declared)
    if make is not None:
        return make()
    if pa.types.is_decimal(declared):
        return sa.DECIMAL(declared.precision, declared.scale)
    if pa.types.is_time(declared):
        return TIME(_DIGITS[declared.unit])
    if pa.types.is_timestamp(declared):
        return TIMESTAMP(_DIGITS[declared.unit], declared.tz)
    if pa.types.is_list(declared):
        dimensions = 1
        while pa.types.is_list(declared.value_type):
            declared = declared.value_type
            dimensions += 1
        return sa.ARRAY(of_declared(declared.value_type), dimensions=dimensions)
    return STRUCT(format_type(declared).removeprefix("STRUCT<").removesuffix(">"))


_NANOSECOND_DIGITS = 9
_DIGITS = {"ms": 3, "us": 6, "ns": _NANOSECOND_DIGITS}
_PLAIN: dict[pa.DataType, Callable[[], TypeEngine[Any]]] = {
    pa.int8(): TINYINT,
    pa.int16(): sa.SMALLINT,
    pa.int32(): sa.INTEGER,
    pa.int64(): sa.BIGINT,
    pa.uint8(): lambda: UnsignedInteger("TINYINT"),
    pa.uint16(): lambda: UnsignedInteger("SMALLINT"),
    pa.uint32(): lambda: UnsignedInteger("INT"),
    pa.uint64(): lambda: UnsignedInteger("BIGINT"),
    pa.float16(): FLOAT16,
    pa.float32(): sa.REAL,
    pa.float64(): sa.DOUBLE,
    pa.bool_(): sa.BOOLEAN,
    pa.string(): sa.TEXT,
    pa.binary(): sa.LargeBinary,
    pa.date32(): sa.DATE,
    pa.uuid(): sa.UUID,
}


def _nullable(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def _uuid_text(value: uuid.UUID | str) -> str:
    return str(value if isinstance(value, uuid.UUID) else uuid.UUID(value))


def _decimal(value: Any) -> decimal.Decimal:
    return value if isinstance(value, decimal.Decimal) else decimal.Decimal(str(value))


def _moment_text(value: dt.datetime) -> str:
    text = value.isoformat(sep=" ")
    if value.tzinfo is None:
        return f"CAST('{text}' AS TIMESTAMP(6))"
    return f"arrow_cast('{text}', 'Timestamp(Microsecond, Some(\"UTC\"))')"


def _plain_date(value: dt.date) -> dt.date:
    return value.date() if isinstance(value, dt.datetime) else value


def _with_nanoseconds(value: Any) -> Any:
    return value.to_datetime64() if hasattr(value, "to_datetime64") else value


def _plain_datetime(value: Any) -> Any:
    return value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
