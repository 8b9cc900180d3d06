"""`flightserver user`: users of a server that does not run. A server that runs takes CREATE USER."""

import os
import sys
from pathlib import Path

import click

from catalog.data_folder import FOR_OWNER_ALONE
from catalog.errors import DatabaseError, ErrorKind
from catalog.roles import Role
from flightserver.access.first_user import add_user
from flightserver.configuration.sources import configure


@click.group()
def user() -> None:
    """Users in the data folder of a stopped server; a running one takes CREATE USER."""


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.USER.value, show_default=True)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder that holds everything.")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
def add(name: str, role: str, data_dir: Path | None, config: Path | None, password_stdin: bool) -> None:
    """Add the user NAME; asks for the password twice."""
    mask = os.umask(FOR_OWNER_ALONE)
    try:
        settings = configure(config, os.environ, {"data_dir": data_dir}).settings
        add_user(settings, name, _from_stdin() if password_stdin else _asked(), Role(role))
    except DatabaseError as error:
        click.echo(f"flightserver: {error.message}", err=True)
        sys.exit(1)
    finally:
        os.umask(mask)
    click.echo(f"{name} can log in, with the role {role}")


def _asked() -> str:
    answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return answer


def _from_stdin() -> str:
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise DatabaseError(ErrorKind.INVALID, "there is no password on standard input")
    return line
