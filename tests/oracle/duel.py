"""One statement after the other to two databases, and what they answer differently."""

import itertools
from collections import Counter
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


class Trial:
    """Asks statements in a namespace, and finds two answers where there should be one."""

    def __init__(self, databases: Sequence[Asked]) -> None:
        self._databases = databases
        self._namespace = ""
        self.asked = 0
        self.explained: Counter[str] = Counter()

    def begin(self) -> None:
        """Go to an empty namespace."""
        self.end()
        self._namespace = f"world{next(_NUMBERS)}"
        for database in self._databases:
            database.begin(self._namespace)

    def end(self) -> None:
        """Leave the namespace, which is dropped."""
        if self._namespace:
            for database in self._databases:
                database.end(self._namespace)
        self._namespace = ""

    def answers(self, step: Node) -> tuple[Answer, Answer]:
        """The two answers to a statement."""
        raise NotImplementedError

    def ask(self, step: Node) -> tuple[Answer, Answer] | None:
        """Ask for both answers; None when they are the same."""
        self.asked += 1
        first, second = self.answers(step)
        return None if same(first, second, ordered=is_ordered(step)) else (first, second)

    def is_explained(self, first: Answer, second: Answer) -> bool:
        """Tell whether two answers differ as is known, and count how often they do."""
        known = explained(first, second)
        if known is not None:
            self.explained[known.reason] += 1
        return known is not None

    def replay(self, steps: Sequence[Node]) -> Difference | None:
        """Run statements in an empty namespace up to the first that has two answers; None if that is explained."""
        self.begin()
        for at, step in enumerate(steps):
            answers = self.ask(step)
            if answers is not None:
                return None if explained(*answers) else Difference(tuple(steps[: at + 1]), *answers)
        return None


class Duel(Trial):
    """Two databases, which are told the same."""

    def __init__(self, server: Asked, duck: Asked) -> None:
        super().__init__((server, duck))
        self._server = server
        self._duck = duck

    def answers(self, step: Node) -> tuple[Answer, Answer]:
        """What each says."""
        return self._server.answer(step), self._duck.answer(step)


def is_ordered(step: Node) -> bool:
    """Tell whether the rows of a query come in an order."""
    if isinstance(step, With):
        return is_ordered(step.query)
    return isinstance(step, Select | SetOperation) and step.order is not None
