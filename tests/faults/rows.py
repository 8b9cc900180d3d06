"""Rows of a result against the lines that a file of facts expects."""

import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

Row = Sequence[Any]

CLOSE = 1e-12
"""Relative difference of two floats that are taken for the same: the last digits depend on the order of additions."""


def written(value: Any) -> str:
    """A value as a file of facts writes it: NULL, true, 1, 0.5, 1e+20, [1, NULL], and everything else as its text."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {written(inner)}' for name, inner in value.items())}}}"
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def line(row: Row) -> str:
    """A row as a line, its values apart by a blank."""
    return " ".join(map(written, row))


def same(rows: Sequence[Row], expected: Sequence[str], *, ordered: bool) -> bool:
    """Tell whether rows are the expected ones; numbers are compared by value, however many zeros they end with."""
    if not ordered:
        rows, expected = sorted(rows, key=line), sorted(expected)
    return len(rows) == len(expected) and all(map(_same_row, rows, expected))


def _same_row(row: Row, expected: str) -> bool:
    if line(row) == expected:
        return True
    values = expected.split(" ")
    return len(row) == len(values) and all(map(_same_value, row, values))


def _same_value(value: Any, expected: str) -> bool:
    if written(value) == expected:
        return True
    try:
        if isinstance(value, float):
            return math.isclose(value, float(expected), rel_tol=CLOSE)
        return isinstance(value, Decimal) and value == Decimal(expected)
    except (ValueError, InvalidOperation):
        return False
