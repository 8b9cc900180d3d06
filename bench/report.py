"""What was measured, next to what was wanted, as Markdown tables."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


class Sense(Enum):
    """Which side of a target is the good one."""

    AT_MOST = "≤"
    AT_LEAST = "≥"


@dataclass(frozen=True)
class Target:
    """A bound for the figure's `value`."""

    sense: Sense
    bound: float
    unit: str = "x"

    def is_met(self, value: float) -> bool:
        """Tell whether a value is on the good side."""
        return value <= self.bound if self.sense is Sense.AT_MOST else value >= self.bound

    def __str__(self) -> str:
        return f"{self.sense.value} {number(self.bound)} {self.unit}"


@dataclass(frozen=True)
class Figure:
    """One line: what was compared, both sides as text, and the value that the target is about."""

    what: str
    ours: str
    other: str
    value: float
    target: Target | None = None
    unit: str = "x"

    def __str__(self) -> str:
        target, met = ("-", "-") if self.target is None else (str(self.target), _met(self.target, self.value))
        return f"| {self.what} | {self.ours} | {self.other} | {number(self.value)} {self.unit} | {target} | {met} |"


def at_most(bound: float, unit: str = "x") -> Target:
    """A figure that must not exceed a bound."""
    return Target(Sense.AT_MOST, bound, unit)


def at_least(bound: float, unit: str = "x") -> Target:
    """A figure that must reach a bound."""
    return Target(Sense.AT_LEAST, bound, unit)


def compare(what: str, ours: float, other: float, name: str, target: Target | None = None) -> Figure:
    """Two times in seconds; the value is ours in terms of the other."""
    return Figure(what, milliseconds(ours), f"{name} {milliseconds(other)}", ours / other, target)


def print_figures(figures: Iterable[Figure]) -> None:
    """Print a table."""
    print_rows(("what", "ours", "other", "ratio or value", "target", "met"), figures)


def print_rows(head: Sequence[str], rows: Iterable[object]) -> None:
    """Print a table whose rows are Markdown already."""
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(row, flush=True)


def milliseconds(seconds: float) -> str:
    """A time as text."""
    return f"{number(seconds * 1e3)} ms"


def number(value: float) -> str:
    """Three significant digits, and no exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(2 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _met(target: Target, value: float) -> str:
    return "yes" if target.is_met(value) else "**no**"
