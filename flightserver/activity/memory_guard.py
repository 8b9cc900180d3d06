"""The memory that the process really has, watched: beyond its limit, the largest statement is ended.

The engine's pool counts what joins, groups and sorts ask it for. It does not know of plans, of what functions make, of
batches between operators and of results, so a statement can take many times the limit without asking. The operating
system knows, but not which statement took what: nobody does. So each growth of the process is charged to the
statements that were at work while it happened, in equal parts, and the one that was charged most is taken for the
largest. Of two that worked side by side all the time this can be the wrong one; when the memory still grows, the other
follows.

What statements have taken together is what the process has, less what it had before the oldest of them began. An
allocator that keeps what was freed makes that look larger than it is, and the allowance has room for it.

While nothing runs nobody looks: the first statement wakes the guard.

A statement is asked to stop, and stops at the engine's next yield. What runs between two yields (one function over one
batch, one plan) cannot be interrupted by anybody; those are bounded before they begin (`sql/meaning/plan_size.py`,
`providers/engine/growth.py`).
"""

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from catalog.errors import ErrorKind
from flightserver.activity.gate import no_limit
from flightserver.activity.statement import RunningStatement
from providers.ticker import WokenTicker

ALLOWANCE_BYTES = 128 << 20
"""Beyond the limit of all queries: batches on their way, what allocators keep."""

TICK_SECONDS = 0.03
"""A statement takes at most some 2 GB a second: 60 MB between two looks."""

PATIENCE_TICKS = 15
"""How long a statement that was asked to stop has before the next is, unless memory goes on growing."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """What the process has in memory; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


@dataclass
class _Charged:
    """A statement at work: what the process had before it, what it is charged with, whether it was asked to stop."""

    before: int
    bytes: float = 0.0
    is_asked: bool = False


@dataclass
class MemoryGuard:
    """Looks at the process now and then. `at_work` yields the statements that may be ended."""

    at_work: Callable[[], Collection[RunningStatement]]
    limit_bytes: int
    limit_of: Callable[[str], int | None] = no_limit
    resident: Callable[[], int] = resident_bytes
    _seen: int = 0
    _charged: dict[RunningStatement, _Charged] = field(default_factory=dict)
    _patience: int = 0
    _ended_at: int = 0

    def __post_init__(self) -> None:
        self._seen = self.resident()

    def begin(self) -> None:
        """Look anew after a while in which nothing ran: nobody is charged with what the process has from before."""
        self._seen = self.resident()

    def tick(self) -> None:
        """Charge what the process has grown by; end the largest statement when it has grown by too much."""
        working, now = self.at_work(), self.resident()
        self._charged = {one: self._charged.get(one) or _Charged(self._seen) for one in working}
        for charged in self._charged.values():
            charged.bytes += max(now - self._seen, 0) / len(self._charged)
        self._seen = now
        self._end_of_users()
        taken = now - min((charged.before for charged in self._charged.values()), default=now)
        if taken > self.limit_bytes + ALLOWANCE_BYTES:
            self._end_largest(taken)
        else:
            self._patience = 0

    def _end_of_users(self) -> None:
        """Ask the largest statement of each user to stop whose statements were charged with too much."""
        for user in {statement.user for statement in self._charged}:
            limit = self.limit_of(user)
            own = [(charged, one) for one, charged in self._charged.items() if one.user == user]
            if limit is None or sum(charged.bytes for charged, _ in own) <= limit:
                continue
            if any(charged.is_asked for charged, _ in own):
                continue
            charged, largest = max(own, key=lambda item: item[0].bytes)
            charged.is_asked = True
            largest.cancel(
                f"the statement was ended because {user} took more than memory_mb = {limit >> 20}; make it smaller",
                ErrorKind.RESOURCES,
            )

    def _end_largest(self, taken: int) -> None:
        """Ask the largest statement to stop, when those that were asked before had their time."""
        self._patience -= 1
        if self._patience > 0 and taken < self._ended_at + ALLOWANCE_BYTES:
            return
        left = [(charged.bytes, statement) for statement, charged in self._charged.items() if not charged.is_asked]
        if left:
            _, largest = max(left, key=itemgetter(0))
            self._charged[largest].is_asked = True
            self._patience, self._ended_at = PATIENCE_TICKS, taken
            largest.cancel(self._reason(taken), ErrorKind.RESOURCES)

    def _reason(self, taken: int) -> str:
        others = len(self._charged) - 1
        beside = f", and is taken for the largest of {others + 1}" if others else ""
        return (
            f"the statement was ended because the server took {taken >> 20:,} MB for what runs, beyond"
            f" memory_limit_mb = {self.limit_bytes >> 20}{beside}; make it smaller, or raise the limit"
        )


def memory_ticker(guard: MemoryGuard, is_needed: Callable[[], bool]) -> WokenTicker:
    """The thread that looks while something runs, and sleeps else."""
    return WokenTicker("memory", guard.tick, TICK_SECONDS, is_needed, guard.begin)
