"""The server's side of a file: a namespace whose rows are hot, in files, or half of them in files."""

import re
from enum import Enum

import pyarrow as pa
from adbc_driver_flightsql import dbapi

from catalog.plain import plain_values
from tests.e2e.client import Client
from tests.engine_corpus.answers import Answer, of_table
from tests.engine_corpus.bare import BareEngine

_START = r"(?:\s|--[^\n]*\n)*"
_NAME = r'((?:"[^"]+"|[\w.])+)'
_CREATES = re.compile(
    rf"{_START}(?:CREATE\b.*?\bTABLE\s+(?:IF NOT EXISTS\s+)?|SELECT\b(?:(?!\bFROM\b).)*?\bINTO\s+){_NAME}",
    re.IGNORECASE | re.DOTALL,
)
_EXTERNAL = re.compile(rf"{_START}CREATE\s+(?:UNBOUNDED\s+)?EXTERNAL\b", re.IGNORECASE)
_WRITES_FILES = re.compile(rf"{_START}(?:COPY|INSERT)\b", re.IGNORECASE)
_WITH_COLUMNS = re.compile(
    rf"{_START}CREATE\s+(?:OR\s+REPLACE\s+)?(TABLE\s+(?:IF NOT EXISTS\s+)?{_NAME}\s*\(.*\))\s*"
    r"AS\s+(?:VALUES|SELECT|WITH|\()",
    re.IGNORECASE | re.DOTALL,
)
_CHANGES = re.compile(
    rf"{_START}(?:WITH\b.*?)?(?:INSERT\s+(?:INTO|OVERWRITE)(?:\s+TABLE)?|UPDATE|DELETE\s+FROM|TRUNCATE\s+TABLE)\s+"
    rf"{_NAME}",
    re.IGNORECASE | re.DOTALL,
)

NOT_LOADED = "the engine has no rows of the table to load"


class Tier(Enum):
    """Where the rows of the tables are when they are asked for."""

    HOT = "hot"
    COLD = "cold"
    HALF = "half"


class Served:
    """The tables of one file in a namespace of the server, in one state of storage.

    What the server refuses and the bare engine does is made up for: the table is loaded as the engine then has it, so
    that the queries that follow are asked nevertheless.
    """

    def __init__(self, client: Client, tier: Tier, namespace: str) -> None:
        self._client = client
        self._tier = tier
        self._namespace = f'"{namespace}"'
        self._not_made: dict[str, str] = {}
        self._external: set[str] = set()
        client.run(f"DROP NAMESPACE IF EXISTS {self._namespace} CASCADE")
        client.run(f"CREATE NAMESPACE {self._namespace}")
        client.run(f"USE {self._namespace}")

    def end(self) -> None:
        """Drop the namespace."""
        self._client.run("USE public")
        self._client.run(f"DROP NAMESPACE {self._namespace} CASCADE")

    def rows(self, sql: str) -> Answer:
        """Ask a query; an error about a table that could not be loaded says why it could not."""
        try:
            return of_table(self._client.arrow(sql))
        except (dbapi.Error, pa.ArrowException, OSError) as error:
            return Answer(error=self._reason(str(error)))

    def changed(self, sql: str) -> Answer:
        """Run a statement; a change of rows is answered by how many they are."""
        try:
            count = self._client.update(sql)
        except (dbapi.Error, pa.ArrowException, OSError) as error:
            return Answer(error=self._reason(str(error)))
        return Answer(((count,),) if _CHANGES.match(sql) else ())

    def make_up(self, sql: str, said: Answer, bare: BareEngine) -> None:
        """Bring the tables of a statement, which the engine has run, where this tier has its rows."""
        name = changed_table(sql)
        if _EXTERNAL.match(sql):
            self._external.add(name)
        if _WRITES_FILES.match(sql):
            for external in self._external - {name}:
                self._load(external, bare.table(external), "")
        created = _CREATES.match(sql) is not None
        if name and (said.error or (created and self._tier is Tier.HALF)):
            self._load(name, bare.table(name), _definition(sql))

    def settle(self, *, at_end: bool) -> None:
        """Flush after statements, or in their middle, if this tier asks for it."""
        if self._tier is (Tier.COLD if at_end else Tier.HALF):
            self._client.run("FLUSH ALL")

    def _load(self, name: str, rows: pa.Table | None, definition: str) -> None:
        """Make a table anew with the rows that it has, as it was defined if the server takes that by itself."""
        called = name.strip('"') if name.startswith('"') else name.lower()
        self._try(f"DROP TABLE IF EXISTS {name}")
        if rows is None:
            self._not_made[called] = NOT_LOADED
            return
        rows = _without_views(rows)
        half = len(rows) // 2 if self._tier is Tier.HALF else 0
        try:
            first = "append" if definition and self._try(f"CREATE {definition}") else "create"
            self._client.ingest(called, _stream(rows.slice(0, half)), mode=first)
            if half:
                self._client.run("FLUSH ALL")
            self._client.ingest(called, _stream(rows.slice(half)), mode="append")
            self._not_made.pop(called, None)
        except (dbapi.Error, pa.ArrowException, OSError) as error:
            self._try(f"DROP TABLE IF EXISTS {name}")
            self._not_made[called] = str(error)

    def _try(self, sql: str) -> bool:
        try:
            self._client.run(sql)
        except dbapi.Error:
            return False
        return True

    def _reason(self, error: str) -> str:
        for name, reason in self._not_made.items():
            if f"'{name}'" in error or f".{name} " in error:
                return reason
        return error


def _stream(rows: pa.Table) -> pa.RecordBatchReader:
    """Rows as a stream with a batch at least: without one the driver sends not even the columns."""
    empty = pa.RecordBatch.from_pylist([], schema=rows.schema)
    return pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches() or [empty])


def _without_views(rows: pa.Table) -> pa.Table:
    """Rows whose lists lie one behind another: the driver cannot send a part of a list view."""
    for number, column in enumerate(rows.schema):
        if pa.types.is_list_view(column.type) or pa.types.is_large_list_view(column.type):
            rows = rows.set_column(number, column.name, plain_values(rows.column(number)))
    return rows


def _definition(sql: str) -> str:
    """What CREATE says of a table's columns, without the rows that it gives the table; nothing if it says nothing."""
    found = _WITH_COLUMNS.match(sql)
    return found[1] if found else ""


def changed_table(sql: str) -> str:
    """The table that a statement makes or changes, as it is written; nothing if it does neither."""
    found = _CREATES.match(sql) or _CHANGES.match(sql)
    return found[1] if found else ""
