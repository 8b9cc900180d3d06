"""Which table a result's column comes from, as drivers read it from the metadata of the schema."""

from collections.abc import Callable

import pyarrow as pa
import pytest

from flightserver.protocol.commands import GetTables, StatementQuery
from tests.e2e.client import Client
from tests.e2e.wire import Wire

PREFIX = b"ARROW:FLIGHT:SQL:"


def origin(field: pa.Field) -> str | None:
    """`catalog.schema.table` of a column, or None where there is none."""
    parts = [field.metadata.get(PREFIX + key) for key in (b"CATALOG_NAME", b"SCHEMA_NAME", b"TABLE_NAME")]
    return None if None in parts else b".".join(parts).decode()


def is_writable(field: pa.Field) -> bool:
    """Whether a tool may let a column be edited."""
    return field.metadata[PREFIX + b"IS_READ_ONLY"] == b"0"


@pytest.fixture(scope="module")
def tables(db: Client) -> None:
    """Tables a and b, of one name in part, one of them flushed; and a view."""
    db.run("CREATE NAMESPACE origin")
    db.run("CREATE TABLE origin.a (k BIGINT PRIMARY KEY, x TEXT)")
    db.run("CREATE TABLE origin.b (k BIGINT PRIMARY KEY, y TEXT)")
    db.run("INSERT INTO origin.a VALUES (1, 'x')")
    db.run("INSERT INTO origin.b VALUES (1, 'y')")
    db.run("FLUSH TABLE origin.a")
    db.run("CREATE VIEW origin.v AS SELECT k AS key, upper(x) AS big FROM origin.a")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM origin.a", ["a", "a"]),
        ("SELECT x AS other, x || '!', 1 FROM origin.a AS c WHERE k = 1", ["a", None, None]),
        ("SELECT CAST(k AS INT), -k FROM origin.a", [None, None]),
        ("SELECT a.k, b.*, _seq FROM origin.a NATURAL JOIN (SELECT k, y FROM origin.b) b", ["a", "b", "b", "a"]),
        ("SELECT p.x, q.y FROM origin.a p FULL JOIN origin.b q ON p.k = q.k", ["a", "b"]),
        ("SELECT r.x FROM origin.b l RIGHT SEMI JOIN origin.a r ON l.k = r.k", ["a"]),
        ("SELECT y, count(*) AS k FROM origin.b GROUP BY y", ["b", None]),
        ("SELECT DISTINCT x FROM origin.a ORDER BY x LIMIT 1", ["a"]),
        ("SELECT DISTINCT ON (k) x AS k FROM origin.a", [None]),
        ("SELECT x, row_number() OVER (ORDER BY k) FROM origin.a", ["a", None]),
        ("SELECT s.p, s.q FROM (SELECT x, x || '' FROM origin.a) AS s (p, q)", ["a", None]),
        ("WITH c AS (SELECT y FROM origin.b) SELECT y FROM c", ["b"]),
        ("SELECT (SELECT max(y) FROM origin.b) AS y, x FROM origin.a", [None, "a"]),
        ("SELECT x FROM origin.a UNION ALL SELECT y FROM origin.b", [None]),
        ("SELECT key, big FROM origin.v", ["a", None]),
        ("SELECT user, x FROM system.sessions, origin.a", [None, "a"]),
        ("SELECT 1 AS one", [None]),
    ],
)
def test_plain_columns_name_their_table(wire: Wire, tables: None, sql: str, expected: list[str | None]) -> None:
    """Through aliases, sub-queries and joins; what is computed or of several tables names none."""
    schema = wire.info(StatementQuery(sql)).schema
    assert [origin(field) for field in schema] == [name and f"main.origin.{name}" for name in expected]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT *, _seq FROM origin.a", [True, True, False]),
        ("SELECT x AS other, x || '!', 1 FROM origin.a AS c WHERE k = 1 ORDER BY k LIMIT 1", [True, False, False]),
        ("SELECT p.x, q.y FROM origin.a p JOIN origin.b q ON p.k = q.k", [True, True]),
        ("WITH c AS (SELECT y FROM origin.b) SELECT y FROM c", [True]),
        ("SELECT key, big FROM origin.v", [False, False]),
        ("SELECT v.key, b.y, a.x FROM origin.v v, origin.b b, origin.a a", [False, True, False]),
        ("SELECT y FROM origin.b GROUP BY y", [False]),
        ("SELECT DISTINCT x FROM origin.a", [False]),
        ("SELECT x FROM origin.a UNION ALL SELECT y FROM origin.b", [False]),
        ("SELECT user FROM system.sessions", [False]),
        ("SHOW TABLES", None),
    ],
)
def test_plain_columns_of_rows_are_writable(wire: Wire, tables: None, sql: str, expected: list[bool] | None) -> None:
    """What is computed or stands for many rows is not, nor a view's column, nor a table's that a view reads, too."""
    schema = wire.info(StatementQuery(sql)).schema
    assert [is_writable(field) for field in schema] == (expected or [False] * len(schema))


def test_a_table_is_described_as_its_rows_are(wire: Wire, tables: None) -> None:
    """GetTables says of tables and views what their results say."""
    listed = wire.fetch(wire.info(GetTables(db_schema_filter_pattern="origin", include_schema=True)))
    schemas = {row["table_name"]: pa.ipc.read_schema(pa.py_buffer(row["table_schema"])) for row in listed.to_pylist()}
    for name, schema in schemas.items():
        found = wire.info(StatementQuery(f"SELECT * FROM origin.{name}")).schema
        assert [is_writable(field) for field in schema] == [is_writable(field) for field in found]


def test_a_prepared_statement_tells_the_same(wire: Wire, tables: None) -> None:
    """What is only described has the origins of what runs, with parameters too."""
    sql = "SELECT b.y, a.x, count(*) FROM origin.a a JOIN origin.b b ON a.k = b.k WHERE a.k = 1 GROUP BY b.y, a.x"
    prepared = pa.ipc.read_schema(pa.py_buffer(wire.prepare(sql.replace("1", "?")).dataset_schema))
    assert prepared.equals(wire.query(sql).schema, check_metadata=True)
    assert [origin(field) for field in prepared] == ["main.origin.b", "main.origin.a", None]


def test_an_origin_follows_the_definitions(db: Client, mine: Client, make: Callable[..., str]) -> None:
    """The same text over another table of the same name has that one's columns, in any session."""
    t = make("id INT PRIMARY KEY, v INT")
    text = f"SELECT * FROM {t}"
    assert [origin(field) for field in db.arrow(text).schema] == [f"main.public.{t}"] * 2
    mine.run(f"CREATE TEMPORARY TABLE {t} AS SELECT 1 AS id, 2 AS v, 3 AS w")
    assert [origin(field) for field in mine.arrow(text).schema] == [f"main.public.{t}"] * 3
    db.run(f"ALTER TABLE {t} ADD COLUMN s TEXT")
    assert [origin(field) for field in db.arrow(text).schema] == [f"main.public.{t}"] * 3
    db.run(f"DROP TABLE {t}")
    db.run(f"CREATE VIEW {t} AS SELECT 1 AS id")
    assert [origin(field) for field in db.arrow(text).schema] == [None]
    db.run(f"DROP VIEW {t}")
