"""The forms of predicate that can rule out a batch. Everything else is `Unknown` and rules out nothing.

Values are Arrow scalars of the column's own type: the translation from SQL casts them, and a value that has no exact
image in the column's type makes the predicate `Unknown`. Predicates speak about live rows after versions are merged,
which is sound for every column because no batch holds two live rows of one key.
"""

from dataclasses import dataclass
from enum import Enum, unique
from typing import NamedTuple

import pyarrow as pa


@unique
class Operator(Enum):
    """Comparisons of a column with a value, the column on the left."""

    EQUAL = "="
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="


@dataclass(frozen=True)
class Unknown:
    """A predicate that nothing is known of."""


@dataclass(frozen=True)
class Comparison:
    """`column operator value`."""

    column_id: int
    operator: Operator
    value: pa.Scalar


@dataclass(frozen=True)
class InSet:
    """`column IN (values)`. `values` holds no NULL."""

    column_id: int
    values: pa.Array


@dataclass(frozen=True)
class NotIn:
    """`column NOT IN (values)`, which one value makes `<>`. `values` holds no NULL."""

    column_id: int
    values: pa.Array


@dataclass(frozen=True)
class CastComparison:
    """`CAST(column AS type of value) operator value`, where the cast keeps the column's order (`manifest.order`)."""

    column_id: int
    operator: Operator
    value: pa.Scalar


@dataclass(frozen=True)
class IsNull:
    """`column IS NULL`."""

    column_id: int


@dataclass(frozen=True)
class IsNotNull:
    """`column IS NOT NULL`."""

    column_id: int


@dataclass(frozen=True)
class AllOf:
    """Every part holds."""

    parts: tuple["Predicate", ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple["Predicate", ...]


Predicate = Unknown | Comparison | CastComparison | InSet | NotIn | IsNull | IsNotNull | AllOf | AnyOf


class Told(NamedTuple):
    """How many conditions that all hold are known of rows, and whether that is all that was asked."""

    conditions: int
    is_all: bool


def told(predicate: Predicate) -> Told:
    """How much a predicate tells."""
    match predicate:
        case Unknown():
            return Told(0, is_all=False)
        case AllOf(parts):
            found = [told(part) for part in parts]
            return Told(sum(part.conditions for part in found), all(part.is_all for part in found))
        case AnyOf(parts):
            found = [told(part) for part in parts]
            return Told(min((part.conditions for part in found), default=1), all(part.is_all for part in found))
        case _:
            return Told(1, is_all=True)


def one_value(value: pa.Scalar) -> pa.Array:
    """An array of one scalar. Python's times and dates could not hold every value on the way."""
    return pa.repeat(value, 1)
