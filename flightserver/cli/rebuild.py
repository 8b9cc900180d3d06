"""`flightserver rebuild`: a lost or damaged manifest, made again from the table's other files.

Runs on a stopped server's data folder, which it locks meanwhile. What cannot be read stops it and is named; nothing is
guessed (flush/rebuild.py has the rules).
"""

import sys
from pathlib import Path

import click

from catalog.data_folder import DataFolder
from catalog.definition import Scope, TableDef, TableKind
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import DEFAULT_NAMESPACE, TableName
from catalog.store import CatalogStore
from flush.rebuild import rebuild_scope
from providers.cold.scope_folder import TableFolders


@click.command()
@click.argument("table")
@click.option("--data-dir", type=click.Path(path_type=Path, exists=True), required=True, help="The data folder.")
@click.option("--user", help="Whose partition, for a USER table.")
def rebuild(table: str, data_dir: Path, user: str | None) -> None:
    """Make the manifest of TABLE ([NAMESPACE.]NAME) again from its batches and deletion files."""
    try:
        batches, rows = _rebuild(table, data_dir, user)
    except DatabaseError as error:
        click.echo(f"flightserver: {error.message}", err=True)
        sys.exit(1)
    click.echo(f"{table}: {rows} live rows in {batches} batches")


def _rebuild(table: str, data_dir: Path, user: str | None) -> tuple[int, int]:
    """Rebuild one scope; return how many batches and live rows its manifest lists."""
    folder = DataFolder(data_dir.resolve())
    try:
        with folder.open_store() as keyvalue:
            definition = CatalogStore(keyvalue).registry.table(_name(table))
            scope = _scope(definition, user)
            manifest = rebuild_scope(keyvalue, TableFolders(folder.tables).scope(definition, scope), definition, scope)
            return len(manifest.batches), manifest.rows - manifest.dead
    finally:
        folder.close()


def _name(text: str) -> TableName:
    namespace, _, table = text.rpartition(".")
    return TableName(namespace or DEFAULT_NAMESPACE, table)


def _scope(table: TableDef, user: str | None) -> Scope:
    if (table.kind is TableKind.USER) != (user is not None):
        need = "needs --user" if user is None else "is SHARED and takes no --user"
        raise DatabaseError(ErrorKind.INVALID, f"table {table.name} {need}")
    return Scope(table.id, user)
