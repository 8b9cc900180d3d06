"""`flightserver load`: files into a table, streamed, as one commit."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pyarrow as pa
from adbc_driver_flightsql import dbapi
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from catalog.errors import DatabaseError
from catalog.identifiers import DEFAULT_NAMESPACE, TableName
from flightserver.cli.errors import CommandError, StatementCancelled, driver_errors
from flightserver.cli.options import Target, target, target_options
from flightserver.cli.sources import CsvForm, Source
from flightserver.cli.statements import Waiter
from flightserver.sql.text.cursor import Cursor
from flightserver.sql.text.tokens import tokenize

INTERRUPTED = 130
MODES = ("create", "append", "replace", "create_append")


@click.command("load")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--table", "name", required=True, help="TABLE or NAMESPACE.TABLE.")
@click.option("--mode", type=click.Choice(MODES), default=MODES[0], show_default=True, help="What happens to a table.")
@click.option("--batch-rows", type=click.IntRange(1), default=65_536, show_default=True, help="Rows sent at a time.")
@click.option("--null", "nulls", multiple=True, default=("",), help="CSV text without quotes that means NULL.")
@target_options
def load(
    files: tuple[Path, ...],
    name: str,
    mode: str,
    batch_rows: int,
    nulls: tuple[str, ...],
    uri: str,
    user: str | None,
    password: str | None,
) -> None:
    """Load Parquet, CSV(.gz) and Arrow files into a table as one commit.

    A row whose key is in the table already gets a new version. A new table made here has no key and only grows: to load
    into a table with a key, CREATE it first and use --mode append.
    """
    table = table_name(name)
    server = target(uri, user, password)
    connection = server.connect()
    try:
        types = _existing(connection, server, table) if mode in {"append", "create_append"} else None
        source = Source(files, batch_rows, CsvForm(nulls, types))
        started = time.perf_counter()
        rows = _ingest(connection, server, table, mode, source)
        seconds = time.perf_counter() - started
        click.echo(f"loaded {rows:,} rows into {table} in {seconds:.2f} s ({rows / max(seconds, 1e-9):,.0f} rows/s)")
    except StatementCancelled:
        click.echo("flightserver: cancelled; nothing was written", err=True)
        sys.exit(INTERRUPTED)
    finally:
        connection.close()


def table_name(text: str) -> TableName:
    """A table's name as SQL reads it."""
    try:
        cursor = Cursor(text, tokenize(text))
        ref = cursor.table()
        cursor.expect_end()
    except DatabaseError as error:
        raise CommandError(f"--table {text}: {error.message}") from error
    return TableName(ref.namespace or DEFAULT_NAMESPACE, ref.table)


def _existing(connection: dbapi.Connection, server: Target, table: TableName) -> pa.Schema | None:
    """The schema of a table that exists, by which CSV text is read."""
    with driver_errors(server.uri):
        try:
            return connection.adbc_get_table_schema(table.table, db_schema_filter=table.namespace)
        except dbapi.ProgrammingError:
            return None


def _ingest(connection: dbapi.Connection, server: Target, table: TableName, mode: str, source: Source) -> int:
    """Send all rows. A failure on this side wins over what the driver makes of it."""
    failures: list[CommandError] = []
    console = Console(stderr=True)
    with _bar(console, source.bytes) as (progress, task):

        def batches() -> Iterator[pa.RecordBatch]:
            try:
                yield from source.batches(lambda done: progress.update(task, completed=done))
            except CommandError as error:
                failures.append(error)
                raise

        reader = pa.RecordBatchReader.from_batches(source.schema, batches())
        cursor = connection.cursor()
        try:
            with driver_errors(server.uri):
                return _send(cursor, table, mode, reader)
        except CommandError as error:
            raise (failures[0] if failures else error) from error
        finally:
            cursor.close()


def _send(cursor: dbapi.Cursor, table: TableName, mode: str, reader: pa.RecordBatchReader) -> int:
    quiet = Waiter(Console(stderr=True, force_terminal=False))
    return quiet.wait(
        lambda: int(cursor.adbc_ingest(table.table, reader, mode=mode, db_schema_name=table.namespace)),
        cursor.adbc_cancel,
    )


@contextmanager
def _bar(console: Console, total: int) -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn("loading"), BarColumn(), TaskProgressColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress, progress.add_task("loading", total=total)
