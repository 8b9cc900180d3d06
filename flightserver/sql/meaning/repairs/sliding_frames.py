"""Sums of doubles over sliding frames: DataFusion takes off what leaves a frame, so that a NaN in it stays for ever.

Over a frame that does not begin with its partition, sums, averages and deviations are worked out from the rows of each
frame alone; of what is worked out from pairs of numbers, such a frame is refused. Truth values, which the engine cannot
take off, are compared as numbers.
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
_OF_PAIRS = frozenset(
    {
        *("corr", "covar", "covar_pop", "covar_samp", "regr_avgx", "regr_avgy", "regr_intercept", "regr_r2"),
        *("regr_slope", "regr_sxx", "regr_sxy", "regr_syy"),
    }
)
_OF_TRUTH = {"bool_and": "min", "every": "min", "bool_or": "max"}


def repair(writing: Writing) -> None:
    """Ask for the frames' own aggregates."""
    if not writing.has("OVER") or not writing.has("ROWS", "RANGE", "GROUPS"):
        return
    for call, found in writing.of_kind(tree.Call):
        window = _window(call, found)
        if window is None or window.frame is None or window.frame.is_growing or call.is_distinct:
            continue
        if call.name in _OF_PAIRS:
            raise writing.unsupported(
                call,
                f"{call.name} over a frame that does not begin with its partition is not supported; write it as a join",
            )
        name = _name(writing, call, found) if len(call.arguments) == 1 else None
        if call.name in _OF_TRUTH:
            _write_truth(writing, call)
        elif name is not None:
            _write(writing, call, window, name)
        else:
            continue
        writing.keep_name(found, writing.written(call))


def _window(call: tree.Call, found: Visit) -> tree.Window | None:
    """The window of a call, also where it is named and has its frame there."""
    select = found.scope.select
    if isinstance(call.over, str) and select is not None:
        return next((window for name, window in select.windows if name == call.over), None)
    return call.over if isinstance(call.over, tree.Window) else None


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


def _write(writing: Writing, call: tree.Call, window: tree.Window, name: str) -> None:
    edits, (argument,), frame = writing.edits, call.arguments, window.frame
    bounds = _bounds(writing, frame) if frame is not None and call.over is window else None

    def written() -> str:
        value = edits.text_of(argument)
        if call.condition is not None:
            value = f"CASE WHEN {edits.text_of(call.condition)} THEN {value} END"
        value = f"CAST({value} AS DOUBLE)"
        if bounds is None or frame is None:
            return f"framed_{name}({value}) OVER {_over(writing, call)}"
        over = edits.text_between(window.start, frame.start)
        return f"sliding_{name}({value}, {bounds[0]}, {bounds[1]}) OVER {over})"

    edits.write(call, written)


def _write_truth(writing: Writing, call: tree.Call) -> None:
    edits, (argument,) = writing.edits, call.arguments

    def written() -> str:
        value = f"CAST({edits.text_of(argument)} AS INT)"
        if call.condition is not None:
            value = f"CASE WHEN {edits.text_of(call.condition)} THEN {value} END"
        return f"({_OF_TRUTH[call.name]}({value}) OVER {_over(writing, call)} = 1)"

    edits.write(call, written)


def _over(writing: Writing, call: tree.Call) -> str:
    """What stands behind OVER."""
    if isinstance(call.over, tree.Window):
        return writing.edits.text_of(call.over)
    return writing.written(tree.Node(call.end - 1, call.end))
