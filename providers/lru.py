"""A cache bounded in bytes that forgets what was used longest ago. Safe for use by many threads."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
"""Never None."""


class ByteBoundedCache(Generic[Key, Value]):
    """Values by key, at most `bytes_max` in total by the sizes given; one larger value is kept alone."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()

    def __contains__(self, key: Key) -> bool:
        with self._lock:
            return key in self._entries

    def find(self, key: Key) -> Value | None:
        """The value of `key`, or None."""
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                return None
            self._entries.move_to_end(key)
            return found[0]

    def get(self, key: Key, load: Callable[[], Value], size: Callable[[Value], int]) -> Value:
        """Return the value of `key`, loading it outside the lock when it is absent."""
        found = self.find(key)
        if found is not None:
            return found
        value = load()
        self.put(key, value, size(value))
        return value

    def put(self, key: Key, value: Value, size: int) -> None:
        """Store a value of `size` bytes."""
        with self._lock:
            old = self._entries.pop(key, None)
            self._bytes += size - (old[1] if old else 0)
            self._entries[key] = (value, size)
            while self._bytes > self._bytes_max and len(self._entries) > 1:
                _, (_, dropped) = self._entries.popitem(last=False)
                self._bytes -= dropped
