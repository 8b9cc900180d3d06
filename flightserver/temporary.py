"""Temporary tables: seen by one session alone, gone with it.

Their definitions are not in the catalog, so a crash leaves nothing: unknown tables are deleted when the server starts.
A temporary table hides whatever else has its name, and stands in nobody's way. Its definition is no part of a
transaction; its rows are.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from flightserver.activity.entries import Kind
from flightserver.activity.ledger import Account, Ending, Kept
from providers.commit.definitions import dropped


class TemporaryTables:
    """The temporary tables of a session. Each change leaves the mapping that others look at as it is."""

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

    @property
    def by_name(self) -> Mapping[TableName, TableDef]:
        """All of them, as they are now."""
        return MappingProxyType(self._tables)

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

    def alter(self, table: TableDef, change: Callable[[TableDef], TableDef]) -> None:
        """Define a table anew, by what it is now."""
        with self._lock:
            now = self._tables.get(table.name)
            if now is None or now.id != table.id:
                raise dropped(table)
            self._tables = {**self._tables, now.name: change(now)}

    def remove(self, names: Collection[TableName]) -> list[TableDef]:
        """Forget some tables; return those that there were."""
        with self._lock:
            gone = [table for name, table in self._tables.items() if name in names]
            self._tables = {name: table for name, table in self._tables.items() if name not in names}
            self._let_go_of_others()
            return gone

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

    def _let_go_of_others(self) -> None:
        """Take tables off the ledger that are gone."""
        known = {table.id for table in self._tables.values()}
        for table_id in self._kept.keys() - known:
            self._kept.pop(table_id).let_go()


def _goes_with_session(_: Ending) -> None:
    """A temporary table is dropped by its session."""
