"""Aggregates over frames that do not begin with their partition, each worked out from its own rows alone.

The engine takes what leaves a frame off what it has summed, so that a NaN stays for ever and 1e20 takes small numbers
with it. Where frames have a fixed number of rows, rows are cut into blocks of that length. A frame is the end of one
block and the beginning of the next, whose aggregates are built by adding only (van Herk's scheme), so the work does not
depend on its length. Other frames are put together of blocks, blocks of blocks, and so on, and of what is left of the
rows at both ends.

An aggregate is three columns: how many values there are, their mean, and the squares of their distances from it (Chan,
Golub and LeVeque's way to join two such); for sums the mean is the sum.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from datafusion import SessionContext, udwf
from datafusion.user_defined import WindowEvaluator

FAN = 256
"""How many rows, or blocks, are one block."""

Floats = npt.NDArray[np.float64]


class _Parts(NamedTuple):
    """Aggregates of many sets of values."""

    counts: Floats
    totals: Floats
    squares: Floats


Joined = Callable[[_Parts, _Parts], _Parts]


def _sums(left: _Parts, right: _Parts) -> _Parts:
    return _Parts(left.counts + right.counts, left.totals + right.totals, left.squares)


def _moments(left: _Parts, right: _Parts) -> _Parts:
    counts = left.counts + right.counts
    share = np.divide(right.counts, counts, out=np.zeros_like(counts), where=counts > 0)
    distance = np.where((left.counts > 0) & (right.counts > 0), right.totals - left.totals, 0.0)
    means = np.where(left.counts > 0, left.totals + distance * share, right.totals)
    squares = left.squares + right.squares + distance * distance * left.counts * share
    return _Parts(counts, means, squares)


def _sums_of(parts: _Parts) -> _Parts:
    return _Parts(parts.counts.sum(axis=-1), parts.totals.sum(axis=-1), parts.squares.sum(axis=-1))


def _moments_of(parts: _Parts) -> _Parts:
    counts = parts.counts.sum(axis=-1)
    weighted = np.where(parts.counts > 0, parts.counts * parts.totals, 0.0).sum(axis=-1)
    means = np.divide(weighted, counts, out=np.zeros_like(counts), where=counts > 0)
    distances = np.where(parts.counts > 0, parts.totals - means[..., np.newaxis], 0.0)
    return _Parts(counts, means, parts.squares.sum(axis=-1) + (distances**2 * parts.counts).sum(axis=-1))


_OF_MANY: dict[Joined, Callable[[_Parts], _Parts]] = {_sums: _sums_of, _moments: _moments_of}
"""How all parts along the last axis are joined at once."""


def _sum(parts: _Parts) -> Floats:
    return np.where(parts.counts > 0, parts.totals, np.nan)


def _average(parts: _Parts) -> Floats:
    return np.divide(parts.totals, parts.counts, out=np.full_like(parts.totals, np.nan), where=parts.counts > 0)


def _variance(parts: _Parts, *, of_sample: bool) -> Floats:
    divisors = parts.counts - of_sample
    known = (divisors > 0) & np.isfinite(parts.totals)
    return np.divide(parts.squares, divisors, out=np.full_like(parts.squares, np.nan), where=known)


_AGGREGATES: dict[str, tuple[Joined, Callable[[_Parts], Floats], int]] = {
    "sum": (_sums, _sum, 1),
    "avg": (_sums, _average, 1),
    "var": (_moments, lambda parts: _variance(parts, of_sample=True), 2),
    "var_pop": (_moments, lambda parts: _variance(parts, of_sample=False), 1),
    "stddev": (_moments, lambda parts: np.sqrt(_variance(parts, of_sample=True)), 2),
    "stddev_pop": (_moments, lambda parts: np.sqrt(_variance(parts, of_sample=False)), 1),
}
"""How two parts are joined, what the result is, and how many values it needs at least."""


def over_frames(name: str, values: pa.Array, before: int, after: int) -> pa.Array:
    """An aggregate of the values from `before` rows before each to `after` rows behind it; NULL counts for nothing."""
    joined, result, needed = _AGGREGATES[name]
    rows, length = len(values), before + after + 1
    valid = np.asarray(values.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    given = np.array(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    given[~valid] = 0.0
    blocks = -(-(rows + before + after) // length) + 1
    padded = _Parts(*(np.zeros(blocks * length) for _ in range(3)))
    padded.counts[before : before + rows] = valid
    padded.totals[before : before + rows] = given
    cut = _Parts(*(column.reshape(blocks, length) for column in padded))
    with np.errstate(invalid="ignore", over="ignore"):
        beginnings, ends = (
            _running(cut, joined, range(1, length), -1),
            _running(cut, joined, range(length - 2, -1, -1), 1),
        )
        first = np.arange(rows)
        whole = first % length == 0
        last = first + length - 1
        frames = joined(_at(ends, first), _at(beginnings, last))
        frames = _Parts(*(np.where(whole, one, both) for one, both in zip(_at(ends, first), frames, strict=True)))
        found = result(frames)
    return pa.array(found, mask=frames.counts < needed)


def _running(blocks: _Parts, joined: Joined, places: range, step: int) -> _Parts:
    """Each place of each block joined with all that lie before it (step -1) or behind it (step 1) in the block."""
    found = _Parts(*(column.copy() for column in blocks))
    for place in places:
        one = _Parts(*(column[:, place] for column in found))
        other = _Parts(*(column[:, place + step] for column in found))
        for column, both in zip(found, joined(other, one) if step < 0 else joined(one, other), strict=True):
            column[:, place] = both
    return _Parts(*(column.reshape(-1) for column in found))


class Frames:
    """The rows of a partition, ready to be aggregated over any frame of it."""

    def __init__(self, name: str, values: pa.Array) -> None:
        joined, self._result, self._needed = _AGGREGATES[name]
        self._joined = _OF_MANY[joined]
        valid = np.asarray(values.is_valid().to_numpy(zero_copy_only=False), dtype=np.float64)
        given = np.array(values.to_numpy(zero_copy_only=False), dtype=np.float64)
        given[valid == 0] = 0.0
        self._levels = [_Parts(valid, given, np.zeros(len(values)))]
        with np.errstate(invalid="ignore", over="ignore"):
            while len(self._levels[-1].counts) > 2 * FAN:
                self._levels.append(self._joined(_in_blocks(self._levels[-1])))

    def over(self, start: int, end: int) -> float | None:
        """The aggregate of the rows from one to before another."""
        pieces: list[_Parts] = []
        for level in self._levels:
            first, last = -(-start // FAN), end // FAN
            if last <= first or level is self._levels[-1]:
                pieces.append(_cut(level, start, end))
                break
            pieces += [_cut(level, start, first * FAN), _cut(level, last * FAN, end)]
            start, end = first, last
        (together,) = pieces if len(pieces) == 1 else [_Parts(*map(np.concatenate, zip(*pieces, strict=True)))]
        with np.errstate(invalid="ignore", over="ignore"):
            parts = self._joined(_Parts(*(column[np.newaxis] for column in together)))
            return float(self._result(parts)[0]) if parts.counts[0] >= self._needed else None


def _in_blocks(parts: _Parts) -> _Parts:
    """Whole blocks; what is left of the rows behind them is in none."""
    whole = len(parts.counts) // FAN
    return _Parts(*(column[: whole * FAN].reshape(whole, FAN) for column in parts))


def _cut(parts: _Parts, start: int, end: int) -> _Parts:
    return _Parts(*(column[start:end] for column in parts))


def _at(parts: _Parts, places: npt.NDArray[np.int64]) -> _Parts:
    return _Parts(*(column[places] for column in parts))


def _evaluator(aggregate: str) -> type[WindowEvaluator]:
    class OverFrames(WindowEvaluator):
        """One partition of a window."""

        def evaluate_all(self, values: list[pa.Array], num_rows: int) -> pa.Array:
            """The aggregate of each row's frame."""
            numbers, before, after = values
            if not num_rows:
                return pa.array([], pa.float64())
            return over_frames(aggregate, numbers, before[0].as_py(), after[0].as_py())

    return OverFrames


def _framed(aggregate: str) -> type[WindowEvaluator]:
    class OverOwnFrames(WindowEvaluator):
        """One partition of a window, whose frames the engine finds."""

        def __init__(self) -> None:
            self._frames: Frames | None = None

        def uses_window_frame(self) -> bool:
            """They are what this is about."""
            return True

        def evaluate(self, values: list[pa.Array], eval_range: tuple[int, int]) -> pa.Scalar:
            """The aggregate of one frame."""
            if self._frames is None:
                self._frames = Frames(aggregate, values[0])
            return pa.scalar(self._frames.over(*eval_range), pa.float64())

    return OverOwnFrames


def add_sliding_aggregates(session: SessionContext) -> None:
    """Let a session's texts call `sliding_sum(x, before, behind) OVER (…)`, `framed_sum(x) OVER (…)` and their kin."""
    for name in _AGGREGATES:
        framed = udwf(_framed(name), [pa.float64()], pa.float64(), "immutable", name=f"framed_{name}")
        session.register_udwf(framed)
        types = [pa.float64(), pa.int64(), pa.int64()]
        session.register_udwf(udwf(_evaluator(name), types, pa.float64(), "immutable", name=f"sliding_{name}"))
