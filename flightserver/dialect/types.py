"""Column types: the server's as SQLAlchemy's.

`of_declared` is total over the types that the server declares, and the DDL of what it returns declares the same type
again. What SQLAlchemy has no type for (unsigned integers, small floats, digits and zones of times, structs) is here.
How their values change on the way is in `values`.
"""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from sqlalchemy import types as sa
from sqlalchemy.sql.operators import OperatorClass
from sqlalchemy.types import TypeEngine

from catalog.types import format_type, parse_type

MICROSECOND_DIGITS = 6
"""What Python's own times have behind the second, and TIME and TIMESTAMP without a number."""


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

    def __init__(self, digits: int = MICROSECOND_DIGITS) -> None:
        super().__init__(timezone=False)
        self.digits = digits


class TIMESTAMP(sa.TIMESTAMP):
    """A moment with 3, 6 or 9 digits behind the second; `zone` is a name, an offset, or None.

    Moments with 9 digits come as pandas' Timestamp, because Python's own datetime has 6.
    """

    def __init__(self, digits: int = MICROSECOND_DIGITS, zone: str | None = None) -> None:
        super().__init__(timezone=zone is not None)
        self.digits = digits
        self.zone = zone


class STRUCT(TypeEngine[dict[str, Any]]):
    """Named fields; `fields` is the SQL text between the angle brackets. Values are dicts."""

    __visit_name__ = "STRUCT"
    operator_classes = OperatorClass.ANY

    def __init__(self, fields: str) -> None:
        self.fields = fields


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


_DIGITS = {"ms": 3, "us": MICROSECOND_DIGITS, "ns": 9}
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
