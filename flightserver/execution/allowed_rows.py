"""The rows that policies have left of a snapshot, kept for the next statement that reads the same state.

A snapshot never changes, so what a condition leaves of it is the same, unless something in the condition tells the time
or is random. The condition is known by the engine's text, in which `CURRENT_USER` and its like are values already: what
one user may see is never found by another. What is kept goes with its snapshot, which it does not keep alive.
"""

import threading
from collections.abc import Callable
from weakref import WeakKeyDictionary

import pyarrow as pa

from providers.snapshot import Snapshot


class AllowedRows:
    """Tables of rows by snapshot and text, at most `bytes_max` in all."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._kept: WeakKeyDictionary[Snapshot, dict[str, pa.Table]] = WeakKeyDictionary()

    def get(self, snapshot: Snapshot, text: str, read: Callable[[], pa.Table]) -> pa.Table:
        """What was kept for a text; else what `read` gives, which is kept if there is room for it."""
        with self._lock:
            found = self._kept.get(snapshot, {}).get(text)
        if found is not None:
            return found
        rows = read().combine_chunks()
        if rows.nbytes <= self._bytes_max:
            with self._lock:
                if self.nbytes + rows.nbytes > self._bytes_max:
                    self._kept.clear()
                self._kept.setdefault(snapshot, {})[text] = rows
        return rows

    @property
    def nbytes(self) -> int:
        """How much is kept."""
        return sum(int(rows.nbytes) for kept in list(self._kept.values()) for rows in kept.values())
