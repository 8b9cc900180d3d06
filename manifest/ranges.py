"""Column ranges of all batches as Arrow arrays, and which batches a predicate cannot rule out.

Pure: arrays in, masks out, one vectorised comparison for each bound. An unknown bound never rules out anything.
Strings compare bytewise, as DataFusion compares them. Float bounds are compared inclusively, because engines differ in
the order of -0.0 and 0.0, and NaN never comes here as a bound.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property, partial, reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import SEQ, Column, TableDef
from manifest.batch_entry import BatchFileEntry, ColumnRange, RangeValue
from manifest.packed import rows_of
from manifest.parts import Part
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

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

ValueOf = Callable[[Column], pa.Scalar | None]
"""What rows older than a column hold in it where that is not NULL, as it is stored; None: nobody knows."""

_LEAST, _MOST = -(1 << 63), (1 << 63) - 1

BOUND_BYTES_MAX = 128
"""Longer text and binary bounds are left out: a cut bound would not be exact."""

_NO = pa.scalar(False)
_UNKNOWN = ColumnRange(None, None, -1)

_EPOCH_TYPES = (pa.types.is_date, pa.types.is_time, pa.types.is_timestamp)


def column_range(values: pa.Array | pa.ChunkedArray) -> ColumnRange:
    """Measure one column of a batch."""
    meter = RangeMeter(values.type)
    meter.add(values)
    return meter.range()


class RangeMeter:
    """Measures one column of a batch that comes in pieces. A NaN, and what has no order, leave the bounds unknown."""

    def __init__(self, data_type: pa.DataType) -> None:
        self._type = data_type
        self._nulls = 0
        self._has_order = has_order(data_type)
        self._ends: list[pa.Scalar] = []

    def add(self, values: pa.Array | pa.ChunkedArray) -> None:
        """Measure a piece."""
        self._nulls += values.null_count
        if not self._has_order or values.null_count == len(values):
            return
        if pa.types.is_floating(values.type) and pc.any(pc.is_nan(values)).as_py():
            self._has_order = False
            return
        bounds = pc.min_max(values)
        self._ends += [bounds["min"], bounds["max"]]

    def range(self) -> ColumnRange:
        """The range of all pieces."""
        unknown = ColumnRange(None, None, self._nulls)
        if not self._has_order or not self._ends:
            return unknown
        bounds = pc.min_max(pa.array(self._ends, self._type))
        low, high = _to_json(bounds["min"]), _to_json(bounds["max"])
        return unknown if low is None or high is None else ColumnRange(low, high, self._nulls)


def has_order(data_type: pa.DataType) -> bool:
    """Tell whether Arrow compares values of a type: it does not compare lists, structs and half floats."""
    return not pa.types.is_nested(data_type) and not pa.types.is_float16(data_type)


def _to_json(value: pa.Scalar) -> RangeValue:
    data_type = value.type
    if pa.types.is_boolean(data_type):
        return bool(value.as_py())
    if any(matches(data_type) for matches in _EPOCH_TYPES):
        width = pa.int32() if data_type.bit_width == 32 else pa.int64()
        return str(value.cast(width).as_py())
    if pa.types.is_binary(data_type) or pa.types.is_large_binary(data_type):
        raw: bytes = value.as_py()
        return raw.hex() if len(raw) <= BOUND_BYTES_MAX else None
    if pa.types.is_string(data_type) or pa.types.is_large_string(data_type):
        text: str = value.as_py()
        return text if len(text.encode()) <= BOUND_BYTES_MAX else None
    return repr(value.as_py()) if pa.types.is_floating(data_type) else str(value.as_py())


def _from_json(values: Sequence[RangeValue], data_type: pa.DataType) -> pa.Array:
    if not has_order(data_type):
        return pa.nulls(len(values), data_type)
    if pa.types.is_boolean(data_type) or pa.types.is_string(data_type):
        return pa.array(values, data_type)
    texts = [None if value is None else str(value) for value in values]
    if any(matches(data_type) for matches in _EPOCH_TYPES):
        width = pa.int32() if data_type.bit_width == 32 else pa.int64()
        return pa.array([None if text is None else int(text) for text in texts], width).cast(data_type)
    if pa.types.is_binary(data_type):
        return pa.array([None if text is None else bytes.fromhex(text) for text in texts], data_type)
    if pa.types.is_decimal(data_type):
        return pa.array([None if text is None else Decimal(text) for text in texts], data_type)
    if pa.types.is_floating(data_type):
        return pa.array([None if text is None else float(text) for text in texts], data_type)
    return pa.array([None if text is None else int(text) for text in texts], data_type)


def nothing_known(_: Column) -> pa.Scalar | None:
    """Where nobody says what rows hold that are older than a column."""
    return None


def _rows_of(part: Part) -> Numbers:
    return rows_of(part.entries)


def _joined(arrays: Sequence[npt.NDArray[Any]], kind: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=kind)


@dataclass(frozen=True)
class Bounds:
    """One column's ranges over all batches: `low` and `high` are NULL where unknown, `all_null` where no value is."""

    low: pa.Array
    high: pa.Array
    null_count: npt.NDArray[np.int64]
    all_null: Mask

    @cached_property
    def numbers(self) -> tuple[Numbers, Numbers] | None:
        """Both ends as numbers of the same order, as wide as can be where unknown; None where Arrow must compare."""
        width = _number_width(self.low.type)
        if width is None:
            return None
        low, high = (ends.cast(width).cast(pa.int64()) for ends in (self.low, self.high))
        low, high = low.fill_null(_LEAST), high.fill_null(_MOST)
        least, most = low.to_numpy().copy(), high.to_numpy().copy()
        least[self.all_null], most[self.all_null] = _MOST, _LEAST
        return least, most


def _bounds_of(column: Column, missing: ValueOf, part: Part) -> Bounds:
    """The ranges of a column in the batches of a part."""
    if part.packed is not None:
        ranges = [_range_in_text(raw, column, missing) for raw in part.packed.raw()]
    elif column.id == SEQ.id:
        ranges = [ColumnRange(str(entry.min_seq), str(entry.max_seq), 0) for entry in part.entries]
    else:
        ranges = [_range_of(entry, column, missing) for entry in part.entries]
    null_count = np.array([found.null_count for found in ranges], dtype=np.int64)
    return Bounds(
        low=_from_json([found.min for found in ranges], column.storage),
        high=_from_json([found.max for found in ranges], column.storage),
        null_count=null_count,
        all_null=null_count == part.derived("rows", _rows_of),
    )


def _joined_bounds(parts: Sequence[Bounds], data_type: pa.DataType) -> Bounds:
    """The ranges of all parts, one behind the other."""
    if len(parts) == 1:
        return parts[0]
    return Bounds(
        low=pa.concat_arrays([part.low for part in parts]) if parts else pa.nulls(0, data_type),
        high=pa.concat_arrays([part.high for part in parts]) if parts else pa.nulls(0, data_type),
        null_count=_joined([part.null_count for part in parts], np.int64),
        all_null=_joined([part.all_null for part in parts], np.bool_),
    )


class RangeTable:
    """The ranges of a manifest's batches, column by column, built when first asked for; those of each part but once."""

    def __init__(self, table: TableDef, parts: Sequence[Part], missing: ValueOf = nothing_known) -> None:
        self._table = table
        self._missing = missing
        self._parts = parts
        self._bounds: dict[int, Bounds] = {}

    @cached_property
    def _count(self) -> int:
        return sum(len(part.entries) for part in self._parts)

    def __len__(self) -> int:
        return self._count

    @cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        """Rows of each batch."""
        return _joined([part.derived("rows", _rows_of) for part in self._parts], np.int64)

    def bounds(self, column_id: int) -> Bounds:
        """Ranges of one column."""
        found = self._bounds.get(column_id)
        if found is None:
            column = SEQ if column_id == SEQ.id else self._table.by_id[column_id]
            of_parts = [part.derived(column, partial(_bounds_of, column, self._missing)) for part in self._parts]
            found = self._bounds[column_id] = _joined_bounds(of_parts, column.storage)
        return found

    def may_match(self, predicate: Predicate) -> Mask:
        """One flag for each batch: False only when no row of it can satisfy `predicate`."""
        match predicate:
            case Unknown():
                return self._all(True)
            case AllOf(parts):
                return reduce(lambda kept, part: kept & self.may_match(part), parts, self._all(True))
            case AnyOf(parts):
                return reduce(lambda kept, part: kept | self.may_match(part), parts, self._all(False))
            case IsNull(column_id):
                return np.asarray(self.bounds(column_id).null_count != 0)
            case IsNotNull(column_id):
                return ~self.bounds(column_id).all_null
            case Comparison(column_id, operator, value):
                return self._compare(self.bounds(column_id), operator, value)
            case CastComparison(column_id, operator, value):
                return self._compare_cast(self.bounds(column_id), operator, value)
            case InSet(column_id, values):
                return self._in_set(self.bounds(column_id), values)
            case NotIn(column_id, values):
                return self._not_in(self.bounds(column_id), values)

    def _compare(self, bounds: Bounds, operator: Operator, value: pa.Scalar) -> Mask:
        if not has_order(value.type):
            return ~bounds.all_null
        inclusive = pa.types.is_floating(value.type)
        less = pc.less_equal if inclusive else pc.less
        greater = pc.greater_equal if inclusive else pc.greater
        match operator:
            case Operator.EQUAL:
                possible = _or_unknown(pc.less_equal(bounds.low, value)) & _or_unknown(
                    pc.greater_equal(bounds.high, value)
                )
            case Operator.LESS:
                possible = _or_unknown(less(bounds.low, value))
            case Operator.LESS_EQUAL:
                possible = _or_unknown(pc.less_equal(bounds.low, value))
            case Operator.GREATER:
                possible = _or_unknown(greater(bounds.high, value))
            case Operator.GREATER_EQUAL:
                possible = _or_unknown(pc.greater_equal(bounds.high, value))
        return possible & ~bounds.all_null

    def _compare_cast(self, bounds: Bounds, operator: Operator, value: pa.Scalar) -> Mask:
        """The bounds are cast as the column's values are; where they cannot be, nothing is known."""
        loses = pa.types.is_floating(value.type) or pa.types.is_date32(value.type)
        try:
            low, high = (ends.cast(value.type, safe=not loses) for ends in (bounds.low, bounds.high))
        except pa.ArrowException:
            return ~bounds.all_null
        return self._compare(replace(bounds, low=low, high=high), operator, value)

    def _not_in(self, bounds: Bounds, values: pa.Array) -> Mask:
        """Ruled out is a batch whose one value is among `values`. Floats are not: zero has two signs."""
        if not has_order(values.type) or pa.types.is_floating(values.type):
            return ~bounds.all_null
        is_one = pc.fill_null(pc.equal(bounds.low, bounds.high), False)
        among = reduce(pc.or_, (pc.fill_null(pc.equal(bounds.low, value), False) for value in values), _NO)
        return np.asarray(~pc.and_(is_one, among).to_numpy(zero_copy_only=False) & ~bounds.all_null)

    def _in_set(self, bounds: Bounds, values: pa.Array) -> Mask:
        """A batch stays when the smallest value not below its low bound is not above its high bound."""
        if not len(values):
            return self._all(False)
        if len(values) == 1 and bounds.numbers is not None:
            low, high = bounds.numbers
            number = _number(values[0])
            return np.asarray((low <= number) & (number <= high))
        if not has_order(values.type):
            return ~bounds.all_null
        if pa.types.is_decimal(values.type):
            return self._between(bounds, pc.min_max(values))
        ordered = values.take(pc.sort_indices(values))
        position = pc.fill_null(pc.search_sorted(ordered, bounds.low, side="left"), 0).to_numpy()
        nearest = ordered.take(pa.array(np.minimum(position, len(ordered) - 1)))
        inside = _or_unknown(pc.less_equal(nearest, bounds.high)) & (position < len(ordered))
        return np.asarray((inside | _is_unknown(bounds)) & ~bounds.all_null)

    def _between(self, bounds: Bounds, ends: pa.StructScalar) -> Mask:
        """A coarser `_in_set` for types that Arrow cannot search."""
        above = self._compare(bounds, Operator.GREATER_EQUAL, ends["min"])
        return above & self._compare(bounds, Operator.LESS_EQUAL, ends["max"])

    def _all(self, flag: bool) -> Mask:
        return np.full(len(self), flag, dtype=np.bool_)


def _number_width(data_type: pa.DataType) -> pa.DataType | None:
    """The integer type of values that are whole numbers of at most 64 bits with a sign."""
    if pa.types.is_integer(data_type):
        return None if pa.types.is_uint64(data_type) else data_type
    if any(matches(data_type) for matches in _EPOCH_TYPES):
        return pa.int32() if data_type.bit_width == 32 else pa.int64()
    return None


def _number(value: pa.Scalar) -> int:
    return int(value.value if pa.types.is_temporal(value.type) else value.as_py())


def _is_unknown(bounds: Bounds) -> Mask:
    return np.asarray(bounds.low.is_null().to_numpy(zero_copy_only=False), dtype=np.bool_)


def _or_unknown(possible: pa.BooleanArray) -> Mask:
    """Treat an unknown comparison as possible."""
    return np.asarray(pc.fill_null(possible, True).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _range_of(entry: BatchFileEntry, column: Column, missing: ValueOf) -> ColumnRange:
    """The column's range in one batch; a batch older than the column holds NULL in every row, or its default.

    A default is text here, and may be a way to write NULL, so somebody else must know its value.
    """
    if entry.schema_version < column.added:
        return _before(column, entry.rows, missing)
    return entry.columns.get(column.id, _UNKNOWN)


def _before(column: Column, rows: int, missing: ValueOf) -> ColumnRange:
    """The range of a column in a batch of before it."""
    if column.before is None:
        return ColumnRange(None, None, rows)
    value = missing(column)
    if value is None:
        return _UNKNOWN
    return column_range(pa.repeat(value, 1)) if value.is_valid else ColumnRange(None, None, rows)


def _range_in_text(raw: Mapping[str, Any], column: Column, missing: ValueOf) -> ColumnRange:
    """The same of a batch in the form of its text: to make entries of all takes ten times as long."""
    if column.id == SEQ.id:
        return ColumnRange(raw["min_seq"], raw["max_seq"], 0)
    if raw["schema_version"] < column.added:
        return _before(column, int(raw["rows"]), missing)
    found = raw["columns"].get(str(column.id))
    return _UNKNOWN if found is None else ColumnRange(found["min"], found["max"], int(found["null_count"]))
