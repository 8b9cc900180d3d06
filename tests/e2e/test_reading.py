"""Queries: SQL in full over hot and cold rows, schemas, messages, snapshots, cancellation."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import flight

from flightserver.protocol.commands import StatementQuery
from tests.e2e.client import Client
from tests.e2e.wire import Wire
from tests.server_process import ServerProcess

Make = Callable[..., str]

MESSAGE_BYTES_MAX = 4 << 20


@pytest.fixture(scope="module")
def shop(db: Client) -> Iterator[str]:
    """A namespace with people and orders, both partly hot, partly cold, partly dead."""
    db.run("CREATE NAMESPACE shop")
    db.run("CREATE TABLE shop.people (name TEXT, id INT PRIMARY KEY, age INT)")
    db.run("CREATE TABLE shop.orders (person INT, number INT, price DECIMAL(8,2), PRIMARY KEY (person, number))")
    db.run("INSERT INTO shop.people VALUES ('ann', 1, 30), ('ben', 2, NULL), ('cid', 3, 99), ('old', 9, 1)")
    db.run("INSERT INTO shop.orders VALUES (1, 1, 10.50), (1, 2, 0.01), (2, 1, 99.99), (3, 1, 1), (9, 9, 9)")
    db.run("STORAGE FLUSH ALL")
    db.run("UPDATE shop.people SET age = 50 WHERE id = 3")
    db.run("DELETE FROM shop.people WHERE id = 9")
    db.run("DELETE FROM shop.orders WHERE person = 9")
    db.run("INSERT INTO shop.people VALUES ('dee', 4, 20)")
    db.run("INSERT INTO shop.orders VALUES (3, 2, 5), (4, 1, 7.77)")
    yield "shop"
    db.run("DROP NAMESPACE shop CASCADE")


QUERIES: list[tuple[str, list[tuple[Any, ...]]]] = [
    ("SELECT name FROM shop.people ORDER BY age NULLS LAST", [("dee",), ("ann",), ("cid",), ("ben",)]),
    ("SELECT count(*) FROM shop.people", [(4,)]),
    ("SELECT count(*), count(age), sum(age), min(age), max(age) FROM shop.people", [(4, 3, 100, 20, 50)]),
    (
        "SELECT p.name, count(*) n FROM shop.people p JOIN shop.orders o ON o.person = p.id GROUP BY p.name ORDER BY 1",
        [("ann", 2), ("ben", 1), ("cid", 2), ("dee", 1)],
    ),
    (
        (
            "SELECT p.name FROM shop.people p LEFT JOIN shop.orders o ON o.person = p.id AND o.price > 50 "
            "WHERE o.person IS NULL ORDER BY 1"
        ),
        [("ann",), ("cid",), ("dee",)],
    ),
    (
        (
            "SELECT o.person FROM shop.people p RIGHT JOIN shop.orders o ON o.person = p.id AND p.age > 40 "
            "WHERE p.id IS NULL ORDER BY 1"
        ),
        [(1,), (1,), (2,), (4,)],
    ),
    (
        (
            "SELECT p.id, o.person FROM shop.people p FULL JOIN (SELECT * FROM shop.orders WHERE number = 2) o "
            "ON o.person = p.id + 1 ORDER BY 1 NULLS LAST, 2"
        ),
        [(1, None), (2, 3), (3, None), (4, None), (None, 1)],
    ),
    ("SELECT a.id, b.id FROM shop.people a, shop.people b WHERE a.id + b.id = 7 ORDER BY 1", [(3, 4), (4, 3)]),
    ("WITH x AS (SELECT * FROM shop.people WHERE id > 2), y AS (SELECT id FROM x) SELECT sum(id) FROM y", [(7,)]),
    (
        (
            "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 4) "
            "SELECT p.name FROM n JOIN shop.people p ON p.id = n.i ORDER BY i DESC"
        ),
        [("dee",), ("cid",), ("ben",), ("ann",)],
    ),
    (
        (
            "SELECT person, number, sum(price) OVER (PARTITION BY person ORDER BY number) AS s FROM shop.orders "
            "WHERE person IN (1, 3) ORDER BY 1, 2"
        ),
        [(1, 1, "10.50"), (1, 2, "10.51"), (3, 1, "1.00"), (3, 2, "6.00")],
    ),
    ("SELECT id, row_number() OVER (ORDER BY age DESC) FROM shop.people WHERE age > 0 ORDER BY 2", None),
    ("SELECT name FROM shop.people WHERE age = (SELECT max(age) FROM shop.people WHERE id < 3)", [("ann",)]),
    (
        "SELECT (SELECT name FROM shop.people WHERE id = 1) AS first, name FROM shop.people WHERE id = 4",
        [("ann", "dee")],
    ),
    (
        (
            "SELECT name FROM shop.people p WHERE EXISTS (SELECT 1 FROM shop.orders WHERE person = p.id AND price < 2) "
            "ORDER BY 1"
        ),
        [("ann",), ("cid",)],
    ),
    (
        "SELECT name, (SELECT max(price) FROM shop.orders o WHERE o.person = p.id) m FROM shop.people p ORDER BY 1",
        [("ann", "10.50"), ("ben", "99.99"), ("cid", "5.00"), ("dee", "7.77")],
    ),
    (
        "SELECT name FROM shop.people WHERE id NOT IN (SELECT person FROM shop.orders WHERE price > 6) ORDER BY 1",
        [("cid",)],
    ),
    ("SELECT id FROM shop.people UNION SELECT person FROM shop.orders ORDER BY 1", [(1,), (2,), (3,), (4,)]),
    ("SELECT id FROM shop.people EXCEPT SELECT person FROM shop.orders WHERE number = 2 ORDER BY 1", [(2,), (4,)]),
    ("SELECT age > 25 AS b, count(*) FROM shop.people GROUP BY 1 HAVING count(*) > 1", [(True, 2)]),
    ("SELECT DISTINCT person FROM shop.orders WHERE number = 1 ORDER BY 1 LIMIT 2 OFFSET 1", [(2,), (3,)]),
    ("SELECT name FROM shop.people WHERE id = 9 OR age = 99", []),
    ("SELECT count(*) FROM shop.people WHERE age = 99", [(0,)]),
    ("SELECT name FROM shop.people WHERE name LIKE '%e%' AND age IS NOT NULL", [("dee",)]),
    ("SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS x (n, s) WHERE n > 1", [(2, "b")]),
    ("SELECT count(*) FROM shop.people a CROSS JOIN shop.people b CROSS JOIN shop.people c", [(64,)]),
    ("SELECT name FROM shop.people NATURAL JOIN (SELECT 3 AS id) x", [("cid",)]),
    ("SELECT sum(price) FROM shop.orders GROUP BY GROUPING SETS ((), (person)) ORDER BY 1 DESC LIMIT 1", [("124.27",)]),
]


@pytest.mark.parametrize(("sql", "expected"), QUERIES)
def test_sql_in_full_over_hot_and_cold_rows(
    db: Client, shop: str, sql: str, expected: list[tuple[Any, ...]] | None
) -> None:
    """Joins, CTEs, windows, sub-queries and aggregates see the live rows of both tiers."""
    found = [tuple(str(v) if hasattr(v, "quantize") else v for v in row) for row in db.rows(sql)]
    if expected is None:
        assert found == [(3, 1), (1, 2), (4, 3)]
    else:
        assert found == expected


@pytest.mark.parametrize("sql", [sql for sql, _ in QUERIES])
def test_the_promised_schema_is_that_of_the_stream(wire: Wire, shop: str, sql: str) -> None:
    """FlightInfo, GetSchema, the prepared statement and the stream agree on every field."""
    info = wire.info(StatementQuery(sql))
    streamed = wire.fetch(info).schema
    prepared = pa.ipc.read_schema(pa.py_buffer(wire.prepare(sql).dataset_schema))
    assert info.schema.equals(streamed, check_metadata=True)
    assert wire.schema(StatementQuery(sql)).equals(streamed, check_metadata=True)
    assert prepared.equals(streamed, check_metadata=True)


SHAPES = [
    "SELECT 'a' AS s, NULL AS n, 1 AS i, 1.5 AS f, TRUE AS b, X'00' AS x",
    "SELECT arrow_cast('a', 'Utf8View') AS v, arrow_cast('a', 'LargeUtf8') AS l",
    "SELECT arrow_cast('a', 'Dictionary(Int32, Utf8)') AS d, arrow_cast(X'00', 'BinaryView') AS b",
    "SELECT make_array(1, 2) AS l, make_array('a') AS s, named_struct('a', 1, 'b', 'x') AS st",
    "SELECT make_array(named_struct('a', arrow_cast('x', 'Utf8View'))) AS nested",
    "SELECT now() AS n, current_date AS d, interval '1 day' AS i, date '2024-01-01' - date '2023-01-01' AS e",
    "SELECT arrow_cast(1, 'Decimal128(20, 3)') AS d, arrow_cast('10:00', 'Time64(Nanosecond)') AS t",
    "SELECT {t}.* FROM {t}",
    "SELECT s, count(*), avg(v), array_agg(s) FROM {t} GROUP BY s",
    "SELECT s || 'x' AS y, upper(s), substr(s, 1, 1), coalesce(s, 'z'), CASE WHEN v > 1 THEN s END FROM {t}",
    "SELECT a.s, b.v FROM {t} a LEFT JOIN {t} b ON a.id = b.v",
    "SELECT s FROM {t} UNION ALL SELECT 'x' UNION ALL SELECT NULL",
    "SELECT id, v FROM {t} WHERE id = 1 UNION SELECT 1, 2",
    "SELECT * FROM {t} WHERE FALSE",
    "SELECT * FROM {t} WHERE id = 1000000",
    "SELECT * FROM {t} LIMIT 0",
    "SELECT max(s), min(d), first_value(s) FROM {t}",
    "SELECT lag(s) OVER (ORDER BY id), ntile(2) OVER (ORDER BY id) FROM {t}",
    "SELECT _seq, _deleted, * FROM {t}",
    "SELECT * FROM {t}_v WHERE w > 0",
    "EXPLAIN SELECT * FROM {t}",
    "SHOW TABLES",
    "DESCRIBE {t}",
    "SHOW MANIFEST FOR {t}",
]


@pytest.mark.parametrize("state", ["empty", "hot", "cold", "mixed"])
@pytest.mark.parametrize("sql", SHAPES)
def test_schemas_agree_in_every_state_of_a_table(db: Client, wire: Wire, make: Make, state: str, sql: str) -> None:
    """Views, dictionaries, nested and empty results: one schema from the first promise to the last batch."""
    t = make("id INT PRIMARY KEY, v BIGINT NOT NULL, s TEXT, d DECIMAL(9,3), l LIST<TEXT>, r STRUCT<a INT>")
    db.run(f"CREATE VIEW {t}_v AS SELECT id, v AS w, s FROM {t}")
    if state != "empty":
        db.run(f"INSERT INTO {t} VALUES (1, 1, 'a', 1.5, ['x'], {{'a': 1}}), (2, 2, NULL, NULL, NULL, NULL)")
    if state in {"cold", "mixed"}:
        db.run(f"FLUSH TABLE {t}")
    if state == "mixed":
        db.run(f"UPDATE {t} SET s = 'b' WHERE id = 1")
        db.run(f"INSERT INTO {t} (id, v) VALUES (3, 3)")
    sql = sql.format(t=t)
    info = wire.info(StatementQuery(sql))
    streamed = wire.fetch(info).schema
    assert info.schema.equals(streamed)
    assert wire.schema(StatementQuery(sql)).equals(streamed)
    assert not any(pa.types.is_dictionary(kind) or "view" in str(kind) for kind in streamed.types)


def test_a_scalar_subquery_does_not_lend_its_filter_to_the_outer_scan(db: Client, make: Make) -> None:
    """One table, scanned twice with filters that exclude each other's batches, in all orders of nesting."""
    t = make()
    for start in (0, 1000, 2000):
        db.run(f"INSERT INTO {t} VALUES ({start}, {start}, 'a'), ({start + 1}, {start + 1}, 'b')")
        db.run(f"FLUSH TABLE {t}")
    for sql in (
        f"SELECT id FROM {t} WHERE id = 1000 AND (SELECT v FROM {t} WHERE id = 2001) = 2001",
        f"SELECT id FROM {t} a WHERE id = 1000 AND EXISTS (SELECT 1 FROM {t} b WHERE b.id = 2001 AND a.id < b.id)",
        f"SELECT id FROM {t} WHERE id IN (1000, 5) AND id NOT IN (SELECT v FROM {t} WHERE id > 1500)",
        f"SELECT id FROM {t} WHERE id = (SELECT max(v) - 1001 FROM {t} WHERE id = 2001)",
        f"SELECT a.id FROM {t} a JOIN {t} b ON a.id + 1001 = b.id WHERE a.id < 1001 AND b.id > 2000",
        (
            f"SELECT CAST(1000 AS BIGINT) FROM (SELECT count(*) c FROM {t} WHERE id = 0) x, "
            f"(SELECT count(*) d FROM {t} WHERE id >= 1000) y WHERE c = 1 AND d = 4"
        ),
        f"SELECT 1000 FROM {t} WHERE id = 0 AND (SELECT count(*) FROM {t}) = 6",
        f"SELECT CASE WHEN (SELECT count(*) FROM {t} WHERE id > 1500) = 2 THEN id END FROM {t} WHERE id = 1000",
        f"WITH x AS (SELECT * FROM {t}) SELECT id FROM x WHERE id = 1000 AND (SELECT max(id) FROM x) = 2001",
        f"SELECT id FROM {t} WHERE id = 1000 UNION SELECT id FROM {t} WHERE id = 1000 AND v < (SELECT max(v) FROM {t})",
        f"SELECT id - 1 FROM {t} o WHERE id = 1001 AND (SELECT count(*) FROM {t} i WHERE i.id = o.id + 1000) = 1",
    ):
        assert db.column(sql) == [1000], sql


@pytest.fixture(params=["hot", "cold"])
def unmatched(request: pytest.FixtureRequest, db: Client, t: str) -> str:
    """A join of three rows with one that matches none, whose condition no row satisfies.

    The engine swaps the sides of a RIGHT or FULL join and then takes `b.s` for `a.s`, unless it is kept from it.
    """
    for name in (f"{t}_a", f"{t}_b"):
        db.run(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, s TEXT, n BIGINT)")
    db.run(f"INSERT INTO {t}_a VALUES (1, 'abc', 1), (2, 'x', 2), (3, NULL, 3)")
    db.run(f"INSERT INTO {t}_b VALUES (1, 'none', 0)")
    if request.param == "cold":
        db.run(f"FLUSH TABLE {t}_a")
        db.run(f"FLUSH TABLE {t}_b")
    return f"FROM {t}_a a RIGHT JOIN {t}_b b ON a.s = b.s WHERE b.n >= 0 AND b.n <= length(a.s)"


ALL_SIX = "a.id AS i, a.s AS s, a.n AS n, b.id AS j, b.s AS u, b.n AS m"


def test_an_outer_join_keeps_its_columns_apart(db: Client, unmatched: str) -> None:
    """RIGHT and FULL, all columns and none."""
    for joined in (unmatched, unmatched.replace("RIGHT", "FULL")):
        assert db.rows(f"SELECT * {joined}") == []
        assert db.one(f"SELECT count(*) {joined}") == 0


def test_an_outer_join_inside_a_view_keeps_its_columns_apart(db: Client, t: str, unmatched: str) -> None:
    """Although the query over it mentions no join, and neither does a view between them."""
    db.run(f"CREATE VIEW {t}_v AS SELECT {ALL_SIX} {unmatched}")
    db.run(f"CREATE VIEW {t}_w AS SELECT * FROM {t}_v")
    assert db.rows(f"SELECT * FROM {t}_v") == db.rows(f"SELECT * FROM {t}_w") == []


def test_an_outer_join_that_is_inserted_keeps_its_columns_apart(db: Client, t: str, unmatched: str) -> None:
    """Into a decimal column too, for which literals are read in another way."""
    db.run(f"CREATE TABLE {t} (price DECIMAL(9,2), i BIGINT, s TEXT, n BIGINT, j BIGINT, u TEXT, m BIGINT)")
    assert db.update(f"INSERT INTO {t} SELECT 1.5, {ALL_SIX} {unmatched}") == 0


def test_limit_offset_and_count_leave_out_dead_rows(db: Client, make: Make) -> None:
    """LIMIT and OFFSET count live rows; so does count(*) in every form."""
    t = make()
    db.run(f"INSERT INTO {t} SELECT x, x AS y, 'a' FROM (VALUES {', '.join(f'({n})' for n in range(1000))}) AS v (x)")
    db.run(f"FLUSH TABLE {t}")
    db.run(f"DELETE FROM {t} WHERE id % 10 <> 0")
    db.run(f"UPDATE {t} SET v = -1 WHERE id = 500")
    for sql in ("count(*)", "count(1)", "count(id)", "count(DISTINCT id)"):
        assert db.one(f"SELECT {sql} FROM {t}") == 100
    assert len(db.rows(f"SELECT * FROM {t} LIMIT 150")) == 100
    assert len(db.rows(f"SELECT * FROM {t} LIMIT 99")) == 99
    assert len(db.rows(f"SELECT * FROM {t} OFFSET 95")) == 5
    assert db.column(f"SELECT id FROM {t} ORDER BY id LIMIT 2 OFFSET 49") == [490, 500]
    assert db.one(f"SELECT count(*) FROM {t} WHERE v = 500") == 0
    assert db.one(f"SELECT count(*) FROM (SELECT * FROM {t} LIMIT 30) x") == 30


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM {t}",
        "SELECT *, s AS again, s || s AS twice FROM {t}",
        "SELECT * FROM {t} ORDER BY v DESC",
        "SELECT a.s, b.s FROM {t} a JOIN {t} b ON a.v = b.v",
        "SELECT array_agg(s) AS l FROM {t} GROUP BY v % 50",
    ],
)
def test_messages_are_small_for_wide_and_skewed_rows(db: Client, wire: Wire, wide: str, sql: str) -> None:
    """No batch of a result is larger than 4 MB, although some rows are a thousand times larger than others."""
    reader = wire.reader(wire.info(StatementQuery(sql.format(t=wide))).endpoints[0].ticket)
    total = 0
    for chunk in reader:
        size = chunk.data.nbytes
        assert size <= MESSAGE_BYTES_MAX or chunk.data.num_rows == 1
        assert pa.ipc.get_record_batch_size(chunk.data) <= MESSAGE_BYTES_MAX + 65_536 or chunk.data.num_rows == 1
        total += chunk.data.num_rows
    assert total > 0


@pytest.fixture(scope="module")
def wide(db: Client) -> str:
    """20,000 rows, most with short text, some with a megabyte."""
    db.run("CREATE TABLE wide (id BIGINT PRIMARY KEY, v BIGINT, s TEXT)")
    text = ["x" * (1_000_000 if n % 1000 == 0 else n % 700) for n in range(20_000)]
    rows = pa.table({"id": range(20_000), "v": range(20_000), "s": text})
    with db.connection.cursor() as cursor:
        cursor.adbc_ingest("wide", rows.to_reader(max_chunksize=2_000), mode="append")
    db.run("FLUSH TABLE wide")
    return "wide"


def test_a_stream_is_pinned_to_the_state_at_its_start(db: Client, wire: Wire, make: Make) -> None:
    """A slow reader sees its snapshot while updates, deletes, flushes, compactions and GC go on."""
    t = make()
    keys = np.arange(300_000)
    db.ingest(t, pa.table({"id": keys, "v": keys * 0, "s": pa.array(["x" * 50] * len(keys))}))
    db.ingest(t, pa.table({"id": keys[:1000], "v": keys[:1000] * 0, "s": ["hot"] * 1000}))
    reader = wire.reader(wire.info(StatementQuery(f"SELECT id, v, s FROM {t}")).endpoints[0].ticket)
    chunks = [reader.read_chunk().data]
    for round_number in range(1, 4):
        db.run(f"UPDATE {t} SET v = {round_number} WHERE id % 3 = 0")
        db.run(f"DELETE FROM {t} WHERE id % 7 = {round_number}")
        db.run(f"FLUSH TABLE {t}")
        db.run(f"COMPACT TABLE {t}")
        chunks.append(reader.read_chunk().data)
    db.run(f"TRUNCATE TABLE {t}")
    db.run(f"COMPACT TABLE {t}")
    chunks += [chunk.data for chunk in reader]
    seen = pa.Table.from_batches(chunks)
    assert seen.num_rows == 300_000
    assert set(seen["v"].to_pylist()) == {0}
    assert db.count(t) == 0


def test_a_ticket_that_waits_keeps_its_snapshot(db: Client, wire: Wire, make: Make) -> None:
    """The state is pinned when FlightInfo is given, even when the table is dropped before the ticket is used."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 1, 'a'), (2, 2, 'b')")
    db.run(f"FLUSH TABLE {t}")
    info = wire.info(StatementQuery(f"SELECT id, v FROM {t} ORDER BY id"))
    db.run(f"UPDATE {t} SET v = 9")
    db.run(f"FLUSH TABLE {t}")
    db.run(f"COMPACT TABLE {t}")
    db.run(f"DROP TABLE {t}")
    assert wire.fetch(info).to_pydict() == {"id": [1, 2], "v": [1, 2]}


ENDLESS = [
    "SELECT a.v FROM {t} a JOIN {t} b ON a.v % 20 = b.v % 20 ORDER BY a.v * b.v % 17, b.v DESC",
    "WITH RECURSIVE n AS (SELECT v FROM {t} UNION ALL SELECT v + 1 FROM n) SELECT max(v) FROM n",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a table whose joins with itself are endless; what it wastes is nobody else's."""
    with ServerProcess(tmp_path_factory.mktemp("busy") / "data") as server:
        with server.connect() as connection:
            client = Client(connection)
            client.run("CREATE TABLE many (id BIGINT PRIMARY KEY, v BIGINT)")
            client.ingest("many", pa.table({"id": range(200_000), "v": range(200_000)}))
        yield server


@pytest.mark.parametrize("sql", ENDLESS)
def test_a_client_that_goes_away_stops_its_query(busy: ServerProcess, sql: str) -> None:
    """A sort or a recursion that would run for hours is gone soon after its client is."""
    assert busy.is_idle_within(60)
    with Wire(busy) as wire:
        reader = wire.reader(wire.info(StatementQuery(sql.format(t="many"))).endpoints[0].ticket)
        waiting = threading.Thread(target=lambda: _swallow(reader.read_chunk), daemon=True)
        waiting.start()
        time.sleep(1.0)
        before = busy.cpu_seconds()
        time.sleep(0.5)
        assert busy.cpu_seconds() > before
        reader.cancel()
        waiting.join(10)
    assert busy.is_idle_within(60)


def _swallow(call: Callable[[], object]) -> None:
    try:
        call()
    except (flight.FlightError, pa.ArrowException, StopIteration):
        return


def test_parameters_of_queries_have_the_types_of_their_columns(wire: Wire, shop: str) -> None:
    """The parameter schema follows from comparisons; limits are numbers; the rest is text."""
    prepared = wire.prepare("SELECT * FROM shop.orders WHERE person = ? AND price > ? LIMIT ?")
    types = pa.ipc.read_schema(pa.py_buffer(prepared.parameter_schema)).types
    assert types == [pa.int32(), pa.decimal128(8, 2), pa.int64()]


@pytest.mark.parametrize(
    ("sql", "types"),
    [
        ("SELECT CAST(? AS BIGINT), ?::DATE, TRY_CAST(? AS INT)", [pa.int64(), pa.date32(), pa.int32()]),
        ("SELECT at FROM {t}_a WHERE date_trunc(?, at) = at", [pa.string()]),
        (
            "SELECT a.id FROM {t}_a a JOIN {t}_b b USING (id) WHERE a.at = ? AND b.at = ?",
            [pa.timestamp("us"), pa.date32()],
        ),
    ],
)
def test_a_parameter_is_what_its_cast_or_its_own_column_says(
    db: Client, wire: Wire, t: str, sql: str, types: list[pa.DataType]
) -> None:
    """Of columns of one name, that of another table says nothing."""
    db.run(f"CREATE TABLE {t}_a (id BIGINT PRIMARY KEY, at TIMESTAMP)")
    db.run(f"CREATE TABLE {t}_b (id BIGINT PRIMARY KEY, at DATE)")
    prepared = wire.prepare(sql.format(t=t))
    assert pa.ipc.read_schema(pa.py_buffer(prepared.parameter_schema)).types == types


def test_a_query_with_many_rows_of_parameters_returns_all_results(db: Client, shop: str) -> None:
    """Bound rows run one after another."""
    bound = pa.RecordBatch.from_pydict({"1": [1, 3]})
    assert sorted(db.rows("SELECT person, number FROM shop.orders WHERE person = ?", bound)) == [
        (1, 1),
        (1, 2),
        (3, 1),
        (3, 2),
    ]
