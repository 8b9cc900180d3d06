"""A table that nobody sees yet: it is filled, then shown to everybody or to its session alone, or leaves nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pyarrow as pa

from catalog.definition import TableDef
from catalog.registry import Registry
from flightserver.access.rights import Use
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.ingest import Load, ingest
from providers.commit.request import PLAIN


@dataclass(frozen=True)
class NewTable:
    """A table on its way. With `if_absent`, a table that has its name by then is no error, and stays."""

    database: Database
    table: TableDef
    context: Context
    temporary: bool
    if_absent: bool

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
            door.refuse_taken(self.table.name)
            after = registry.with_table(self.table)
            return after

        self.context.work.define(change, self.context.request)
        return after is not None
