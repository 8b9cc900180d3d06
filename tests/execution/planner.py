"""Queries in this process: a database of its own, without a server in between."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from catalog.identifiers import TableName
from catalog.roles import Role
from catalog.types import format_type
from flightserver.access.principal import Principal
from flightserver.access.rights import Use
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.executor import Executor
from flightserver.execution.ingest import Load, ingest
from flightserver.execution.reading import DescribedQuery, PlannedQuery
from flightserver.settings import Settings
from flightserver.sql.parser import parse_numbered
from flightserver.sql.text.query_text import QueryText


@dataclass(frozen=True)
class Planner:
    """Runs statements, and plans and describes queries."""

    database: Database
    executor: Executor
    context: Context

    def run(self, text: str) -> None:
        """Run a statement."""
        self.executor.run(parse_numbered(text), self.context, None)

    def load(self, name: str, rows: pa.Table) -> None:
        """Make a table of rows whose first column is its key, and flush it."""
        columns = ", ".join(
            f"{part.name} {format_type(part.type)}{'' if part.nullable else ' NOT NULL'}" for part in rows.schema
        )
        self.run(f"CREATE TABLE {name} ({columns}, PRIMARY KEY ({rows.schema.names[0]}))")
        table = self.context.door.table(TableName(self.context.namespace, name), Use.INSERT)
        ingest(self.database, table, self.context, rows.to_batches(), Load())
        self.run(f"FLUSH {name}")

    def plan(self, text: str) -> PlannedQuery:
        """Plan a query."""
        return self.executor.reader.plan(QueryText(text), self.context)

    def describe(self, text: str) -> DescribedQuery:
        """Describe a query."""
        return self.executor.reader.describe(QueryText(text), self.context)

    def ids(self, condition: str, source: str = "t") -> list[int]:
        """The `id` of the rows that satisfy a condition."""
        rows = self.plan(f"SELECT id FROM {source} WHERE {condition}").rows().to_table()
        return sorted(rows.column("id").to_pylist())


@contextmanager
def opened(folder: Path) -> Iterator[Planner]:
    """A planner over a new database, which is closed at the end."""
    database = Database(Settings(data_dir=folder / "data"))
    try:
        yield Planner(database, Executor(database, {}), Context(Principal.of("root", Role.SYSTEM), database.autocommit))
    finally:
        database.close()
