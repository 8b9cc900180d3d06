"""The result schemas are the protocol's, written down a second time as text."""

import pyarrow as pa
import pytest

from flightserver.protocol import schemas

FOREIGN_KEYS = """
    pk_catalog_name: string
    pk_db_schema_name: string
    pk_table_name: string not null
    pk_column_name: string not null
    fk_catalog_name: string
    fk_db_schema_name: string
    fk_table_name: string not null
    fk_column_name: string not null
    key_sequence: int32 not null
    fk_key_name: string
    pk_key_name: string
    update_rule: uint8 not null
    delete_rule: uint8 not null
"""

XDBC_TYPE_INFO = """
    type_name: string not null
    data_type: int32 not null
    column_size: int32
    literal_prefix: string
    literal_suffix: string
    create_params: list<item: string not null>
    child 0, item: string not null
    nullable: int32 not null
    case_sensitive: bool not null
    searchable: int32 not null
    unsigned_attribute: bool
    fixed_prec_scale: bool not null
    auto_increment: bool
    local_type_name: string
    minimum_scale: int32
    maximum_scale: int32
    sql_data_type: int32 not null
    datetime_subcode: int32
    num_prec_radix: int32
    interval_precision: int32
"""

GOLDEN = {
    "CATALOGS": "catalog_name: string not null",
    "DB_SCHEMAS": "catalog_name: string\ndb_schema_name: string not null",
    "TABLE_TYPES": "table_type: string not null",
    "TABLES": """
        catalog_name: string
        db_schema_name: string
        table_name: string not null
        table_type: string not null
    """,
    "TABLES_WITH_SCHEMA": """
        catalog_name: string
        db_schema_name: string
        table_name: string not null
        table_type: string not null
        table_schema: binary not null
    """,
    "PRIMARY_KEYS": """
        catalog_name: string
        db_schema_name: string
        table_name: string not null
        column_name: string not null
        key_name: string
        key_sequence: int32 not null
    """,
    "FOREIGN_KEYS": FOREIGN_KEYS,
    "XDBC_TYPE_INFO": XDBC_TYPE_INFO,
}

SQL_INFO_MEMBERS = {
    "string_value": pa.utf8(),
    "bool_value": pa.bool_(),
    "bigint_value": pa.int64(),
    "int32_bitmask": pa.int32(),
    "string_list": pa.list_(pa.utf8()),
    "int32_to_int32_list_map": pa.map_(pa.int32(), pa.list_(pa.int32())),
}


def lines(text: str) -> list[str]:
    """Split a schema's text into its fields."""
    return [line.strip() for line in text.strip().splitlines()]


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_schema_is_golden(name):
    """Names, types and nullability are exact."""
    assert lines(str(getattr(schemas, name))) == lines(GOLDEN[name])


@pytest.mark.parametrize("name", [*sorted(GOLDEN), "SQL_INFO"])
def test_schema_carries_no_metadata(name):
    """Drivers compare without metadata only when there is none."""
    schema = getattr(schemas, name)
    assert schema.metadata is None
    assert all(field.metadata is None for field in schema)


def test_sql_info_outer_fields():
    """The id is a uint32 and the value a dense union, both required."""
    assert str(schemas.SQL_INFO.field("info_name")) == "pyarrow.Field<info_name: uint32 not null>"
    assert not schemas.SQL_INFO.field("value").nullable
    assert schemas.SQL_INFO.field("value").type.mode == "dense"


@pytest.mark.parametrize(("code", "name"), list(enumerate(SQL_INFO_MEMBERS)))
def test_sql_info_members(code, name):
    """Members have the protocol's order, names and types, and type codes from 0."""
    union = schemas.SQL_INFO.field("value").type
    assert union.type_codes[code] == code
    assert union.field(code) == pa.field(name, SQL_INFO_MEMBERS[name], nullable=False)


def test_column_metadata_has_the_protocols_keys():
    """Every key is prefixed, flags are 0 or 1, numbers are decimal."""
    metadata = schemas.column_metadata(
        catalog="main",
        db_schema="public",
        table="t",
        type_name="DECIMAL(10,2)",
        precision=10,
        scale=2,
        is_auto_increment=False,
        is_case_sensitive=True,
        is_read_only=False,
        is_searchable=True,
        remarks="price",
    )
    assert metadata == {
        "ARROW:FLIGHT:SQL:CATALOG_NAME": "main",
        "ARROW:FLIGHT:SQL:DB_SCHEMA_NAME": "public",
        "ARROW:FLIGHT:SQL:SCHEMA_NAME": "public",
        "ARROW:FLIGHT:SQL:TABLE_NAME": "t",
        "ARROW:FLIGHT:SQL:TYPE_NAME": "DECIMAL(10,2)",
        "ARROW:FLIGHT:SQL:PRECISION": "10",
        "ARROW:FLIGHT:SQL:SCALE": "2",
        "ARROW:FLIGHT:SQL:IS_AUTO_INCREMENT": "0",
        "ARROW:FLIGHT:SQL:IS_CASE_SENSITIVE": "1",
        "ARROW:FLIGHT:SQL:IS_READ_ONLY": "0",
        "ARROW:FLIGHT:SQL:IS_SEARCHABLE": "1",
        "ARROW:FLIGHT:SQL:REMARKS": "price",
    }


def test_unknown_column_facts_are_left_out():
    """What is not known has no key, while an empty text has one."""
    assert schemas.column_metadata(remarks="") == {"ARROW:FLIGHT:SQL:REMARKS": ""}
