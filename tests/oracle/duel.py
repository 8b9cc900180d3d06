"""One statement after the other to two databases, and what they answer differently."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from tests.oracle.answers import Answer, Failed, same
from tests.oracle.databases import Asked
from tests.oracle.differences import explained
from tests.oracle.tree import Node, Select, SetOperation, With

_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Difference:
    """Two answers to the last of some statements."""

    steps: tuple[Node, ...]
    server: Answer
    duck: Answer

    @property
    def signature(self) -> tuple[str, ...]:
        """What is different: values, or that there is an error, and which."""
        return tuple(
            f"{type(answer).__name__} {answer.head if isinstance(answer, Failed) else ''}"
            for answer in (self.server, self.duck)
        )


class Duel:
    """Two databases in a namespace of the same name."""

    def __init__(self, server: Asked, duck: Asked) -> None:
        self.server = server
        self.duck = duck
        self.asked = 0
        self.explained: dict[str, int] = {}
        self._namespace = ""

    def begin(self) -> None:
        """Go to an empty namespace."""
        self.end()
        self._namespace = f"world{next(_NUMBERS)}"
        for database in (self.server, self.duck):
            database.begin(self._namespace)

    def end(self) -> None:
        """Leave the namespace, which is dropped."""
        if self._namespace:
            for database in (self.server, self.duck):
                database.end(self._namespace)
        self._namespace = ""

    def ask(self, step: Node) -> tuple[Answer, Answer] | None:
        """Ask both; None when they say the same, or what is known to differ."""
        self.asked += 1
        server, duck = self.server.answer(step), self.duck.answer(step)
        if same(server, duck, ordered=is_ordered(step)):
            return None
        known = explained(server, duck)
        if known is None:
            return server, duck
        self.explained[known.reason] = self.explained.get(known.reason, 0) + 1
        return None

    def replay(self, steps: Sequence[Node]) -> Difference | None:
        """Run statements in an empty namespace up to the first that is answered differently."""
        self.begin()
        for at, step in enumerate(steps):
            answers = self.ask(step)
            if answers is not None:
                return Difference(tuple(steps[: at + 1]), *answers)
        return None


def is_ordered(step: Node) -> bool:
    """Tell whether the rows of a query come in an order."""
    if isinstance(step, With):
        return is_ordered(step.query)
    return isinstance(step, Select | SetOperation) and step.order is not None
