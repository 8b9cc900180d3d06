"""Metadata tables: exact schemas, the protocol's order, and filters that mean what the protocol says."""

from functools import cache

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import DatabaseError, ErrorKind
from flightserver.protocol import metadata, schemas
from flightserver.protocol.commands import GetDbSchemas, GetPrimaryKeys, GetTables
from flightserver.protocol.metadata import DbSchemaInfo, KeyColumn, TableInfo

COLUMNS = pa.schema([pa.field("a", pa.int64(), nullable=False, metadata={"ARROW:FLIGHT:SQL:TYPE_NAME": "BIGINT"})])


def schema_of(info: TableInfo) -> pa.Schema:
    """Every table has the same columns."""
    return COLUMNS


TABLES = [
    TableInfo("main", "public", "orders", "TABLE"),
    TableInfo("main", "public", "Orders", "TABLE"),
    TableInfo("main", "public", "order_view", "VIEW"),
    TableInfo("main", "app", "users", "TABLE"),
    TableInfo(None, None, "loose", "TABLE"),
]

SCHEMAS = [DbSchemaInfo("main", "public"), DbSchemaInfo("main", "app"), DbSchemaInfo(None, "loose")]

KEYS = [
    KeyColumn("main", "public", "t", "b", "t_pkey", 2),
    KeyColumn("main", "public", "t", "a", "t_pkey", 1),
    KeyColumn("main", "app", "t", "z", "t_pkey", 1),
    KeyColumn(None, None, "t", "n", None, 1),
    KeyColumn("main", "public", "other", "x", "other_pkey", 1),
]


def names(**filters) -> list[str]:
    """Return the names of the tables that pass the filters of a GetTables."""
    return metadata.tables(TABLES, GetTables(**filters), schema_of).column("table_name").to_pylist()


def exact(table: pa.Table, schema: pa.Schema) -> bool:
    """Check a table's content, and its schema down to the metadata."""
    table.validate(full=True)
    return table.schema.equals(schema, check_metadata=True)


def like(name: str, pattern: str) -> bool:
    """SQL LIKE, written as its definition."""

    @cache
    def rest(i: int, j: int) -> bool:
        if j == len(pattern):
            return i == len(name)
        if pattern[j] == "%":
            return rest(i, j + 1) or (i < len(name) and rest(i + 1, j))
        escaped = pattern[j] == "\\" and j + 1 < len(pattern)
        wanted = pattern[j + 1] if escaped else pattern[j]
        fits = i < len(name) and (name[i] == wanted or (pattern[j] == "_"))
        return fits and rest(i + 1, j + (2 if escaped else 1))

    return rest(0, 0)


def test_catalogs():
    """Catalogs are listed once, in order."""
    table = metadata.catalogs(["b", "a", "b"])
    assert exact(table, schemas.CATALOGS)
    assert table.column(0).to_pylist() == ["a", "b"]


def test_db_schemas_are_ordered():
    """Schemas come by catalog, then name, those without a catalog first."""
    table = metadata.db_schemas(SCHEMAS, GetDbSchemas())
    assert exact(table, schemas.DB_SCHEMAS)
    assert table.column("db_schema_name").to_pylist() == ["loose", "app", "public"]


@pytest.mark.parametrize(("catalog", "expected"), [("main", ["app", "public"]), ("", ["loose"]), ("MAIN", [])])
def test_db_schemas_by_catalog(catalog, expected):
    """The catalog is compared as it is, and an empty one selects what has none."""
    assert metadata.db_schemas(SCHEMAS, GetDbSchemas(catalog)).column(1).to_pylist() == expected


def test_db_schemas_by_pattern():
    """The name of the schema is a pattern."""
    table = metadata.db_schemas(SCHEMAS, GetDbSchemas(db_schema_filter_pattern="%p%"))
    assert table.column(1).to_pylist() == ["app", "public"]


def test_tables_are_ordered():
    """Tables come by catalog, schema and name, absent names first, then by code point."""
    assert names() == ["loose", "users", "Orders", "order_view", "orders"]


def test_tables_without_schema():
    """Without include_schema there are four columns."""
    assert exact(metadata.tables(TABLES, GetTables(), schema_of), schemas.TABLES)


def test_tables_with_schema():
    """With include_schema the fifth column holds IPC messages, column metadata included."""
    table = metadata.tables(TABLES, GetTables(include_schema=True), schema_of)
    assert exact(table, schemas.TABLES_WITH_SCHEMA)
    read = pa.ipc.read_schema(pa.py_buffer(table.column("table_schema")[0].as_py()))
    assert read.equals(COLUMNS, check_metadata=True)


@pytest.mark.parametrize(("include_schema", "described"), [(True, ["users"]), (False, [])])
def test_only_what_is_answered_is_described(include_schema, described):
    """Schemas of tables that a filter leaves out are not asked for, and none when the command wants none."""
    asked = []

    def schema_of(info: TableInfo) -> pa.Schema:
        asked.append(info.name)
        return COLUMNS

    command = GetTables(table_name_filter_pattern="users", include_schema=include_schema)
    metadata.tables(TABLES, command, schema_of)
    assert asked == described


@pytest.mark.parametrize("include_schema", [False, True])
def test_no_tables(include_schema):
    """An empty answer has the same schema."""
    table = metadata.tables([], GetTables(include_schema=include_schema), schema_of)
    assert exact(table, schemas.TABLES_WITH_SCHEMA if include_schema else schemas.TABLES)


def test_tables_by_type():
    """Types are compared as they are; none asks for all."""
    assert names(table_types=("VIEW",)) == ["order_view"]
    assert names(table_types=("view",)) == []
    assert len(names(table_types=())) == len(TABLES)


def test_tables_by_catalog():
    """An empty catalog selects tables without one."""
    assert names(catalog="") == ["loose"]
    assert "loose" not in names(catalog="main")


def test_empty_schema_pattern_selects_tables_without_a_schema():
    """The empty pattern matches the empty name only."""
    assert names(db_schema_filter_pattern="") == ["loose"]


def test_tables_by_name_pattern():
    """Name patterns are case-sensitive and know both wildcards."""
    assert names(table_name_filter_pattern="order%") == ["order_view", "orders"]
    assert names(table_name_filter_pattern="_rders") == ["Orders", "orders"]
    assert names(table_name_filter_pattern="") == []


def test_escaped_wildcards_are_literal():
    """A backslash takes a wildcard's power away."""
    assert names(table_name_filter_pattern="order\\_view") == ["order_view"]
    assert names(table_name_filter_pattern="order\\_%") == ["order_view"]
    assert names(table_name_filter_pattern="order\\%") == []


PIECES = st.text(st.sampled_from("ab%_\\\né.*[$"), max_size=8)


@given(PIECES, PIECES)
def test_patterns_are_sql_like(name, pattern):
    """Any pattern matches any name exactly when the definition of LIKE says so."""
    infos = [DbSchemaInfo(None, name)]
    found = metadata.db_schemas(infos, GetDbSchemas(db_schema_filter_pattern=pattern))
    assert bool(found.num_rows) == like(name, pattern)


def test_long_pattern_is_refused():
    """A pattern longer than any name is an error, not work."""
    with pytest.raises(DatabaseError) as caught:
        names(table_name_filter_pattern="%" * 1001)
    assert caught.value.kind is ErrorKind.INVALID


def test_greedy_patterns_are_cheap():
    """Patterns that ruin backtracking matchers are matched in linear time."""
    infos = [DbSchemaInfo(None, "a" * 100)]
    pattern = "%a" * 500
    assert metadata.db_schemas(infos, GetDbSchemas(db_schema_filter_pattern=pattern)).num_rows == 0


def test_table_types():
    """Table types are listed once, in order."""
    table = metadata.table_types(["VIEW", "TABLE", "VIEW"])
    assert exact(table, schemas.TABLE_TYPES)
    assert table.column(0).to_pylist() == ["TABLE", "VIEW"]


def test_primary_keys_are_ordered():
    """Key columns come by catalog, schema, table, key and position."""
    table = metadata.primary_keys(KEYS, GetPrimaryKeys("t"))
    assert exact(table, schemas.PRIMARY_KEYS)
    assert table.column("column_name").to_pylist() == ["n", "z", "a", "b"]
    assert table.column("key_sequence").to_pylist() == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (GetPrimaryKeys("t", db_schema="public"), ["a", "b"]),
        (GetPrimaryKeys("t", "main", "app"), ["z"]),
        (GetPrimaryKeys("t", ""), ["n"]),
        (GetPrimaryKeys("t", db_schema=""), ["n"]),
        (GetPrimaryKeys("%"), []),
    ],
)
def test_primary_keys_are_filtered(command, expected):
    """Catalog, schema and table are compared as they are; the table is no pattern."""
    assert metadata.primary_keys(KEYS, command).column("column_name").to_pylist() == expected


def test_foreign_keys_are_empty():
    """There are no foreign keys, in the exact schema."""
    assert exact(metadata.foreign_keys(), schemas.FOREIGN_KEYS)
    assert metadata.foreign_keys().num_rows == 0
