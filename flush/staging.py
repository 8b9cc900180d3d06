"""Batches that a job writes and that no manifest names yet.

Their numbers are in flight, so that reclamation leaves their files alone. However the job ends, what it did not publish
is deleted: a job that failed on a full disk does not go on filling it.
"""

from collections.abc import Iterable
from types import TracebackType

from providers.cold.scope_folder import ScopeFolder
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore


class Staging:
    """The staged batches of one job in one scope, whose folder is made. Any thread of the job may ask for a number."""

    def __init__(self, store: ScopeStore, state: ScopeState) -> None:
        self._store = store
        self._state = state
        self._numbers: set[int] = set()
        self.folder: ScopeFolder = store.folder(state)

    def __enter__(self) -> "Staging":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def next_batch(self) -> int:
        """A number for a batch, which no file of the scope has or ever had."""
        batch = self._store.names.next_batch(self._state)
        self._numbers.add(batch)
        return batch

    def discard(self, batches: Iterable[int]) -> None:
        """Delete the files of some of the batches, unless they were published."""
        gone = self._numbers.intersection(batches)
        self._numbers -= gone
        self._store.names.discard_batches(self._state, gone)

    def leave(self, batches: Iterable[int]) -> None:
        """Leave the files of some of the batches to reclamation: somebody may still read them."""
        left = self._numbers.intersection(batches)
        self._numbers -= left
        self._state.has_leftovers = True
        self._state.release_batches(left)

    def close(self) -> None:
        """Delete what was not published."""
        self.discard(list(self._numbers))
