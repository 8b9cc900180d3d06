"""`flightserver backup`: a backup of the data folder of a stopped server. A server that runs takes BACKUP TO."""

import os
import sys
from pathlib import Path

import click

from catalog.data_folder import FOR_OWNER_ALONE, DataFolder
from catalog.errors import DatabaseError, ErrorKind
from flightserver.backup.listing import described
from flightserver.backup.moment import Source
from flightserver.backup.shelf import Shelf
from flightserver.configuration.sources import configure
from flightserver.settings import Settings


@click.command()
@click.argument("name")
@click.option("--config", "path", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="The data folder.")
@click.option("--backup-dir", type=click.Path(path_type=Path), help="Folder with all backups.")
def backup(name: str, path: Path | None, data_dir: Path | None, backup_dir: Path | None) -> None:
    """Take the backup NAME of a stopped server's data folder; a running one takes BACKUP TO 'NAME'."""
    mask = os.umask(FOR_OWNER_ALONE)
    try:
        flags: dict[str, object] = {"data_dir": data_dir, "backup_dir": backup_dir}
        settings = configure(path, os.environ, flags).settings
        click.echo(_taken(name, settings, shelf_of(settings)))
    except DatabaseError as error:
        click.echo(f"flightserver: {error.message}", err=True)
        sys.exit(1)
    finally:
        os.umask(mask)


def shelf_of(settings: Settings) -> Shelf:
    """Where backups are; INVALID where no place is set for them."""
    if settings.backup_dir is None:
        raise DatabaseError(ErrorKind.INVALID, "there is no place for backups: use --backup-dir, or set backup_dir")
    return Shelf(settings.backup_dir)


def _taken(name: str, settings: Settings, shelf: Shelf) -> str:
    if not settings.data_dir.is_dir():
        raise DatabaseError(ErrorKind.NOT_FOUND, f"there is no data folder {settings.data_dir}")
    folder = DataFolder(settings.data_dir.resolve())
    try:
        with folder.open_store() as keyvalue:
            listing = shelf.take(name, Source(folder, keyvalue), kept_max=settings.backups_kept)
    finally:
        folder.close()
    lines = [f"{name}: {described(listing)}"]
    lines += [f"damaged when it was taken: {problem}" for problem in listing.problems]
    return "\n".join(lines)
