"""Look-ups by key are answered without the engine, and as the engine answers them: both ways, compared to the letter.

Every statement here is run directly and through the engine, over tables whose rows are hot, flushed, both, dead, older
than a column, or in a segment. Schemas must be equal with all their metadata, and rows with all their values.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from catalog.identifiers import TableName
from flightserver.access.principal import Principal
from flightserver.access.rights import Use
from flightserver.execution import ingest as ingesting
from flightserver.execution.ingest import Load, ingest
from flightserver.execution.rows import Rows
from flightserver.sql.parser import parse_numbered
from flightserver.sql.text.query_text import QueryText
from providers.engine.session import QueryEngine
from tests.execution.planner import Planner, opened

KEYS: dict[str, Sequence[str]] = {
    "TINYINT": ("-128", "0", "127"),
    "SMALLINT UNSIGNED": ("0", "65535"),
    "INT": ("-2147483648", "7", "8", "2147483647"),
    "BIGINT": ("-9223372036854775807", "0", "9223372036854775807"),
    "BIGINT UNSIGNED": ("0", "9223372036854775807"),
    "BOOLEAN": ("TRUE", "FALSE"),
    "TEXT": ("''", "'a'", "'ä😀'", "'it''s'", "'%'", "'A'"),
    "DATE": ("DATE '1969-12-31'", "'2020-02-29'", "DATE '9999-12-31'"),
    "TIMESTAMP": ("'2020-01-01 00:00:00'", "'1999-12-31T23:59:59.123456'", "TIMESTAMP '1800-01-01 00:00:01'"),
    "TIMESTAMP(3)": ("'2020-01-01 00:00:00'", "'1999-12-31 23:59:59.123'"),
    "TIMESTAMP(9)": ("'2020-01-01 00:00:00.5'", "'1999-12-31 23:59:59.123456'"),
    "TIMESTAMP WITH TIME ZONE": ("'2020-01-01 00:00:00'", "'1999-12-31 23:59:59.1'"),
    "DECIMAL(10,2)": ("0", "1.5", "-99999999.99", "7"),
    "DECIMAL(38,10)": ("1234567890123456.78", "0.0000000001"),
    "DOUBLE": ("0", "1.5", "-2.25", "1e300", "0.1"),
    "UUID": ("'00000000-0000-0000-0000-000000000001'", "'{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}'"),
}
"""For each type of a key, constants that are values of it."""

ODD = [
    "k = 5.0",
    "k = 5.5",
    "k = '5'",
    "k = NULL",
    "k = 99999999999999999999",
    "k = 128",
    "k = -1",
    "k = 0x7",
    "k = 1e0",
    "k = -0.0",
    "k = 'abc'",
    "k = ''",
    "k = '2020-02-30'",
    "k = '2020-1-1'",
    "k = DATE '2020-01-01'",
    "k = TIMESTAMP '2020-01-01 00:00:00'",
    "k = '2020-01-01'",
    "k = '2020-01-01 00:00:00+01:00'",
    "k = '2020-01-01 00:00:00.1234567'",
    "k = '99999-01-01'",
    "k = TRUE",
    "k = 1.005",
    "k = 1.50",
    "k = E'a'",
    "k = $$a$$",
    "k = X'00'",
    "k IN (7, 8.0)",
    "k IN (7, NULL)",
    "k IN ('a', 7)",
    "k = 7 AND k = 8",
    "k = 7 AND k = 7",
    "k = '{a0eebc999c0b4ef8bb6d6bb9bd380a11'",
    "k = 'A0EEBC999C0B4EF8BB6D6BB9BD380A11'",
]
"""Conditions of which only the engine may know what they mean to a type."""

EVERY_TYPE = [
    ("a1", "TINYINT", "1"),
    ("a2", "INT UNSIGNED", "2"),
    ("a3", "BOOLEAN", "TRUE"),
    ("a4", "FLOAT16", "1.5"),
    ("a5", "FLOAT", "0.1"),
    ("a6", "DOUBLE", "CAST('NaN' AS DOUBLE)"),
    ("a7", "TEXT", "'ä'"),
    ("a8", "BYTEA", "X'00FF'"),
    ("a9", "DATE", "'2020-02-29'"),
    ("b1", "TIME", "'12:34:56.789'"),
    ("b2", "TIME(9)", "'12:34:56.789012345'"),
    ("b3", "TIMESTAMP(3)", "'2020-01-01 00:00:00.123'"),
    ("b4", "TIMESTAMP WITH TIME ZONE 'Europe/Berlin'", "'2020-01-01 00:00:00'"),
    ("b5", "DECIMAL(38,10)", "1234567890123456.78"),
    ("b6", "UUID", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
    ("b7", "INT[]", "[1, NULL, 3]"),
    ("b8", "STRUCT<x INT, y TEXT[]>", "named_struct('x', 1, 'y', ['a'])"),
    ("b9", "BIGINT DEFAULT 5", "6"),
    ('"Odd ""name"', "TEXT", "'quoted'"),
]
"""Columns of every type, each with a value of it."""

OF_EVENTS = [
    "SELECT * FROM events WHERE u = 3 AND n = 5",
    "SELECT * FROM events WHERE u = 3",
    "SELECT n, v FROM events WHERE u = 3 ORDER BY n DESC LIMIT 4",
    "SELECT v FROM events WHERE u = 3 ORDER BY n LIMIT 3 OFFSET 2",
    "SELECT e.n AS m, n, e.v FROM events AS e WHERE e.u = 3 AND n IN (1, 2, 2, 99)",
    "SELECT * FROM events WHERE u IN (1, 3) AND n IN (5, 6) ORDER BY u DESC, n",
    "SELECT * FROM public.events WHERE u = 3 AND v > 'v2' AND v <> 'v25'",
    "SELECT v, v FROM main.public.events WHERE (u = 3) AND (n = 5 AND 'v' <= v)",
    "SELECT v FROM events WHERE n = 5 AND u = 3 AND w IS NULL",
    "SELECT n, w FROM events WHERE u = 3 AND w IS NOT NULL ORDER BY w, n DESC LIMIT 5",
    "SELECT n, w FROM events WHERE u = 3 ORDER BY w DESC, n",
    "SELECT n, w FROM events WHERE u = 3 ORDER BY w NULLS FIRST, n LIMIT 30",
    "SELECT n FROM events WHERE u = 3 AND n BETWEEN 4 AND 9 ORDER BY n",
    "SELECT n FROM events WHERE u = 3 AND n >= 4 AND n < 9 AND w IN (1, 2) ORDER BY n DESC",
    "SELECT n FROM events WHERE u = 99",
    "SELECT * FROM events WHERE u = 3 AND n = 5 LIMIT 0",
    "SELECT * FROM events WHERE u = 3 AND n = 5 LIMIT 1 OFFSET 1",
    "SELECT x FROM events WHERE u = 3 AND n = 5",
    "SELECT x, n FROM events WHERE u = 4 AND x = 'later'",
]
"""Look-ups by a key of two columns, and by its first."""

NO_LOOKUPS = [
    "SELECT * FROM events WHERE n = 5",
    "SELECT * FROM events WHERE u = 3 OR n = 5",
    "SELECT n + 1 FROM events WHERE u = 3 AND n = 5",
    "SELECT DISTINCT v FROM events WHERE u = 3 AND n = 5",
    "SELECT count(*) FROM events WHERE u = 3 AND n = 5",
    "SELECT v AS n, n AS v FROM events WHERE u = 3 ORDER BY n",
    "SELECT n FROM events WHERE u = 3 ORDER BY ALL",
    "SELECT n FROM events WHERE u = 3 ORDER BY 1",
    "SELECT n FROM events WHERE u = 3 GROUP BY n",
    "SELECT _seq FROM events WHERE u = 3 AND n = 5",
    "SELECT current_user FROM events WHERE u = 3 AND n = 5",
    "SELECT * EXCEPT (v) FROM events WHERE u = 3 AND n = 5",
    "SELECT e.n FROM events e, events f WHERE e.u = 3 AND f.u = 3",
    "SELECT n FROM events WHERE u = 3 AND n NOT IN (1, 2)",
    "SELECT n FROM events WHERE u = 3 AND n BETWEEN SYMMETRIC 9 AND 4",
    "SELECT n FROM events WHERE u = 3 UNION ALL SELECT 1",
    "SELECT n FROM seen WHERE u = 3 AND n = 5",
    "SELECT f FROM events WHERE u = 3 ORDER BY f",
    "SELECT n FROM events WHERE u = 3 AND f > 1.0",
]
"""What is left to the engine."""


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """Tables whose rows are everywhere."""
    with opened(tmp_path_factory.mktemp("direct")) as found:
        for number, (data_type, values) in enumerate(KEYS.items()):
            found.run(f"CREATE TABLE k{number} (v INT, k {data_type} PRIMARY KEY)")
            for place, value in enumerate(values):
                found.run(f"INSERT INTO k{number} VALUES ({place}, {value})")
                if place == len(values) // 2:
                    found.run(f"FLUSH TABLE k{number}")
        _make_events(found)
        columns = ", ".join(f"{name} {data_type}" for name, data_type, _ in EVERY_TYPE)
        values = ", ".join(value for *_, value in EVERY_TYPE)
        found.run(f"CREATE TABLE every (k INT PRIMARY KEY, {columns})")
        found.run(f"INSERT INTO every SELECT 1, {values}")
        found.run("INSERT INTO every (k) VALUES (2)")
        found.run("FLUSH TABLE every")
        found.run(f"INSERT INTO every SELECT 3, {values}")
        found.run("INSERT INTO every (k) VALUES (4)")
        yield found


def _make_events(found: Planner) -> None:
    """Rows in two batches, dead rows and newer versions, hot rows; a column that was dropped, and one that came."""
    found.run("CREATE TABLE events (v TEXT, gone INT, u INT, n BIGINT, w INT, f DOUBLE, PRIMARY KEY (u, n))")
    rows = "SELECT 'v' || n, 1, u, n, CASE WHEN n % 3 = 0 THEN NULL ELSE n % 4 END, n FROM "
    found.run(f"INSERT INTO events {rows} {_numbers(range(1, 6), range(0, 20, 2))}")
    found.run("FLUSH TABLE events")
    found.run(f"INSERT INTO events {rows} {_numbers(range(1, 6), range(1, 20, 2))}")
    found.run("FLUSH TABLE events")
    found.run("ALTER TABLE events DROP COLUMN gone")
    found.run("ALTER TABLE events ADD COLUMN x TEXT DEFAULT 'since'")
    found.run("ALTER TABLE events RENAME COLUMN v TO old")
    found.run("ALTER TABLE events RENAME COLUMN old TO v")
    found.run("UPDATE events SET v = 'newer' WHERE u = 3 AND n IN (4, 5)")
    found.run("DELETE FROM events WHERE u = 3 AND n IN (8, 9, 19)")
    found.run("INSERT INTO events (u, n, v, x) VALUES (3, 30, 'v30', NULL), (4, 31, 'v31', 'later')")
    found.run("CREATE VIEW seen AS SELECT * FROM events")


def _numbers(outer: range, inner: range) -> str:
    pairs = ", ".join(f"({u}, {n})" for u in outer for n in inner)
    return f"(VALUES {pairs}) AS t (u, n)"


def _directly(planner: Planner, text: str, *values: pa.Scalar) -> pa.Table | None:
    found = planner.executor.direct.rows(QueryText(text), planner.context, _parameters(values))
    return None if found is None else found.to_table()


def _by_engine(planner: Planner, text: str, *values: pa.Scalar) -> pa.Table:
    return planner.executor.reader.plan(QueryText(text), planner.context, _parameters(values)).rows().to_table()


def _parameters(values: Sequence[pa.Scalar]) -> dict[str, pa.Scalar]:
    return {str(number): value for number, value in enumerate(values, 1)}


def _rows(table: pa.Table, *, ordered: bool) -> list[str]:
    """Rows as text, in which NaN is equal to itself, in the order that matters."""
    rows = [repr([column[row] for column in table.columns]) for row in range(table.num_rows)]
    return rows if ordered else sorted(rows)


def _require_same(planner: Planner, text: str, *values: pa.Scalar) -> pa.Table:
    """The result of a statement that is answered directly, and as the engine answers it."""
    found, expected = _directly(planner, text, *values), _by_engine(planner, text, *values)
    assert found is not None, f"{text} was left to the engine"
    assert found.schema.equals(expected.schema, check_metadata=True)
    ordered = "ORDER BY" in text
    assert _rows(found, ordered=ordered) == _rows(expected, ordered=ordered)
    return found


@pytest.mark.parametrize("data_type", KEYS)
def test_a_key_of_any_type_is_looked_up(planner: Planner, data_type: str) -> None:
    """Each of its values, all at once, and one that is not there."""
    name, values = f"k{list(KEYS).index(data_type)}", KEYS[data_type]
    for place, value in enumerate(values):
        found = _require_same(planner, f"SELECT v, k FROM {name} WHERE k = {value}")
        assert found.column("v").to_pylist() == [place]
    found = _require_same(planner, f"SELECT k, v FROM {name} WHERE k IN ({', '.join(values)})")
    assert found.num_rows == len(values)


@pytest.mark.parametrize("data_type", KEYS)
def test_a_key_of_any_type_is_looked_up_by_a_parameter(planner: Planner, data_type: str) -> None:
    """Bound as the column's own type, and some as another that holds the value."""
    name = f"k{list(KEYS).index(data_type)}"
    keys = _by_engine(planner, f"SELECT k FROM {name}").column("k")
    for key in keys:
        assert _require_same(planner, f"SELECT * FROM {name} WHERE k = $1", key).num_rows == 1
        if pa.types.is_signed_integer(key.type):
            assert _require_same(planner, f"SELECT * FROM {name} WHERE k = $1", key.cast(pa.int64())).num_rows == 1


@pytest.mark.parametrize("data_type", KEYS)
def test_what_a_value_means_to_a_type_the_engine_says(planner: Planner, data_type: str) -> None:
    """A direct answer is the engine's, and where that is an error there is none."""
    name = f"k{list(KEYS).index(data_type)}"
    for condition in ODD:
        text = f"SELECT * FROM {name} WHERE {condition}"
        found = _directly(planner, text)
        if found is not None:
            _require_same(planner, text)


@pytest.mark.parametrize(
    "bound", [1, 1.0, "1", b"1", True, None, pa.scalar(1, pa.uint64()), pa.scalar("1", pa.large_string())]
)
def test_what_a_bound_value_means_the_engine_says(planner: Planner, bound: Any) -> None:
    """Of whatever type it is."""
    value = bound if isinstance(bound, pa.Scalar) else pa.scalar(bound)
    for number in range(len(KEYS)):
        text = f"SELECT * FROM k{number} WHERE k = $1"
        found = _directly(planner, text, value)
        if found is not None:
            _require_same(planner, text, value)


@pytest.mark.parametrize("key", [1, 2, 3, 4, 5])
def test_columns_of_all_types_are_as_the_engine_has_them(planner: Planner, key: int) -> None:
    """With a value and NULL, hot and cold."""
    found = _require_same(planner, f"SELECT * FROM every WHERE k = {key}")
    assert found.num_rows == (key < 5)
    for name, _, _ in EVERY_TYPE:
        _require_same(planner, f"SELECT {name} AS renamed, {name} FROM every WHERE k IN ({key}, {key - 1})")


@pytest.mark.parametrize("text", OF_EVENTS)
def test_a_lookup_by_a_composite_key_is_the_engines(planner: Planner, text: str) -> None:
    """Over two batches with dead rows, hot rows, and columns that came and went."""
    _require_same(planner, text)


@pytest.mark.parametrize("text", NO_LOOKUPS)
def test_what_is_more_than_a_lookup_is_left_to_the_engine(planner: Planner, text: str) -> None:
    """Nothing of it is answered here."""
    assert _directly(planner, text) is None


def test_parameters_may_stand_wherever_values_do(planner: Planner) -> None:
    """Also as limits."""
    text = "SELECT n, w FROM events WHERE u = $1 AND n >= $2 ORDER BY n DESC LIMIT $3 OFFSET $4"
    found = _require_same(planner, text, *(pa.scalar(value) for value in (3, 4, 5, 1)))
    assert found.num_rows == 5


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that the engine has planned."""
    texts: list[str] = []
    plan = QueryEngine.plan

    def noted(engine: QueryEngine, text: str, *rest: Any) -> Any:
        texts.append(text)
        return plan(engine, text, *rest)

    monkeypatch.setattr(QueryEngine, "plan", noted)
    return texts


def test_statements_that_differ_in_literals_are_decided_once(planner: Planner, planned: list[str]) -> None:
    """They have one shape: the engine describes the first, and hears of no other."""
    for key in range(5):
        found = _directly(planner, f"SELECT u, n, w FROM events WHERE n = {key} AND u = 2")
        assert found is not None
        assert found.num_rows == 1
    assert len(planned) == 1


def test_a_prepared_lookup_plans_nothing(planner: Planner, planned: list[str]) -> None:
    """Whatever is bound; several rows of parameters neither."""
    parsed = parse_numbered("SELECT v, u FROM events WHERE u = ? AND n = ?")
    planner.executor.prepare(parsed, planner.context)
    planned.clear()
    planner.executor.prepare(parsed, planner.context)
    for keys in ([1], [2], [1, 2, 2, 99]):
        bound = pa.table({"u": keys, "n": [3] * len(keys)})
        found = planner.executor.run(parsed, planner.context, bound)
        assert isinstance(found, Rows)
        assert found.to_table().column("u").to_pylist() == [key for key in keys if key < 6]
    assert planned == []


CHANGES = [
    "UPDATE {} SET v = 'x', n = 5 WHERE {} = 3",
    "UPDATE {} SET n = NULL WHERE {} IN (3, 5, 99) AND v IS NOT NULL",
    "UPDATE {} AS c SET d = 1.25, t = '2020-02-29' WHERE c.{} = 4 AND n > 2",
    "UPDATE {} SET d = 1.005, v = 7 WHERE {} = 6",
    "UPDATE {} SET n = n + 1 WHERE {} = 7",
    "UPDATE {} SET v = 'nobody' WHERE {} = 9 AND n = 1000",
    "UPDATE {} SET v = 'late' WHERE {} = 1 AND v = 'v1'",
    "DELETE FROM {} WHERE {} = 10",
    "DELETE FROM {} WHERE {} IN (11, 12, 11, 99)",
    "DELETE FROM {} WHERE {} = 13 AND v <> 'v13'",
]
"""Each is made of a table's name and what its key is called: the key as it is, and so that only the engine finds it."""


def test_a_change_by_key_writes_what_the_engine_would(planner: Planner) -> None:
    """Over hot and cold rows: two tables stay the same."""
    for name in ("direct", "planned"):
        columns = "k INT PRIMARY KEY, v TEXT, n INT DEFAULT 3, d DECIMAL(10,2), t TIMESTAMP"
        planner.run(f"CREATE TABLE {name} ({columns})")
        for keys in (range(1, 8), range(8, 14)):
            planner.run(f"FLUSH TABLE {name}")
            rows = ", ".join(f"({key}, 'v{key}', {key})" for key in keys)
            planner.run(f"INSERT INTO {name} (k, v, n) VALUES {rows}")
    for change in CHANGES:
        affected = [
            planner.executor.run(parse_numbered(change.format(name, key)), planner.context, None)
            for name, key in (("direct", "k"), ("planned", "(0 + k)" if "AS c" not in change else "k + 0"))
        ]
        assert affected[0] == affected[1], change
        texts = [f"SELECT * FROM {name} ORDER BY k" for name in ("direct", "planned")]
        assert _by_engine(planner, texts[0]).to_pylist() == _by_engine(planner, texts[1]).to_pylist(), change


@pytest.mark.parametrize(
    ("change", "types"),
    [
        ("UPDATE every SET a1 = ?, a7 = 'x', b6 = ? WHERE k = ?", [pa.int8(), pa.string(), pa.int32()]),
        ("DELETE FROM every AS e WHERE e.k IN (?, ?) AND b3 < ?", [pa.int32(), pa.int32(), pa.timestamp("ms")]),
    ],
)
def test_a_change_by_key_is_prepared_without_a_plan(
    planner: Planner, planned: list[str], change: str, types: list[pa.DataType]
) -> None:
    """Its parameters have the types of the columns beside them."""
    prepared = planner.executor.prepare(parse_numbered(change), planner.context)
    assert prepared.parameters.types == types
    assert prepared.schema is None
    assert planned == []


def test_a_transaction_sees_its_own_rows_and_no_later_ones(planner: Planner) -> None:
    """Of its moment, with its changes on top."""
    planner.run("CREATE TABLE moments (k INT PRIMARY KEY, v TEXT)")
    planner.run("INSERT INTO moments VALUES (1, 'old'), (2, 'old')")
    transaction = planner.database.begin()
    within = replace(planner, context=replace(planner.context, work=transaction, in_transaction=True))
    text = "SELECT * FROM moments WHERE k IN (1, 2, 3) ORDER BY k"
    assert _require_same(within, text).column("v").to_pylist() == ["old", "old"]
    planner.run("UPDATE moments SET v = 'later' WHERE k = 1")
    within.run("UPDATE moments SET v = 'own' WHERE k = 2")
    within.run("INSERT INTO moments VALUES (3, 'own')")
    assert _require_same(within, text).column("v").to_pylist() == ["old", "own", "own"]
    assert _require_same(planner, text).column("v").to_pylist() == ["later", "old"]
    within.run("ALTER TABLE moments ADD COLUMN w INT DEFAULT 7")
    assert _require_same(within, text).column("w").to_pylist() == [7, 7, 7]
    assert _require_same(planner, text).column_names == ["k", "v"]
    transaction.rollback()


def test_everybody_has_rows_of_their_own_in_a_user_table(planner: Planner) -> None:
    """Under the same key."""
    planner.run("CREATE USER TABLE own (k INT PRIMARY KEY, v TEXT)")
    others = [
        replace(planner, context=replace(planner.context, principal=Principal.of(user))) for user in ("ann", "ben")
    ]
    for place, other in enumerate(others):
        other.run(f"INSERT INTO own VALUES (1, 'of {place}')")
    for place, other in enumerate(others):
        assert _require_same(other, "SELECT v FROM own WHERE k = 1").column("v").to_pylist() == [f"of {place}"]
    assert _require_same(planner, "SELECT v FROM own WHERE k = 1").num_rows == 0


def test_a_temporary_table_hides_another(planner: Planner) -> None:
    """As long as it is there."""
    planner.run("CREATE TABLE hidden (k INT PRIMARY KEY, v TEXT)")
    planner.run("INSERT INTO hidden VALUES (1, 'lasting')")
    text = "SELECT * FROM hidden WHERE k = 1"
    assert _require_same(planner, text).column("v").to_pylist() == ["lasting"]
    planner.run("CREATE TEMPORARY TABLE hidden (v INT, k BIGINT PRIMARY KEY)")
    planner.run("INSERT INTO hidden VALUES (5, 1)")
    assert _require_same(planner, text).to_pylist() == [{"v": 5, "k": 1}]
    planner.run("DROP TABLE hidden")
    assert _require_same(planner, text).column("v").to_pylist() == ["lasting"]


def test_a_changed_definition_is_decided_anew(planner: Planner) -> None:
    """The same statement has the new columns, and none of those that are gone."""
    text = "SELECT * FROM altered WHERE k = 1"
    planner.run("CREATE TABLE altered (k INT PRIMARY KEY, a INT)")
    planner.run("INSERT INTO altered VALUES (1, 2)")
    assert _require_same(planner, text).to_pylist() == [{"k": 1, "a": 2}]
    planner.run("FLUSH TABLE altered")
    planner.run("ALTER TABLE altered ADD COLUMN b TEXT DEFAULT 'x'")
    assert _require_same(planner, text).to_pylist() == [{"k": 1, "a": 2, "b": "x"}]
    planner.run("ALTER TABLE altered OWNER TO root")
    assert _require_same(planner, text).to_pylist() == [{"k": 1, "a": 2, "b": "x"}]
    planner.run("ALTER TABLE altered DROP COLUMN a")
    assert _require_same(planner, text).to_pylist() == [{"k": 1, "b": "x"}]
    planner.run("DROP TABLE altered")
    planner.run("CREATE TABLE altered (a INT PRIMARY KEY, k TEXT)")
    assert _directly(planner, text) is None


def test_rows_of_a_segment_are_found(planner: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    """With those that have died in it since."""
    monkeypatch.setattr(ingesting, "BULK_ROWS_MIN", 100)
    planner.run("CREATE TABLE bulk (u INT, n INT, v DOUBLE, PRIMARY KEY (u, n))")
    table = planner.context.door.table(TableName("public", "bulk"), Use.INSERT)
    count = np.random.default_rng(1).permutation(1000).astype(np.int32)
    rows = pa.table({"u": count // 10, "n": count % 10, "v": count.astype(np.float64)})
    ingest(planner.database, table, planner.context, iter(rows.to_batches()), Load())
    snapshot = planner.database.store.snapshots([(table, None)])[0]
    assert snapshot.manifest.segments
    planner.run("DELETE FROM bulk WHERE u = 7 AND n = 3")
    planner.run("UPDATE bulk SET v = -1 WHERE u = 7 AND n = 4")
    assert _require_same(planner, "SELECT * FROM bulk WHERE u = 7 AND n IN (2, 3, 4)").num_rows == 2
    assert _require_same(planner, "SELECT n, v FROM bulk WHERE u = 7 ORDER BY n DESC").num_rows == 9
    assert _require_same(planner, "SELECT n, v FROM bulk WHERE u = 7 ORDER BY n DESC LIMIT 7").num_rows == 7
