r"""Backslash commands: what the shell itself answers."""

from collections.abc import Callable
from dataclasses import dataclass

import click

from catalog.identifiers import quote_identifier
from flightserver.cli.errors import CommandError

HELP = r"""\d [TABLE]     columns of a table, or all tables
\dt [NAMESPACE] tables of a namespace, or all tables
\dn            namespaces
\timing        show or hide the time that statements take
\?             this help
\q             leave (also Ctrl-D)
A statement ends with ; and may span lines. Ctrl-C stops a running one."""


class Leave(Exception):  # noqa: N818 - not an error
    r"""Raised by `\q`."""


@dataclass
class Meta:
    """The commands, over a function that lists namespaces and one that shows a statement's result."""

    namespaces: Callable[[], list[str]]
    show: Callable[[str], None]
    toggle_timing: Callable[[], bool]

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
