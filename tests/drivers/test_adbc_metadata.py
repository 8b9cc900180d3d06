"""Metadata of the ADBC driver: what there is, at every depth and through every filter."""

from collections.abc import Iterator
from typing import Any

import pytest
from adbc_driver_flightsql import dbapi

from tests.e2e.client import Client, failure

Tree = dict[str, dict[str, dict[str, list[str] | None] | None] | None]


def objects(db: Client, depth: str, **filters: Any) -> Tree:
    """What adbc_get_objects finds: columns by table, tables by schema, schemas by catalog; None below the depth."""

    def columns(table: dict[str, Any]) -> list[str] | None:
        found = table["table_columns"]
        return found and [column["column_name"] for column in found]

    def tables(schema: dict[str, Any]) -> dict[str, list[str] | None] | None:
        found = schema["db_schema_tables"]
        return None if found is None else {table["table_name"]: columns(table) for table in found}

    def schemas(catalog: dict[str, Any]) -> dict[str, dict[str, list[str] | None] | None] | None:
        found = catalog["catalog_db_schemas"]
        return None if found is None else {schema["db_schema_name"]: tables(schema) for schema in found}

    read = db.connection.adbc_get_objects(depth=depth, **filters).read_all().to_pylist()
    return {catalog["catalog_name"]: schemas(catalog) for catalog in read}


@pytest.fixture(scope="module")
def shelf(db: Client) -> Iterator[str]:
    """A namespace with two tables and a view."""
    db.run("CREATE NAMESPACE shelf")
    db.run("CREATE TABLE shelf.book (title TEXT, isbn BIGINT PRIMARY KEY, price DECIMAL(9,2))")
    db.run("CREATE TABLE shelf.back (name TEXT)")
    db.run("CREATE VIEW shelf.cheap AS SELECT title FROM shelf.book WHERE price < 5")
    yield "shelf"
    db.run("DROP NAMESPACE shelf CASCADE")


# -- adbc_get_objects


def test_catalogs(db: Client) -> None:
    """There is one, main."""
    assert objects(db, "catalogs") == {"main": None}


def test_schemas(db: Client, shelf: str) -> None:
    """Namespaces are schemas; system is one."""
    assert (objects(db, "db_schemas")["main"] or {}).keys() >= {"public", "system", shelf}
    assert objects(db, "db_schemas", db_schema_filter=shelf) == {"main": {shelf: None}}


def test_tables(db: Client, shelf: str) -> None:
    """Tables and views, without their columns."""
    assert objects(db, "tables", db_schema_filter=shelf) == {
        "main": {shelf: {"back": None, "book": None, "cheap": None}}
    }


@pytest.mark.parametrize("depth", ["columns", "all"])
def test_columns(db: Client, shelf: str, depth: str) -> None:
    """In the order of the definition, without system columns."""
    expected = {"back": ["name"], "book": ["title", "isbn", "price"], "cheap": ["title"]}
    assert objects(db, depth, db_schema_filter=shelf) == {"main": {shelf: expected}}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"catalog_filter": "main"}, ["back", "book", "cheap"]),
        ({"catalog_filter": "m%"}, ["back", "book", "cheap"]),
        ({"table_name_filter": "book"}, ["book"]),
        ({"table_name_filter": "b%"}, ["back", "book"]),
        ({"table_name_filter": "b__k"}, ["back", "book"]),
        ({"table_name_filter": "BOOK"}, []),
        ({"table_name_filter": ""}, []),
        ({"table_types_filter": ["TABLE"]}, ["back", "book"]),
        ({"table_types_filter": ["VIEW"]}, ["cheap"]),
        ({"table_types_filter": ["TABLE", "VIEW"]}, ["back", "book", "cheap"]),
        ({"table_types_filter": ["SYNONYM"]}, []),
        ({"table_name_filter": "b%", "table_types_filter": ["VIEW"]}, []),
    ],
)
@pytest.mark.parametrize("depth", ["tables", "all"])
def test_filters_of_tables(db: Client, shelf: str, depth: str, filters: dict[str, Any], expected: list[str]) -> None:
    """Patterns of LIKE, which mind case, and types."""
    found = objects(db, depth, db_schema_filter=shelf, **filters)["main"]
    assert found is not None
    assert sorted(found[shelf] or []) == expected


@pytest.mark.parametrize("depth", ["catalogs", "db_schemas", "tables", "columns", "all"])
def test_a_catalog_that_there_is_not(db: Client, depth: str) -> None:
    """Nothing is found, which is no error."""
    assert objects(db, depth, catalog_filter="nope") == {}


@pytest.mark.parametrize("depth", ["db_schemas", "tables", "columns", "all"])
def test_a_schema_that_there_is_not(db: Client, depth: str) -> None:
    """The catalog is there, and empty."""
    assert objects(db, depth, db_schema_filter="nope") == {"main": {}}


def test_a_schema_pattern(db: Client, shelf: str) -> None:
    """An underscore is any letter, a percent sign any letters."""
    for pattern in ("sh_lf", "sh%", "%helf"):
        assert objects(db, "db_schemas", db_schema_filter=pattern) == {"main": {shelf: None}}


def test_a_column_filter(db: Client, shelf: str) -> None:
    """Tables stay, their other columns go."""
    found = objects(db, "all", db_schema_filter=shelf, column_name_filter="%i%e%")["main"]
    assert found == {shelf: {"back": [], "book": ["title", "price"], "cheap": ["title"]}}


def test_what_is_told_of_columns(db: Client, shelf: str) -> None:
    """The driver passes on the position and the SQL type."""
    (catalog,) = (
        db.connection.adbc_get_objects(depth="all", db_schema_filter=shelf, table_name_filter="book")
        .read_all()
        .to_pylist()
    )
    (table,) = catalog["catalog_db_schemas"][0]["db_schema_tables"]
    facts = ("column_name", "ordinal_position", "xdbc_type_name")
    assert [tuple(column[fact] for fact in facts) for column in table["table_columns"]] == [
        ("title", 1, "TEXT"),
        ("isbn", 2, "BIGINT"),
        ("price", 3, "DECIMAL(9,2)"),
    ]


def test_a_bad_depth_is_the_drivers_error(db: Client) -> None:
    """It never reaches the server."""
    with pytest.raises(ValueError, match="depth"):
        db.connection.adbc_get_objects(depth="everything")


def test_a_transaction_sees_its_own_tables(tx: Client, db: Client, t: str) -> None:
    """Metadata is read in the open transaction, as queries are."""
    tx.run(f"CREATE TABLE {t} (a INT)")
    for client, expected in ((db, {}), (tx, {t: None})):
        found = objects(client, "tables", table_name_filter=t, db_schema_filter="public")
        assert found == {"main": {"public": expected}}
    tx.connection.rollback()


# -- adbc_get_table_schema


def test_a_table_schema_is_that_of_select_star(db: Client, t: str) -> None:
    """Names, types and order."""
    db.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY, d DECIMAL(9,2), l LIST<TEXT>, at TIMESTAMP WITH TIME ZONE)")
    found = db.connection.adbc_get_table_schema(t, db_schema_filter="public")
    streamed = db.arrow(f"SELECT * FROM {t}").schema
    assert [(f.name, f.type) for f in found] == [(f.name, f.type) for f in streamed]
    assert [f.nullable for f in found] == [False, True, True, True]


def test_a_view_has_a_schema(db: Client, shelf: str) -> None:
    """As a table has."""
    assert db.connection.adbc_get_table_schema("cheap", db_schema_filter=shelf).names == ["title"]


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"catalog_filter": "main"},
        {"db_schema_filter": "shelf"},
        {"catalog_filter": "main", "db_schema_filter": "shelf"},
    ],
)
def test_a_table_is_found_by_catalog_and_schema(db: Client, shelf: str, filters: dict[str, str]) -> None:
    """Each may be left out."""
    assert db.connection.adbc_get_table_schema("book", **filters).names == ["title", "isbn", "price"]


@pytest.mark.parametrize(
    ("name", "filters"),
    [
        ("nope", {}),
        ("BOOK", {}),
        ("book", {"catalog_filter": "nope"}),
        ("book", {"db_schema_filter": "public"}),
        ("boo%", {"db_schema_filter": "shelf"}),
        ("b__k", {"db_schema_filter": "shelf"}),
    ],
)
def test_a_table_that_there_is_not(db: Client, shelf: str, name: str, filters: dict[str, str]) -> None:
    """NOT_FOUND; a pattern is no name."""
    with pytest.raises(dbapi.ProgrammingError) as caught:
        db.connection.adbc_get_table_schema(name, **filters)
    assert caught.value.status_code == 3


def test_the_schema_tells_tables_of_one_name_apart(db: Client, shelf: str) -> None:
    """With the filter it is the one that was asked for."""
    db.run("CREATE TABLE public.book (other INT)")
    for namespace, expected in ((shelf, ["title", "isbn", "price"]), ("public", ["other"])):
        assert db.connection.adbc_get_table_schema("book", db_schema_filter=namespace).names == expected
    db.run("DROP TABLE public.book")


@pytest.mark.parametrize("name", ["under_score", "per%cent", "Mixed", 'quo"te', "spa ce"])
def test_odd_names_are_found(db: Client, shelf: str, name: str) -> None:
    """Drivers send names as patterns without escaping them; the table itself is found among what matches."""
    quoted = '"' + name.replace('"', '""') + '"'
    for other in (quoted, '"underXscore"', '"perXXcent"'):
        db.run(f"CREATE TABLE IF NOT EXISTS shelf.{other} ({'a' if other == quoted else 'wrong'} INT)")
    try:
        assert db.connection.adbc_get_table_schema(name, db_schema_filter=shelf).names == ["a"]
    finally:
        for other in (quoted, '"underXscore"', '"perXXcent"'):
            db.run(f"DROP TABLE shelf.{other}")


# -- facts


def test_the_server_says_who_it_is(db: Client) -> None:
    """Vendor and versions."""
    info = db.connection.adbc_get_info()
    assert info["vendor_name"] == "flightserver"
    assert {"vendor_version", "vendor_arrow_version", "driver_name", "driver_version"} <= info.keys()


def test_table_types(db: Client) -> None:
    """Two."""
    assert sorted(db.connection.adbc_get_table_types()) == ["TABLE", "VIEW"]


@pytest.mark.parametrize("method", ["adbc_get_statistics", "adbc_get_statistic_names"])
def test_statistics_are_not_the_drivers(db: Client, method: str) -> None:
    """The driver has none, and says so without asking."""
    with pytest.raises(dbapi.NotSupportedError, match="not supported"):
        getattr(db.connection, method)().read_all()


# -- where a connection is


def test_the_current_catalog(own: Client) -> None:
    """main, which can be set to itself and to nothing else."""
    assert own.connection.adbc_current_catalog == "main"
    own.connection.adbc_current_catalog = "main"
    with pytest.raises(dbapi.ProgrammingError, match="catalog nope does not exist") as caught:
        own.connection.adbc_current_catalog = "nope"
    assert caught.value.status_code == 3


def test_the_current_schema(own: Client, shelf: str) -> None:
    """public, until it is set; names without a schema are looked up there."""
    assert own.connection.adbc_current_db_schema == "public"
    own.connection.adbc_current_db_schema = shelf
    assert own.connection.adbc_current_db_schema == shelf
    assert own.count("book") == 0
    assert "not found" in failure(lambda: own.run("SELECT * FROM public.book"))


def test_an_unknown_schema_changes_nothing(own: Client) -> None:
    """NOT_FOUND, and the connection stays where it was."""
    with pytest.raises(dbapi.ProgrammingError, match="namespace nope does not exist") as caught:
        own.connection.adbc_current_db_schema = "nope"
    assert caught.value.status_code == 3
    assert own.connection.adbc_current_db_schema == "public"
