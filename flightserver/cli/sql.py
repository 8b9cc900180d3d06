"""`flightserver sql`: statements from the command line, a file, a pipe or a person."""

import sys
from pathlib import Path

import click
from rich.console import Console

from flightserver.cli.errors import CommandError, StatementCancelled
from flightserver.cli.options import Target, target_options
from flightserver.cli.shell.formats import Format
from flightserver.cli.shell.shell import Shell, interact
from flightserver.cli.statements import Client, Waiter

INTERRUPTED = 130
"""The exit code of a process that Ctrl-C ended."""


@click.command("sql")
@target_options
@click.option("-c", "--command", "text", help="Run these statements.")
@click.option("-f", "--file", type=click.Path(path_type=Path), help="Run the statements of this file; - is stdin.")
@click.option(
    "--format",
    "chosen",
    type=click.Choice([each.value for each in Format]),
    default=Format.TABLE.value,
    show_default=True,
    help="How results are written. json is one object per line.",
)
@click.option(
    "--max-rows", type=click.IntRange(0), help="Rows of a table to show; 0 is all, the default off terminals."
)
@click.argument("stdin", required=False, type=click.Choice(["-"]), metavar="[-]")
def sql(
    server: Target,
    text: str | None,
    file: Path | None,
    chosen: str,
    max_rows: int | None,
    stdin: str | None,
) -> None:
    """Run SQL: what -c or -f says, what comes through a pipe, or what you type."""
    script = _script(text, file, is_stdin=stdin is not None)
    client = Client(server, Waiter(Console(stderr=True)))
    try:
        shell = Shell(client, Format(chosen), max_rows)
        if script is None:
            client.column("SELECT 1")
            interact(shell, client)
        else:
            shell.script(script)
    except StatementCancelled as cancelled:
        click.echo(f"flightserver: {cancelled}", err=True)
        sys.exit(INTERRUPTED)
    finally:
        client.close()


def _script(text: str | None, file: Path | None, *, is_stdin: bool) -> str | None:
    """The statements to run; None when a person is to type them."""
    if sum((text is not None, file is not None, is_stdin)) > 1:
        raise click.UsageError("-c, -f and - exclude each other")
    if text is not None:
        return text
    if file is not None and str(file) != "-":
        return _read(file)
    if is_stdin or file is not None or not sys.stdin.isatty():
        return sys.stdin.read()
    return None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not UTF-8 text") from error
