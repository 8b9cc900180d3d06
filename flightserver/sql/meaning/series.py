"""Rows that a query makes out of nothing: `generate_series` and `range` in FROM.

How many there are must be in the text, as literals, so that they can be counted before anything runs. Numbers are the
engine's own function's, which makes them one batch at a time; moments are made of numbers.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from flightserver.sql.text import tree
from flightserver.sql.text.interval_texts import IntervalParts, read_interval
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tokens import Kind, string_value

SERIES = frozenset({"generate_series", "range"})
ROWS_MAX = 1_000_000
_DAYS_OF_EVERY_MONTH = 28


class SeriesError(Exception):
    """Why arguments make no series that can be counted."""


@dataclass(frozen=True)
class Numbers:
    """Whole numbers from `first` on, so many, so far apart."""

    first: int
    count: int
    step: int


@dataclass(frozen=True)
class Moments:
    """Moments from `first` on, so many, so far apart; those that `are_zoned` are in UTC."""

    first: datetime
    count: int
    step: IntervalParts
    are_zoned: bool


def series_type(call: tree.Call) -> pa.DataType:
    """The type of a series' values."""
    first = call.arguments[0] if call.arguments else None
    kind = first.kind if isinstance(first, tree.Literal) else ""
    if kind == "TIMESTAMPTZ":
        return pa.timestamp("us", "UTC")
    return pa.timestamp("us") if kind in {"TIMESTAMP", "DATE"} else pa.int64()


def column_of(source: tree.CallSource) -> str:
    """How the column of a series is called: as the series is, if that has a name."""
    return source.columns[0] if source.columns else source.alias or source.call.name


def read_series(text: QueryText, call: tree.Call) -> Numbers | Moments:
    """What a call makes. SeriesError where its literals do not say."""
    arguments = list(call.arguments)
    if not 1 <= len(arguments) <= 3:
        raise SeriesError("it takes a first value, a last one, and a step")
    has_last = call.name != "range"
    first_kind = arguments[0].kind if isinstance(arguments[0], tree.Literal) else ""
    if first_kind in {"DATE", "TIMESTAMP", "TIMESTAMPTZ"}:
        return _moments(text, arguments, has_last=has_last)
    numbers = [_whole(text, argument) for argument in arguments]
    if len(numbers) == 1:
        numbers = [0, *numbers]
    step = numbers[2] if len(numbers) > 2 else 1
    if step == 0:
        raise SeriesError("its step must not be zero")
    span = numbers[1] - numbers[0]
    count = span // step + 1 if has_last else -(-span // step)
    return Numbers(numbers[0], _bounded(count), step)


def _moments(text: QueryText, arguments: list[tree.Expression], *, has_last: bool) -> Moments:
    if len(arguments) != 3:
        raise SeriesError("moments need a step, as INTERVAL '1 day'")
    first, last = (_moment(text, argument) for argument in arguments[:2])
    are_zoned = isinstance(arguments[0], tree.Literal) and arguments[0].kind == "TIMESTAMPTZ"
    step = _step(text, arguments[2])
    if step.months and (step.days or step.microseconds):
        raise SeriesError("its step is of months, or of days and less")
    if step.months and first.day > _DAYS_OF_EVERY_MONTH:
        raise SeriesError("steps of months begin on a day that every month has")
    count = _count_months(first, last, step.months) if step.months else _count_times(first, last, step)
    if not has_last and count > 0 and _nth(first, step, count - 1) == last:
        count -= 1
    return Moments(first, _bounded(count), step, are_zoned)


def _bounded(count: int) -> int:
    if count > ROWS_MAX:
        raise SeriesError(f"it has at most {ROWS_MAX} rows, not {count}")
    return max(count, 0)


def _count_times(first: datetime, last: datetime, step: IntervalParts) -> int:
    distance = timedelta(days=step.days, microseconds=step.microseconds)
    if not distance:
        raise SeriesError("its step must not be zero")
    return (last - first) // distance + 1


def _count_months(first: datetime, last: datetime, months: int) -> int:
    count = ((last.year - first.year) * 12 + last.month - first.month) // months + 1
    while count > 0 and (_nth(first, IntervalParts(months, 0, 0), count - 1) - last) * (1 if months > 0 else -1) > (
        timedelta(0)
    ):
        count -= 1
    return count


def _nth(first: datetime, step: IntervalParts, number: int) -> datetime:
    months = first.year * 12 + first.month - 1 + step.months * number
    moved = first.replace(year=months // 12, month=months % 12 + 1) if step.months else first
    return moved + number * timedelta(days=step.days, microseconds=step.microseconds)


def _whole(text: QueryText, value: tree.Expression) -> int:
    match value:
        case tree.Literal(kind="integer"):
            return int(text.of(value), 0)
        case tree.Unary(operator="-", operand=operand):
            return -_whole(text, operand)
        case tree.Unary(operator="+", operand=inner) | tree.Brackets(items=(inner,)):
            return _whole(text, inner)
    raise SeriesError("its bounds are whole numbers or moments, as literals")


def _moment(text: QueryText, value: tree.Expression) -> datetime:
    if not isinstance(value, tree.Literal) or value.kind not in {"DATE", "TIMESTAMP", "TIMESTAMPTZ"}:
        raise SeriesError("its bounds are both numbers or both moments, as literals")
    try:
        found = datetime.fromisoformat(string_value(text.tokens[value.end - 1]).strip())
    except ValueError:
        raise SeriesError("its bounds are moments of the years 1 to 9999") from None
    if isinstance(found, date) and found.tzinfo is not None:
        found = found.astimezone(UTC).replace(tzinfo=None)
    return found


def _step(text: QueryText, value: tree.Expression) -> IntervalParts:
    match value:
        case tree.Unary(operator="-", operand=operand):
            step = _step(text, operand)
            return IntervalParts(-step.months, -step.days, -step.microseconds)
        case tree.Brackets(items=(inner,)):
            return _step(text, inner)
        case tree.Literal(kind="INTERVAL"):
            tokens = text.tokens[value.start + 1 : value.end]
            units = [token.key.lower().rstrip("s") for token in tokens if token.kind is Kind.WORD]
            if tokens and tokens[0].kind in {Kind.STRING, Kind.NUMBER}:
                said = string_value(tokens[0]) if tokens[0].kind is Kind.STRING else tokens[0].text
                found = read_interval(said, units[0] if units else "", units[-1] if len(units) > 1 else "")
                if found is not None:
                    return found
    raise SeriesError("its step is an INTERVAL, as a literal")
