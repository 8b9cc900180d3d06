"""A table that nobody sees yet: it is filled, then shown to everybody or to its session alone, or leaves nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pyarrow as pa

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from catalog.registry import Registry
from flightserver.access.door import Door
from flightserver.access.rights import Use
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.ingest import Load, ingest
from providers.commit.request import PLAIN


@dataclass(frozen=True)
class NewTable:
    """A table on its way. With `if_absent`, a table that has its name by then is no error, and stays.

    With `or_replace` it goes in the same step, with its rows and what was granted on it.
    """

    database: Database
    table: TableDef
    context: Context
    temporary: bool
    if_absent: bool
    or_replace: bool = False

    def publish(self) -> bool:
        """Show the table, empty or filled; tell whether it was. A temporary one takes the place of an older one."""
        if self.temporary:
            replaced = self.context.temporary.add(self.table)
            if replaced is not None:
                self.database.store.drop_table(replaced)
            return True
        return self._publish_to_everybody()

    def publish_filled(self, batches: Iterable[pa.RecordBatch], load: Load) -> int | None:
        """Fill the table, then show it; return how many rows it got, None when it was not shown."""
        unseen = replace(self.context, work=self.database.autocommit, request=PLAIN)
        is_shown = False
        try:
            outcome = ingest(self.database, self.table, unseen, batches, load)
            is_shown = self.publish()
        finally:
            if not is_shown:
                self.database.store.drop_table(self.table)
        return outcome.affected if is_shown else None

    def _publish_to_everybody(self) -> bool:
        after: Registry | None = None

        def change(registry: Registry) -> Registry:
            nonlocal after
            door = self.context.door.lasting.onto(registry)
            if self.if_absent and door.find_table(self.table.name, Use.DEFINE) is not None:
                return registry
            if not (self.or_replace and may_replace(self.table.name, self.table.kind_name, door)):
                door.refuse_taken(self.table.name)
            after = registry.with_table(self.table)
            return after

        self.context.work.define(change, self.context.request)
        return after is not None


def may_replace(name: TableName, kind: str, door: Door) -> bool:
    """Tell whether a table has a name, and may go for a new one of a kind; INVALID where other rights would be left.

    Whose rows there are, and which of them somebody sees, is not changed by the way, but by statements of its own.
    """
    there = door.find_table(name, Use.DEFINE)
    if there is None:
        return False
    if there.kind_name != kind:
        message = f"{name} is a {there.kind_name} table, and a {kind} one would take its place"
        raise DatabaseError(
            ErrorKind.INVALID, f"{message}; drop it first, or say CREATE OR REPLACE {there.kind_name} TABLE"
        )
    policies = door.registry.policies_of(there.id)
    if policies:
        message = f"{name} has row policies, which would go with it: {policies[0].name}"
        raise DatabaseError(ErrorKind.INVALID, f"{message}; drop them first, or TRUNCATE the table and INSERT")
    return True
