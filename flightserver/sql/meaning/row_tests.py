"""Conditions about one row that need no engine: comparisons of columns with constants and columns, AND, OR and NOT.

What they mean to a table, and whether its columns can be compared so at all, is for others to find out.
"""

from dataclasses import dataclass, replace

from catalog.errors import DatabaseError
from flightserver.sql.meaning.lookups import MIRRORED, Condition, column_in, conditions_in
from flightserver.sql.text import tree
from flightserver.sql.text.queries import expression_of
from flightserver.sql.text.query_text import QueryText

TOKENS_MAX = 400
"""A longer condition takes the engine longer than it takes to ask it."""


@dataclass(frozen=True)
class IsTrue:
    """A column that is a condition."""

    column: str


@dataclass(frozen=True)
class Compared:
    """`left operator right`, of two columns."""

    left: str
    operator: str
    right: str


@dataclass(frozen=True)
class Negated:
    """What is true where the other is false."""

    test: "RowTest"


@dataclass(frozen=True)
class Joined:
    """Some conditions, joined by AND or by OR."""

    operator: str
    tests: tuple["RowTest", ...]


RowTest = Condition | IsTrue | Compared | Negated | Joined


def row_test(text: QueryText, called: str) -> RowTest | None:
    """What a condition asks of a row of a table, which is `called` so; None for any other condition."""
    if not text.tokens or len(text.tokens) > TOKENS_MAX:
        return None
    try:
        return _test(text, expression_of(text), called)
    except DatabaseError:
        return None


def _test(text: QueryText, value: tree.Expression, called: str) -> RowTest | None:
    match value:
        case tree.Brackets(items=(inner,)):
            return _test(text, inner, called)
        case tree.Unary(operator="NOT", operand=operand):
            return _negated(_test(text, operand, called))
        case tree.InList(is_negated=True) | tree.Between(is_negated=True):
            return _negated(_test(text, replace(value, is_negated=False), called))
        case tree.Binary(operator="AND" | "OR" as operator, left=left, right=right):
            parts = _test(text, left, called), _test(text, right, called)
            return None if parts[0] is None or parts[1] is None else Joined(operator, (parts[0], parts[1]))
        case tree.Binary(operator=operator, left=tree.Name() as left, right=tree.Name() as right):
            names = column_in(text, left, called), column_in(text, right, called)
            if names[0] is None or names[1] is None or operator not in MIRRORED:
                return None
            return Compared(names[0], MIRRORED[MIRRORED[operator]], names[1])
        case tree.Name():
            column = column_in(text, value, called)
            return None if column is None else IsTrue(column)
        case _:
            found = conditions_in(text, value, called)
            return None if found is None else Joined("AND", found)


def _negated(test: RowTest | None) -> RowTest | None:
    return None if test is None else Negated(test)
