"""Queries that must agree with each other on one database: no second one is needed to know that an answer is wrong.

A condition is true, false or NULL for each row, so a query has the rows of its three parts together (ternary logic
partitioning). And a condition holds for as many rows whether it picks them or is worked out for each of them, where
nothing can be pushed down (non-optimizing reference).
"""

from dataclasses import dataclass, replace

from tests.oracle.answers import Answer
from tests.oracle.databases import Server
from tests.oracle.duel import Trial
from tests.oracle.forms import COUNT, NOT, SUM_OF_ONES, UNKNOWN
from tests.oracle.generator import Generator
from tests.oracle.kinds import Kind
from tests.oracle.queries import both
from tests.oracle.tree import Aggregate, Call, Expression, Node, Output, Query, Select, SetOperation, Source
from tests.oracle.writing import Writer, writes


@dataclass(frozen=True)
class Parted(Node):
    """A query, and a condition that parts its rows."""

    outputs: tuple[Output, ...]
    source: Source
    condition: Expression
    where: Expression | None = None
    distinct: bool = False

    def whole(self) -> Query:
        """All rows at once."""
        return Select(self.outputs, self.source, self.where, distinct=self.distinct)

    def parts(self) -> Query:
        """The rows for which the condition is true, false and NULL."""
        opposite, unknown = (Call(Kind.BOOL, form, (self.condition,)) for form in (NOT, UNKNOWN))
        first, *others = (
            Select(self.outputs, self.source, both(self.where, condition), distinct=self.distinct)
            for condition in (self.condition, opposite, unknown)
        )
        union: Query = first
        for other in others:
            union = SetOperation(union, "UNION" if self.distinct else "UNION ALL", other)
        return union


@dataclass(frozen=True)
class Counted(Node):
    """A condition whose rows are counted."""

    source: Source
    condition: Expression

    def whole(self) -> Query:
        """How many rows it picks."""
        return Select((Output(Aggregate(Kind.INT, COUNT, ()), "n"),), self.source, self.condition)

    def parts(self) -> Query:
        """For how many rows it is true."""
        return Select((Output(Aggregate(Kind.INT, SUM_OF_ONES, (self.condition,)), "n"),), self.source)


@writes(Parted)
@writes(Counted)
def _two_ways(writer: Writer, node: Parted | Counted) -> str:
    return f"{writer.text(node.whole())};\n{writer.text(node.parts())}"


class Partitions(Trial):
    """One server, asked in two ways."""

    def __init__(self, server: Server) -> None:
        super().__init__((server,))
        self._server = server

    def answers(self, step: Node) -> tuple[Answer, Answer]:
        """What the server says to each way of a query; to anything else it has one answer."""
        if isinstance(step, Parted | Counted):
            return self._server.answer(step.whole()), self._server.answer(step.parts())
        answer = self._server.answer(step)
        return answer, answer


class PartedQueries(Generator):
    """Questions that can be asked in two ways."""

    def question(self) -> Parted | Counted:
        """A source and a condition on it."""
        self._fresh()
        source, scope = self.source(self._pick((1, 2, 2, 3)))
        if self._is(0.3):
            return Counted(source, self.condition(replace(scope, queries=False)))
        kinds = [self._pick(tuple(Kind)) for _ in range(self._chance.randint(1, 3))]
        outputs = self._outputs(kinds, 1, scope)
        where = self.condition(scope, 2) if self._is(0.3) else None
        return Parted(outputs, source, self.condition(scope), where, self._is(0.2))
