"""Column ranges: a batch is ruled out only when no row of it can match, whatever the type, the operator or the gaps."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_samples import entry_of

from catalog.definition import ColumnSpec, Default, TableDef, TableKind
from catalog.evolution import add_column, create_table
from catalog.identifiers import TableName
from manifest.batch_entry import BatchFileEntry, ColumnRange
from manifest.order import after_prefix, keeps_order
from manifest.parts import parts_of
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
    Predicate,
    Unknown,
)
from manifest.ranges import BOUND_BYTES_MAX, RangeTable, column_range

V = 2
"""Id of the column that predicates speak of."""


@dataclass(frozen=True)
class Kind:
    """A column type, values of it as Python compares them, and how they become Arrow values."""

    type: pa.DataType
    values: st.SearchStrategy[Any]
    through: pa.DataType | None = None

    def array(self, values: Sequence[Any]) -> pa.Array:
        """An Arrow array of the column's type."""
        return pa.array(values, self.through or self.type).cast(self.type)


def integers(data_type: pa.DataType) -> Kind:
    """An integer type, with its ends and a crowd of small values."""
    bits = data_type.bit_width
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if pa.types.is_signed_integer(data_type) else (0, 2**bits - 1)
    return Kind(data_type, st.integers(max(low, -3), 3) | st.sampled_from([low, low + 1, high - 1, high]))


def floats(data_type: pa.DataType) -> Kind:
    """A float type, with every value that is special in some order."""
    special = st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1e38])
    return Kind(
        data_type, (st.integers(-3, 3).map(float) | special).map(lambda v: float(pa.scalar(v, data_type).as_py()))
    )


def counted(data_type: pa.DataType) -> Kind:
    """A date, time or timestamp type, as counts of its unit."""
    width = pa.int32() if data_type.bit_width == 32 else pa.int64()
    days = st.integers(-3, 3) if not pa.types.is_time(data_type) else st.integers(0, 5)
    return Kind(data_type, days.map(lambda n: n * 1000), width)


TEXTS = st.text(st.sampled_from("aZé\U0001f600"), max_size=3) | st.sampled_from(
    ["a" * 127, "a" * 128, "a" * 129, "é" * 65]
)
KINDS = {
    str(kind.type): kind
    for kind in [
        *map(integers, [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()]),
        integers(pa.uint64()),
        floats(pa.float32()),
        floats(pa.float64()),
        Kind(pa.bool_(), st.booleans()),
        Kind(pa.string(), TEXTS),
        Kind(pa.binary(), st.binary(max_size=2) | st.sampled_from([b"\xff" * 128, b"\xff" * 129])),
        counted(pa.date32()),
        counted(pa.time32("ms")),
        counted(pa.time64("us")),
        counted(pa.time64("ns")),
        counted(pa.timestamp("ms")),
        counted(pa.timestamp("us", "Europe/Berlin")),
        counted(pa.timestamp("ns", "UTC")),
        Kind(pa.decimal128(10, 2), st.integers(-300, 300).map(lambda n: Decimal(n).scaleb(-2))),
        Kind(pa.decimal128(38, 0), st.sampled_from([-(10**38) + 1, -1, 0, 1, 10**38 - 1]).map(Decimal)),
    ]
}


def table_with(data_type: pa.DataType) -> TableDef:
    """A table of a key and the column in question."""
    specs = [ColumnSpec("k", pa.int64()), ColumnSpec("v", data_type)]
    return create_table(1, TableName("public", "t"), TableKind.SHARED, specs, ["k"])


def ranges_of(table: TableDef, batches: Sequence[pa.Array]) -> RangeTable:
    """The ranges of batches that hold these values."""
    entries = [
        entry_of(number, len(values), columns={V: column_range(values)}) for number, values in enumerate(batches, 1)
    ]
    return RangeTable(table, parts_of(entries))


def comparable(value: Any) -> Any:
    """A value in the byte order that the engine has for text."""
    return value.encode() if isinstance(value, str) else value


def total(value: Any) -> Any:
    """A float's place in the total order: -0.0 before 0.0, NaN above all."""
    if isinstance(value, float):
        return (math.isnan(value), 0.0 if math.isnan(value) else value, math.copysign(1, value))
    return comparable(value)


COMPARISONS: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUAL: lambda left, right: left == right,
    Operator.LESS: lambda left, right: left < right,
    Operator.LESS_EQUAL: lambda left, right: left <= right,
    Operator.GREATER: lambda left, right: left > right,
    Operator.GREATER_EQUAL: lambda left, right: left >= right,
}


def compares(value: Any, operator: Operator, literal: Any) -> bool:
    """Compare in either of the two orders that engines have for floats."""
    if value is None:
        return False
    compare = COMPARISONS[operator]
    return compare(comparable(value), comparable(literal)) or compare(total(value), total(literal))


@dataclass(frozen=True)
class Asked:
    """A predicate, and the rows that it is true of."""

    predicate: Predicate
    holds: Callable[[Any], bool]


def questions(kind: Kind) -> st.SearchStrategy[Asked]:
    """Any predicate about the column. NaN is never asked for: the translation from SQL lets it through as unknown."""
    literals = kind.values.filter(lambda value: value == value)  # noqa: PLR0124 - NaN is not itself
    comparison = st.tuples(st.sampled_from(Operator), literals).map(
        lambda pair: Asked(
            Comparison(V, pair[0], kind.array([pair[1]])[0]), lambda value: compares(value, pair[0], pair[1])
        )
    )
    listed = st.lists(literals, max_size=4).map(
        lambda values: Asked(
            InSet(V, kind.array(values)),
            lambda value: any(compares(value, Operator.EQUAL, literal) for literal in values),
        )
    )
    excluded = st.lists(literals, max_size=4).map(
        lambda values: Asked(
            NotIn(V, kind.array(values)),
            lambda value: value is not None and not any(compares(value, Operator.EQUAL, one) for one in values),
        )
    )
    others = st.sampled_from(
        [
            Asked(Unknown(), lambda _: True),
            Asked(IsNull(V), lambda value: value is None),
            Asked(IsNotNull(V), lambda value: value is not None),
        ]
    )
    return st.recursive(
        comparison | listed | excluded | others,
        lambda part: st.lists(part, min_size=1, max_size=3).flatmap(
            lambda parts: st.sampled_from(
                [
                    Asked(AllOf(tuple(p.predicate for p in parts)), lambda value: all(p.holds(value) for p in parts)),
                    Asked(AnyOf(tuple(p.predicate for p in parts)), lambda value: any(p.holds(value) for p in parts)),
                ]
            )
        ),
        max_leaves=4,
    )


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_batch_with_a_matching_row_is_never_ruled_out(name: str) -> None:
    """Any rows, any predicate: the brute-force search finds nothing in the batches that were ruled out."""
    kind = KINDS[name]
    table = table_with(kind.type)

    @settings(max_examples=80)
    @given(st.lists(st.lists(st.none() | kind.values, min_size=1, max_size=4), max_size=4), questions(kind))
    def never_wrong(batches: list[list[Any]], asked: Asked) -> None:
        kept = ranges_of(table, [kind.array(values) for values in batches]).may_match(asked.predicate)
        assert kept.shape == (len(batches),)
        assert not [
            values for values, flag in zip(batches, kept, strict=True) if not flag and any(map(asked.holds, values))
        ]

    never_wrong()


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"bool"}))
def test_ranges_rule_out_what_lies_apart(name: str) -> None:
    """Of three batches that do not overlap, an equality keeps one, and a comparison those on its side."""
    kind = KINDS[name]
    ordered = {
        "float": [1.0, 2.0, 3.0],
        "double": [1.0, 2.0, 3.0],
        "string": ["a", "b", "c"],
        "binary": [b"a", b"b", b"c"],
    }.get(name, [1, 2, 3])
    ranges = ranges_of(table_with(kind.type), [kind.array([value]) for value in ordered])
    middle = kind.array([ordered[1]])[0]
    kept = {operator: ranges.may_match(Comparison(V, operator, middle)).tolist() for operator in Operator}
    inclusive = pa.types.is_floating(kind.type)
    assert kept == {
        Operator.EQUAL: [False, True, False],
        Operator.LESS: [True, inclusive, False],
        Operator.LESS_EQUAL: [True, True, False],
        Operator.GREATER: [False, inclusive, True],
        Operator.GREATER_EQUAL: [False, True, True],
    }


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"bool", "decimal128(10, 2)", "decimal128(38, 0)"}))
def test_a_list_keeps_only_batches_that_hold_one_of_its_values(name: str) -> None:
    """Values between two batches keep neither."""
    kind = KINDS[name]
    ordered = {"string": list("abcde"), "binary": [b"a", b"b", b"c", b"d", b"e"]}.get(name, [1, 2, 3, 4, 5])
    batches = [kind.array([ordered[0], ordered[1]]), kind.array([ordered[3]]), kind.array([ordered[4]])]
    kept = ranges_of(table_with(kind.type), batches).may_match(InSet(V, kind.array([ordered[4], ordered[2]])))
    assert kept.tolist() == [False, False, True]


def test_decimal_lists_keep_what_lies_between_their_ends() -> None:
    """Arrow cannot search decimals, so the list's ends decide."""
    kind = KINDS["decimal128(10, 2)"]
    ranges = ranges_of(table_with(kind.type), [kind.array([Decimal(n)]) for n in (1, 2, 3, 4)])
    assert ranges.may_match(InSet(V, kind.array([Decimal(1), Decimal(3)]))).tolist() == [True, True, True, False]


def test_booleans_are_ruled_out_too() -> None:
    """A batch of false has no row that is true."""
    ranges = ranges_of(
        table_with(pa.bool_()), [pa.array([False]), pa.array([True, False]), pa.array([None], pa.bool_())]
    )
    assert ranges.may_match(Comparison(V, Operator.EQUAL, pa.scalar(True))).tolist() == [False, True, False]


def test_a_batch_with_one_value_is_ruled_out_where_another_is_wanted() -> None:
    """`<>` and NOT IN: what has two values is kept, and so is what has an unknown range."""
    ranges = ranges_of(table_with(pa.int64()), [pa.array(values) for values in ([5, None], [7, 7], [5, 7])])
    assert ranges.may_match(NotIn(V, pa.array([5]))).tolist() == [False, True, True]
    assert ranges.may_match(NotIn(V, pa.array([5, 7]))).tolist() == [False, False, True]
    floats = ranges_of(table_with(pa.float64()), [pa.array([5.0])])
    assert floats.may_match(NotIn(V, pa.array([5.0])))[0]


@pytest.mark.parametrize(
    ("values", "value", "kept"),
    [
        (pa.array([-86_400_000_001, -1, 0], pa.timestamp("us")), pa.scalar(-1, pa.date32()), [False, True, False]),
        (pa.array([0, 1, 2], pa.date32()), pa.scalar(86_400_000_000, pa.timestamp("us")), [False, True, False]),
        (pa.array([2**53, 2**53 + 1, 2**62]), pa.scalar(2.0**53), [True, True, False]),
        (pa.array([1, 2, 70_000]), pa.scalar(2, pa.int16()), [True, True, True]),
    ],
)
def test_bounds_are_cast_as_values_are(values: pa.Array, value: pa.Scalar, kept: list[bool]) -> None:
    """Before 1970 too; where values would not be the same any more, nothing is ruled out."""
    ranges = ranges_of(table_with(values.type), [values.slice(number, 1) for number in range(3)])
    assert keeps_order(values.type, value.type)
    assert ranges.may_match(CastComparison(V, Operator.EQUAL, value)).tolist() == kept


@given(st.text(max_size=3), st.text(st.sampled_from("a\ud7ff\ue000\U0010ffff"), max_size=3))
def test_text_with_a_prefix_lies_before_its_end(rest: str, prefix: str) -> None:
    """By the order of UTF-8's bytes; a prefix of last letters has no end."""
    end = after_prefix(prefix)
    if end is None:
        assert set(prefix) <= {"\U0010ffff"}
    else:
        assert prefix.encode() <= (prefix + rest).encode("utf-8", "ignore") < end.encode()


def test_a_known_default_is_the_range_of_older_batches() -> None:
    """Of a column that came later."""
    table, older = later(Default(literal="7"))
    seven = RangeTable(table, parts_of([older]), lambda _: pa.scalar(7))
    asked = [Comparison(3, Operator.EQUAL, pa.scalar(7)), Comparison(3, Operator.LESS, pa.scalar(7)), IsNull(3)]
    assert [seven.may_match(predicate)[0] for predicate in asked] == [True, False, False]


def test_a_default_of_null_leaves_nothing_but_null() -> None:
    """As if there were none."""
    table, older = later(Default(literal="NULL"))
    ranges = RangeTable(table, parts_of([older]), lambda _: pa.scalar(None, pa.int64()))
    assert [ranges.may_match(predicate)[0] for predicate in (IsNull(3), IsNotNull(3))] == [True, False]


def test_a_column_of_nulls_matches_no_comparison() -> None:
    """But IS NULL, and only that."""
    ranges = ranges_of(table_with(pa.int64()), [pa.array([None, None], pa.int64())])
    assert not ranges.may_match(Comparison(V, Operator.GREATER, pa.scalar(0)))[0]
    assert not ranges.may_match(InSet(V, pa.array([0])))[0]
    assert not ranges.may_match(IsNotNull(V))[0]
    assert ranges.may_match(IsNull(V))[0]


def test_a_column_without_nulls_is_never_null() -> None:
    """IS NULL rules the batch out."""
    assert not ranges_of(table_with(pa.int64()), [pa.array([1])]).may_match(IsNull(V))[0]


@pytest.mark.parametrize("values", [[math.nan], [1.0, math.nan, 2.0], [math.nan, None]])
def test_nan_leaves_the_range_unknown(values: list[float | None]) -> None:
    """A bound that skipped NaN would rule out rows that some order puts beyond it."""
    assert column_range(pa.array(values)) == ColumnRange(None, None, values.count(None))


def test_negative_zero_and_zero_are_never_told_apart() -> None:
    """Engines differ in their order, so both stay for each comparison with either."""
    ranges = ranges_of(table_with(pa.float64()), [pa.array([0.0]), pa.array([-0.0])])
    for zero in (0.0, -0.0):
        for operator in Operator:
            assert ranges.may_match(Comparison(V, operator, pa.scalar(zero))).all()
        assert ranges.may_match(InSet(V, pa.array([zero]))).all()


@pytest.mark.parametrize(("letters", "known"), [(BOUND_BYTES_MAX, True), (BOUND_BYTES_MAX + 1, False)])
def test_long_text_has_no_bound(letters: int, known: bool) -> None:
    """A cut bound would not be exact; the limit counts bytes."""
    for values in (pa.array(["a", "z" * letters]), pa.array([b"a", b"z" * letters])):
        found = column_range(values)
        assert (found.min is not None, found.max is not None) == (known, known)
    assert column_range(pa.array(["é" * (BOUND_BYTES_MAX // 2 + 1)])).max is None


@pytest.mark.parametrize("values", [pa.array([[1]]), pa.array([{"a": 1}]), pa.array([np.float16(1)], pa.float16())])
def test_types_without_order_have_no_bounds(values: pa.Array) -> None:
    """Only their NULLs are counted."""
    assert column_range(values) == ColumnRange(None, None, 0)
    assert ranges_of(table_with(values.type), [values]).may_match(IsNull(V)).tolist() == [False]


@pytest.mark.parametrize("values", [pa.array([[1]]), pa.array([{"a": 1}]), pa.array([np.float16(1)], pa.float16())])
def test_types_without_order_rule_out_nothing_but_nulls(values: pa.Array) -> None:
    """No comparison with a list, a struct or a half float is decided here; NULL satisfies none."""
    ranges = ranges_of(table_with(values.type), [values, pa.nulls(1, values.type)])
    for predicate in (*(Comparison(V, operator, values[0]) for operator in Operator), InSet(V, values)):
        assert ranges.may_match(predicate).tolist() == [True, False]


def test_an_unknown_column_is_kept() -> None:
    """A batch whose entry says nothing of a column may hold anything."""
    ranges = RangeTable(table_with(pa.int64()), parts_of([entry_of(1)]))
    predicates = [Comparison(V, Operator.EQUAL, pa.scalar(1)), InSet(V, pa.array([1])), IsNull(V), IsNotNull(V)]
    assert [ranges.may_match(predicate).tolist() for predicate in predicates] == [[True]] * 4


def test_an_empty_list_matches_nothing() -> None:
    """`IN ()` rules out every batch, unknown or not."""
    ranges = RangeTable(table_with(pa.int64()), parts_of([entry_of(1)]))
    assert not ranges.may_match(InSet(V, pa.array([], pa.int64())))[0]


def test_no_batches_are_no_work() -> None:
    """An empty manifest answers with an empty mask."""
    assert RangeTable(table_with(pa.int64()), []).may_match(Comparison(V, Operator.EQUAL, pa.scalar(1))).tolist() == []


def later(default: Default | None) -> tuple[TableDef, BatchFileEntry]:
    """A table with the column 3, and a batch that is older than it."""
    spec = ColumnSpec("w", pa.int64(), default=default)
    return add_column(table_with(pa.int64()), spec), entry_of(1, schema_version=1)


def test_a_column_added_later_is_null_in_older_batches() -> None:
    """Without a default, no comparison holds for their rows."""
    table, older = later(None)
    ranges = RangeTable(table, parts_of([older]))
    assert not ranges.may_match(Comparison(3, Operator.EQUAL, pa.scalar(1)))[0]
    assert not ranges.may_match(IsNotNull(3))[0]
    assert ranges.may_match(IsNull(3))[0]


@pytest.mark.parametrize("literal", ["1", "NULL", "CAST(NULL AS BIGINT)"])
def test_a_default_of_a_column_added_later_rules_out_nothing(literal: str) -> None:
    """It may be a value or a way to write NULL."""
    table, older = later(Default(literal=literal))
    ranges = RangeTable(table, parts_of([older]))
    for predicate in (Comparison(3, Operator.EQUAL, pa.scalar(1)), InSet(3, pa.array([1])), IsNull(3), IsNotNull(3)):
        assert ranges.may_match(predicate)[0]


def test_a_newer_batch_of_an_added_column_has_ranges() -> None:
    """From its version on, the column is like any other."""
    table, older = later(None)
    newer = entry_of(2, schema_version=2, columns={3: ColumnRange("5", "9", 0)})
    kept = RangeTable(table, parts_of([older, newer])).may_match(Comparison(3, Operator.GREATER, pa.scalar(6)))
    assert kept.tolist() == [False, True]


def test_and_rules_out_more_and_or_less() -> None:
    """Each part is asked by itself."""
    ranges = ranges_of(table_with(pa.int64()), [pa.array([number]) for number in (1, 5, 9)])
    above, below = Comparison(V, Operator.GREATER, pa.scalar(4)), Comparison(V, Operator.LESS, pa.scalar(6))
    assert ranges.may_match(AllOf((above, below))).tolist() == [False, True, False]
    assert ranges.may_match(AnyOf((above, below))).tolist() == [True, True, True]
    assert ranges.may_match(AllOf((above, Unknown()))).tolist() == [False, True, True]
    assert ranges.may_match(AnyOf((above, Unknown()))).tolist() == [True, True, True]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_bounds_survive_their_text(name: str) -> None:
    """Read back from the manifest, smallest and largest value are exact."""
    kind = KINDS[name]

    @settings(max_examples=50)
    @given(st.lists(kind.values, min_size=1, max_size=4))
    def exact(values: list[Any]) -> None:
        array = kind.array(values)
        bounds = ranges_of(table_with(kind.type), [array]).bounds(V)
        if bounds.low[0].is_valid:
            counts = array.cast(kind.through or kind.type)
            assert bounds.low.cast(counts.type)[0].as_py() == min(counts.to_pylist(), key=comparable)
            assert bounds.high.cast(counts.type)[0].as_py() == max(counts.to_pylist(), key=comparable)

    exact()
