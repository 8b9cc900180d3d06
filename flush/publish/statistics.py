"""A batch's ranges as Delta Lake's log has statistics: JSON, by physical names. Pure.

Bounds are over all rows, dead ones too, which the log is told. What is left out is unknown, and prunes nothing.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

from catalog.definition import SEQ, Column
from manifest.batch_entry import BatchFileEntry, ColumnRange

_TIGHT, _LOOSE = ',"tightBounds":true}', ',"tightBounds":false}'

DAY_MS = 86_400_000
FIRST_YEAR = 1_000
MOMENT_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
_PER_MILLISECOND = {"ms": 1, "us": 1_000}


def statistics(entry: BatchFileEntry, columns: Iterable[Column], *, is_dirty: bool) -> str:
    """What the log says of the rows of a batch, of which some are dead when it `is_dirty`."""
    lows, highs, nulls = [], [], []
    for column in columns:
        found = _range_of(entry, column)
        if found is None or pa.types.is_nested(column.storage):
            continue
        name = json.dumps(column.physical)
        if found.null_count >= 0:
            nulls.append(f"{name}:{found.null_count}")
        low, high = _bound(found.min, column.storage, is_high=False), _bound(found.max, column.storage, is_high=True)
        if low is not None and high is not None:
            lows.append(f"{name}:{low}")
            highs.append(f"{name}:{high}")
    tight = _LOOSE if is_dirty else _TIGHT
    return (
        f'{{"numRecords":{entry.rows},"minValues":{{{",".join(lows)}}},"maxValues":{{{",".join(highs)}}},'
        f'"nullCount":{{{",".join(nulls)}}}{tight}'
    )


def loosened(told: str) -> str | None:
    """What was told of a batch's rows, now that some are dead; None where somebody else has told it."""
    if told.endswith(_LOOSE):
        return told
    return told.removesuffix(_TIGHT) + _LOOSE if told.endswith(_TIGHT) else None


def _range_of(entry: BatchFileEntry, column: Column) -> ColumnRange | None:
    if column.id == SEQ.id:
        return ColumnRange(str(entry.min_seq), str(entry.max_seq), 0)
    if entry.schema_version < column.added:
        return ColumnRange(None, None, entry.rows)
    return entry.columns.get(column.id)


def _bound(value: str | bool | None, data_type: pa.DataType, *, is_high: bool) -> str | None:
    """A bound as JSON; None where there is none that every reader takes for the same."""
    if not isinstance(value, str) or pa.types.is_binary(data_type):
        return None
    if pa.types.is_string(data_type):
        return json.dumps(value)
    if pa.types.is_date(data_type):
        return _moment_text(int(value) * DAY_MS, "%Y-%m-%d")
    if pa.types.is_timestamp(data_type):
        return _timestamp(int(value), data_type, is_high=is_high)
    if pa.types.is_decimal(data_type):
        return format(Decimal(value), "f")
    if pa.types.is_floating(data_type):
        return _float(float(value), is_high=is_high)
    return value if pa.types.is_integer(data_type) else None


def _timestamp(value: int, data_type: pa.TimestampType, *, is_high: bool) -> str | None:
    """In whole milliseconds, as writers have it, which must not cut what is behind them off the upper bound."""
    per = _PER_MILLISECOND.get(data_type.unit)
    if per is None:
        return None
    whole = -(-value // per) if is_high else value // per
    fraction = f".{whole % 1_000:03}" + ("" if data_type.tz is None else "Z")
    return _moment_text(whole, f"%Y-%m-%dT%H:%M:%S{fraction}")


def _moment_text(milliseconds: int, form: str) -> str | None:
    """A moment as JSON; None beyond the years that are written with four digits."""
    try:
        moment = MOMENT_ZERO + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
    return json.dumps(moment.strftime(form)) if moment.year >= FIRST_YEAR else None


def _float(value: float, *, is_high: bool) -> str | None:
    """Engines differ in the order of zeros; JSON has no infinity."""
    if value in (float("inf"), float("-inf")):
        return None
    if value == 0:
        return "0.0" if is_high else "-0.0"
    return repr(value)
