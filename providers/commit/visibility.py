"""When commits become visible, and to whom: the one clock of all readers.

A *moment* counts publications. A commit that writes several scopes becomes visible in one moment, and a reader of
several scopes sees all of them as of one. Commits wait here, in commit order, until they are durable: whoever finds
its own commit durable shows every earlier one too, because what it built on may be part of a commit to more scopes.

A transaction reads as of the moment when it began. While it is open, scopes keep the snapshots that it may ask for;
a scope that nobody changes meanwhile keeps nothing.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from providers.commit.scope_state import ScopeState
from providers.snapshot import Snapshot

Publication = Sequence[tuple[ScopeState, Snapshot]]
Seen = TypeVar("Seen")


def nothing_more() -> None:
    """For commits of rows alone."""


class Visibility:
    """Publishes snapshots and lets readers pin them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moment = 0
        self._waiting: list[tuple[int, Publication, Callable[[], None]]] = []
        self._open: Counter[int] = Counter()
        self._changed: set[ScopeState] = set()

    def enqueue(self, ticket: int, publication: Publication, more: Callable[[], None] = nothing_more) -> None:
        """Register a commit that is in the log as `ticket`. Its scopes' writer locks are still held.

        `more` publishes what is not rows, in the same moment.
        """
        with self._lock:
            self._waiting.append((ticket, publication, more))

    def show(self, ticket: int) -> None:
        """Publish every registered commit up to `ticket`; all of them are as durable as they were promised to be."""
        with self._lock:
            due = [entry for entry in self._waiting if entry[0] <= ticket]
            self._waiting = [entry for entry in self._waiting if entry[0] > ticket]
            for _, publication, more in due:
                self._publish(publication)
                more()

    def publish(self, state: ScopeState, snapshot: Snapshot) -> None:
        """Publish a snapshot of one scope."""
        with self._lock:
            self._publish([(state, snapshot)])

    def read(self, states: Iterable[ScopeState]) -> list[Snapshot]:
        """What a reader that starts now sees of some scopes."""
        with self._lock:
            return [state.published for state in states]

    def begin(self, look: Callable[[], Seen]) -> tuple[int, Seen]:
        """Pin the present moment until `end`; return it, and what `look` sees in it."""
        with self._lock:
            self._open[self._moment] += 1
            return self._moment, look()

    def read_at(self, state: ScopeState, moment: int) -> Snapshot:
        """What a reader that began at a pinned moment sees of a scope."""
        with self._lock:
            return state.as_of(moment)

    def past(self, moment: int) -> list[Snapshot]:
        """What is kept of scopes that have changed since a pinned moment, for those who read as of it."""
        with self._lock:
            return [state.as_of(moment) for state in self._changed]

    def end(self, moment: int) -> None:
        """Let a pinned moment go, and what only it needed."""
        with self._lock:
            self._open[moment] -= 1
            self._open += Counter()
            for state in list(self._changed):
                if not state.keep_for(self._open):
                    self._changed.remove(state)

    def _publish(self, publication: Publication) -> None:
        self._moment += 1
        for state, snapshot in publication:
            state.publish(snapshot, self._moment)
            if state.keep_for(self._open):
                self._changed.add(state)
