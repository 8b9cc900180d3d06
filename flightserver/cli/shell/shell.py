"""The SQL shell: runs items of scripts, or what is typed, and says how it went."""

import os
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from catalog.errors import DatabaseError
from flightserver.cli.counts import counted_rows, duration
from flightserver.cli.errors import CommandError, StatementCancelled
from flightserver.cli.shell.completion import Completion
from flightserver.cli.shell.exports import CsvWriter, JsonWriter
from flightserver.cli.shell.formats import Expanded, Format, Writer
from flightserver.cli.shell.meta import Leave, Meta
from flightserver.cli.shell.prompt import Prompt
from flightserver.cli.shell.script import Item, cut, items
from flightserver.cli.shell.tables import TableWriter
from flightserver.cli.statements import Client, Result

TERMINAL_ROWS_MAX = 1_000
"""A table on a terminal stops here unless told otherwise."""
_COUNTED = frozenset({"INSERT", "UPDATE", "DELETE", "TRUNCATE", "FLUSH", "STORAGE"})


class Shell:
    """Runs statements on a server and writes their results to stdout."""

    def __init__(self, client: Client, chosen: Format, rows_max: int | None) -> None:
        self._client = client
        self._is_table = chosen is Format.TABLE
        self._timing = True
        console = Console(highlight=False)
        if rows_max is None and console.is_terminal:
            rows_max = TERMINAL_ROWS_MAX
        self._tables = TableWriter(console, rows_max or None)
        writers: dict[Format, Writer] = {
            Format.TABLE: self._tables,
            Format.CSV: CsvWriter(),
            Format.JSON: JsonWriter(),
        }
        self._writer = writers[chosen]
        self._meta = Meta(lambda: client.column("SHOW NAMESPACES"), self.statement, self._toggle_timing, self._expand)

    def script(self, text: str) -> None:
        """Run every item of a script, up to the first that fails."""
        try:
            for item in items(text):
                self._located(item, is_alone=item.text == text.strip().rstrip(";").rstrip())
        except Leave:
            return
        except DatabaseError as error:
            raise CommandError(error.message) from error

    def typed(self, text: str) -> str:
        """Run what a person entered, up to the first item that fails, which is said; return what is unfinished."""
        try:
            parts = cut(text)
        except DatabaseError as error:
            CommandError(error.message).show()
            return ""
        for item in parts.items:
            try:
                self.item(item)
            except CommandError as error:
                error.show()
                break
            except StatementCancelled as cancelled:
                click.echo(str(cancelled), err=True)
                break
            except KeyboardInterrupt:
                click.echo("stopped", err=True)
                break
        return parts.rest

    def item(self, item: Item) -> None:
        """Run a statement or a backslash command."""
        if item.is_meta:
            self._meta.run(item.text)
        else:
            self.statement(item.text)

    def statement(self, text: str) -> None:
        """Run one statement and write what it yields."""
        started = time.perf_counter()
        try:
            with self._client.run(text) as result:
                outcome = self._write(text, result)
        except StatementCancelled:
            raise StatementCancelled(f"cancelled after {time.perf_counter() - started:.1f} s") from None
        if self._is_table:
            took = f", {duration(time.perf_counter() - started)}" if self._timing else ""
            sys.stdout.write(f"({outcome}{took})\n\n")
        sys.stdout.flush()

    def _located(self, item: Item, *, is_alone: bool) -> None:
        try:
            self.item(item)
        except CommandError as error:
            place = "" if is_alone else f"statement at line {item.line}: "
            raise CommandError(f"{place}{error.message}") from error

    def _write(self, text: str, result: Result) -> str:
        if result.schema is None:
            is_counted = text.split(maxsplit=1)[0].upper() in _COUNTED
            return f"{counted_rows(result.affected)} affected" if is_counted else "done"
        written = self._writer.write(result.schema, result.batches)
        note = f", {written.note}" if written.note else ""
        if written.is_cut:
            return f"the first {counted_rows(written.rows)}; --max-rows 0 shows all{note}"
        return f"{counted_rows(written.rows)}{note}"

    def _toggle_timing(self) -> bool:
        self._timing = not self._timing
        return self._timing

    def _expand(self, wanted: Expanded | None) -> Expanded:
        other = Expanded.OFF if self._tables.expanded is Expanded.ON else Expanded.ON
        self._tables.expanded = wanted or other
        return self._tables.expanded


def interact(shell: Shell, client: Client) -> None:
    """Read statements from a terminal until its end."""
    click.echo(rf"Connected to {client.uri}. End statements with ;  \? helps, \q leaves.")
    prompt = Prompt(history_file(), Completion(client.names))
    rest = ""
    while True:
        try:
            rest = shell.typed(prompt.ask(rest))
        except KeyboardInterrupt:
            rest = ""
        except (EOFError, Leave):
            return


def history_file() -> Path:
    """Where what was typed is kept, readable by its owner alone."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    path = state / "flightserver" / "history"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    return path
