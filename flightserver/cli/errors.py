"""How client commands fail: one line on stderr, exit code 1."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click
from adbc_driver_manager import dbapi

_NOISE_BEFORE = re.compile(r"^(?:[A-Z_]+: )?(?:\[FlightSQL\] )?")
_NOISE_BEHIND = re.compile(
    r"(?:\. Detail: \w+)?\s*\([A-Za-z]+; [^()]*\)(?:\. Vendor code: \d+)?(?:\. SQLSTATE: \w+)?\s*$"
)
_UNREACHABLE = re.compile(r"Error while dialing|no such host|name resolver error|connection refused", re.IGNORECASE)


class CommandError(click.ClickException):
    """A failure with one line for the person at the terminal."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        click.echo(f"flightserver: {self.message}", err=True, file=file)


class StatementCancelled(Exception):  # noqa: N818 - nothing went wrong
    """Ctrl-C stopped a statement."""


def one_line(error: BaseException) -> str:
    """The server's own message, without what the driver puts around it."""
    text = _NOISE_BEHIND.sub("", _NOISE_BEFORE.sub("", str(error).strip()))
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
