"""XDBC type information: exact schema, order, filter and consistent codes."""

import re

import datafusion
import pytest

from catalog.types import format_type, parse_type
from flightserver.protocol import schemas
from flightserver.protocol.commands import GetXdbcTypeInfo
from flightserver.protocol.xdbc_types import XdbcType, xdbc_types
from tests.protocol.driver_descriptor import driver_descriptor

ROWS = xdbc_types(GetXdbcTypeInfo()).to_pylist()


def test_table_is_exact():
    """The table has the protocol's schema and no NULL where none may be."""
    table = xdbc_types(GetXdbcTypeInfo())
    table.validate(full=True)
    assert table.schema.equals(schemas.XDBC_TYPE_INFO, check_metadata=True)
    required = [field.name for field in schemas.XDBC_TYPE_INFO if not field.nullable]
    assert all(table.column(name).null_count == 0 for name in required)


def test_rows_are_ordered():
    """Rows come by type code, then by name."""
    keys = [(row["data_type"], row["type_name"]) for row in ROWS]
    assert keys == sorted(keys)


def test_filter_by_code():
    """A code selects all types that have it."""
    table = xdbc_types(GetXdbcTypeInfo(-5))
    assert table.column("type_name").to_pylist() == ["BIGINT", "BIGINT UNSIGNED"]


@pytest.mark.parametrize("code", [0, 1234])
def test_unknown_code(code):
    """A code without types gives an empty table with the same schema."""
    table = xdbc_types(GetXdbcTypeInfo(code))
    assert table.num_rows == 0
    assert table.schema.equals(schemas.XDBC_TYPE_INFO)


def test_names_are_unique():
    """A type is listed once."""
    assert len({row["type_name"] for row in ROWS}) == len(ROWS)


def test_codes_are_the_drivers():
    """Codes have the protocol's names and numbers."""
    (enum,) = (enum for enum in driver_descriptor("FlightSql.proto").enum_type if enum.name == "XdbcDataType")
    theirs = {entry.name: entry.number for entry in enum.value}
    assert all(theirs[f"XDBC_{kind.name}"] == kind.value for kind in XdbcType)


def test_moments_use_the_generic_code():
    """Dates and times have the code DATETIME and a subcode, other types repeat their own code."""
    for row in ROWS:
        is_moment = row["data_type"] in (XdbcType.DATE, XdbcType.TIME, XdbcType.TIMESTAMP)
        assert row["sql_data_type"] == (XdbcType.DATETIME if is_moment else row["data_type"])
        assert (row["datetime_subcode"] is not None) == is_moment


def test_radix_tells_digits_from_bits():
    """Approximate numbers count bits, exact ones digits, others nothing."""
    radix = {row["type_name"]: row["num_prec_radix"] for row in ROWS}
    assert (radix["DOUBLE"], radix["BIGINT"], radix["TEXT"]) == (2, 10, None)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["type_name"])
def test_catalog_knows_the_name(row):
    """Each name can be declared, and the catalog writes it the same way, up to a length."""
    written = format_type(parse_type(row["type_name"]))
    assert re.sub(r"\(.*?\)", "", written) == row["type_name"]


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("TEXT", "a"),
        ("UUID", "00000000-0000-0000-0000-000000000000"),
        ("BYTEA", "ab"),
        ("DATE", "2024-01-31"),
        ("TIME", "10:00:00"),
        ("TIMESTAMP", "2024-01-31 10:00:00"),
        ("TIMESTAMP WITH TIME ZONE", "2024-01-31 10:00:00"),
    ],
)
def test_literals_can_be_written(type_name, text):
    """Prefix, text and suffix make a literal that the engine reads."""
    (row,) = (row for row in ROWS if row["type_name"] == type_name)
    literal = row["literal_prefix"] + text + row["literal_suffix"]
    assert datafusion.SessionContext().sql(f"select {literal} as x").to_pydict()["x"] != [None]
