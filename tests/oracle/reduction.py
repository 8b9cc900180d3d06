"""Cutting down: the smallest statements that are still answered differently, in the same way.

Nothing here knows the language. A tree is cut by its dataclasses: a part stands for the whole where their kinds are the
same, what is optional goes, tuples lose members, and what cannot be said any more is refused by both databases.
"""

from collections.abc import Iterator, Sequence
from dataclasses import Field, fields, replace
from typing import Any

from tests.oracle.duel import Difference, Trial
from tests.oracle.kinds import LITERALS, Kind
from tests.oracle.tree import FIXED, KEPT, Expression, Insert, Literal, Node, Query, Row, Select, Source, Values

ATTEMPTS = 1_500
SIMPLE = {
    kind: Literal(kind, f"{kind.value} {texts[0]}" if kind in {Kind.DATE, Kind.MOMENT} else texts[1])
    for kind, texts in LITERALS.items()
}


class Reducer:
    """Tries smaller statements until none of them shows the difference, or for as long as it is worth."""

    def __init__(self, trial: Trial, attempts: int = ATTEMPTS) -> None:
        self._trial = trial
        self._left = attempts

    def reduced(self, difference: Difference) -> Difference:
        """The same difference with fewer and smaller statements; the one that is given, if it does not come back."""
        again = self._trial.replay(difference.steps)
        if again is None or again.signature != difference.signature:
            return difference
        size = 0
        while size != len(repr(again.steps)) and self._left > 0:
            size = len(repr(again.steps))
            again = self._fewer(again)
            again = self._smaller(again, len(again.steps) - 1)
            again = self._fewer(again)
            for at in reversed(range(len(again.steps) - 1)):
                again = self._smaller(again, at)
        return again

    def _try(self, current: Difference, steps: Sequence[Node]) -> Difference | None:
        """The difference that other statements show, if it is the same one."""
        if self._left <= 0:
            return None
        self._left -= 1
        found = self._trial.replay(steps)
        same = found is not None and len(found.steps) == len(steps) and found.signature == current.signature
        return found if same else None

    def _fewer(self, current: Difference) -> Difference:
        """Without the statements before the last that it does not need: many at a time, then one at a time."""
        length = len(current.steps) // 2
        while length >= 1:
            start = 0
            while start < len(current.steps) - 1:
                end = min(start + length, len(current.steps) - 1)
                found = self._try(current, current.steps[:start] + current.steps[end:])
                current, start = (found, start) if found else (current, end)
            length //= 2
        return current

    def _smaller(self, current: Difference, at: int) -> Difference:
        """With a smaller statement at a place."""
        found: Difference | None = current
        while found is not None:
            current, found = found, None
            for step in alternatives(current.steps[at]):
                found = self._try(current, (*current.steps[:at], step, *current.steps[at + 1 :]))
                if found is not None:
                    break
        return current


def alternatives(node: Node) -> Iterator[Node]:
    """Trees that are one cut smaller, those with the largest cut first."""
    yield from _parts_for_the_whole(node)
    yield from _columns_dropped(node)
    open_fields = [field for field in fields(node) if field.metadata != KEPT]
    for field in open_fields:
        for value in _plainer(field, getattr(node, field.name)):
            yield replace(node, **{field.name: value})
    for field in open_fields:
        name, value = field.name, getattr(node, field.name)
        if isinstance(value, Node):
            for inner in alternatives(value):
                yield replace(node, **{name: inner})
        elif isinstance(value, tuple):
            for at, member in enumerate(value):
                if isinstance(member, Node):
                    for inner in alternatives(member):
                        yield replace(node, **{name: (*value[:at], inner, *value[at + 1 :])})


def _parts_for_the_whole(node: Node) -> Iterator[Node]:
    match node:
        case Literal():
            if node.text not in {SIMPLE[node.kind].text, "NULL"}:
                yield SIMPLE[node.kind]
        case Expression():
            if isinstance(node, Expression):
                yield from (part for part in _parts(node, Expression) if part.kind is node.kind)
                yield SIMPLE[node.kind]
        case Query():
            yield from _parts(node, Query)
        case Source():
            yield from _parts(node, Source)


def _parts(node: Node, sort: type) -> Iterator[Any]:
    """The nearest nodes of a sort below a node."""
    for field in fields(node):
        value = getattr(node, field.name)
        for member in value if isinstance(value, tuple) else (value,):
            if isinstance(member, sort):
                yield member
            elif isinstance(member, Node):
                yield from _parts(member, sort)


def _plainer(field: Field[Any], value: Any) -> Iterator[Any]:
    """Plainer values of a field: nothing where that may be, half of the members, or one less."""
    if value is True:
        yield False
    elif isinstance(value, str | Node) and value and field.default in {None, ""}:
        yield field.default
    elif isinstance(value, tuple) and field.metadata != FIXED:
        half, least = len(value) // 2, int(field.default != ())
        if half > 1:
            yield from (value[half:], value[:half])
        if len(value) > least:
            yield from ((*value[:at], *value[at + 1 :]) for at in range(len(value)))


def _columns_dropped(node: Node) -> Iterator[Node]:
    """An INSERT without one of its columns."""
    if not isinstance(node, Insert):
        return
    for at in range(len(node.columns)):
        query = _without_column(node.query, at)
        if query is not None:
            yield replace(node, columns=(*node.columns[:at], *node.columns[at + 1 :]), query=query)


def _without_column(query: Query, at: int) -> Query | None:
    match query:
        case Values(rows):
            return Values(tuple(Row((*row.values[:at], *row.values[at + 1 :])) for row in rows))
        case Select(outputs):
            return replace(query, outputs=(*outputs[:at], *outputs[at + 1 :]))
        case _:
            return None
