"""Which hot records there are, of whom and how many, without loading what they belong to."""

import logging
from collections.abc import Iterator

from catalog.definition import Scope, TableDef
from catalog.errors import DatabaseError
from catalog.keyvalue import Family, KeyValueStore
from providers.damage import DamagedPart, named
from providers.hot.record import SEQ_BYTES, prefix_end, scope_prefix, table_of, table_prefix, user_of

log = logging.getLogger(__name__)

_END = b"\xff" * 9


class HotRecords:
    """The hot records on disk of all tables."""

    def __init__(self, keyvalue: KeyValueStore) -> None:
        self._keyvalue = keyvalue

    def tables(self) -> Iterator[int]:
        """Ids of all tables that have some, known or not; those that can be read."""
        lower = b""
        while (key := self._first_from(lower)) is not None:
            table_id = table_of(key)
            yield table_id
            lower = prefix_end(table_prefix(table_id))

    def users(self, table: TableDef) -> Iterator[str | None]:
        """Users (None for a SHARED table) who have some of a table; DamagedError when nobody can tell."""
        lower = table_prefix(table.id)
        end = prefix_end(lower)
        while True:
            with named(table, Scope(table.id, None), DamagedPart.HOT_ROWS):
                key = self._keyvalue.first_key(Family.HOT, lower, end)
            if key is None:
                return
            yield user_of(key)
            lower = prefix_end(key[:-SEQ_BYTES])

    def are_there(self, scope: Scope) -> bool:
        """Tell whether a scope has some."""
        prefix = scope_prefix(scope)
        return self._keyvalue.first_key(Family.HOT, prefix, prefix_end(prefix)) is not None

    def are_few(self, scope: Scope, *, records_max: int, bytes_max: int) -> bool:
        """Tell whether a scope has no more than so many, and of no more bytes."""
        prefix, size = scope_prefix(scope), 0
        for count, (_, stored) in enumerate(self._keyvalue.scan(Family.HOT, prefix, prefix_end(prefix)), 1):
            size += len(stored)
            if count > records_max or size > bytes_max:
                return False
        return True

    def _first_from(self, lower: bytes) -> bytes | None:
        """The first key from here on; none when that cannot be read."""
        try:
            return self._keyvalue.first_key(Family.HOT, lower, _END)
        except DatabaseError as error:
            log.warning("not all hot records can be read: %s", error.message)
            return None
