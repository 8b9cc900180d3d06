"""The scopes in memory: bounded by number, and by what their manifests take; those unused for longest go first.

A scope that somebody still works with stays known: only the reference to it here goes. One that waits for maintenance
stays; it is asked for last. To remember a scope looks at a few others, however many there are.
"""

import threading
from collections import OrderedDict
from weakref import WeakValueDictionary

from catalog.definition import Scope
from providers.commit.scope_state import ScopeState

SCOPE_BYTES = 8 << 10
"""What a scope takes beside its manifest: measured with three hot rows 6 KB, with a batch 7 KB."""

LOOKS_MAX = 8
"""Of so many scopes it is asked, each time, whether they may go."""


class Residents:
    """Scopes by who they are. Safe for use by many threads."""

    def __init__(self, bytes_max: int, scopes_max: int) -> None:
        self.bytes_max = bytes_max
        self._scopes_max = scopes_max
        self._lock = threading.Lock()
        self._known: WeakValueDictionary[Scope, ScopeState] = WeakValueDictionary()
        self._kept: OrderedDict[Scope, tuple[ScopeState, int]] = OrderedDict()
        self._bytes = 0

    def set_limit(self, bytes_max: int) -> None:
        """So much may be kept from now on."""
        self.bytes_max = bytes_max

    def find(self, scope: Scope) -> ScopeState | None:
        """A scope, if it is in memory; this is no use of it."""
        with self._lock:
            return self._known.get(scope)

    def use(self, scope: Scope) -> ScopeState | None:
        """A scope, if it is in memory; it is the one that was used last."""
        with self._lock:
            state = self._known.get(scope)
            if state is not None:
                self._keep(scope, state)
            return state

    def remember(self, scope: Scope, state: ScopeState) -> ScopeState:
        """Keep a scope, and let go of others where there is too much."""
        with self._lock:
            self._known[scope] = state
            self._keep(scope, state)
            self._make_room()
            return state

    def loaded(self) -> list[ScopeState]:
        """All scopes in memory."""
        with self._lock:
            return list(self._known.values())

    def let_go_unused(self, before: float) -> int:
        """Let go of scopes that nobody has used since a time, in seconds since 1970; return how many."""
        gone = 0
        with self._lock:
            for scope, (state, _) in list(self._kept.items()):
                if state.manifest.last_accessed >= before:
                    break
                if not state.waits_for_maintenance:
                    self._drop(scope)
                    gone += 1
        return gone

    def forget_table(self, table_id: int) -> list[ScopeState]:
        """Forget all scopes of a table; return them."""
        with self._lock:
            gone = {scope: state for scope, state in self._known.items() if scope.table_id == table_id}
            for scope in gone:
                self._drop(scope)
                del self._known[scope]
        return list(gone.values())

    def _keep(self, scope: Scope, state: ScopeState) -> None:
        """Put a scope last, with what it takes now."""
        self._drop(scope)
        size = SCOPE_BYTES + state.head.manifest.memory_bytes
        self._kept[scope] = state, size
        self._bytes += size

    def _drop(self, scope: Scope) -> None:
        _, size = self._kept.pop(scope, (None, 0))
        self._bytes -= size

    def _make_room(self) -> None:
        for _ in range(min(LOOKS_MAX, len(self._kept))):
            if self._bytes <= self.bytes_max and len(self._kept) <= self._scopes_max:
                return
            scope, (state, _) = next(iter(self._kept.items()))
            if state.waits_for_maintenance:
                self._kept.move_to_end(scope)
            else:
                self._drop(scope)
