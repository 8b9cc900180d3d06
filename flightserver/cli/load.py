"""`flightserver load`: files into a table, streamed, as one commit."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

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
from flightserver.cli.counts import counted_rows
from flightserver.cli.errors import CommandError, StatementCancelled, driver_errors
from flightserver.cli.files.form import TextForm, asked_types, checked_delimiter, checked_encoding
from flightserver.cli.files.source import Source
from flightserver.cli.options import Target, target_options
from flightserver.cli.statements import Waiter
from flightserver.sql.text.cursor import Cursor
from flightserver.sql.text.tokens import tokenize

INTERRUPTED = 130
MODES = ("create", "append", "replace", "create_append")
KEEPING = frozenset({"append", "create_append", "replace"})
"""Modes that keep a table that exists, and so its types."""


@click.command("load")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--table", "name", required=True, help="TABLE or NAMESPACE.TABLE.")
@click.option("--mode", type=click.Choice(MODES), default=MODES[0], show_default=True, help="What happens to a table.")
@click.option("--batch-rows", type=click.IntRange(1), default=65_536, show_default=True, help="Rows sent at a time.")
@click.option("--type", "types", multiple=True, metavar="COLUMN=TYPE", help="What a column is read as, in SQL's words.")
@click.option("--text", "is_text", is_flag=True, help="Read columns of text files as TEXT where nothing names a type.")
@click.option("--null", "nulls", multiple=True, help="A word without quotes in CSV that means NULL, too.")
@click.option("--empty-text", "is_empty_text", is_flag=True, help="Nothing between commas is an empty text, not NULL.")
@click.option("--delimiter", help="What stands between fields; tab for a tab.  [default: , or in .tsv files tab]")
@click.option("--encoding", help="Of text files, like latin-1.  [default: utf-8]")
@target_options
def load(
    files: tuple[str, ...],
    name: str,
    mode: str,
    batch_rows: int,
    server: Target,
    **text: Any,
) -> None:
    """Load Parquet, CSV, JSON lines and Arrow files into a table as one commit.

    A row whose key is in the table already gets a new version. A new table made here has no key and only grows: to load
    into a table with a key, CREATE it first and use --mode append. Text takes the types of a table that exists; without
    one they are guessed from the first rows, so that no value changes by it.
    """
    table = table_name(name)
    form = _form(**text)
    connection = server.connect()
    try:
        source = Source(files, batch_rows, replace(form, table=_types(connection, server, table, mode)))
        started = time.perf_counter()
        rows = _ingest(connection, server, table, mode, source)
        seconds = time.perf_counter() - started
        rate = f"{rows / max(seconds, 1e-9):,.0f} rows/s"
        click.echo(f"loaded {counted_rows(rows)} into {table} in {seconds:.2f} s ({rate})")
    except StatementCancelled:
        click.echo("flightserver: cancelled; nothing was written", err=True)
        sys.exit(INTERRUPTED)
    finally:
        connection.close()


def _form(
    types: tuple[str, ...],
    nulls: tuple[str, ...],
    delimiter: str | None,
    encoding: str | None,
    *,
    is_text: bool,
    is_empty_text: bool,
) -> TextForm:
    """What the options say of text files."""
    return TextForm(
        asked=asked_types(types),
        is_all_text=is_text,
        nulls=nulls if is_empty_text else ("", *nulls),
        delimiter=checked_delimiter(delimiter),
        encoding=checked_encoding(encoding),
    )


def table_name(text: str) -> TableName:
    """A table's name as SQL reads it."""
    try:
        cursor = Cursor(text, tokenize(text))
        ref = cursor.table()
        cursor.expect_end()
    except DatabaseError as error:
        raise CommandError(f"--table {text}: {error.message}") from error
    return TableName(ref.namespace or DEFAULT_NAMESPACE, ref.table)


def _types(connection: dbapi.Connection, server: Target, table: TableName, mode: str) -> dict[str, pa.DataType]:
    """The types by column of the table that rows go into, if it exists."""
    if mode not in KEEPING:
        return {}
    with driver_errors(server.uri):
        try:
            schema = connection.adbc_get_table_schema(table.table, db_schema_filter=table.namespace)
        except dbapi.ProgrammingError:
            return {}
    return {field.name: field.type for field in schema}


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
