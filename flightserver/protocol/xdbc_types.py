"""SQL types as XDBC clients want them described.

`_TYPES` is the whole table: the scalar types that a column can be declared with, under the names that the catalog gives
them, without lengths. Codes are those of ODBC and JDBC; what they have no code for has that of its nearest kin.
"""

from dataclasses import astuple, dataclass
from enum import IntEnum, unique

import pyarrow as pa

from flightserver.protocol import schemas
from flightserver.protocol.commands import GetXdbcTypeInfo


@unique
class XdbcType(IntEnum):
    """Type codes, as in the ODBC and JDBC specifications; only those that this server uses."""

    BIT = -7
    TINYINT = -6
    BIGINT = -5
    VARBINARY = -3
    DECIMAL = 3
    INTEGER = 4
    SMALLINT = 5
    REAL = 7
    DOUBLE = 8
    DATETIME = 9
    VARCHAR = 12
    DATE = 91
    TIME = 92
    TIMESTAMP = 93


@unique
class DatetimeSubcode(IntEnum):
    """What a DATETIME is, in the words of ODBC."""

    DATE = 1
    TIME = 2
    TIMESTAMP = 3
    TIMESTAMP_WITH_TIMEZONE = 5


_NULLABLE = 1
_SEARCHABLE_BASIC = 2
_SEARCHABLE_FULL = 3


@dataclass(frozen=True)
class _TypeInfo:
    """One row, in the order of `schemas.XDBC_TYPE_INFO`."""

    type_name: str
    data_type: int
    column_size: int | None
    literal_prefix: str | None = None
    literal_suffix: str | None = None
    create_params: tuple[str, ...] | None = None
    nullable: int = _NULLABLE
    case_sensitive: bool = False
    searchable: int = _SEARCHABLE_BASIC
    unsigned_attribute: bool | None = None
    fixed_prec_scale: bool = False
    auto_increment: bool | None = None
    local_type_name: str | None = None
    minimum_scale: int | None = None
    maximum_scale: int | None = None
    sql_data_type: int = 0
    datetime_subcode: int | None = None
    num_prec_radix: int | None = None
    interval_precision: int | None = None


def _integer(name: str, code: XdbcType, digits: int, unsigned: bool = False) -> _TypeInfo:
    return _TypeInfo(
        type_name=name,
        data_type=code,
        column_size=digits,
        unsigned_attribute=unsigned,
        auto_increment=False,
        minimum_scale=0,
        maximum_scale=0,
        sql_data_type=code,
        num_prec_radix=10,
    )


def _float(name: str, code: XdbcType, bits: int) -> _TypeInfo:
    return _TypeInfo(
        type_name=name,
        data_type=code,
        column_size=bits,
        unsigned_attribute=False,
        auto_increment=False,
        sql_data_type=code,
        num_prec_radix=2,
    )


def _moment(name: str, code: XdbcType, keyword: str, length: int, subcode: DatetimeSubcode) -> _TypeInfo:
    scale = None if code is XdbcType.DATE else 9
    return _TypeInfo(
        type_name=name,
        data_type=code,
        column_size=length,
        literal_prefix=f"{keyword} '",
        literal_suffix="'",
        minimum_scale=None if scale is None else 0,
        maximum_scale=scale,
        sql_data_type=XdbcType.DATETIME,
        datetime_subcode=subcode,
    )


_TYPES = (
    _TypeInfo("BOOLEAN", XdbcType.BIT, 1, sql_data_type=XdbcType.BIT),
    _integer("TINYINT", XdbcType.TINYINT, 3),
    _integer("TINYINT UNSIGNED", XdbcType.TINYINT, 3, unsigned=True),
    _integer("SMALLINT", XdbcType.SMALLINT, 5),
    _integer("SMALLINT UNSIGNED", XdbcType.SMALLINT, 5, unsigned=True),
    _integer("INT", XdbcType.INTEGER, 10),
    _integer("INT UNSIGNED", XdbcType.INTEGER, 10, unsigned=True),
    _integer("BIGINT", XdbcType.BIGINT, 19),
    _integer("BIGINT UNSIGNED", XdbcType.BIGINT, 20, unsigned=True),
    _float("FLOAT16", XdbcType.REAL, 11),
    _float("FLOAT", XdbcType.REAL, 24),
    _float("DOUBLE", XdbcType.DOUBLE, 53),
    _TypeInfo(
        "DECIMAL",
        XdbcType.DECIMAL,
        38,
        create_params=("precision", "scale"),
        unsigned_attribute=False,
        auto_increment=False,
        minimum_scale=0,
        maximum_scale=38,
        sql_data_type=XdbcType.DECIMAL,
        num_prec_radix=10,
    ),
    _TypeInfo(
        "TEXT",
        XdbcType.VARCHAR,
        None,
        literal_prefix="'",
        literal_suffix="'",
        case_sensitive=True,
        searchable=_SEARCHABLE_FULL,
        sql_data_type=XdbcType.VARCHAR,
    ),
    _TypeInfo(
        "UUID",
        XdbcType.VARCHAR,
        36,
        literal_prefix="'",
        literal_suffix="'",
        searchable=_SEARCHABLE_FULL,
        sql_data_type=XdbcType.VARCHAR,
    ),
    _TypeInfo(
        "BYTEA",
        XdbcType.VARBINARY,
        None,
        literal_prefix="X'",
        literal_suffix="'",
        sql_data_type=XdbcType.VARBINARY,
    ),
    _moment("DATE", XdbcType.DATE, "DATE", 10, DatetimeSubcode.DATE),
    _moment("TIME", XdbcType.TIME, "TIME", 18, DatetimeSubcode.TIME),
    _moment("TIMESTAMP", XdbcType.TIMESTAMP, "TIMESTAMP", 29, DatetimeSubcode.TIMESTAMP),
    _moment(
        "TIMESTAMP WITH TIME ZONE",
        XdbcType.TIMESTAMP,
        "TIMESTAMPTZ",
        35,
        DatetimeSubcode.TIMESTAMP_WITH_TIMEZONE,
    ),
)


def xdbc_types(command: GetXdbcTypeInfo) -> pa.Table:
    """Answer GetXdbcTypeInfo: all types, or those with the code of the command."""
    found = [info for info in _TYPES if command.data_type in (None, info.data_type)]
    found.sort(key=lambda info: (info.data_type, info.type_name))
    rows = [astuple(info) for info in found]
    columns = [[row[position] for row in rows] for position in range(len(schemas.XDBC_TYPE_INFO))]
    return pa.table(columns, schema=schemas.XDBC_TYPE_INFO)
