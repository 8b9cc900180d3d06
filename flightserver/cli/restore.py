"""`flightserver restore`: a data folder from a backup, or a check of the backup alone."""

import os
import sys
from pathlib import Path

import click

from catalog.data_folder import FOR_OWNER_ALONE
from catalog.errors import DatabaseError
from flightserver.backup import restoring
from flightserver.backup.shelf import Shelf
from flightserver.cli.backup import shelf_of
from flightserver.configuration.sources import configure


@click.command()
@click.argument("name")
@click.option("--config", "path", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where to; an empty folder, or none yet.")
@click.option("--backup-dir", type=click.Path(path_type=Path), help="Folder with all backups.")
@click.option("--check", "only_checks", is_flag=True, help="Read the backup and restore nothing.")
@click.option("--accept-damage", is_flag=True, help="Leave out files that are not what was written.")
def restore(
    name: str,
    path: Path | None,
    data_dir: Path | None,
    backup_dir: Path | None,
    *,
    only_checks: bool,
    accept_damage: bool,
) -> None:
    """Make a data folder of the backup NAME. Every file is held against its checksum."""
    mask = os.umask(FOR_OWNER_ALONE)
    try:
        flags: dict[str, object] = {"data_dir": data_dir, "backup_dir": backup_dir}
        settings = configure(path, os.environ, flags).settings
        if only_checks:
            _check(shelf_of(settings), name)
            return
        target = settings.data_dir.resolve()
        listing = restoring.restore(shelf_of(settings).folder(name), target, accept_damage=accept_damage)
        click.echo(f"{name}: {len(listing.files)} files, {listing.bytes:,} bytes in {target}")
    except DatabaseError as error:
        click.echo(f"flightserver: {error.message}", err=True)
        sys.exit(1)
    finally:
        os.umask(mask)


def _check(shelf: Shelf, name: str) -> None:
    found = list(restoring.findings(shelf.folder(name)))
    for file, problem in found:
        click.echo(f"{file}: {problem}")
    click.echo(f"{name}: {len(found)} damaged files" if found else f"{name} is whole")
    if found:
        sys.exit(1)
