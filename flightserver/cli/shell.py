"""The SQL shell: runs items of scripts, or what is typed, and says how it went."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

from catalog.errors import DatabaseError
from flightserver.cli.errors import CommandError, StatementCancelled
from flightserver.cli.formats import Format, writer_for
from flightserver.cli.meta import Leave, Meta
from flightserver.cli.prompt import open_prompt
from flightserver.cli.script import Item, items
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
        self._writer = writer_for(chosen, console, rows_max or None)
        self._meta = Meta(lambda: client.column("SHOW NAMESPACES"), self.statement, self._toggle_timing)

    def script(self, text: str) -> None:
        """Run every item of a script, up to the first that fails."""
        try:
            for item in items(text):
                self._located(item, is_alone=item.text == text.strip().rstrip(";").rstrip())
        except Leave:
            return
        except DatabaseError as error:
            raise CommandError(error.message) from error

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
            took = f", {_duration(time.perf_counter() - started)}" if self._timing else ""
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
            return f"{_count(result.affected)} affected" if is_counted else "done"
        written = self._writer.write(result.schema, result.batches)
        if written.is_cut:
            return f"the first {_count(written.rows)}; --max-rows 0 shows all"
        return _count(written.rows)

    def _toggle_timing(self) -> bool:
        self._timing = not self._timing
        return self._timing


def interact(shell: Shell, uri: str) -> None:
    """Read statements from a terminal until its end."""
    click.echo(rf"Connected to {uri}. End statements with ;  \? helps, \q leaves.")
    for text in _typed():
        try:
            for item in items(text):
                shell.item(item)
        except Leave:
            return
        except CommandError as error:
            error.show()
        except DatabaseError as error:
            CommandError(error.message).show()
        except StatementCancelled as cancelled:
            click.echo(str(cancelled), err=True)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)


def _typed() -> Iterator[str]:
    """What the person at the terminal enters."""
    prompt = open_prompt(history_file())
    while True:
        try:
            yield prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return


def history_file() -> Path:
    """Where what was typed is kept, readable by its owner alone."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    path = state / "flightserver" / "history"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    return path


def _count(rows: int) -> str:
    return f"{rows:,} row{'' if rows == 1 else 's'}"


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
