"""DatabaseMetaData: what exists, as tools like DBeaver ask for it, and everything that stems from SqlInfo."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.jdbc.driver import Jdbc, dicts, java

Make = Callable[..., str]

COLUMNS = [
    ("TINYINT", "TINYINT", 3, 0),
    ("SMALLINT", "SMALLINT", 5, 0),
    ("INT", "INTEGER", 10, 0),
    ("BIGINT", "BIGINT", 19, 0),
    ("FLOAT", "FLOAT", None, None),
    ("DOUBLE", "DOUBLE", None, None),
    ("DECIMAL(9,2)", "DECIMAL", 9, 2),
    ("BOOLEAN", "BOOLEAN", None, None),
    ("TEXT", "VARCHAR", 65536, None),
    ("BYTEA", "VARBINARY", 65536, None),
    ("DATE", "DATE", 10, 0),
    ("TIME(6)", "TIME", 15, 6),
    ("TIMESTAMP(6)", "TIMESTAMP", 26, 6),
    ("TIMESTAMP(6) WITH TIME ZONE", "TIMESTAMP_WITH_TIMEZONE", 26, 6),
    ("UUID", "VARCHAR", 65536, None),
    ("LIST<INT>", "ARRAY", None, None),
]
"""Declared type, constant of java.sql.Types, COLUMN_SIZE, DECIMAL_DIGITS."""

TERMS = {
    "getDatabaseProductName": "flightserver",
    "getIdentifierQuoteString": '"',
    "getSearchStringEscape": "\\",
    "getSchemaTerm": "schema",
    "getCatalogTerm": "catalog",
    "getCatalogSeparator": ".",
    "isCatalogAtStart": True,
    "isReadOnly": False,
    "supportsBatchUpdates": True,
    "supportsTransactions": False,
    "supportsSavepoints": True,
    "supportsStoredProcedures": False,
    "supportsNamedParameters": False,
    "supportsGetGeneratedKeys": False,
    "supportsOuterJoins": True,
    "supportsLimitedOuterJoins": True,
    "supportsFullOuterJoins": True,
    "supportsGroupBy": True,
    "supportsUnionAll": True,
    "supportsCorrelatedSubqueries": True,
    "supportsSubqueriesInIns": True,
    "supportsNonNullableColumns": True,
    "getMaxColumnNameLength": 128,
    "getMaxTableNameLength": 128,
    "getMaxConnections": 0,
}


def names(found: Any, column: str) -> list[str]:
    """One column of a metadata result."""
    return [row[column] for row in dicts(found)]


@pytest.fixture
def described(db: Jdbc, make: Make) -> str:
    """A table with a key of two columns, a view over it, and a namespace with a table of the same name."""
    t = make("b TEXT NOT NULL, a BIGINT, n DOUBLE, PRIMARY KEY (b, a)")
    db.run(f"CREATE VIEW {t}_v AS SELECT a FROM {t}")
    db.run(f"CREATE NAMESPACE {t}_n")
    db.run(f"CREATE TABLE {t}_n.{t} (id INT PRIMARY KEY)")
    return t


def test_there_is_one_catalog(db: Jdbc) -> None:
    """It is called main."""
    assert names(db.keep(db.metadata.getCatalogs()), "TABLE_CAT") == ["main"]


def test_namespaces_are_schemas(db: Jdbc, described: str) -> None:
    """All of them, or those that a pattern matches."""
    assert {"public", f"{described}_n"} <= set(names(db.keep(db.metadata.getSchemas()), "TABLE_SCHEM"))
    found = dicts(db.keep(db.metadata.getSchemas("main", f"{described}%")))
    assert found == [{"TABLE_SCHEM": f"{described}_n", "TABLE_CATALOG": "main"}]


def test_table_types_are_table_and_view(db: Jdbc) -> None:
    """What getTables takes as types."""
    assert names(db.keep(db.metadata.getTableTypes()), "TABLE_TYPE") == ["TABLE", "VIEW"]


def test_tables_are_found_by_pattern(db: Jdbc, described: str) -> None:
    """Tables and views of all schemas, with their names in full."""
    found = dicts(db.keep(db.metadata.getTables(None, None, f"{described}%", None)))
    assert [(row["TABLE_CAT"], row["TABLE_SCHEM"], row["TABLE_NAME"], row["TABLE_TYPE"]) for row in found] == [
        ("main", "public", described, "TABLE"),
        ("main", "public", f"{described}_v", "VIEW"),
        ("main", f"{described}_n", described, "TABLE"),
    ]


def test_tables_are_found_by_schema_and_type(db: Jdbc, described: str) -> None:
    """Filters by schema and by type limit what is listed."""
    tables = db.keep(db.metadata.getTables("main", f"{described}_n", "%", None))
    assert names(tables, "TABLE_NAME") == [described]
    views = db.keep(db.metadata.getTables(None, "public", f"{described}%", ["VIEW"]))
    assert names(views, "TABLE_NAME") == [f"{described}_v"]


def test_nothing_is_found_where_nothing_is(db: Jdbc) -> None:
    """An empty result, not an error."""
    assert dicts(db.keep(db.metadata.getTables(None, None, "no_such_table", None))) == []
    assert dicts(db.keep(db.metadata.getColumns(None, None, "no_such_table", "%"))) == []
    assert dicts(db.keep(db.metadata.getPrimaryKeys(None, None, "no_such_table"))) == []


@pytest.mark.parametrize(("declared", "code", "size", "digits"), COLUMNS, ids=[case[0] for case in COLUMNS])
def test_columns_say_their_type(
    db: Jdbc, make: Make, declared: str, code: str, size: int | None, digits: int | None
) -> None:
    """TYPE_NAME is the declared type; code, size and digits are what JDBC has for it."""
    t = make(f"id INT PRIMARY KEY, c {declared}")
    (found,) = dicts(db.keep(db.metadata.getColumns(None, None, t, "c")))
    assert found["TYPE_NAME"] == declared
    assert found["DATA_TYPE"] == getattr(java("java.sql.Types"), code)
    assert (found["COLUMN_SIZE"], found["DECIMAL_DIGITS"]) == (size, digits)


def test_columns_come_in_order_with_their_nullability(db: Jdbc, described: str) -> None:
    """Without system columns; key columns are NOT NULL."""
    found = dicts(db.keep(db.metadata.getColumns("main", "public", described, None)))
    assert [(row["ORDINAL_POSITION"], row["COLUMN_NAME"], row["IS_NULLABLE"]) for row in found] == [
        (1, "b", "NO"),
        (2, "a", "NO"),
        (3, "n", "YES"),
    ]


def test_a_type_that_the_driver_does_not_know_hides_no_columns(db: Jdbc, make: Make) -> None:
    """A table with FLOAT16 is listed with all others, or a tool could show none of them."""
    t = make("id INT PRIMARY KEY, half FLOAT16, halves LIST<FLOAT16>")
    found = dicts(db.keep(db.metadata.getColumns(None, None, "%", "%")))
    mine = [(row["COLUMN_NAME"], row["TYPE_NAME"]) for row in found if row["TABLE_NAME"] == t]
    assert mine == [("id", "INT"), ("half", "FLOAT16"), ("halves", "LIST<FLOAT16>")]
    db.run(f"DROP TABLE {t}")


def test_columns_that_number_themselves_say_so(db: Jdbc, make: Make) -> None:
    """Tools leave them empty when they insert a row."""
    t = make("id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), s TEXT")
    found = dicts(db.keep(db.metadata.getColumns(None, None, t, "%")))
    assert [(row["COLUMN_NAME"], row["IS_AUTOINCREMENT"]) for row in found] == [("id", "YES"), ("s", "NO")]


def test_views_have_columns(db: Jdbc, described: str) -> None:
    """A view's columns are those of its query."""
    assert names(db.keep(db.metadata.getColumns(None, None, f"{described}_v", "%")), "COLUMN_NAME") == ["a"]


def test_primary_keys_come_in_the_order_of_the_key(db: Jdbc, described: str) -> None:
    """Tools need the key to edit rows."""
    found = dicts(db.keep(db.metadata.getPrimaryKeys("main", "public", described)))
    assert [(row["COLUMN_NAME"], row["KEY_SEQ"], row["PK_NAME"]) for row in found] == [
        ("b", 1, f"{described}_pkey"),
        ("a", 2, f"{described}_pkey"),
    ]


def test_a_hidden_key_is_not_listed(db: Jdbc, make: Make) -> None:
    """A table without PRIMARY KEY has none to show."""
    assert dicts(db.keep(db.metadata.getPrimaryKeys(None, None, make("n INT")))) == []


def test_there_are_no_foreign_keys(db: Jdbc, described: str) -> None:
    """Imported, exported and cross references are empty results."""
    meta = db.metadata
    assert dicts(db.keep(meta.getImportedKeys(None, None, described))) == []
    assert dicts(db.keep(meta.getExportedKeys(None, None, described))) == []
    assert dicts(db.keep(meta.getCrossReference(None, None, described, None, None, described))) == []


def test_what_does_not_exist_is_an_empty_result(db: Jdbc, described: str) -> None:
    """Tools ask for indexes, procedures and functions without asking whether there are any."""
    meta = db.metadata
    assert dicts(db.keep(meta.getIndexInfo(None, None, described, False, False))) == []
    assert dicts(db.keep(meta.getProcedures(None, None, None))) == []
    assert dicts(db.keep(meta.getFunctions(None, None, None))) == []


def test_type_info_can_be_asked_for(db: Jdbc) -> None:
    """The driver answers by itself, without rows; ODBC drivers get the server's table of types."""
    columns = db.keep(db.metadata.getTypeInfo()).getMetaData()
    assert [columns.getColumnName(position) for position in (1, 2)] == ["TYPE_NAME", "DATA_TYPE"]


def test_no_question_without_arguments_fails(db: Jdbc) -> None:
    """Every getter of DatabaseMetaData that takes nothing, found by reflection: none throws."""
    meta = db.metadata
    getters = [method for method in java("java.sql.DatabaseMetaData").class_.getMethods() if not method.getParameters()]
    assert len(getters) > 140
    for getter in getters:
        answer = getter.invoke(meta)
        if isinstance(answer, java("java.sql.ResultSet")):
            answer.close()


@pytest.mark.parametrize(("getter", "expected"), TERMS.items(), ids=list(TERMS))
def test_the_server_describes_itself(db: Jdbc, getter: str, expected: Any) -> None:
    """SqlInfo arrives as it was meant."""
    assert getattr(db.metadata, getter)() == expected


def test_functions_and_keywords_are_listed(db: Jdbc) -> None:
    """Editors complete from these lists."""
    meta = db.metadata
    assert {"abs", "round"} <= set(meta.getNumericFunctions().split(", "))
    assert {"lower", "substr"} <= set(meta.getStringFunctions().split(", "))
    assert {"now", "date_trunc"} <= set(meta.getTimeDateFunctions().split(", "))
    assert "coalesce" in meta.getSystemFunctions().split(", ")
    assert "QUALIFY" in meta.getSQLKeywords().split(", ")


def test_conversions_are_listed(db: Jdbc) -> None:
    """The map of SqlInfo answers supportsConvert."""
    types = java("java.sql.Types")
    assert db.metadata.supportsConvert(types.INTEGER, types.VARCHAR)
    assert not db.metadata.supportsConvert(types.DATE, types.BIT)


def test_results_are_forward_only(db: Jdbc) -> None:
    """Tools ask before they scroll."""
    results = java("java.sql.ResultSet")
    assert db.metadata.supportsResultSetType(results.TYPE_FORWARD_ONLY)
    assert not db.metadata.supportsResultSetType(results.TYPE_SCROLL_INSENSITIVE)
