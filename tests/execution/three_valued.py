"""Conditions of SQL with their meaning: random ones as text, and what they say of a row, worked out in Python.

NULL is None. Sub-queries are over `s (id, w, n)`, the outer query over `t (id, v)`.
"""

import operator
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

Value = int | None
Truth = bool | None
Row = tuple[int, Value]

T: Sequence[Row] = ((1, 1), (2, 2), (3, None), (4, 7))
S: Sequence[tuple[int, Value, int]] = ((1, 1, 1), (2, None, 2), (3, 3, 3), (4, 5, 5))

OPERATORS: dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Condition(NamedTuple):
    """A condition and what it says of a row of `t`."""

    text: str
    of: Callable[[Row], Truth]


class Query(NamedTuple):
    """A sub-query and its values for a row of `t`."""

    text: str
    of: Callable[[Row], list[Value]]


class Operand(NamedTuple):
    """A value and what it is for a row of `t`."""

    text: str
    of: Callable[[Row], Value]


OPERANDS = [
    Operand("v", lambda row: row[1]),
    Operand("t.v", lambda row: row[1]),
    Operand("id", lambda row: row[0]),
    Operand("v + 1", lambda row: None if row[1] is None else row[1] + 1),
    Operand("coalesce(v, 2)", lambda row: 2 if row[1] is None else row[1]),
    Operand("CASE WHEN id = 1 THEN NULL ELSE v END", lambda row: None if row[0] == 1 else row[1]),
]
ALONE = [
    Query("SELECT w FROM s", lambda _: [w for _, w, _ in S]),
    Query("SELECT n FROM s", lambda _: [n for *_, n in S]),
    Query("SELECT s.w x FROM s WHERE s.n > 2", lambda _: [w for _, w, n in S if n > 2]),
    Query("SELECT w AS x FROM s WHERE n = 9 OR n = 8", lambda _: []),
    Query("SELECT v FROM t", lambda _: [v for _, v in T]),
    Query("SELECT b.v FROM t AS b WHERE b.v IS NOT NULL", lambda _: [v for _, v in T if v is not None]),
    Query("SELECT DISTINCT w FROM s", lambda _: [w for _, w, _ in S]),
    Query("SELECT max(w) FROM s GROUP BY n", lambda _: [w for _, w, _ in S]),
    Query("SELECT w FROM s ORDER BY n LIMIT 2", lambda _: [1, None]),
    Query("SELECT w + 1 FROM s", lambda _: [None if w is None else w + 1 for _, w, _ in S]),
    Query("SELECT w FROM s UNION ALL SELECT n FROM s", lambda _: [x for _, w, n in S for x in (w, n)]),
    Query("WITH z AS (SELECT w FROM s WHERE w < 4) SELECT w FROM z", lambda _: [1, 3]),
    Query("VALUES (1), (NULL)", lambda _: [1, None]),
    Query("(SELECT w FROM s)", lambda _: [w for _, w, _ in S]),
    Query("SELECT w FROM s WHERE w NOT IN (SELECT w FROM s WHERE n > 4)", lambda _: [1, 3]),
    Query("SELECT w FROM s WHERE w NOT IN (SELECT w FROM s) OR n = 5", lambda _: [5]),
]
CORRELATED = [
    Query("SELECT w FROM s WHERE s.id = t.id", lambda row: [w for key, w, _ in S if key == row[0]]),
    Query("SELECT w FROM s WHERE s.id <= t.id", lambda row: [w for key, w, _ in S if key <= row[0]]),
    Query("SELECT w x FROM s WHERE s.id < t.id OR n = 5", lambda row: [w for key, w, n in S if key < row[0] or n == 5]),
    Query("SELECT b.v FROM t b WHERE b.id <> t.id", lambda row: [v for key, v in T if key != row[0]]),
]


def is_in(value: Value, values: Sequence[Value]) -> Truth:
    """`value IN (values)`."""
    return any_of("=", value, values)


def any_of(symbol: str, value: Value, values: Sequence[Value]) -> Truth:
    """`value symbol ANY (values)`."""
    known = [OPERATORS[symbol](value, other) for other in values if value is not None and other is not None]
    if any(known):
        return True
    return None if len(known) < len(values) else False


def all_of(symbol: str, value: Value, values: Sequence[Value]) -> Truth:
    """`value symbol ALL (values)`."""
    known = [OPERATORS[symbol](value, other) for other in values if value is not None and other is not None]
    if not all(known):
        return False
    return None if len(known) < len(values) else True


def negation(truth: Truth) -> Truth:
    """`NOT truth`."""
    return None if truth is None else not truth


def conjunction(left: Truth, right: Truth) -> Truth:
    """`left AND right`."""
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def disjunction(left: Truth, right: Truth) -> Truth:
    """`left OR right`."""
    return negation(conjunction(negation(left), negation(right)))


class Conditions:
    """Random conditions, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def condition(self, depth: int) -> Condition:
        """A condition of at most so many levels."""
        if depth == 0 or self._random.random() < 0.3:
            return self._random.choice([self._membership, self._membership, self._comparison, self._plain])()
        kind = self._random.choice(["AND", "AND", "OR", "NOT", "(", "IS", "CASE", "coalesce"])
        inner = self.condition(depth - 1)
        if kind in {"AND", "OR"}:
            other = self.condition(depth - 1)
            join = conjunction if kind == "AND" else disjunction
            groups = kind == "AND" and " OR " in f"{inner.text} {other.text}"
            left, right = (f"({part.text})" if groups else part.text for part in (inner, other))
            return Condition(f"{left} {kind} {right}", lambda row: join(inner.of(row), other.of(row)))
        if kind == "NOT":
            return Condition(f"NOT ({inner.text})", lambda row: negation(inner.of(row)))
        if kind == "(":
            return Condition(f"({inner.text})", inner.of)
        if kind == "IS":
            return self._random.choice(
                [
                    Condition(f"({inner.text}) IS NULL", lambda row: inner.of(row) is None),
                    Condition(f"({inner.text}) IS NOT NULL", lambda row: inner.of(row) is not None),
                    Condition(f"({inner.text}) IS NOT TRUE", lambda row: inner.of(row) is not True),
                    Condition(f"({inner.text}) IS FALSE", lambda row: inner.of(row) is False),
                ]
            )
        if kind == "CASE":
            text = f"CASE WHEN {inner.text} THEN false ELSE true END"
            return Condition(text, lambda row: inner.of(row) is not True)
        return Condition(f"coalesce({inner.text}, true)", lambda row: inner.of(row) is not False)

    def _membership(self) -> Condition:
        left, query = self._random.choice(OPERANDS), self._random.choice([*ALONE, *CORRELATED])
        if self._random.random() < 0.5:
            return Condition(f"{left.text} IN ({query.text})", lambda row: is_in(left.of(row), query.of(row)))
        return Condition(f"{left.text} NOT IN ({query.text})", lambda row: negation(is_in(left.of(row), query.of(row))))

    def _comparison(self) -> Condition:
        left, query = self._random.choice(OPERANDS), self._random.choice(ALONE)
        symbol = self._random.choice(list(OPERATORS))
        word, rule = self._random.choice([("ANY", any_of), ("SOME", any_of), ("ALL", all_of)])
        return Condition(
            f"{left.text} {symbol} {word} ({query.text})", lambda row: rule(symbol, left.of(row), query.of(row))
        )

    def _plain(self) -> Condition:
        return self._random.choice(
            [
                Condition("v BETWEEN 1 AND 3", lambda row: None if row[1] is None else 1 <= row[1] <= 3),
                Condition("id = 1", lambda row: row[0] == 1),
                Condition("v IS NOT NULL", lambda row: row[1] is not None),
            ]
        )
