"""A cache bounded in bytes that keeps what is asked for again soonest. Safe for use by many threads.

What was used longest ago goes first, but only for something that was asked for before, and within a shorter time than
the other has been unused. So a walk over more than fits, again and again in one order, finds as much as fits: the
oldest is the next to be asked for, and what comes for it has been away for the whole round. What is asked for once
pushes nothing out. Time is counted in look-ups.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
"""Never None."""

REMEMBERED_MIN, REMEMBERED_SHARE = 1_024, 8
"""Of how many absent keys is known when they were asked for: so many, or so many times the keys that are present."""


@dataclass
class _Entry(Generic[Value]):
    value: Value
    size: int
    used: int


class ByteBoundedCache(Generic[Key, Value]):
    """Values by key, at most `bytes_max` in total by the sizes given; one larger value is kept alone."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self._bytes = 0
        self._now = 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[Key, _Entry[Value]] = OrderedDict()
        self._absent: OrderedDict[int, int] = OrderedDict()
        """When keys that are not here were last asked for, by their hashes: two that share one do no harm."""

    def __contains__(self, key: Key) -> bool:
        with self._lock:
            return key in self._entries

    def has_room(self, size: int) -> bool:
        """Tell whether a value of `size` bytes would push nothing out."""
        return self._bytes + size <= self.bytes_max

    def find(self, key: Key) -> Value | None:
        """The value of `key`, or None."""
        with self._lock:
            self._now += 1
            found = self._entries.get(key)
            if found is None:
                return None
            self._entries.move_to_end(key)
            found.used = self._now
            return found.value

    def get(self, key: Key, load: Callable[[], Value], size: Callable[[Value], int]) -> Value:
        """Return the value of `key`, loading it outside the lock when it is absent."""
        found = self.find(key)
        if found is not None:
            return found
        value = load()
        self.put(key, value, size(value))
        return value

    def forget(self, is_gone: Callable[[Key], bool]) -> None:
        """Let go of the values whose keys are gone. It looks at all of them."""
        with self._lock:
            for key in [key for key in self._entries if is_gone(key)]:
                self._bytes -= self._entries.pop(key).size

    def put(self, key: Key, value: Value, size: int) -> None:
        """Store a value of `size` bytes, unless those that would have to go are the better ones to keep."""
        with self._lock:
            old = self._entries.pop(key, None)
            self._bytes -= old.size if old else 0
            asked = old.used if old else self._absent.pop(hash(key), None)
            if not self._make_room(size, asked):
                self._remember_absent(key, self._now)
                return
            self._bytes += size
            self._entries[key] = _Entry(value, size, self._now)

    def _make_room(self, size: int, asked: int | None) -> bool:
        """Let go of what was used longest ago for something last asked for at `asked`, or of nothing."""
        gone, free = [], self.bytes_max - self._bytes
        for key, entry in self._entries.items():
            if free >= size:
                break
            if asked is None or entry.used >= asked:
                return False
            gone.append(key)
            free += entry.size
        for key in gone:
            entry = self._entries.pop(key)
            self._bytes -= entry.size
            self._remember_absent(key, entry.used)
        return True

    def _remember_absent(self, key: Key, used: int) -> None:
        self._absent[hash(key)] = used
        if len(self._absent) > max(REMEMBERED_MIN, REMEMBERED_SHARE * len(self._entries)):
            self._absent.popitem(last=False)
