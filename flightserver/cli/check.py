"""`flightserver check`: everything in a stopped server's data folder, held against what was written.

With --repair, what can be derived is written anew, byte for byte, and nothing else is changed: no rows are given up,
and what was damaged is kept beside what takes its place. Exit code 1 says that something is still damaged.
"""

import sys
from pathlib import Path

import click

from catalog.data_folder import DataFolder
from catalog.errors import DatabaseError
from catalog.store import CatalogStore
from flush.checking.checks import check_all
from flush.checking.findings import Finding
from flush.checking.repair import repair_scope
from flush.partitions import users_of
from flush.work import Work
from providers.cold.files import ColdFiles
from providers.cold.scope_folder import TableFolders
from providers.commit.scope_store import ScopeStore


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path, exists=True), required=True, help="The data folder.")
@click.option("--repair", "repairs", is_flag=True, help="Write anew what can be derived from what is left.")
def check(data_dir: Path, *, repairs: bool) -> None:
    """Read every file and record of a data folder, and list what is not what was written."""
    try:
        found = _checked(data_dir, repairs=repairs)
    except DatabaseError as error:
        click.echo(f"flightserver: {error.message}", err=True)
        sys.exit(1)
    for finding in found:
        click.echo(str(finding))
    click.echo(f"{len(found)} findings" if found else "all is as it was written")
    if found:
        sys.exit(1)


def _checked(data_dir: Path, *, repairs: bool) -> list[Finding]:
    folder = DataFolder(data_dir.resolve())
    try:
        with folder.open_store() as keyvalue:
            tables = CatalogStore(keyvalue).registry.tables.values()
            store = ScopeStore(keyvalue, TableFolders(folder.tables), ColdFiles())
            if repairs:
                for table in tables:
                    for user in users_of(store, table):
                        for name in repair_scope(store, keyvalue, table, user, Work()).files:
                            click.echo(f"{name} of {table.name}{f' of user {user}' if user else ''} was written anew")
            return check_all(store, keyvalue, tables, Work())
    finally:
        folder.close()
