"""The catalogs show what the asker may see: of SHARED, granted, USER and temporary things, and of views."""

import pytest

from tests.rights.house import House, Person


@pytest.fixture(scope="module")
def people(house: House) -> dict[str, Person]:
    """Root has made one thing of each kind, and granted ann a table, a view and a namespace."""
    root = house.person("root")
    for sql in (
        "CREATE TABLE secret (id BIGINT PRIMARY KEY, secret_column TEXT)",
        "CREATE TABLE granted (a BIGINT, b BIGINT, v TEXT NOT NULL DEFAULT 'x', PRIMARY KEY (b, a))",
        "CREATE USER TABLE each (id BIGINT PRIMARY KEY, note TEXT)",
        "CREATE STREAM TABLE ticks (v BIGINT) WITH (ttl_seconds = 60)",
        "CREATE VIEW secret_view AS SELECT secret_column FROM secret",
        "CREATE VIEW shown AS SELECT id AS shown_id, secret_column || '!' AS loud FROM secret",
        "CREATE NAMESPACE shop",
        "CREATE NAMESPACE apart",
        "CREATE TABLE shop.goods (id BIGINT PRIMARY KEY)",
        "CREATE TABLE apart.things (id BIGINT PRIMARY KEY)",
        "GRANT SELECT ON granted TO ann",
        "GRANT SELECT ON shown TO ann",
        "GRANT SELECT ON NAMESPACE shop TO ann",
    ):
        root.ok(sql)
    return {name: house.person(name) for name in ("root", "sid", "ann", "bob")}


def tables(person: Person, column: str = "table_name") -> list[object]:
    """What a user's `information_schema` has of what people made."""
    sql = (
        f"SELECT {column} AS found FROM information_schema.tables"
        " WHERE table_schema NOT IN ('information_schema', 'pg_catalog', 'system') ORDER BY table_schema, table_name"
    )
    return [row["found"] for row in person.ok(sql)]


def test_tables_are_those_that_may_be_described(people: dict[str, Person]) -> None:
    """By right, by grant, by the grant of a namespace or of a view."""
    everything = ["things", "each", "granted", "secret", "secret_view", "shown", "ticks", "goods"]
    assert tables(people["root"]) == tables(people["sid"]) == everything
    assert tables(people["ann"]) == ["each", "granted", "shown", "ticks", "goods"]
    assert tables(people["bob"]) == ["each", "ticks"]


def test_kinds_have_the_words_of_postgresql(people: dict[str, Person], house: House) -> None:
    """A temporary table is there for its session alone, in the place of what it hides, and not AS USER."""
    bob, other = people["bob"], house.person("bob")
    bob.ok("CREATE TEMPORARY TABLE secret (mine BIGINT)")
    assert tables(bob, "table_name || ' ' || table_type") == [
        *("each BASE TABLE", "secret LOCAL TEMPORARY", "ticks BASE TABLE"),
    ]
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'secret'"
    assert bob.ok(columns) == [{"column_name": "mine"}]
    assert other.ok(columns) == []
    assert "shown VIEW" in tables(people["root"], "table_name || ' ' || table_type")
    bob.ok("DROP TABLE secret")


def test_another_sees_what_the_subject_sees(people: dict[str, Person]) -> None:
    """AS USER asks with the rights of the user, and without the tables of the session."""
    sid = people["sid"]
    sid.ok("CREATE TEMPORARY TABLE mine (id BIGINT)")
    sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    seen = sid.ok(f"EXECUTE AS USER 'ann' ({sql})")
    assert sorted(str(row["table_name"]) for row in seen) == ["each", "granted", "shown", "ticks"]
    sid.ok("DROP TABLE mine")


def test_namespaces_are_those_that_may_be_seen(people: dict[str, Person]) -> None:
    """With the owner for whom that is of interest."""
    sql = "SELECT schema_name FROM information_schema.schemata ORDER BY 1"
    computed = ["information_schema", "pg_catalog", "public"]
    assert [row["schema_name"] for row in people["bob"].ok(sql)] == [*computed, "system"]
    assert [row["schema_name"] for row in people["ann"].ok(sql)] == [*computed, "shop", "system"]
    owner = "SELECT schema_owner FROM information_schema.schemata WHERE schema_name = 'shop'"
    assert people["ann"].ok(owner) == [{"schema_owner": None}]
    assert people["root"].ok(owner) == [{"schema_owner": "root"}]


def test_columns_of_a_granted_table(people: dict[str, Person]) -> None:
    """In their order, with types, NOT NULL and defaults."""
    sql = (
        "SELECT column_name, ordinal_position, column_default, is_nullable, data_type, numeric_precision, udt_name"
        " FROM information_schema.columns WHERE table_name = 'granted' ORDER BY ordinal_position"
    )
    assert people["ann"].tuples(sql) == [
        ("a", 1, None, "NO", "bigint", 64, "int8"),
        ("b", 2, None, "NO", "bigint", 64, "int8"),
        ("v", 3, "'x'", "NO", "text", None, "text"),
    ]
    assert people["bob"].ok(sql) == []


def test_columns_of_a_granted_view(people: dict[str, Person]) -> None:
    """Of what it reads, nothing; and none where it names what is not there any more."""
    root, ann = people["root"], people["ann"]
    sql = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name IN ('shown', 'secret')"
    assert ann.tuples(sql) == [("shown_id", "bigint"), ("loud", "text")]
    root.ok("ALTER TABLE secret RENAME COLUMN secret_column TO other_column")
    assert ann.ok(sql) == []
    root.ok("ALTER TABLE secret RENAME COLUMN other_column TO secret_column")
    assert len(ann.ok(sql)) == 2


def test_keys_are_in_the_order_of_the_key(people: dict[str, Person]) -> None:
    """Tables without one have no constraint."""
    sql = (
        "SELECT table_name, constraint_name, column_name FROM information_schema.table_constraints"
        " JOIN information_schema.key_column_usage USING (table_schema, table_name, constraint_name)"
        " WHERE constraint_type = 'PRIMARY KEY' ORDER BY table_name, ordinal_position"
    )
    assert people["ann"].tuples(sql) == [
        ("each", "each_pkey", "id"),
        ("goods", "goods_pkey", "id"),
        ("granted", "granted_pkey", "b"),
        ("granted", "granted_pkey", "a"),
    ]


def test_views_show_their_texts_to_who_may_describe_them(people: dict[str, Person]) -> None:
    """As `system.views` does."""
    sql = "SELECT table_name, view_definition FROM information_schema.views"
    assert [row["table_name"] for row in people["ann"].ok(sql)] == ["shown"]
    assert people["bob"].ok(sql) == []


def test_a_transaction_sees_its_own_definitions(people: dict[str, Person]) -> None:
    """And nobody else does before it commits."""
    root = people["root"]
    root.ok("BEGIN")
    root.ok("CREATE TABLE made (id BIGINT)")
    assert "made" in tables(root)
    assert "made" not in tables(people["sid"])
    root.ok("ROLLBACK")
    assert "made" not in tables(root)


@pytest.mark.parametrize("namespace", ["information_schema", "pg_catalog", "system"])
def test_nothing_in_the_catalogs_can_be_changed(namespace: str, people: dict[str, Person]) -> None:
    """Not even by the role system: nor made, granted or put under a policy."""
    root = people["root"]
    for sql in (
        f"CREATE TABLE {namespace}.t (id BIGINT)",
        f"INSERT INTO {namespace}.tables VALUES (1)",
        f"DELETE FROM {namespace}.tables",
        f"DROP TABLE {namespace}.tables",
        f"GRANT SELECT ON {namespace}.tables TO bob",
        f"DROP NAMESPACE {namespace} CASCADE",
    ):
        assert "internal" not in root.refused(sql).lower()


RELATIONS = (
    "SELECT n.nspname, c.relname, c.relkind, c.relpersistence FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'system') ORDER BY 1, 2"
)


def test_pg_class_has_what_may_be_described(people: dict[str, Person]) -> None:
    """A table with a key has an index as PostgreSQL would have it."""
    found = people["ann"].tuples(RELATIONS)
    assert found == [
        ("public", "each", "r", "p"),
        ("public", "each_pkey", "i", "p"),
        ("public", "granted", "r", "p"),
        ("public", "granted_pkey", "i", "p"),
        ("public", "shown", "v", "p"),
        ("public", "ticks", "r", "p"),
        ("shop", "goods", "r", "p"),
        ("shop", "goods_pkey", "i", "p"),
    ]


def test_numbers_tell_nothing_of_what_is_hidden(people: dict[str, Person]) -> None:
    """Those of a thing are the same for everybody and whenever they are asked for, whatever else comes and goes."""
    root, ann = people["root"], people["ann"]
    sql = "SELECT oid, relowner FROM pg_class WHERE relname = 'each'"
    before = ann.ok(sql)
    root.ok("CREATE TABLE between (id BIGINT)")
    root.ok("DROP TABLE each")
    root.ok("CREATE USER TABLE each (id BIGINT PRIMARY KEY, note TEXT)")
    assert ann.ok(sql) == before == [{"oid": root.ok(sql)[0]["oid"], "relowner": 0}]
    root.ok("DROP TABLE between")


def test_columns_types_and_keys_of_pg_catalog(people: dict[str, Person]) -> None:
    """Joined by their numbers, as tools do."""
    sql = (
        "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, t.typname, a.attnotnull AS nn,"
        " pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS adsrc, a.attnum = ANY(i.indkey) AS keyed FROM pg_attribute a"
        " JOIN pg_type t ON t.oid = a.atttypid JOIN pg_class c ON c.oid = a.attrelid"
        " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
        " LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary"
        " WHERE c.relname = 'granted' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )
    assert people["ann"].tuples(sql) == [
        ("a", "bigint", "int8", True, None, True),
        ("b", "bigint", "int8", True, None, True),
        ("v", "text", "text", True, "'x'", False),
    ]
    assert people["bob"].ok(sql) == []


def test_a_table_of_the_namespace_comes_before_the_catalog(people: dict[str, Person]) -> None:
    """And one that is hidden is not there."""
    root, bob = people["root"], people["bob"]
    root.ok("CREATE TABLE pg_database (mine BIGINT)")
    assert root.ok("SELECT * FROM pg_database") == []
    assert bob.ok("SELECT datname FROM pg_database") == [{"datname": "main"}]
    assert root.ok("SELECT datname FROM pg_catalog.pg_database") == [{"datname": "main"}]
    root.ok("DROP TABLE pg_database")


def test_functions_of_the_session(people: dict[str, Person]) -> None:
    """With the names that PostgreSQL gives them, in a view, too."""
    root = people["root"]
    (row,) = root.ok("SELECT current_database(), pg_catalog.version(), current_schemas(true), current_schema()")
    assert row["current_database"] == "main"
    assert str(row["version"]).startswith("flightserver ")
    assert row["current_schemas"] == ["pg_catalog", "public"]
    root.ok("SET search_path = shop")
    assert root.ok("SELECT current_schemas(false) AS s") == [{"s": ["shop"]}]
    root.ok("RESET search_path")


def test_options_of_a_table(people: dict[str, Person]) -> None:
    """Those that are not the defaults, without the quotes of SQL."""
    root = people["root"]
    root.ok("CREATE TABLE opted (id BIGINT PRIMARY KEY) WITH (compression = 'zstd', bloom_fpp = 0.01)")
    found = root.ok("SELECT reloptions FROM pg_class WHERE relname = 'opted'")
    assert found == [{"reloptions": ["bloom_fpp=0.01", "compression=zstd"]}]
    assert root.ok("SELECT reloptions FROM pg_class WHERE relname = 'granted'") == [{"reloptions": None}]
    root.ok("DROP TABLE opted")


def test_checks_are_constraints(people: dict[str, Person]) -> None:
    """With their conditions, for who may describe the table."""
    root = people["root"]
    root.ok("CREATE TABLE checked (id BIGINT PRIMARY KEY, v BIGINT, CONSTRAINT positive CHECK (v > 0))")
    named = "SELECT constraint_name, constraint_type FROM information_schema.table_constraints"
    found = root.ok(f"{named} WHERE table_name = 'checked' ORDER BY 1")
    assert [tuple(row.values()) for row in found] == [("checked_pkey", "PRIMARY KEY"), ("positive", "CHECK")]
    clauses = "SELECT constraint_name, check_clause FROM information_schema.check_constraints"
    assert root.tuples(clauses) == [("positive", "v > 0")]
    assert people["ann"].ok(clauses) == []
    root.ok("DROP TABLE checked")
