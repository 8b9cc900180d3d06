"""A world, and statements over it: queries, and changes that the next queries see."""

import random

from tests.oracle.duel import Difference, Trial
from tests.oracle.generator import Generator
from tests.oracle.tree import Change, CreateView, Node, Storage
from tests.oracle.worlds import World, world

CHANGE_CHANCE = 0.25
STORAGE_CHANCE = 0.04
SPECIAL_CHANCE = 0.15


class Rounds:
    """Statements of one seed, with the questions of a generator."""

    def __init__(self, trial: Trial, seed: int, generator: type[Generator] = Generator) -> None:
        self._trial = trial
        self._chance = random.Random(seed)
        special = self._chance.random() < SPECIAL_CHANCE
        self.world: World = world(self._chance, special=special)
        self._generator = generator(self._chance, self.world.tables, special=special)
        self._steps = list(self.world.steps)
        self._done: list[Node] = []

    def run(self, count: int) -> list[Difference]:
        """Ask so many statements; a change that comes out differently is followed by a new start."""
        found: list[Difference] = []
        self._start(found)
        for _ in range(count):
            step = self._step()
            if self._differs(step, found):
                if isinstance(step, Change):
                    self._start(found)
            elif isinstance(step, Change | Storage):
                self._done.append(step)
        return found

    def _differs(self, step: Node, found: list[Difference]) -> bool:
        """Ask a statement; keep what differs and is not explained."""
        answers = self._trial.ask(step)
        if answers is not None and not self._trial.is_explained(*answers):
            found.append(Difference((*self._done, step), *answers))
        return answers is not None

    def _start(self, found: list[Difference]) -> None:
        """Make the tables; a statement that comes out differently is left out, and all begins anew."""
        self._done = []
        self._trial.begin()
        for step in self._steps:
            if self._differs(step, found):
                self._steps.remove(step)
                if isinstance(step, CreateView):
                    self._generator.tables = [table for table in self._generator.tables if table.name != step.name]
                return self._start(found)
            self._done.append(step)
        return None

    def _step(self) -> Node:
        if self._chance.random() < CHANGE_CHANCE:
            return self._generator.change()
        if self._chance.random() < STORAGE_CHANCE:
            table = self._chance.choice([table for table in self._generator.tables if table.changeable])
            return Storage(self._chance.choice(("FLUSH", "FLUSH", "COMPACT")), table.name)
        return self._generator.question()
