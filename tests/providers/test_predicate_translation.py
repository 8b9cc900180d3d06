"""Every comparison on every type finds the same rows hot and cold, whatever was pruned."""

import random
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest

from catalog.evolution import set_options
from manifest.predicate import (
    AllOf,
    AnyOf,
    CastComparison,
    Comparison,
    InSet,
    IsNotNull,
    IsNull,
    NotIn,
    Operator,
    Unknown,
)
from providers.commit.resolve import OnExisting
from providers.engine.plans import facts
from providers.engine.predicates import translate
from providers.engine.relations import Columns
from providers.rows.change import Change
from tests.storage_fixtures import Database, TableAccess

TYPES = {
    "int8": (pa.int8(), [-100, 0, 7, 100], ["0", "7", "-100", "300", "7.5"]),
    "uint64": (pa.uint64(), [0, 7, 2**63, 2**64 - 1], ["0", "7", "18446744073709551615", "-1"]),
    "int64": (pa.int64(), [-(2**62), 0, 2**53, 2**53 + 1], ["0", "9007199254740993", "0.5"]),
    "float32": (pa.float32(), [-1.5, 0.0, 0.1, float("nan")], ["0", "0.1", "'NaN'", "1e30"]),
    "float64": (pa.float64(), [float("-inf"), -0.5, 0.1, float("nan")], ["0", "0.1", "'NaN'", "'-inf'"]),
    "bool": (pa.bool_(), [False, False, True, True], ["true", "false"]),
    "string": (pa.string(), ["", "a", "ä", "zz" * 200], ["''", "'a'", "'ä'", "'b'"]),
    "binary": (pa.binary(), [b"", b"\x00", b"a", b"\xff" * 200], ["X''", "X'61'", "X'ff'"]),
    "decimal": (
        pa.decimal128(10, 2),
        [Decimal("-1.50"), Decimal(0), Decimal("1.25"), Decimal("9.99")],
        ["0", "1.25", "1.255", "-1.5"],
    ),
    "decimal38": (
        pa.decimal128(38, 10),
        [Decimal("-1e20"), Decimal(0), Decimal("1.5"), Decimal("1e20")],
        ["0", "1.5", "100000000000000000000"],
    ),
    "date": (pa.date32(), [-1, 0, 19_723, 2_932_896], ["DATE '1970-01-01'", "'2024-01-01'", "DATE '9999-12-31'"]),
    "time_ms": (pa.time32("ms"), [0, 1, 43_200_001, 86_399_999], ["'12:00:00.001'", "'00:00:00'", "'23:00:00'"]),
    "time_us": (pa.time64("us"), [0, 1, 43_200_000_001, 86_399_999_999], ["'12:00:00.000001'"]),
    "time_ns": (
        pa.time64("ns"),
        [0, 1, 43_200_000_000_001, 86_399_999_999_999],
        ["'12:00:00.000000001'", "'00:00:00.000000001'", "'12:00:00'"],
    ),
    "timestamp_ms": (pa.timestamp("ms"), [-1, 0, 1_704_067_200_001, 2**42], ["'2024-01-01T00:00:00.001'"]),
    "timestamp_us": (pa.timestamp("us"), [-1, 0, 1_704_067_200_000_001, 2**52], ["'2024-01-01T00:00:00.000001'"]),
    "timestamp_ns": (
        pa.timestamp("ns"),
        [-1, 0, 1_704_067_200_123_456_789, 2**62],
        ["'2024-01-01T00:00:00.123456789'", "'2024-01-01T00:00:00.123456'"],
    ),
    "timestamp_tz": (
        pa.timestamp("us", "UTC"),
        [-1, 0, 1_704_067_200_000_001, 2**52],
        ["'2024-01-01T00:00:00.000001Z'", "TIMESTAMP '1970-01-01T00:00:00'"],
    ),
    "timestamp_berlin": (
        pa.timestamp("ns", "Europe/Berlin"),
        [-1, 0, 1_704_067_200_123_456_789, 2**62],
        ["'2024-01-01T01:00:00.123456789+01:00'"],
    ),
}
OPERATORS = ("=", "<>", "<", "<=", ">", ">=")


def fill(table: TableAccess, name: str, *, cold: bool) -> None:
    """One row for each value of a type, and one NULL; cold ones in a batch each."""
    type_, values, _ = TYPES[name]
    column = _array([*values, None], type_)
    for key in range(len(column)):
        rows = pa.table({"x": column.slice(key, 1), "k": pa.array([key], pa.int64())})
        table.db.store.write(table.state, lambda _, rows=rows: Change(rows), OnExisting.REFUSE)
        if cold:
            table.flush()


def _array(values: list[object], type_: pa.DataType) -> pa.Array:
    if pa.types.is_temporal(type_):
        return pa.array(values, pa.int32() if type_.bit_width == 32 else pa.int64()).cast(type_)
    return pa.array(values, type_)


def conditions(literals: list[str]) -> list[str]:
    """Comparisons of the column with literals, in every form that pushes down."""
    single = [f"x {operator} {literal}" for operator in OPERATORS for literal in literals]
    mirrored = [f"{literal} {operator} x" for operator in OPERATORS for literal in literals]
    refused = [f"NOT ({one})" for one in single] + [
        f"({one}) IS {flag}" for one in single for flag in ("TRUE", "FALSE")
    ]
    lists = [
        f"x IN ({', '.join(literals)})",
        f"x NOT IN ({', '.join(literals * 5)})",
        f"x NOT IN ({literals[0]})",
        f"x IN ({literals[0]}, NULL)",
    ]
    pairs = [f"x = {one} OR x = {two}" for one in literals for two in literals]
    longer = [" OR ".join(f"x = {literal}" for literal in literals), f"x BETWEEN {literals[0]} AND {literals[-1]}"]
    longer += [f"x NOT BETWEEN {literals[0]} AND {literals[-1]}"]
    same = [f"x IS {word} FROM {literal}" for word in ("DISTINCT", "NOT DISTINCT") for literal in literals]
    return [*single, *mirrored, *refused, *lists, *pairs, *longer, *same, "x IS NULL", "x IS NOT NULL"]


CASTS = {
    "int8": ["CAST(x AS DOUBLE) > 6.5", "x >= 7.0", "CAST(x AS DECIMAL(20, 2)) < 7.50", "CAST(x AS BIGINT) = 7"],
    "int64": ["CAST(x AS DOUBLE) >= 9007199254740992.0", "x < 0.5", "CAST(x AS DECIMAL(38, 3)) = 0.000"],
    "float32": ["CAST(x AS DOUBLE) > 0.05", "CAST(x AS DOUBLE) < -1.4"],
    "decimal": ["x > 1.2499", "x = 1.250", "CAST(x AS DECIMAL(30, 15)) <= 1.250000000000000"],
    "timestamp_us": [
        "CAST(x AS DATE) = DATE '1969-12-31'",
        "CAST(x AS DATE) <= DATE '2024-01-01'",
        "x::date > '1970-01-01'",
    ],
    "timestamp_ms": ["CAST(x AS DATE) = DATE '1969-12-31'", "CAST(x AS DATE) > DATE '2024-01-01'"],
    "timestamp_ns": ["CAST(x AS DATE) < DATE '1970-01-01'", "CAST(x AS DATE) <> DATE '1970-01-01'"],
    "timestamp_tz": ["CAST(x AS DATE) = DATE '1969-12-31'", "CAST(x AS DATE) >= DATE '2024-01-01'"],
    "timestamp_berlin": ["CAST(x AS DATE) = DATE '1970-01-01'"],
    "string": [
        *("x LIKE 'a%'", "x LIKE '%'", "x LIKE 'a'", "x LIKE '_%'", "x LIKE 'zz%z'", "x NOT LIKE 'a%'", "x ILIKE 'A%'"),
        *("x LIKE 'ä%'", "starts_with(x, 'z')", "x LIKE 'a\\%%'", "x LIKE 'zzz' || '%'", "NOT (x LIKE 'zz%')"),
    ],
    "bool": ["x", "NOT x", "x IS TRUE", "x IS FALSE", "x IS NOT TRUE", "x IS NOT FALSE", "x IS UNKNOWN"],
}
"""Further conditions on a type."""


def combined(questions: list[str], count: int) -> list[str]:
    """Conditions that join some of them by AND, OR and NOT."""
    chosen = random.Random(5)
    found = []
    for _ in range(count):
        one, two, three = (f"({chosen.choice(questions)})" for _ in range(3))
        negated = chosen.choice(["", "NOT "])
        found.append(
            f"{negated}({one} {chosen.choice(['AND', 'OR'])} {two}) {chosen.choice(['AND', 'OR'])} NOT {three}"
        )
    return found


@pytest.mark.parametrize("name", TYPES)
def test_pruned_batches_answer_as_hot_rows_do(db: Database, name: str) -> None:
    """For each type and form of comparison, rows in batches of their own answer as the same rows in memory."""
    columns = [("x", TYPES[name][0]), ("k", pa.int64())]
    hot, cold = db.create(columns, name="hot"), db.create(columns, name="cold")
    column = cold.definition.column("x")
    cold.alter(lambda definition: set_options(definition, replace(definition.options, bloom_columns=(column.id,))))
    fill(hot, name, cold=False)
    fill(cold, name, cold=True)
    assert len(cold.snapshot.manifest.batches) == len(TYPES[name][1]) + 1
    questions = [*conditions(TYPES[name][2]), *CASTS.get(name, [])]
    questions += combined(questions, 10)
    expected = {where: hot.select(f"SELECT k FROM hot WHERE {where} ORDER BY k") for where in questions}
    found = {where: cold.select(f"SELECT k FROM cold WHERE {where} ORDER BY k") for where in expected}
    assert found == expected
    assert len({tuple(rows) for rows in expected.values()}) > 3


def predicate(table: TableAccess, where: str) -> tuple[object, ...]:
    """What pruning knows of a condition on table `t`."""
    shape = table.db.relations.shape(table.definition, Columns.VISIBLE)
    plan = table.db.engine.plan(f"SELECT * FROM t WHERE {where}", {table.name: shape}, "public")
    (scan,) = facts(plan.optimized_logical_plan()).scans
    found = translate(scan.filters, table.definition)
    assert isinstance(found, AllOf)
    return found.parts


V, K = 1, 2


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("v = 3", (Comparison(V, Operator.EQUAL, pa.scalar(3)),)),
        ("3 > v", (Comparison(V, Operator.LESS, pa.scalar(3)),)),
        ("3 <= v", (Comparison(V, Operator.GREATER_EQUAL, pa.scalar(3)),)),
        ("v > 1 + 1", (Comparison(V, Operator.GREATER, pa.scalar(2)),)),
        ("v IS NULL", (IsNull(V),)),
        ("v IS NOT NULL", (IsNotNull(V),)),
        ("v + 1 = 3", (Unknown(),)),
        ("v <> 3", (NotIn(V, pa.array([3])),)),
        ("v NOT IN (1, 2, 3, 4, 5)", (NotIn(V, pa.array([1, 2, 3, 4, 5])),)),
        ("v IS NOT DISTINCT FROM 3", (Comparison(V, Operator.EQUAL, pa.scalar(3)),)),
        ("v IS DISTINCT FROM 3", (Unknown(),)),
        ("(v > 3) IS TRUE", (Comparison(V, Operator.GREATER, pa.scalar(3)),)),
        ("(v > 3) IS FALSE", (Comparison(V, Operator.LESS_EQUAL, pa.scalar(3)),)),
        ("v > 2.5", (CastComparison(V, Operator.GREATER, pa.scalar(2.5)),)),
        ("v = k", (Unknown(),)),
        ("NOT (v > 3)", (Comparison(V, Operator.LESS_EQUAL, pa.scalar(3)),)),
        (
            "v > 1 AND k < 2",
            (Comparison(V, Operator.GREATER, pa.scalar(1)), Comparison(K, Operator.LESS, pa.scalar(2))),
        ),
        (
            "v > 1 OR k < 2",
            (AnyOf((Comparison(V, Operator.GREATER, pa.scalar(1)), Comparison(K, Operator.LESS, pa.scalar(2)))),),
        ),
    ],
)
def test_condition_is_known_as(table: TableAccess, where: str, expected: tuple[object, ...]) -> None:
    """A condition becomes the predicate that pruning understands, or Unknown."""
    assert predicate(table, where) == expected


@pytest.mark.parametrize("count", [2, 3, 4, 10])
def test_equalities_become_one_set(table: TableAccess, count: int) -> None:
    """`k = 0 OR k = 1 …` and IN are one set, which blooms can answer."""
    either = " OR ".join(f"k = {n}" for n in range(count))
    listed = f"k IN ({', '.join(map(str, range(count)))})"
    for where in (either, listed):
        (found,) = predicate(table, where)
        assert isinstance(found, InSet)
        assert sorted(found.values.to_pylist()) == list(range(count))


def test_impossible_condition_reads_nothing(table: TableAccess) -> None:
    """A condition that is false for every row needs no batch and finds nothing."""
    table.write({"k": 1, "v": 1})
    table.flush()
    assert table.select("SELECT k FROM t WHERE v = NULL") == []
    assert table.select("SELECT k FROM t WHERE 1 = 0") == []


def test_scans_of_sub_queries_and_joins_are_found(db: Database) -> None:
    """Every scan of a plan is listed with its own filters, by the name of its table."""
    one, two = db.create(name="one"), db.create(name="two")
    shapes = {table.name: db.relations.shape(table.definition, Columns.VISIBLE) for table in (one, two)}
    sql = "SELECT * FROM one WHERE k = 1 AND v IN (SELECT v FROM two WHERE k > 5)"
    plan = db.engine.plan(sql, shapes, "public").optimized_logical_plan()
    found = {scan.table: len(scan.filters) for scan in facts(plan).scans}
    assert found == {f"t{one.definition.id}": 1, f"t{two.definition.id}": 1}
