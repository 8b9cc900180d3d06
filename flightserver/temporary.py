"""Temporary tables: seen by one session alone, gone with it.

Their definitions are not in the catalog, so a crash leaves nothing: unknown tables are deleted when the server starts.
A temporary table hides a table of the same name. Its definition is no part of a transaction; its rows are.
"""

import threading
from collections.abc import Mapping

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from catalog.registry import Changes, Registry
from catalog.sorted_map import Difference
from catalog.store import Change
from providers.commit.work import Work


class TemporaryTables:
    """The temporary tables of a session."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: dict[TableName, TableDef] = {}
        self._closed = False

    @property
    def tables(self) -> list[TableDef]:
        """All of them."""
        return list(self._tables.values())

    def add(self, table: TableDef) -> TableDef | None:
        """Show a table to this session; return the temporary one that it replaces."""
        with self._lock:
            if self._closed:  # by KILL or a timeout, while the table was being filled
                raise DatabaseError(ErrorKind.UNAVAILABLE, "the session was closed; connect again")
            replaced = self._tables.get(table.name)
            self._tables = {**self._tables, table.name: table}
            return replaced

    def close(self) -> list[TableDef]:
        """Forget all tables, and take no more; return those that there were."""
        with self._lock:
            self._closed = True
            gone, self._tables = self.tables, {}
            return gone

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
        return [table for name, table in mine.items() if name not in after]


def _in_front(tables: Mapping[TableName, TableDef], registry: Registry) -> Changes:
    return Changes(tables=[Difference(name, registry.tables.get(name), table) for name, table in tables.items()])
