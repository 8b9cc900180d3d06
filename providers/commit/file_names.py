"""Names for new files of a scope, and the end of files that no manifest names.

A number is on record before a file has it, and a file goes only when that record is durable: a name never comes back
(`used_names`), and a job's leftovers never have the name of what comes later.
"""

import logging
from collections.abc import Callable, Iterable

from catalog.errors import DatabaseError
from catalog.keyvalue import AtomicWrite, KeyValueStore
from manifest.layout import batch_of_file
from providers.commit.scope_state import ScopeState
from providers.commit.used_names import UsedNames, put_used

log = logging.getLogger(__name__)


class FileNames:
    """Hands out batch numbers and manifest versions of all scopes."""

    def __init__(self, keyvalue: KeyValueStore) -> None:
        self._keyvalue = keyvalue

    def next_batch(self, state: ScopeState) -> int:
        """Return a batch number that no file of the scope has or ever had. It is in flight from now on."""
        with state.naming:
            self._record(state, state.used.next_batch)
            state.begin_batch(state.used.batch)
            return state.used.batch

    def next_version(self, state: ScopeState) -> int:
        """Return a manifest version that no file of the scope was ever named by."""
        with state.naming:
            self._record(state, state.used.next_version)
            return state.used.version

    def keep_used(self, state: ScopeState) -> None:
        """Make sure that no name comes back whose file is deleted after this."""
        with state.naming:
            self._record(state, state.used)
            ticket = state.recorded_ticket
        self._keyvalue.wait_durable(ticket)

    def discard_batches(self, state: ScopeState, batches: Iterable[int]) -> None:
        """Delete the files of those batches that are in flight."""
        staged = state.batches_in_flight() & set(batches)
        if staged and not state.unsure:
            self.delete_unpublished(state, lambda name: batch_of_file(name) in staged)
            state.release_batches(staged)

    def delete_unpublished(self, state: ScopeState, is_doomed: Callable[[str], bool]) -> None:
        """Delete files that no manifest names, unless nobody knows. What cannot be deleted now is a leftover."""
        if state.unsure:
            return
        folder = state.head.cold.folder
        try:
            self.keep_used(state)
            for name in filter(is_doomed, folder.names()):
                folder.unlink(name)
        except (DatabaseError, OSError) as error:
            log.warning("files of %s could not be deleted yet: %s", state.head.table.name, error)
            state.has_leftovers = True

    def _record(self, state: ScopeState, used: UsedNames) -> None:
        """Put on record what is used, with `naming` held. A name that cannot be put on record is not used."""
        if used != state.recorded:
            batch = AtomicWrite()
            put_used(batch, state.head.scope, used)
            state.recorded_ticket = self._keyvalue.append(batch)
        state.used = state.recorded = used
