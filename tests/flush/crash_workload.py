"""What the crashing process does, and what must be there after each step of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from manifest import parts as manifest_parts
from providers.commit.idempotency import Idempotency
from providers.commit.request import Request
from tests.storage_fixtures import Database, TableAccess, kv

Contents = Mapping[int, int]


@dataclass(frozen=True)
class Step:
    """One request: rows to write as a commit or a stream of parts, keys to delete, or a maintenance job."""

    name: str
    parts: Sequence[Mapping[int, int]] = ()
    delete: Sequence[int] = ()
    bulk: bool = False
    job: str = ""
    idempotency: Idempotency | None = field(default=None)

    def run(self, table: TableAccess) -> bool:
        """Do it; tell whether it was recognised as a repetition."""
        if self.job:
            getattr(table, self.job)()
            return False
        if self.bulk:
            load = table.bulk()
            for part in self.parts:
                load.add(table.part(*[kv(k, v) for k, v in part.items()]))
            if self.delete:
                load.add(table.part(*[kv(k) for k in self.delete], deleted=[True] * len(self.delete)))
            return load.commit(Request(self.idempotency)).replayed
        rows = [kv(k, v) for part in self.parts for k, v in part.items()]
        flags = [False] * len(rows) + [True] * len(self.delete)
        return table.write(*rows, *[kv(k) for k in self.delete], deleted=flags, idempotency=self.idempotency).replayed

    def apply(self, before: Contents) -> Contents:
        """The contents afterwards."""
        after = dict(before)
        for part in self.parts:
            after |= part
        return {key: value for key, value in after.items() if key not in self.delete}


def request(number: int) -> Idempotency:
    """A client's name for a step."""
    return Idempotency(f"step-{number}", f"hash-{number}")


STEPS = (
    Step("insert", [{k: k for k in range(20)}], idempotency=request(0)),
    Step("update and delete while hot", [{3: 33, 4: 44}], delete=[5, 6]),
    Step("flush", job="flush"),
    Step("update, delete and insert over cold rows", [{0: 100, 30: 30}], delete=[1, 2]),
    Step("flush with deletion vectors", job="flush"),
    Step(
        "bulk load over both tiers", [{7: 70, 40: 40}, {40: 41, 8: 80}], delete=[9], bulk=True, idempotency=request(5)
    ),
    Step("delete before the load is settled", delete=[10, 41]),
    Step("settling", job="settle"),
    Step("delete before compaction", delete=[7]),
    Step("compaction", job="compact"),
    Step("reclamation", job="reclaim"),
    Step("insert again what was deleted", [{1: 1000, 10: 1001}], idempotency=request(9)),
    Step("delete everything hot", delete=[1, 10]),
    Step("flush of tombstones alone", job="flush"),
    Step("second bulk load", [{k: k for k in range(15, 25)}], bulk=True, idempotency=request(12)),
    Step("second settling", job="settle"),
    Step("second compaction", job="compact"),
    Step("last commit", [{99: 99}], idempotency=request(14)),
)


def prepare(database: Database) -> list[Callable[[], object]]:
    """Make the table; return the steps."""
    manifest_parts.PENDING_MAX = 2  # so that the few batches of the workload come into files of parts
    table = database.create()
    return [partial(step.run, table) for step in STEPS]


def contents_after() -> list[Contents]:
    """Contents before the first step, and after each."""
    states: list[Contents] = [{}]
    for step in STEPS:
        states.append(step.apply(states[-1]))
    return states
