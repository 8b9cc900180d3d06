"""Sums of doubles over sliding frames: DataFusion takes off what leaves a frame, so that a NaN in it stays for ever.

Over a frame of a fixed number of rows, sums, averages and deviations are worked out from the rows of each frame alone.
"""

import pyarrow as pa

from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

FRAME_ROWS_MAX = 100_000
_OF_DOUBLES = {"sum": "sum", "avg": "avg", "mean": "avg"}
_OF_NUMBERS = {
    **dict.fromkeys(("var", "var_samp", "var_sample", "variance"), "var"),
    **dict.fromkeys(("var_pop", "var_population"), "var_pop"),
    **dict.fromkeys(("stddev", "stddev_samp"), "stddev"),
    "stddev_pop": "stddev_pop",
}


def repair(writing: Writing) -> None:
    """Ask for the frames' own aggregates."""
    if not writing.has("OVER") or not writing.has("ROWS"):
        return
    for call, found in writing.of_kind(tree.Call):
        window = call.over
        if not isinstance(window, tree.Window) or window.frame is None or call.is_distinct or len(call.arguments) != 1:
            continue
        name = _name(writing, call, found)
        bounds = _bounds(writing, window.frame)
        if name is not None and bounds is not None:
            _write(writing, call, window, name, bounds)
            writing.keep_name(found, writing.written(call))


def _name(writing: Writing, call: tree.Call, found: Visit) -> str | None:
    known = writing.type_of(call.arguments[0], found)
    is_double = known is not None and bool(pa.types.is_floating(known))
    return _OF_NUMBERS.get(call.name) or (_OF_DOUBLES.get(call.name) if is_double else None)


def _bounds(writing: Writing, frame: tree.Frame) -> tuple[int, int] | None:
    """How many rows before and behind its own a frame has; None where that is no number of rows."""
    if frame.unit != "ROWS" or frame.is_growing:
        return None
    keys = [token.key or token.text for token in writing.text.tokens[frame.start : frame.end]]
    words = " ".join(keys).removeprefix("ROWS ")
    first, _, second = words.removeprefix("BETWEEN ").partition(" AND ")
    start, end = _offset(first), _offset(second) if second else 0
    if start is None or end is None or start > 0 or end < 0 or end - start > FRAME_ROWS_MAX:
        return None
    return -start, end


def _offset(bound: str) -> int | None:
    """The row that a bound means, counted from the frame's own."""
    if bound == "CURRENT ROW":
        return 0
    number, _, side = bound.partition(" ")
    if not number.isdigit():
        return None
    return -int(number) if side == "PRECEDING" else int(number)


def _write(writing: Writing, call: tree.Call, window: tree.Window, name: str, bounds: tuple[int, int]) -> None:
    edits, (argument,) = writing.edits, call.arguments
    frame = window.frame

    def written() -> str:
        value = edits.text_of(argument)
        if call.condition is not None:
            value = f"CASE WHEN {edits.text_of(call.condition)} THEN {value} END"
        over = edits.text_between(window.start, frame.start if frame is not None else window.end - 1)
        return f"sliding_{name}(CAST({value} AS DOUBLE), {bounds[0]}, {bounds[1]}) OVER {over})"

    edits.write(call, written)
