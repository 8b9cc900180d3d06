"""What is kept of a query's first pass holds for other values, other rows and other definitions."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest

from catalog.errors import DatabaseError
from flightserver.execution.rows import Rows
from flightserver.sql.parser import parse_numbered
from tests.execution.planner import Planner, opened

BATCHES, BATCH = 6, 10
ROUNDS = 3
DAY = dt.date(2024, 1, 1)


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """A table in batches whose ranges do not overlap."""
    with opened(tmp_path_factory.mktemp("kept")) as planner:
        planner.load("t", rows(0))
        for number in range(1, BATCHES):
            planner.load("more", rows(number))
            planner.run("INSERT INTO t SELECT * FROM more")
            planner.run("DROP TABLE more")
            planner.run("FLUSH t")
        yield planner


def rows(number: int) -> pa.Table:
    """The rows of one batch: every column counts up."""
    ids = range(number * BATCH, (number + 1) * BATCH)
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "i": pa.array(ids, pa.int32()),
            "x": pa.array([float(n) for n in ids]),
            "d": pa.array([Decimal(n) for n in ids], pa.decimal128(10, 2)),
            "s": [f"{n:03}" for n in ids],
            "day": [DAY + dt.timedelta(days=n) for n in ids],
            "at": pa.array([dt.datetime(2024, 1, 1) + dt.timedelta(hours=n) for n in ids], pa.timestamp("us")),
        }
    )


def answer(planner: Planner, text: str, *bound: pa.Array) -> list[object]:
    """The first column of a query with one row of parameters."""
    values = pa.table(list(bound), [str(place) for place in range(1, len(bound) + 1)]) if bound else None
    found = planner.executor.run(parse_numbered(text), planner.context, values)
    assert isinstance(found, Rows)
    return found.to_table().column(0).to_pylist()


NUMBERS = [pa.array([n], kind) for n in (0, 7, 25, 59, 60, -1) for kind in (pa.int64(), pa.int32(), pa.int8())]
VALUES = {
    "i": [*NUMBERS, pa.array([2**40], pa.int64()), pa.array([None], pa.int64())],
    "x": [*NUMBERS, pa.array([7.5]), pa.array([float("nan")]), pa.array([2**60 + 1], pa.int64())],
    "d": [*NUMBERS, pa.array([Decimal("7.00")], pa.decimal128(10, 2)), pa.array([10**12], pa.int64())],
    "s": [pa.array([text]) for text in ("007", "025", "", "zzz")],
    "day": [pa.array([DAY + dt.timedelta(days=n)]) for n in (0, 25, 100)],
    "at": [pa.array([dt.datetime(2024, 1, 2, 1)], pa.timestamp(unit)) for unit in ("us", "ms", "ns", "s")],
}


@pytest.mark.parametrize("operator", ["=", "<", ">=", "<>"])
@pytest.mark.parametrize("column", VALUES)
def test_other_values_find_other_rows(planner: Planner, column: str, operator: str) -> None:
    """As if each were the first: of every type, again and again, in turns."""
    text = f"SELECT id FROM t WHERE {column} {operator} ? AND id >= 0 ORDER BY id"
    fresh = [
        answer(planner, f"SELECT id FROM t WHERE {column} {operator} ? AND id >= {-1 - place} ORDER BY id", value)
        for place, value in enumerate(VALUES[column])
    ]
    for _ in range(ROUNDS):
        assert [answer(planner, text, value) for value in VALUES[column]] == fresh


def test_batches_are_ruled_out_by_values_alone(planner: Planner) -> None:
    """When a text comes for the third time, its values choose the batches."""
    text = "SELECT sum(x) FROM t WHERE i >= $1 AND i < $2"
    for value in (5, 15, 25):
        bound = {"1": pa.scalar(value), "2": pa.scalar(value + 5)}
        planned = planner.executor.reader.plan(parse_numbered(text).statement.text, planner.context, bound)
        (pruned,) = planned.pruned.values()
        assert len(pruned.kept) == 1


COMPUTED = {
    "a sum": ("i >= $1 AND i < $1 + 5", pa.array([25], pa.int64())),
    "a text as a date": ("day >= $1 AND i < 30", pa.array(["2024-01-26"])),
    "a condition that may be left out": ("($1 IS NULL OR i = $1)", pa.array([25], pa.int64())),
}


@pytest.mark.parametrize("prepares", [False, True])
@pytest.mark.parametrize("name", COMPUTED)
def test_batches_are_ruled_out_by_what_is_made_of_values(planner: Planner, name: str, *, prepares: bool) -> None:
    """However often a text comes, the engine works that out."""
    condition, value = COMPUTED[name]
    text = f"SELECT max(s) AS s, {int(prepares)} AS n FROM t WHERE {condition}"
    parsed = parse_numbered(text)
    if prepares:
        planner.executor.prepare(parsed, planner.context)
    for _ in range(ROUNDS + 1):
        planned = planner.executor.reader.plan(parsed.statement.text, planner.context, {"1": value[0]})
        (pruned,) = planned.pruned.values()
        assert len(pruned.kept) == 1


@pytest.mark.parametrize("column", VALUES)
def test_prepared_texts_find_the_same(planner: Planner, column: str) -> None:
    """Of what a text was prepared with, the types of its values are not known: its answers have those of its runs."""
    for operator in ("=", "<", ">="):
        text = f"SELECT {column}, $1 AS given, id FROM t WHERE {column} {operator} $1 AND id >= -7 ORDER BY id"
        planner.executor.prepare(parse_numbered(text), planner.context)
        for value in VALUES[column]:
            fresh = f"SELECT {column}, $1 AS given, id FROM t WHERE {column} {operator} $1 AND id >= -8 ORDER BY id"
            assert outcome(planner, text, value) == outcome(planner, fresh, value)


def outcome(planner: Planner, text: str, value: pa.Array) -> tuple[pa.Schema, list[object]] | str:
    """The schema and the rows of a query with one parameter, or why there are none."""
    try:
        found = planner.executor.run(parse_numbered(text), planner.context, pa.table([value], ["1"]))
        assert isinstance(found, Rows)
        rows = found.to_table()
    except DatabaseError as error:
        return error.message
    return rows.schema, [str(row) for row in rows.to_pylist()]


def test_time_goes_on(planner: Planner) -> None:
    """A row of later is there later."""
    planner.run("CREATE TABLE events (id BIGINT PRIMARY KEY, at TIMESTAMP)")
    text = "SELECT count(*) AS n FROM events WHERE at <= now() AND id >= 0"
    for number in range(ROUNDS):
        planner.run(f"INSERT INTO events VALUES ({number}, CAST(now() AS TIMESTAMP))")
        planner.run("FLUSH events")
        assert answer(planner, text) == [number + 1]


def test_definitions_change(planner: Planner) -> None:
    """A column that is dropped and made anew is another one, and so is a view."""
    planner.run("CREATE TABLE changing (id BIGINT PRIMARY KEY, v BIGINT)")
    planner.run("INSERT INTO changing VALUES (1, 5)")
    planner.run("CREATE VIEW seen AS SELECT v FROM changing WHERE v < 10")
    for text in ("SELECT max(v) AS v FROM changing WHERE v < 10", "SELECT max(v) AS v FROM seen"):
        assert [answer(planner, text) for _ in range(ROUNDS)] == [[5]] * ROUNDS
    planner.run("DROP VIEW seen")
    planner.run("ALTER TABLE changing DROP COLUMN v")
    planner.run("ALTER TABLE changing ADD COLUMN v BIGINT DEFAULT 9")
    planner.run("CREATE VIEW seen AS SELECT v - 1 AS v FROM changing")
    assert answer(planner, "SELECT max(v) AS v FROM changing WHERE v < 10") == [9]
    assert answer(planner, "SELECT max(v) AS v FROM seen") == [8]
