"""Result schemas of the metadata commands, to the letter, and the metadata of result columns.

Clients compare these schemas exactly: a name, a type or a nullability that differs makes a driver refuse the result.
None of them carries schema or field metadata; only the columns of users' tables do (`column_metadata`).
"""

import pyarrow as pa

_UTF8 = pa.utf8()


def _required(name: str, data_type: pa.DataType) -> pa.Field:
    return pa.field(name, data_type, nullable=False)


CATALOGS = pa.schema([_required("catalog_name", _UTF8)])

DB_SCHEMAS = pa.schema([pa.field("catalog_name", _UTF8), _required("db_schema_name", _UTF8)])

TABLES = pa.schema(
    [
        pa.field("catalog_name", _UTF8),
        pa.field("db_schema_name", _UTF8),
        _required("table_name", _UTF8),
        _required("table_type", _UTF8),
    ]
)

TABLES_WITH_SCHEMA = TABLES.append(_required("table_schema", pa.binary()))

TABLE_TYPES = pa.schema([_required("table_type", _UTF8)])

PRIMARY_KEYS = pa.schema(
    [
        pa.field("catalog_name", _UTF8),
        pa.field("db_schema_name", _UTF8),
        _required("table_name", _UTF8),
        _required("column_name", _UTF8),
        pa.field("key_name", _UTF8),
        _required("key_sequence", pa.int32()),
    ]
)

FOREIGN_KEYS = pa.schema(
    [
        pa.field("pk_catalog_name", _UTF8),
        pa.field("pk_db_schema_name", _UTF8),
        _required("pk_table_name", _UTF8),
        _required("pk_column_name", _UTF8),
        pa.field("fk_catalog_name", _UTF8),
        pa.field("fk_db_schema_name", _UTF8),
        _required("fk_table_name", _UTF8),
        _required("fk_column_name", _UTF8),
        _required("key_sequence", pa.int32()),
        pa.field("fk_key_name", _UTF8),
        pa.field("pk_key_name", _UTF8),
        _required("update_rule", pa.uint8()),
        _required("delete_rule", pa.uint8()),
    ]
)
"""Exported keys, imported keys and cross references share one schema."""

XDBC_TYPE_INFO = pa.schema(
    [
        _required("type_name", _UTF8),
        _required("data_type", pa.int32()),
        pa.field("column_size", pa.int32()),
        pa.field("literal_prefix", _UTF8),
        pa.field("literal_suffix", _UTF8),
        pa.field("create_params", pa.list_(_required("item", _UTF8))),
        _required("nullable", pa.int32()),
        _required("case_sensitive", pa.bool_()),
        _required("searchable", pa.int32()),
        pa.field("unsigned_attribute", pa.bool_()),
        _required("fixed_prec_scale", pa.bool_()),
        pa.field("auto_increment", pa.bool_()),
        pa.field("local_type_name", _UTF8),
        pa.field("minimum_scale", pa.int32()),
        pa.field("maximum_scale", pa.int32()),
        _required("sql_data_type", pa.int32()),
        pa.field("datetime_subcode", pa.int32()),
        pa.field("num_prec_radix", pa.int32()),
        pa.field("interval_precision", pa.int32()),
    ]
)

SQL_INFO = pa.schema(
    [
        _required("info_name", pa.uint32()),
        _required(
            "value",
            pa.dense_union(
                [
                    _required("string_value", _UTF8),
                    _required("bool_value", pa.bool_()),
                    _required("bigint_value", pa.int64()),
                    _required("int32_bitmask", pa.int32()),
                    _required("string_list", pa.list_(_UTF8)),
                    _required("int32_to_int32_list_map", pa.map_(pa.int32(), pa.list_(pa.int32()))),
                ]
            ),
        ),
    ]
)

_COLUMN_KEY = "ARROW:FLIGHT:SQL:"


def column_metadata(  # noqa: PLR0913 - one argument per key that the protocol defines
    *,
    catalog: str | None = None,
    db_schema: str | None = None,
    table: str | None = None,
    type_name: str | None = None,
    precision: int | None = None,
    scale: int | None = None,
    is_auto_increment: bool | None = None,
    is_case_sensitive: bool | None = None,
    is_read_only: bool | None = None,
    is_searchable: bool | None = None,
    remarks: str | None = None,
) -> dict[str, str]:
    """Return the field metadata that tells clients about a column; what is None is left out.

    The protocol's text says DB_SCHEMA_NAME, the libraries of drivers read SCHEMA_NAME.
    """
    facts: dict[str, str | int | None] = {
        "CATALOG_NAME": catalog,
        "DB_SCHEMA_NAME": db_schema,
        "SCHEMA_NAME": db_schema,
        "TABLE_NAME": table,
        "TYPE_NAME": type_name,
        "PRECISION": precision,
        "SCALE": scale,
        "IS_AUTO_INCREMENT": is_auto_increment,
        "IS_CASE_SENSITIVE": is_case_sensitive,
        "IS_READ_ONLY": is_read_only,
        "IS_SEARCHABLE": is_searchable,
        "REMARKS": remarks,
    }
    return {_COLUMN_KEY + key: _text(value) for key, value in facts.items() if value is not None}


def _text(value: str | int) -> str:
    """Write a fact as the protocol does: flags and numbers as decimal digits."""
    return str(int(value)) if isinstance(value, int) else value
