"""Command line: `flightserver serve`, `config`, `backup`, `restore`, `sql`, `load`, `check`, `rebuild`, `user`.

Every command imports what it needs when it runs, so that the server never loads the client side, nor a client the
server.
"""

import gc
import logging
import os
import sys
from importlib import import_module
from pathlib import Path

import click

from catalog.errors import DatabaseError
from flightserver.without import do_without

LATE_COMMANDS = {
    "backup": "flightserver.cli.backup",
    "check": "flightserver.cli.check",
    "config": "flightserver.cli.config",
    "sql": "flightserver.cli.sql",
    "load": "flightserver.cli.load",
    "rebuild": "flightserver.cli.rebuild",
    "restore": "flightserver.cli.restore",
    "user": "flightserver.cli.user",
}
"""Commands that are imported when they are asked for, by the module that holds one of the same name."""

ARROW_ALLOCATOR = ("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
"""Arrow's own choice keeps what each thread has freed: after a mixed load of six clients a server had 1,290 MB with it,
and 870 with this, for the same processor time."""

OUR_PACKAGES = ("bloom", "catalog", "manifest", "providers", "flush", "flightserver")
"""Whose logs `--log-level` is about: those of libraries have statements and values of rows in them."""


class Commands(click.Group):
    """The commands here, and those of `LATE_COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return sorted({*super().list_commands(ctx), *LATE_COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name."""
        if cmd_name in LATE_COMMANDS:
            command: click.Command = getattr(import_module(LATE_COMMANDS[cmd_name]), cmd_name)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flightserver")
def main() -> None:
    """Flight SQL over tables that you can update."""


@main.command()
@click.option("--config", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder that holds everything.")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on; 0 picks a free one.")
@click.option("--dev", is_flag=True, default=None, help="Loopback only, no credentials needed: you are root.")
@click.option(
    "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any setting; see `flightserver config`."
)
@click.option("--log-level", default="WARNING", show_default=True, help="What goes to stderr.")
@click.option("--accept-loss", is_flag=True, help="Go on without acknowledged commits that the data folder has lost.")
def serve(
    config: Path | None,
    data_dir: Path | None,
    host: str | None,
    port: int | None,
    dev: bool | None,
    assignments: tuple[str, ...],
    log_level: str,
    accept_loss: bool,
) -> None:
    """Run a server until SIGTERM or SIGINT."""
    gc.disable()  # until the server listens: what it is made of stays
    do_without("pandas")
    os.environ.setdefault(*ARROW_ALLOCATOR)
    from flightserver.app import serve as serve_database  # noqa: PLC0415
    from flightserver.configuration.sources import configure  # noqa: PLC0415

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for package in OUR_PACKAGES:
        logging.getLogger(package).setLevel(log_level.upper())
    try:
        flags: dict[str, object] = {"data_dir": data_dir, "host": host, "port": port, "dev": dev}
        serve_database(configure(config, os.environ, flags, assignments), accept_loss=accept_loss)
    except DatabaseError as error:
        click.echo(f"flightserver: {error.message}", err=True)
        sys.exit(1)
    except OSError as error:
        logging.getLogger(__name__).debug("the server ends", exc_info=error)
        click.echo(f"flightserver: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
