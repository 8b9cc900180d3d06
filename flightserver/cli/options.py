"""Where the server is and who is asking: the options of every client command."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
from adbc_driver_flightsql import DatabaseOptions, dbapi

from flightserver.cli.errors import driver_errors

DEFAULT_URI = "grpc://127.0.0.1:31337"
MESSAGE_BYTES_MAX = 256 << 20
"""One row larger than this can be neither sent nor received. The driver's own limit is 16 MiB."""


@dataclass(frozen=True)
class Target:
    """A server and a login."""

    uri: str
    user: str | None
    password: str | None

    def connect(self) -> dbapi.Connection:
        """Open a connection in which every statement commits on its own."""
        options = {DatabaseOptions.WITH_MAX_MSG_SIZE.value: str(MESSAGE_BYTES_MAX)}
        if self.user is not None:
            options |= {"username": self.user, "password": self.password or ""}
        with driver_errors(self.uri):
            return dbapi.connect(self.uri, db_kwargs=options, autocommit=True)


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--uri`, `--user` and `--password`, also as environment variables."""
    for option in (
        click.option("--password", envvar="FLIGHTSERVER_PASSWORD", help="Asked for when --user is given alone."),
        click.option("--user", envvar="FLIGHTSERVER_USER", help="Log in as this user."),
        click.option("--uri", envvar="FLIGHTSERVER_URI", default=DEFAULT_URI, show_default=True, help="The server."),
    ):
        command = option(command)
    return command


def target(uri: str, user: str | None, password: str | None) -> Target:
    """Check the options against each other, and ask for a password that is missing."""
    if password is not None and user is None:
        raise click.UsageError("--password needs --user")
    if user is not None and password is None:
        password = click.prompt(f"Password of {user}", hide_input=True, err=True)
    return Target(uri if "://" in uri else f"grpc://{uri}", user, password)
