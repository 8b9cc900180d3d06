"""A world, and statements over it: queries, and changes that the next queries see."""

import random

from tests.oracle.duel import Difference, Duel
from tests.oracle.generator import Generator
from tests.oracle.tree import Change, Node, Storage
from tests.oracle.worlds import World, world

CHANGE_CHANCE = 0.25
STORAGE_CHANCE = 0.04
SPECIAL_CHANCE = 0.15


class Rounds:
    """Statements of one seed."""

    def __init__(self, duel: Duel, seed: int) -> None:
        self._duel = duel
        self._chance = random.Random(seed)
        special = self._chance.random() < SPECIAL_CHANCE
        self.world: World = world(self._chance, special=special)
        self._generator = Generator(self._chance, self.world.tables, special=special)
        self._steps = list(self.world.steps)
        self._done: list[Node] = []

    def run(self, count: int) -> list[Difference]:
        """Ask so many statements; a change that comes out differently is followed by a new start."""
        found: list[Difference] = []
        self._start(found)
        for _ in range(count):
            step = self._step()
            answers = self._duel.ask(step)
            if answers is not None:
                found.append(Difference((*self._done, step), *answers))
                if isinstance(step, Change):
                    self._start(found)
            elif isinstance(step, Change | Storage):
                self._done.append(step)
        return found

    def _start(self, found: list[Difference]) -> None:
        """Make the tables; a statement that comes out differently is left out from then on."""
        wrong: list[Node] = []
        self._duel.begin()
        self._done = []
        for step in self._steps:
            answers = self._duel.ask(step)
            if answers is not None:
                found.append(Difference((*self._done, step), *answers))
                wrong.append(step)
            self._done.append(step)
        if wrong:
            self._steps = [step for step in self._steps if step not in wrong]
            self._start(found)

    def _step(self) -> Node:
        if self._chance.random() < CHANGE_CHANCE:
            return self._generator.change()
        if self._chance.random() < STORAGE_CHANCE:
            table = self._chance.choice([table for table in self.world.tables if table.changeable])
            return Storage(self._chance.choice(("FLUSH", "FLUSH", "COMPACT")), table.name)
        return self._generator.query()
