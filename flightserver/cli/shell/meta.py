r"""Backslash commands: what the shell itself answers."""

from collections.abc import Callable
from dataclasses import dataclass

import click

from catalog.identifiers import quote_identifier
from flightserver.cli.errors import CommandError
from flightserver.cli.shell.formats import Expanded

HELP = r"""\d [TABLE]      columns of a table, or all tables
\dt [NAMESPACE] tables of a namespace, or all tables
\dn             namespaces
\x [on|off|auto] a line for every column: always, never, or where rows do not fit
\timing         show or hide the time that statements take
\?              this help (also help)
\q              leave (also exit, quit and Ctrl-D)
A statement ends with ; and may span lines. Ctrl-C stops a running one.
Tab completes words and names, Ctrl-R searches what was typed before."""

COMMANDS = ("\\?", "\\d", "\\dn", "\\dt", "\\q", "\\timing", "\\x")


class Leave(Exception):  # noqa: N818 - not an error
    r"""Raised by `\q`."""


@dataclass
class Meta:
    """The commands, over functions that list namespaces, show a statement's result and change how results look.

    `expand` takes what is wanted, or None for the other of on and off, and returns what now holds.
    """

    namespaces: Callable[[], list[str]]
    show: Callable[[str], None]
    toggle_timing: Callable[[], bool]
    expand: Callable[[Expanded | None], Expanded]

    def run(self, line: str) -> None:
        """Carry out a command."""
        word, _, argument = line.rstrip("; \t").partition(" ")
        argument = argument.strip()
        match word:
            case "\\q":
                raise Leave
            case "\\?" | "\\h":
                click.echo(HELP)
            case "\\d" if argument:
                self.show(f"DESCRIBE {argument}")
            case "\\d" | "\\dt":
                self._tables(argument)
            case "\\dn":
                self.show("SHOW NAMESPACES")
            case "\\x":
                self._expand(argument.lower())
            case "\\timing":
                click.echo(f"timing is {'on' if self.toggle_timing() else 'off'}")
            case _:
                raise CommandError(rf"{word} is no command; \? lists them")

    def _tables(self, namespace: str) -> None:
        if namespace:
            self.show(f"SHOW TABLES IN {namespace}")
            return
        for name in self.namespaces():
            self.show(f"SHOW TABLES IN {quote_identifier(name)}")

    def _expand(self, wanted: str) -> None:
        if wanted and wanted not in {each.value for each in Expanded}:
            raise CommandError(rf"\x {wanted}: say on, off or auto")
        click.echo(f"expanded is {self.expand(Expanded(wanted) if wanted else None).value}")
