"""Temporary tables: seen by one session alone, gone with it.

Their definitions are not in the catalog, so a crash leaves nothing: unknown tables are deleted when the server starts.
A temporary table hides a table of the same name. Its definition is no part of a transaction; its rows are.
"""

import threading
from collections.abc import Callable, Mapping

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from catalog.registry import Changes, Registry
from catalog.sorted_map import Difference
from catalog.store import Change
from flightserver.activity.entries import Kind
from flightserver.activity.ledger import Account, Ending, Kept
from providers.commit.work import Work


class TemporaryTables:
    """The temporary tables of a session."""

    def __init__(self, account: Account | None = None) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._tables: dict[TableName, TableDef] = {}
        self._kept: dict[int, Kept] = {}
        self._closed = False

    @property
    def tables(self) -> list[TableDef]:
        """All of them."""
        return list(self._tables.values())

    def add(self, table: TableDef) -> TableDef | None:
        """Show a table to this session; return the temporary one that it replaces. RESOURCES when it has too many."""
        kept = self._account.keep(Kind.TEMPORARY_TABLE, _goes_with_session) if self._account is not None else None
        with self._lock:
            if self._closed:  # by KILL or a timeout, while the table was being filled
                if kept is not None:
                    kept.let_go()
                raise DatabaseError(ErrorKind.UNAVAILABLE, "the session was closed; connect again")
            replaced = self._tables.get(table.name)
            self._tables = {**self._tables, table.name: table}
            if kept is not None:
                self._kept[table.id] = kept
            self._let_go_of_others()
            return replaced

    def close(self) -> list[TableDef]:
        """Forget all tables, and take no more; return those that there were."""
        with self._lock:
            self._closed = True
            gone, self._tables = self.tables, {}
            self._let_go_of_others()
            return gone

    def note_sizes(self, size_of: Callable[[TableDef], int]) -> None:
        """Enter into the ledger how much memory each table takes by now."""
        for table in self.tables:
            kept = self._kept.get(table.id)
            if kept is not None:
                kept.note_size(size_of(table))

    def over(self, registry: Registry) -> Registry:
        """A registry with these tables in front of its own."""
        return registry.with_changes(_in_front(self._tables, registry)) if self._tables else registry

    def define(self, work: Work, change: Change) -> list[TableDef]:
        """Change definitions; what concerns a temporary table stays here. Return the temporary tables that are gone."""
        mine = self._tables
        if not mine:
            work.define(change)
            return []
        after: dict[TableName, TableDef] = {}

        def durable(registry: Registry) -> Registry:
            changed = change(self.over(registry))
            back = []
            for name, table in mine.items():
                found = changed.tables.get(name)
                if found is not None and found.id != table.id:
                    raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"{name} is a temporary table; drop it first")
                if found is not None:
                    after[name] = found
                back.append(Difference(name, found, registry.tables.get(name)))
            return changed.with_changes(Changes(tables=back))

        work.define(durable)
        with self._lock:
            self._tables = after
            self._let_go_of_others()
        return [table for name, table in mine.items() if name not in after]

    def _let_go_of_others(self) -> None:
        """Take tables off the ledger that are gone."""
        known = {table.id for table in self._tables.values()}
        for table_id in self._kept.keys() - known:
            self._kept.pop(table_id).let_go()


def _goes_with_session(_: Ending) -> None:
    """A temporary table is dropped by its session."""


def _in_front(tables: Mapping[TableName, TableDef], registry: Registry) -> Changes:
    return Changes(tables=[Difference(name, registry.tables.get(name), table) for name, table in tables.items()])
