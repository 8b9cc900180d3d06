"""`generate_series` and `range` in FROM, with bounds that are in the text; how many rows they make is counted first."""

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import quote_identifier
from flightserver.sql.meaning.series import SERIES, Moments, Numbers, SeriesError, column_of, read_series
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree
from flightserver.sql.text.tokens import error_at

PAIRS_MAX = 64_000_000
"""Of series that are joined with each other: the engine is not stopped within a batch of them."""

_INT64 = range(-(1 << 63) + (1 << 32), (1 << 63) - (1 << 32))
"""With room for the step that the engine takes behind the last value."""


def write(writing: Writing) -> None:
    """Write what the engine's function makes of the same bounds, under the name that its column has."""
    if not writing.has(*(name.upper() for name in SERIES)):
        _refuse_quoted(writing)
        return
    written: set[int] = set()
    pairs = 1
    for source, _ in writing.of_kind(tree.CallSource):
        if source.call.name in SERIES:
            written.add(id(source.call))
            pairs *= max(_write(writing, source), 1)
            if pairs > PAIRS_MAX:
                raise _refused(writing, source.call, f"all series of a query make at most {PAIRS_MAX} pairs of rows")
    _refuse_quoted(writing, frozenset(written))


def _refuse_quoted(writing: Writing, written: frozenset[int] = frozenset()) -> None:
    """Refuse the functions where they are anything but a source of their own."""
    for call, _ in writing.of_kind(tree.Call):
        if id(call) not in written and call.name.rpartition(".")[2] in SERIES:
            raise writing.unsupported(
                call,
                f"{call.name} stands in FROM, by itself and with literals as bounds; as a value it is not supported",
            )


def _write(writing: Writing, source: tree.CallSource) -> int:
    """Write a series; return how many rows it has."""
    call = source.call
    try:
        made = read_series(writing.text, call)
    except SeriesError as why:
        raise _refused(writing, call, str(why)) from None
    column = quote_identifier(column_of(source))
    written = _numbers(made) if isinstance(made, Numbers) else _moments(made)
    if isinstance(made, Numbers) and not (made.first in _INT64 and made.first + made.count * made.step in _INT64):
        raise _refused(writing, call, "its numbers are BIGINT")
    alias = "" if source.alias is not None else f" AS {quote_identifier(call.name)}"
    writing.edits.span(call.start, call.end, f"(SELECT {written.format(column=column)}){alias}")
    return made.count


def _numbers(made: Numbers) -> str:
    end = made.first + (made.count - 1) * made.step
    if made.count == 0:
        return f"CAST({made.first} AS BIGINT) AS {{column}} WHERE false"
    least = min(made.first, end)  # the engine does not know the function's order as it knows that of the rows
    return f"greatest(value, {least}) AS {{column}} FROM generate_series({made.first}, {end}, {made.step})"


def _moments(made: Moments) -> str:
    zone = 'Some("UTC")' if made.are_zoned else "None"
    first = f"arrow_cast('{made.first.isoformat(sep=' ')}', 'Timestamp(Microsecond, {zone})')"
    if made.count == 0:
        return f"{first} AS {{column}} WHERE false"
    steps = f"interval_times({made.step.sql}, CAST(value AS DOUBLE))"
    return f"{first} + {steps} AS {{column}} FROM generate_series(0, {made.count - 1})"


def _refused(writing: Writing, call: tree.Call, why: str) -> DatabaseError:
    place = writing.text.tokens[call.start].start
    return error_at(writing.text, place, f"{call.name} cannot be counted beforehand: {why}", ErrorKind.UNSUPPORTED)
