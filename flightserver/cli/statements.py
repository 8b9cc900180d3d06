"""One connection that runs one statement at a time. Whatever blocks runs on a second thread, so Ctrl-C always works."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa
from adbc_driver_flightsql import dbapi
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from catalog.identifiers import DEFAULT_NAMESPACE, TableName
from flightserver.cli.errors import CommandError, StatementCancelled, driver_errors
from flightserver.cli.options import Target

PATIENCE_S = 0.3
"""How long nothing is shown while waiting."""
LOOK_UP_S = 0.1
"""How often a wait looks up to see whether Ctrl-C was pressed."""
NAMES_S = 1.0
"""How long Tab waits for names."""
CANCEL_AGAIN_S = 0.2
"""A cancel that comes before the call has begun is lost, so it is repeated."""

T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """What a statement yields: a schema and batches, or (schema None) the count of rows that it changed."""

    schema: pa.Schema | None
    batches: Iterator[pa.RecordBatch]
    affected: int


@dataclass(frozen=True)
class Names:
    """What a server has: tables with their columns, namespaces, and the one in which names without one are."""

    tables: Mapping[TableName, Sequence[str]] = field(default_factory=dict)
    namespaces: Sequence[str] = ()
    current: str = DEFAULT_NAMESPACE


class Waiter:
    """Runs blocking work, shows a spinner with the elapsed time on a terminal, and cancels on Ctrl-C."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="statement")

    def wait(self, work: Callable[[], T], cancel: Callable[[], None], label: str = "running") -> T:
        """Return what `work` returns; raise StatementCancelled after Ctrl-C."""
        future = self._thread.submit(work)
        try:
            wait([future], PATIENCE_S)
            if not future.done() and self._console.is_terminal:
                with self._spinner(label):
                    _wait(future)
            _wait(future)
            return future.result()
        except KeyboardInterrupt:
            _cancel(future, cancel)
            raise StatementCancelled from None

    def within(self, seconds: float, work: Callable[[], T]) -> T | None:
        """Return what `work` returns, or None when that takes longer; it is finished before any other work begins."""
        future = self._thread.submit(work)
        wait([future], seconds)
        return future.result() if future.done() else None

    def _spinner(self, label: str) -> Progress:
        columns = (SpinnerColumn(), TextColumn(label), TimeElapsedColumn(), TextColumn("Ctrl-C cancels", style="dim"))
        progress = Progress(*columns, console=self._console, transient=True)
        progress.add_task(label, total=None)
        return progress


class Client:
    """A connection to a server."""

    def __init__(self, server: Target, waiter: Waiter) -> None:
        self.uri = server.uri
        self._waiter = waiter
        self._connection = server.connect()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    @contextmanager
    def run(self, text: str) -> Iterator[Result]:
        """Run a statement. Its batches can be read inside the `with` block; leaving it drops what was not read."""
        cursor = self._connection.cursor()
        try:
            with driver_errors(self.uri):
                self._waiter.wait(lambda: cursor.execute(text), cursor.adbc_cancel)
            if cursor.description:
                reader = _reader(cursor)
                yield Result(reader.schema, self._batches(cursor, reader), 0)
            else:
                yield Result(None, iter(()), cursor.rowcount)
        finally:
            cursor.close()

    def column(self, text: str) -> list[str]:
        """The first column of a result."""
        with self.run(text) as result:
            return [value for batch in result.batches for value in batch.column(0).to_pylist()]

    def names(self) -> Names | None:
        """What the server has, if it says so at once."""
        with suppress(CommandError), driver_errors(self.uri):
            return self._waiter.within(NAMES_S, self._names)
        return None

    def _names(self) -> Names:
        catalogs = self._connection.adbc_get_objects(depth="columns").read_all().to_pylist()
        schemas = [schema for catalog in catalogs for schema in catalog["catalog_db_schemas"] or ()]
        tables = {
            TableName(schema["db_schema_name"], table["table_name"]): [
                column["column_name"] for column in table["table_columns"] or ()
            ]
            for schema in schemas
            for table in schema["db_schema_tables"] or ()
        }
        with self._connection.cursor() as cursor:
            cursor.execute("SHOW schema")
            current = cursor.fetchall()[0][-1]
        return Names(tables, [schema["db_schema_name"] for schema in schemas], current)

    def _batches(self, cursor: dbapi.Cursor, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        while True:
            with driver_errors(self.uri):
                batch = self._waiter.wait(lambda: _next(reader), cursor.adbc_cancel, "reading")
            if batch is None:
                return
            yield batch


def _reader(cursor: dbapi.Cursor) -> pa.RecordBatchReader:
    """The batches of a result by the driver's own reader: the public one forgets what the server said of an error."""
    return cursor._results.reader  # noqa: SLF001


def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None


def _wait(future: Future[T]) -> None:
    """Wait in short steps: the kernel may hand SIGINT to a thread of the driver, which does not wake this one."""
    while not future.done():
        wait([future], LOOK_UP_S)


def _cancel(future: Future[T], cancel: Callable[[], None]) -> None:
    while not future.done():
        cancel()
        wait([future], CANCEL_AGAIN_S)
