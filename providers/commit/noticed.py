"""Scopes in which something happened that maintenance may have to do with."""

import threading

from catalog.definition import Scope


class Noticed:
    """Each scope once, since somebody last asked. Any thread may note one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scopes: dict[Scope, None] = {}

    def note(self, scope: Scope) -> None:
        """Something happened in a scope: it was loaded, a snapshot of it was published, files were left behind."""
        with self._lock:
            self._scopes[scope] = None

    def take(self) -> list[Scope]:
        """Those that were noted, in this order, and begin anew."""
        with self._lock:
            taken, self._scopes = list(self._scopes), {}
            return taken
