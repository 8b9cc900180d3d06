"""CREATE, DROP and ALTER keep or refuse every clause."""

import pyarrow as pa
import pytest

from catalog.definition import SYSTEM_COLUMNS, ColumnSpec, Default, DefaultFunction, TableKind
from catalog.errors import ErrorKind
from catalog.identifiers import RESERVED_NAMESPACES
from flightserver.sql.parser import parse
from flightserver.sql.statements import TableRef
from flightserver.sql.table_statements import (
    AddColumn,
    AlterTable,
    CreateNamespace,
    CreateTable,
    CreateTableAs,
    CreateView,
    DropColumn,
    DropNamespace,
    DropTable,
    DropView,
    RenameColumn,
    SetOptions,
)
from tests.sql.refusals import refused

T = TableRef(None, "t")


def table(sql: str) -> CreateTable:
    """Parse what must be a CREATE TABLE."""
    statement = parse(sql)
    assert isinstance(statement, CreateTable)
    return statement


def column(definition: str) -> ColumnSpec:
    """Parse one column."""
    return table(f"CREATE TABLE t ({definition})").columns[0]


def default(definition: str) -> Default | None:
    """Parse one column and return its default."""
    return column(definition).default


def test_create_table() -> None:
    """The plain form."""
    columns = (ColumnSpec("a", pa.int32(), nullable=False), ColumnSpec("b", pa.string()))
    expected = CreateTable(TableRef("n", "t"), TableKind.SHARED, False, columns, ("a",), {})
    assert parse("CREATE TABLE n.t (a INT PRIMARY KEY, b TEXT)") == expected


@pytest.mark.parametrize(
    ("words", "kind"), [("", TableKind.SHARED), ("SHARED", TableKind.SHARED), ("user", TableKind.USER)]
)
def test_kinds(words: str, kind: TableKind) -> None:
    """A table is SHARED unless it says USER."""
    assert table(f"CREATE {words} TABLE t (a INT)").kind is kind


def test_if_not_exists() -> None:
    """IF NOT EXISTS is kept."""
    assert table("CREATE TABLE IF NOT EXISTS t (a INT)").if_not_exists


def test_a_table_without_a_key() -> None:
    """No key asks for a hidden one."""
    assert table("CREATE TABLE t (a INT)").primary_key == ()


@pytest.mark.parametrize("name", ["", "CONSTRAINT pk "])
def test_a_key_of_several_columns(name: str) -> None:
    """The key's order is that of the constraint, and its columns become NOT NULL."""
    statement = table(f"CREATE TABLE t (a INT, b INT, c INT, {name}PRIMARY KEY (c, a))")
    assert statement.primary_key == ("c", "a")
    assert [spec.nullable for spec in statement.columns] == [False, True, False]


def test_a_key_constraint_may_come_first() -> None:
    """The constraint may stand anywhere in the list."""
    assert table("CREATE TABLE t (PRIMARY KEY (a), a INT)").primary_key == ("a",)


def test_words_of_constraints_may_be_columns() -> None:
    """KEY, INDEX and LIKE-like words are names where a type follows."""
    statement = table('CREATE TABLE t (key INT, index TEXT, "check" INT, PRIMARY KEY (key))')
    assert [spec.name for spec in statement.columns] == ["key", "index", "check"]


def test_names_fold() -> None:
    """Unquoted names fold, quoted ones do not."""
    statement = table('CREATE TABLE "N".T (A INT, "B b" INT)')
    assert statement.table == TableRef("N", "t")
    assert [spec.name for spec in statement.columns] == ["a", "B b"]


@pytest.mark.parametrize("clauses", ["NOT NULL DEFAULT 1", "DEFAULT 1 NOT NULL"])
def test_clauses_come_in_any_order(clauses: str) -> None:
    """NOT NULL and DEFAULT may be swapped."""
    assert column(f"a INT {clauses}") == ColumnSpec("a", pa.int32(), nullable=False, default=Default(literal="1"))


def test_a_column_may_say_null() -> None:
    """NULL is the default and may be written."""
    assert column("a INT NULL").nullable


@pytest.mark.parametrize(
    "text",
    [
        *("1", "-1.5", "'it''s, NOT NULL'", "TRUE", "NULL", "DATE '2020-01-01'", "CAST('1' AS INT)", "'5'::INT"),
        *("X'ab'", "TIMESTAMP '2020-01-01 00:00:00'", "1e5"),
    ],
)
def test_literal_defaults_are_text(text: str) -> None:
    """A literal is kept as it was written."""
    assert default(f"a INT DEFAULT {text}") == Default(literal=text)


@pytest.mark.parametrize(
    ("definition", "function"),
    [
        ("a TIMESTAMP DEFAULT NOW()", DefaultFunction.NOW),
        ("a TIMESTAMPTZ DEFAULT current_timestamp", DefaultFunction.NOW),
        ("a DATE DEFAULT now ( )", DefaultFunction.NOW),
        ("a UUID DEFAULT UUID_V7()", DefaultFunction.UUID_V7),
        ("a TEXT DEFAULT uuid_v7()", DefaultFunction.UUID_V7),
        ("a BIGINT DEFAULT SNOWFLAKE_ID()", DefaultFunction.SNOWFLAKE_ID),
        ("a TEXT DEFAULT CURRENT_USER", DefaultFunction.CURRENT_USER),
        ("a SERIAL", DefaultFunction.SNOWFLAKE_ID),
        ("a BIGSERIAL PRIMARY KEY", DefaultFunction.SNOWFLAKE_ID),
    ],
)
def test_function_defaults(definition: str, function: DefaultFunction) -> None:
    """Four functions may be defaults."""
    assert default(definition) == Default(function=function)


def test_serial_is_a_required_bigint() -> None:
    """SERIAL is BIGINT NOT NULL."""
    spec = column("a SERIAL")
    assert (spec.type, spec.nullable) == (pa.int64(), False)


@pytest.mark.parametrize(
    "text",
    ["random()", "1 + 1", "(SELECT 1)", "b", "'a' || 'b'", "$1", "-(-1)", "upper('a')", "-'a'", "[1]", "NOW() + 1"],
)
def test_other_defaults_are_refused(text: str) -> None:
    """Expressions are not evaluated for defaults."""
    assert "must be a literal" in refused(ErrorKind.UNSUPPORTED, f"CREATE TABLE t (a INT DEFAULT {text})")


@pytest.mark.parametrize("text", ["1 2", "SELECT 1", "SET x = 1", "%"])
def test_unreadable_defaults_are_refused(text: str) -> None:
    """What is no expression is a syntax error, without a trace of the library that found it."""
    assert "column a" in refused(ErrorKind.SYNTAX, f"CREATE TABLE t (a INT DEFAULT {text})")


def test_a_deeply_nested_default_is_refused() -> None:
    """Nesting does not exhaust the stack."""
    text = "CAST(" * 30 + "1" + " AS INT)" * 30
    assert "must be a literal" in refused(ErrorKind.UNSUPPORTED, f"CREATE TABLE t (a INT DEFAULT {text})")


@pytest.mark.parametrize(
    "definition",
    ["a INT DEFAULT NOW()", "a INT DEFAULT UUID_V7()", "a TEXT DEFAULT SNOWFLAKE_ID()", "a UUID DEFAULT CURRENT_USER"],
)
def test_function_defaults_must_fit_the_type(definition: str) -> None:
    """A function whose value the column cannot hold is refused at CREATE."""
    assert "does not fit column a" in refused(ErrorKind.INVALID, f"CREATE TABLE t ({definition})")


@pytest.mark.parametrize(
    "definition",
    [
        "a INT REFERENCES u (b)",
        "a INT COLLATE x",
        "a INT GENERATED ALWAYS AS IDENTITY",
        "a INT AUTO_INCREMENT",
        "a INT COMMENT 'x'",
        "a INT, FOREIGN KEY (a) REFERENCES u (b)",
    ],
)
def test_constraints_that_are_not_enforced_are_refused(definition: str) -> None:
    """A promise that is not kept is not accepted."""
    assert "not supported" in refused(ErrorKind.UNSUPPORTED, f"CREATE TABLE t ({definition})")


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        ("CREATE TABLE t (a INT, A INT)", "column 'a' is named twice"),
        ("CREATE TABLE t (a INT, PRIMARY KEY (b))", "no column 'b'"),
        ("CREATE TABLE t (a INT, PRIMARY KEY (a, a))", "key column 'a' is named twice"),
        ("CREATE TABLE t (a INT PRIMARY KEY, b INT PRIMARY KEY)", "one primary key"),
        ("CREATE TABLE t (a INT PRIMARY KEY, PRIMARY KEY (a))", "one primary key"),
        ("CREATE TABLE t (a INT[] PRIMARY KEY)", "LIST<INT> cannot be part of a key"),
        ("CREATE TABLE t (a STRUCT<b INT>, PRIMARY KEY (a))", "cannot be part of a key"),
        ("CREATE TABLE t (a INT NULL PRIMARY KEY)", "both NULL and NOT NULL"),
        ("CREATE TABLE t (a INT PRIMARY KEY DEFAULT NULL)", "DEFAULT NULL"),
        ("CREATE TABLE t (a INT) WITH (shards = 3)", "no table option 'shards'"),
        ("CREATE TABLE t (a INT[]) WITH (bloom_columns = 'a')", "cannot be part of a bloom filter"),
        ("CREATE TABLE t (a INT) WITH (bloom_fpp = 0.1, bloom_fpp = 0.2)", "twice"),
        ("CREATE TABLE t", "needs columns"),
    ],
)
def test_contradictions_are_refused(sql: str, part: str) -> None:
    """A definition that makes no sense is refused with the part at fault."""
    assert part in refused(ErrorKind.INVALID, sql)


@pytest.mark.parametrize("name", sorted(SYSTEM_COLUMNS))
def test_system_columns_are_reserved(name: str) -> None:
    """No column takes the name of a system column."""
    assert "reserved" in refused(ErrorKind.INVALID, f"CREATE TABLE t ({name.upper()} INT)")


@pytest.mark.parametrize("name", sorted(RESERVED_NAMESPACES))
def test_reserved_namespaces_are_closed(name: str) -> None:
    """Nothing is created in a reserved namespace, nor is it created or dropped."""
    for sql in ("CREATE TABLE {}.t (a INT)", "CREATE NAMESPACE {}", "DROP NAMESPACE {}", "DROP TABLE {}.t"):
        assert "reserved" in refused(ErrorKind.INVALID, sql.format(name))


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TEMPORARY STREAM TABLE t (a INT)",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE OR REPLACE USER u PASSWORD 'x'",
        "CREATE INDEX i ON t (a)",
        "CREATE DATABASE d",
        "CREATE FUNCTION f() RETURN 1",
        "DROP INDEX i",
        "DROP DATABASE d",
        "ALTER VIEW v AS SELECT 1",
        "ALTER TABLE t ALTER COLUMN a TYPE INT USING 1",
        "ALTER TABLE t ADD PRIMARY KEY (a)",
        "ALTER TABLE t ADD a INT PRIMARY KEY",
        "ALTER TABLE t ADD b INT UNIQUE",
        "ALTER TABLE t ADD b INT CHECK (b > 1)",
        "CREATE TABLE t (a MAP<INT, INT>)",
        "CREATE TABLE t (a INTERVAL)",
        "CREATE TABLE t (a JSON)",
    ],
)
def test_definitions_that_are_not_served_are_refused(sql: str) -> None:
    """Refused by name, with a place."""
    assert refused(ErrorKind.UNSUPPORTED, sql).startswith("line 1:")


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE (a INT)",
        "CREATE TABLE t ()",
        "CREATE TABLE t (a)",
        "CREATE TABLE t (a INT,)",
        "CREATE TABLE t (a INT",
        "CREATE TABLE t (a INT) extra",
        "CREATE TABLE t (a INT NOT)",
        "CREATE TABLE t (a INT DEFAULT)",
        "CREATE TABLE t (a INT DEFAULT 1 DEFAULT 2)",
        "CREATE TABLE t (a INT) WITH ()",
        "CREATE TABLE t (a INT) WITH (bloom_fpp)",
        "CREATE TABLE t (CONSTRAINT c FOO (a))",
        "CREATE VIEW v",
        "CREATE VIEW v AS DELETE FROM t",
        "ALTER TABLE t ADD COLUMN a",
        "ALTER TABLE t RENAME COLUMN a",
        "DROP TABLE t u",
        "ALTER TABLE t DROP COLUMN a CASCADE b",
        "DROP TABLE a, b",
        "DROP NAMESPACE",
    ],
)
def test_malformed_definitions_are_refused(sql: str) -> None:
    """A syntax error has a place."""
    assert refused(ErrorKind.SYNTAX, sql).startswith("line 1:")


def test_what_is_generated_is_for_a_view() -> None:
    """The refusal says so."""
    sql = "CREATE TABLE t (a INT, b INT GENERATED ALWAYS AS (a + 1) STORED)"
    assert "put the expression into a view" in refused(ErrorKind.UNSUPPORTED, sql)


def test_a_name_is_bounded() -> None:
    """A name longer than the limit is refused where it stands."""
    assert "128" in refused(ErrorKind.INVALID, f"CREATE TABLE {'a' * 129} (a INT)")


def test_an_unknown_type_is_named_with_its_column() -> None:
    """The refusal names column, type and place."""
    message = refused(ErrorKind.UNSUPPORTED, "CREATE TABLE t (a INT, b GEOMETRY)")
    assert message == "line 1:26: column b: type GEOMETRY cannot be stored"


def test_comments_inside_of_a_type() -> None:
    """A comment is space, in a type too."""
    assert column("a DOUBLE /* wide */ PRECISION").type == pa.float64()


def test_a_type_may_span_brackets() -> None:
    """Commas inside of a type do not end the column."""
    spec = column("a STRUCT<b DECIMAL(10,2), c LIST<INT>>[] NOT NULL")
    assert spec.type == pa.list_(pa.struct([("b", pa.decimal128(10, 2)), ("c", pa.list_(pa.int32()))]))
    assert not spec.nullable


def test_options_are_text() -> None:
    """Strings, words and numbers are options, names fold."""
    statement = table("CREATE TABLE t (a INT) WITH (FLUSH_POLICY = 'rows:5', bloom_fpp = 0.1, compression = ZSTD)")
    assert statement.options == {"flush_policy": "rows:5", "bloom_fpp": "0.1", "compression": "zstd"}


def test_create_table_as() -> None:
    """A table from a query has a kind, a key, options and the query's text."""
    sql = "CREATE USER TABLE IF NOT EXISTS t PRIMARY KEY (a) WITH (bloom_fpp = 0.1) AS SELECT 1 AS a, ';' AS b"
    expected = CreateTableAs(T, TableKind.USER, True, ("a",), {"bloom_fpp": "0.1"}, "SELECT 1 AS a, ';' AS b")
    assert parse(sql) == expected


def test_create_table_as_with_a_bracketed_key() -> None:
    """The key may stand in brackets as in a list of columns."""
    statement = parse("CREATE TABLE t (PRIMARY KEY (a)) AS SELECT 1 AS a")
    assert isinstance(statement, CreateTableAs)
    assert statement.primary_key == ("a",)


@pytest.mark.parametrize("word", ["NAMESPACE", "SCHEMA"])
def test_namespaces(word: str) -> None:
    """SCHEMA is another word for NAMESPACE."""
    assert parse(f"CREATE {word} IF NOT EXISTS main.N") == CreateNamespace("n", True)
    assert parse(f"DROP {word} IF EXISTS n CASCADE") == DropNamespace("n", True, True)
    assert parse(f"DROP {word} n RESTRICT") == DropNamespace("n", False, False)


@pytest.mark.parametrize("words", ["TABLE", "SHARED TABLE", "USER TABLE"])
def test_drop_table(words: str) -> None:
    """The kind may be repeated."""
    assert parse(f"DROP {words} IF EXISTS a.t") == DropTable(TableRef("a", "t"), True)


def test_create_view() -> None:
    """A view is its query's text."""
    assert parse("CREATE OR REPLACE VIEW n.v AS SELECT 1 -- x\n") == CreateView(
        TableRef("n", "v"), True, False, "SELECT 1"
    )


def test_drop_view() -> None:
    """IF EXISTS is kept."""
    assert parse("DROP VIEW IF EXISTS v") == DropView(TableRef(None, "v"), True)


@pytest.mark.parametrize("word", ["COLUMN ", ""])
def test_add_column(word: str) -> None:
    """COLUMN is optional."""
    spec = ColumnSpec("a", pa.int32(), default=Default(literal="1"))
    assert parse(f"ALTER TABLE t ADD {word}a INT DEFAULT 1") == AlterTable(T, (AddColumn(spec, False),))


def test_add_column_if_not_exists() -> None:
    """IF NOT EXISTS is kept."""
    action = AddColumn(ColumnSpec("a", pa.int32()), True)
    assert parse("ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT") == AlterTable(T, (action,))


def test_drop_column() -> None:
    """IF EXISTS is kept."""
    assert parse("ALTER TABLE t DROP COLUMN IF EXISTS A") == AlterTable(T, (DropColumn("a", True),))


def test_rename_column() -> None:
    """Both names are read."""
    assert parse('ALTER TABLE t RENAME COLUMN a TO "B"') == AlterTable(T, (RenameColumn("a", "B"),))


def test_rename_to_a_system_column_is_refused() -> None:
    """Renaming is no way around reserved names."""
    assert "reserved" in refused(ErrorKind.INVALID, "ALTER TABLE t RENAME a TO _seq")


def test_set_options() -> None:
    """Options of a table can change."""
    assert parse("ALTER TABLE t SET (compression = 'none')") == AlterTable(T, (SetOptions({"compression": "none"}),))


def test_set_unknown_options_is_refused() -> None:
    """Unknown options are refused here too."""
    assert "no table option" in refused(ErrorKind.INVALID, "ALTER TABLE t SET (ttl = 5)")
