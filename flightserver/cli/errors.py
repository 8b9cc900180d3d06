"""How client commands fail: one line on stderr, exit code 1."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click
from adbc_driver_manager import dbapi

_SERVERS_LINE = b"x-arrow-status-message-bin"
"""Under this name the driver hands on what the server said, without what it puts around it itself."""
_DRIVER = "[FlightSQL] "
_UNREACHABLE = re.compile(r"Error while dialing|no such host|name resolver error|connection refused", re.IGNORECASE)


class CommandError(click.ClickException):
    """A failure with one line for the person at the terminal."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        click.echo(f"flightserver: {self.message}", err=True, file=file)


class StatementCancelled(Exception):  # noqa: N818 - nothing went wrong
    """Ctrl-C stopped a statement."""


def one_line(error: BaseException) -> str:
    """What the server said, or what the driver says by itself."""
    details = dict(getattr(error, "details", None) or ())
    said = details.get(_SERVERS_LINE, b"").decode(errors="replace")
    text = said or str(error).partition(_DRIVER)[2] or str(error)
    return " ".join(text.split()) or type(error).__name__


@contextmanager
def driver_errors(uri: str) -> Iterator[None]:
    """Turn what the driver raises into a `CommandError`."""
    try:
        yield
    except (dbapi.Error, OSError) as error:
        if _UNREACHABLE.search(str(error)):
            raise CommandError(f"no server answers at {uri}; start one with `flightserver serve`") from error
        raise CommandError(one_line(error)) from error
