"""Metadata commands as clients of the protocol send them: schemas to the letter, filters, facts about the server."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from flightserver.protocol import schemas
from flightserver.protocol.commands import (
    GetCatalogs,
    GetCrossReference,
    GetDbSchemas,
    GetExportedKeys,
    GetImportedKeys,
    GetPrimaryKeys,
    GetSqlInfo,
    GetTables,
    GetTableTypes,
    GetXdbcTypeInfo,
    MetadataCommand,
)
from flightserver.protocol.sql_info import SqlInfo
from tests.e2e.client import Client
from tests.e2e.wire import Wire

Make = Callable[..., str]

COMMANDS: list[tuple[MetadataCommand, pa.Schema]] = [
    (GetCatalogs(), schemas.CATALOGS),
    (GetDbSchemas(), schemas.DB_SCHEMAS),
    (GetTables(), schemas.TABLES),
    (GetTables(include_schema=True), schemas.TABLES_WITH_SCHEMA),
    (GetTableTypes(), schemas.TABLE_TYPES),
    (GetPrimaryKeys("batches"), schemas.PRIMARY_KEYS),
    (GetExportedKeys("batches"), schemas.FOREIGN_KEYS),
    (GetImportedKeys("batches"), schemas.FOREIGN_KEYS),
    (GetCrossReference("batches", "batches"), schemas.FOREIGN_KEYS),
    (GetXdbcTypeInfo(), schemas.XDBC_TYPE_INFO),
    (GetSqlInfo(), schemas.SQL_INFO),
]


def rows(wire: Wire, command: MetadataCommand) -> list[dict[str, Any]]:
    """The result of a metadata command."""
    return wire.fetch(wire.info(command)).to_pylist()


def facts(wire: Wire, *asked: SqlInfo) -> dict[int, Any]:
    """Facts about the server by id."""
    return {row["info_name"]: row["value"] for row in rows(wire, GetSqlInfo(tuple(map(int, asked))))}


@pytest.mark.parametrize(("command", "schema"), COMMANDS, ids=[str(command) for command, _ in COMMANDS])
def test_every_command_has_the_protocols_schema(wire: Wire, command: MetadataCommand, schema: pa.Schema) -> None:
    """FlightInfo, GetSchema and the stream have it alike; drivers refuse a result that differs."""
    info = wire.info(command)
    for found in (info.schema, wire.schema(command), wire.fetch(info).schema):
        assert found.equals(schema, check_metadata=True)


def test_schemas_are_found_by_pattern(wire: Wire, db: Client, t: str) -> None:
    """Of one catalog; another one has none."""
    db.run(f"CREATE NAMESPACE {t}_n")
    found = rows(wire, GetDbSchemas("main", f"{t}%"))
    assert found == [{"catalog_name": "main", "db_schema_name": f"{t}_n"}]
    assert rows(wire, GetDbSchemas("other")) == []


def test_tables_are_found_by_pattern_and_type(wire: Wire, db: Client, make: Make) -> None:
    """Views are a type of their own."""
    t = make()
    db.run(f"CREATE VIEW {t}_v AS SELECT 1 AS one")
    names = {"catalog_name": "main", "db_schema_name": "public"}
    asked = {"db_schema_filter_pattern": "pub%", "table_name_filter_pattern": f"{t}%"}
    table, view = rows(wire, GetTables(**asked))
    assert table == {**names, "table_name": t, "table_type": "TABLE"}
    assert view == {**names, "table_name": f"{t}_v", "table_type": "VIEW"}
    assert rows(wire, GetTables(**asked, table_types=("VIEW",))) == [view]


def test_tables_come_with_their_schema(wire: Wire, make: Make) -> None:
    """With what the protocol tells of columns in the metadata of the fields."""
    t = make("id BIGINT PRIMARY KEY, price DECIMAL(9,2)")
    (found,) = rows(wire, GetTables(table_name_filter_pattern=t, include_schema=True))
    schema = pa.ipc.read_schema(pa.py_buffer(found["table_schema"]))
    assert [(field.name, field.type, field.nullable) for field in schema] == [
        ("id", pa.int64(), False),
        ("price", pa.decimal128(9, 2), True),
    ]
    told = {key.decode().removeprefix("ARROW:FLIGHT:SQL:"): v.decode() for key, v in schema.field(1).metadata.items()}
    assert told == {
        "CATALOG_NAME": "main",
        "DB_SCHEMA_NAME": "public",
        "SCHEMA_NAME": "public",
        "TABLE_NAME": t,
        "TYPE_NAME": "DECIMAL(9,2)",
        "PRECISION": "9",
        "SCALE": "2",
        "IS_AUTO_INCREMENT": "0",
        "IS_CASE_SENSITIVE": "0",
        "IS_READ_ONLY": "0",
        "IS_SEARCHABLE": "1",
    }


def test_primary_keys_are_in_the_order_of_the_key(wire: Wire, make: Make) -> None:
    """By column name, with the place in the key."""
    t = make("a TEXT, b INT, PRIMARY KEY (b, a)")
    found = rows(wire, GetPrimaryKeys(t, "main", "public"))
    assert [(row["column_name"], row["key_sequence"], row["key_name"]) for row in found] == [
        ("b", 1, f"{t}_pkey"),
        ("a", 2, f"{t}_pkey"),
    ]


def test_types_are_found_by_code(wire: Wire) -> None:
    """ODBC drivers ask for one code at a time: 12 is text, 12345 nothing."""
    assert "TEXT" in [row["type_name"] for row in rows(wire, GetXdbcTypeInfo(12))]
    assert rows(wire, GetXdbcTypeInfo(12345)) == []


def test_every_fact_about_the_server_is_told(wire: Wire) -> None:
    """All, when no id is asked for; else those that are."""
    assert facts(wire).keys() == set(map(int, SqlInfo))
    assert facts(wire, SqlInfo.SERVER_NAME, SqlInfo.SERVER_TRANSACTION) == {0: "flightserver", 8: 2}


def test_timeouts_of_the_settings_are_told(wire: Wire) -> None:
    """Those of handles and of transactions that nobody uses, in milliseconds."""
    timeouts = facts(wire, SqlInfo.SERVER_STATEMENT_TIMEOUT, SqlInfo.SERVER_TRANSACTION_TIMEOUT)
    assert list(timeouts.values()) == [3_600_000, 600_000]
