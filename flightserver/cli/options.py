"""Where the server is and who is asking: the options of every client command."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import click
from adbc_driver_flightsql import DatabaseOptions, dbapi

from flightserver.cli.errors import driver_errors

DEFAULT_URI = "grpc://127.0.0.1:31337"
MESSAGE_BYTES_MAX = 256 << 20
"""One row larger than this can be neither sent nor received. The driver's own limit is 16 MiB."""


_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_TLS_OPTIONS = {
    "key": "The private key of --tls-cert, PEM.",
    "cert": "A certificate of your own, for a server that wants one, PEM.",
    "ca": "Who signs the server's certificate, PEM; without it, the authorities that this machine trusts.",
}
_DRIVERS_NAMES = {
    "tls_ca": DatabaseOptions.TLS_ROOT_CERTS.value,
    "tls_cert": DatabaseOptions.MTLS_CERT_CHAIN.value,
    "tls_key": DatabaseOptions.MTLS_PRIVATE_KEY.value,
}


@dataclass(frozen=True)
class Target:
    """A server and a login."""

    uri: str
    user: str | None
    password: str | None
    certificates: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The driver's options for TLS."""

    def connect(self) -> dbapi.Connection:
        """Open a connection in which every statement commits on its own."""
        options = {DatabaseOptions.WITH_MAX_MSG_SIZE.value: str(MESSAGE_BYTES_MAX), **self.certificates}
        if self.user is not None:
            options |= {"username": self.user, "password": self.password or ""}
        with driver_errors(self.uri):
            return dbapi.connect(self.uri, db_kwargs=options, autocommit=True)


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `server`, a `Target`, from `--uri`, `--user` and what else says it, or environment variables."""

    @wraps(command)
    def with_server(uri: str, user: str | None, password: str | None, **others: Any) -> Any:
        tls = {name: others.pop(name) for name in _DRIVERS_NAMES}
        return command(server=_target(uri, user, password, tls), **others)

    for option in (
        *(
            click.option(f"--tls-{name}", envvar=f"FLIGHTSERVER_TLS_{name.upper()}", type=_FILE, help=text)
            for name, text in _TLS_OPTIONS.items()
        ),
        click.option("--password", envvar="FLIGHTSERVER_PASSWORD", help="Asked for when --user is given alone."),
        click.option("--user", envvar="FLIGHTSERVER_USER", help="Log in as this user."),
        click.option("--uri", envvar="FLIGHTSERVER_URI", default=DEFAULT_URI, show_default=True, help="The server."),
    ):
        with_server = option(with_server)
    return with_server


def _target(uri: str, user: str | None, password: str | None, tls: Mapping[str, Path | None]) -> Target:
    """Check the options against each other, and ask for a password that is missing."""
    if password is not None and user is None:
        raise click.UsageError("--password needs --user")
    if (tls["tls_cert"] is None) != (tls["tls_key"] is None):
        raise click.UsageError("--tls-cert and --tls-key come together")
    if user is not None and password is None:
        password = click.prompt(f"Password of {user}", hide_input=True, err=True)
    certificates = {_DRIVERS_NAMES[name]: path.read_text() for name, path in tls.items() if path is not None}
    scheme = "grpc+tls" if certificates else "grpc"
    return Target(uri if "://" in uri else f"{scheme}://{uri}", user, password, certificates)
