"""Tables in this process, without a server in between, and the ways in which rows come into them."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from catalog.identifiers import TableName
from catalog.roles import Role
from flightserver.access.principal import Principal
from flightserver.access.rights import Use
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.executor import Executor
from flightserver.execution.ingest import Load, ingest
from flightserver.execution.rows import Rows
from flightserver.settings import Settings
from flightserver.sql.parser import parse_numbered
from flush.bulk import BulkLoad
from providers.rows.conversion import Strictness
from providers.rows.offered import admitted


class Tables:
    """A database in a folder, whose tables are known by their names."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(Settings(data_dir=folder / "data"))
        self.context = Context(Principal.of("root", Role.SYSTEM), self.database.autocommit)
        self._executor = Executor(self.database, {})

    def run(self, text: str, bound: pa.Table | None = None) -> Any:
        """Run a statement; return the rows of a query."""
        answer = self._executor.run(parse_numbered(text), self.context, bound)
        return answer.to_table() if isinstance(answer, Rows) else answer

    def ids(self, text: str, bound: pa.Table | None = None) -> list[int]:
        """The first column of a query."""
        found: list[int] = self.run(text, bound).column(0).to_pylist()
        return found

    def hot(self, table: str, *rows: pa.Table) -> None:
        """Ingest rows, a stream for each table of them."""
        definition = self.context.door.table(TableName("public", table), Use.INSERT)
        for some in rows:
            ingest(self.database, definition, self.context, some.to_batches(), Load())

    def cold(self, table: str, *rows: pa.Table) -> None:
        """The same, each stream flushed into a batch of its own."""
        for some in rows:
            self.hot(table, some)
            self.run(f"FLUSH {table}")

    def segments(self, table: str, *rows: pa.Table) -> None:
        """The same as large streams come: each is a segment that waits to be settled."""
        definition = self.context.door.table(TableName("public", table), Use.INSERT)
        store = self.database.store
        for some in rows:
            load = BulkLoad(store, store.state(definition, None), definition)
            load.add(admitted(definition, some, "root", store.allocator, Strictness.STREAM))
            load.commit()
