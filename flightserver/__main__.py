"""Command line: `flightserver serve`, `sql`, `load`, `hash-password`."""

import logging
import sys
from pathlib import Path

import click

from catalog.errors import DatabaseError
from flightserver.app import serve as serve_database
from flightserver.settings import load_settings
from flightserver.transport.auth import hash_password


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flightserver")
def main() -> None:
    """Flight SQL over tables that you can update."""


@main.command()
@click.option("--config", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder that holds everything.")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on; 0 picks a free one.")
@click.option("--dev", is_flag=True, default=None, help="Loopback only, no credentials needed: you are root.")
@click.option("--log-level", default="WARNING", show_default=True, help="What goes to stderr.")
def serve(
    config: Path | None, data_dir: Path | None, host: str | None, port: int | None, dev: bool | None, log_level: str
) -> None:
    """Run a server until SIGTERM or SIGINT."""
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        serve_database(load_settings(config, {"data_dir": data_dir, "host": host, "port": port, "dev": dev}))
    except DatabaseError as error:
        click.echo(f"flightserver: {error.message}", err=True)
        sys.exit(1)


@main.command("hash-password")
@click.password_option()
def hash_password_command(password: str) -> None:
    """Print a password's hash for the users setting."""
    click.echo(hash_password(password))


if __name__ == "__main__":
    main()
