"""Kinds of values: how a column of one is declared, and which literals stand for it."""

import random
from enum import Enum


class Kind(Enum):
    """What an expression yields; the value is the SQL type of a column of it."""

    INT = "BIGINT"
    DECIMAL = "DECIMAL(10,2)"
    DOUBLE = "DOUBLE"
    TEXT = "VARCHAR"
    BOOL = "BOOLEAN"
    DATE = "DATE"
    MOMENT = "TIMESTAMP"

    def __repr__(self) -> str:
        return self.name


LITERALS: dict[Kind, tuple[str, ...]] = {
    Kind.INT: ("0", "1", "1", "2", "3", "4", "5", "7", "-1", "-3", "100"),
    Kind.DECIMAL: ("0.00", "1.50", "0.25", "-2.00", "3.10", "10.05", "2.00"),
    Kind.DOUBLE: ("0.0", "0.5", "1.25", "-2.5", "3.0", "1.0", "100.0"),
    Kind.TEXT: ("''", "'a'", "'b'", "'ab'", "'B'", "'abc'", "'a b'", "'it''s'", "'é'", "' a '", "'10'"),
    Kind.BOOL: ("true", "false"),
    Kind.DATE: ("'2024-02-29'", "'2024-03-01'", "'1999-12-31'", "'1970-01-01'", "'2024-12-31'"),
    Kind.MOMENT: (
        "'2024-02-29 12:30:00'",
        "'2024-03-01 00:00:00'",
        "'2024-03-01 00:00:00.5'",
        "'1969-12-31 23:59:59.999999'",
        "'2024-12-31 23:00:00'",
    ),
}
"""Few values of each kind, so that rows meet."""

SPECIAL_DOUBLES = ("'NaN'", "'Infinity'", "'-Infinity'", "-0.0", "1e300", "-1e-300")
"""Doubles that order and equality are particular about."""


def literal(chance: random.Random, kind: Kind, *, special: bool = False) -> str:
    """A literal of a kind; those that would be of another kind by their looks are cast."""
    text = chance.choice(LITERALS[kind])
    match kind:
        case Kind.DECIMAL if chance.random() < 0.5:
            return f"CAST({text} AS {kind.value})"
        case Kind.DOUBLE:
            text = chance.choice(SPECIAL_DOUBLES) if special and chance.random() < 0.5 else text
            return f"CAST({text} AS DOUBLE)"
        case Kind.DATE | Kind.MOMENT:
            return f"{kind.value} {text}"
        case _:
            return text


def null(kind: Kind) -> str:
    """NULL as a value of a kind."""
    return f"CAST(NULL AS {kind.value})"
