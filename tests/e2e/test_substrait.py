"""Substrait plans, as DataFusion's producer writes them, against tables that are more than one scan."""

from collections.abc import Iterable

import pyarrow as pa
import pytest
from datafusion import SessionContext
from datafusion.substrait import Producer, Serde
from pyarrow import flight

from flightserver.protocol.actions import CreatePreparedSubstraitPlan
from flightserver.protocol.commands import Command, PreparedStatementQuery, StatementSubstraitPlan, SubstraitPlan
from flightserver.protocol.generated import flight_sql_pb2
from flightserver.protocol.wire import unwrap
from tests.e2e.client import Client
from tests.e2e.wire import Wire

SCHEMA = pa.schema([("id", pa.int64()), ("s", pa.string()), ("d", pa.decimal128(9, 2))])


@pytest.fixture
def stored(db: Client, t: str) -> str:
    """A table with cold, dead and hot rows: 1, 2 and 4 live."""
    db.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY, s TEXT, d DECIMAL(9,2))")
    db.run(f"INSERT INTO {t} VALUES (1, 'a', 1.5), (2, 'b', 2.5), (3, 'c', 3.5)")
    db.run(f"FLUSH TABLE {t}")
    db.run(f"DELETE FROM {t} WHERE id = 3")
    db.run(f"INSERT INTO {t} VALUES (4, 'b', 4.5)")
    return t


def context_with(tables: Iterable[str]) -> SessionContext:
    """A client's own engine that knows tables with the columns of `SCHEMA`."""
    context = SessionContext()
    for table in tables:
        context.from_arrow(SCHEMA.empty_table(), table)
    return context


def plan_of(sql: str, *tables: str) -> SubstraitPlan:
    """The plan of a query over tables with the columns of `SCHEMA`."""
    context = context_with(tables)
    return SubstraitPlan(Serde.serialize_bytes(sql, context), "0.85.0")


def unoptimized(sql: str, *tables: str) -> SubstraitPlan:
    """The same, with sub-queries as they were written and not as joins."""
    context = context_with(tables)
    plan = Producer.to_substrait_plan(context.sql(sql).logical_plan(), context)
    return SubstraitPlan(plan.encode(), "0.85.0")


def ask(wire: Wire, command: Command) -> pa.Table:
    """The rows of a command."""
    return wire.fetch(wire.info(command))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM {t} WHERE id = 1", [("a", 1)]),
        ("SELECT s, count(*) AS n FROM {t} GROUP BY s ORDER BY s", [("a", 1), ("b", 2)]),
        ("SELECT a.s, b.id FROM {t} a JOIN {t} b ON a.id = b.id WHERE b.d > 4", [("b", 4)]),
        ("SELECT s, id FROM {t} WHERE id IN (SELECT max(id) FROM {t})", [("b", 4)]),
        ("SELECT s, id FROM {t} WHERE EXISTS (SELECT 1 FROM {t} x WHERE x.id = {t}.id AND x.d > 4)", [("b", 4)]),
        ("SELECT s, row_number() OVER (ORDER BY id DESC) AS r FROM {t} ORDER BY r LIMIT 1", [("b", 1)]),
    ],
)
def test_a_plan_reads_the_live_rows(wire: Wire, stored: str, sql: str, expected: list[tuple[str, int]]) -> None:
    """Projections, joins, sub-queries and windows of a plan see each row once, in its newest version."""
    rows = ask(wire, StatementSubstraitPlan(plan_of(sql.format(t=stored), stored)))
    names = rows.schema.names
    second = "id" if "id" in names else names[-1]
    assert [(row["s"], row[second]) for row in rows.to_pylist()] == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("id IN (SELECT max(id) FROM {t})", [4]),
        ("id > 0 AND id NOT IN (SELECT max(id) FROM {t})", [1, 2]),
        ("id = (SELECT max(id) FROM {t})", [4]),
    ],
)
def test_a_plan_may_compare_with_a_sub_query_in_a_condition(
    wire: Wire, stored: str, condition: str, expected: list[int]
) -> None:
    """By itself or beside AND the engine knows NULL."""
    plan = unoptimized(f"SELECT id FROM {stored} WHERE {condition.format(t=stored)}", stored)
    assert sorted(ask(wire, StatementSubstraitPlan(plan)).column("id").to_pylist()) == expected


@pytest.mark.parametrize(
    "condition",
    [
        "id NOT IN (SELECT max(id) FROM {t}) OR id = 1",
        "(id IN (SELECT max(id) FROM {t})) IS NULL",
        "id = ANY (SELECT id FROM {t})",
    ],
)
def test_a_plan_whose_comparison_the_engine_gets_wrong_is_refused(wire: Wire, stored: str, condition: str) -> None:
    """A plan cannot be written anew as SQL can."""
    plan = unoptimized(f"SELECT id FROM {stored} WHERE {condition.format(t=stored)}", stored)
    with pytest.raises(NotImplementedError, match="send this query as SQL"):
        ask(wire, StatementSubstraitPlan(plan))


def test_a_plan_that_the_engine_would_join_by_the_wrong_names_is_refused(wire: Wire, stored: str) -> None:
    """It has a condition on an outer join, and conditions beside that join's keys; SQL gets fences."""
    joined = f"{stored} a RIGHT JOIN {stored} b ON a.id = b.id AND a.d > b.d WHERE a.d IS NULL"
    plan = plan_of(f"SELECT b.id AS i, b.d AS e FROM {joined}", stored)
    with pytest.raises(NotImplementedError, match="give the columns of both sides different names"):
        ask(wire, StatementSubstraitPlan(plan))


def test_an_outer_join_of_a_plan_keeps_its_columns_apart(db: Client, wire: Wire, t: str) -> None:
    """The engine would swap the sides of the join and then take `b.s` for `a.s`."""
    for name in (f"{t}_a", f"{t}_b"):
        db.run(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, s TEXT, d DECIMAL(9,2))")
    db.run(f"INSERT INTO {t}_a (id, s) VALUES (1, 'abc'), (2, 'x'), (3, NULL)")
    db.run(f"INSERT INTO {t}_b (id, s) VALUES (0, 'none')")
    columns = "a.id AS i, a.s AS s, a.d AS d, b.id AS j, b.s AS u, b.d AS e"
    joined = f"{t}_a a RIGHT JOIN {t}_b b ON a.s = b.s WHERE b.id >= 0 AND b.id <= length(a.s)"
    plan = plan_of(f"SELECT {columns} FROM {joined}", f"{t}_a", f"{t}_b")
    assert ask(wire, StatementSubstraitPlan(plan)).num_rows == 0


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT id, d FROM {t} WHERE s = 'b'", [{"id": 2, "d": "2.50"}, {"id": 4, "d": "4.50"}]),
        ("SELECT a.id, b.d FROM {t} a JOIN {t} b ON a.id = b.id WHERE b.s = 'a'", [{"id": 1, "d": "1.50"}]),
    ],
)
def test_a_plan_knows_columns_of_its_own(db: Client, wire: Wire, stored: str, sql: str, expected: object) -> None:
    """A table may have gained others since, before those or behind them."""
    plan = StatementSubstraitPlan(plan_of(sql.format(t=stored), stored))
    db.run(f"ALTER TABLE {stored} ADD COLUMN more STRUCT<id INT, d INT>")
    rows = ask(wire, plan).select(["id", "d"]).sort_by("id").to_pylist()
    assert [{"id": row["id"], "d": str(row["d"])} for row in rows] == expected
    db.run(f"CREATE VIEW turned_{stored} AS SELECT more, d, s, id FROM {stored}")
    turned = StatementSubstraitPlan(plan_of(sql.format(t=f"turned_{stored}"), f"turned_{stored}"))
    assert ask(wire, turned).select(["id", "d"]).sort_by("id").to_pylist() == rows


def test_fields_of_structs_are_no_columns(db: Client, wire: Wire, t: str) -> None:
    """A plan names them among its columns."""
    db.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY, o STRUCT<id INT, s TEXT>, l STRUCT<s TEXT>[], s TEXT)")
    db.run(f"INSERT INTO {t} (id, s) VALUES (1, 'a')")
    nested = pa.struct([("id", pa.int32()), ("s", pa.string())])
    schema = pa.schema(
        [("id", pa.int64()), ("o", nested), ("l", pa.list_(pa.struct([("s", pa.string())]))), ("s", pa.string())]
    )
    context = SessionContext()
    context.from_arrow(schema.empty_table(), t)
    plan = SubstraitPlan(Serde.serialize_bytes(f"SELECT s, id FROM {t} WHERE id > 0", context), "0.85.0")
    db.run(f"ALTER TABLE {t} ADD COLUMN x INT")
    (row,) = ask(wire, StatementSubstraitPlan(plan)).to_pylist()
    assert (row["id"], row["s"]) == (1, "a")


def chain(steps: int, made: str, last: str) -> str:
    """A query in a query in a query, each of which makes its column `x` of the one below."""
    query = "SELECT id, s AS x FROM {t}"
    for _ in range(steps):
        query = f"SELECT id, {made} AS x FROM ({query})"
    return last.format(f"({query})")


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT length(replace(replace(replace(s, 'a', '{'x' * 1000}'), 'x', '{'y' * 1000}'), 'y', 'zz')) FROM {{t}}",
        chain(20, "x || x", "SELECT length(x) AS n FROM {}"),
        chain(20, "concat(x, x)", "SELECT id FROM {} ORDER BY x"),
        chain(20, "x || x", "SELECT id FROM {{t}} WHERE id IN (SELECT max(length(x)) FROM {})"),
        chain(16, "substr(x, 1, length(x))", "SELECT id FROM {} WHERE x > 'b'"),
        "SELECT max(levenshtein(s, s)) AS n FROM long_{t}",
    ],
    ids=[
        "functions in functions",
        "doubled texts",
        "a sorted one",
        "in a sub-query",
        "a condition written out",
        "long",
    ],
)
def test_a_plan_that_could_take_all_memory_or_time_is_refused(db: Client, wire: Wire, stored: str, sql: str) -> None:
    """As a text that says the same is."""
    db.run(f"CREATE VIEW long_{stored} AS SELECT id, replace(s, s, '{'ab' * 2000}') AS s, d FROM {stored}")
    plan = unoptimized(sql.format(t=stored), stored, f"long_{stored}")
    with pytest.raises(pa.ArrowException, match=r"may take 8 MB|may have 10,000|at most 255 letters"):
        ask(wire, StatementSubstraitPlan(plan))


def test_a_plan_reads_views(db: Client, wire: Wire, stored: str) -> None:
    """A view is a table to a plan."""
    db.run(f"CREATE VIEW v_{stored} AS SELECT * FROM {stored} WHERE id > 1")
    rows = ask(wire, StatementSubstraitPlan(plan_of(f"SELECT sum(d) AS total FROM v_{stored}", f"v_{stored}")))
    assert str(rows.column("total")[0]) == "7.00"


def test_a_plan_can_be_prepared(wire: Wire, stored: str) -> None:
    """The answer tells the schema of the result; the handle runs the plan."""
    plan = plan_of(f"SELECT id FROM {stored} ORDER BY id", stored)
    (body,) = wire.act(CreatePreparedSubstraitPlan(plan))
    opened = unwrap(body)
    assert opened is not None
    answer = flight_sql_pb2.ActionCreatePreparedStatementResult.FromString(opened[1])
    assert pa.ipc.read_schema(pa.py_buffer(answer.dataset_schema)).names == ["id"]
    assert ask(wire, PreparedStatementQuery(answer.prepared_statement_handle)).column("id").to_pylist() == [1, 2, 4]


def test_a_plan_over_a_missing_table_is_not_found(wire: Wire) -> None:
    """The error names the table."""
    with pytest.raises(KeyError, match="nowhere"):
        ask(wire, StatementSubstraitPlan(plan_of("SELECT id FROM nowhere", "nowhere")))


@pytest.mark.parametrize("plan", [b"SELECT 1", b"\x1a\xff\xff", bytes(range(256))])
def test_bytes_that_are_no_plan_are_invalid(wire: Wire, plan: bytes) -> None:
    """Damage is told from defects."""
    with pytest.raises((pa.ArrowInvalid, flight.FlightServerError), match=r"(?i)plan|substrait"):
        ask(wire, StatementSubstraitPlan(SubstraitPlan(plan, "0.85.0")))
