"""`flightserver config`: what a server would run with, or does, and where each setting comes from.

What ALTER SYSTEM has set is read beside a server that runs; to take it back without one is for settings that keep
everybody out.
"""

import os
import sys
from pathlib import Path

import click

from catalog.data_folder import FOR_OWNER_ALONE, DataFolder
from catalog.errors import DatabaseError
from catalog.setting_store import SettingStore, read_settings
from flightserver.configuration import described
from flightserver.configuration.live import altered_by
from flightserver.configuration.sources import DEFAULT, Configured, configure, configured, known


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder that holds everything.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any setting, as of `serve`.")
@click.option("--explain", metavar="KEY", help="All that there is to say of one setting.")
@click.option("--reset", metavar="KEY", help="Take back what ALTER SYSTEM has set; the server must not run.")
def config(
    path: Path | None, data_dir: Path | None, assignments: tuple[str, ...], explain: str | None, reset: str | None
) -> None:
    """Print all settings, or explain one: values, and where they come from."""
    try:
        started = configure(path, os.environ, {"data_dir": data_dir}, assignments)
        if reset is not None:
            _reset(started.settings.data_dir, reset)
            return
        stored = read_settings(DataFolder.store_in(started.settings.data_dir))
        effective = started.with_given(altered_by(stored))
        click.echo(_explained(effective, explain) if explain is not None else _listed(effective), nl=False)
    except DatabaseError as error:
        click.echo(f"flightserver: {error.message}", err=True)
        sys.exit(1)


def _listed(effective: Configured) -> str:
    lines = []
    for key, field in described.all_fields().items():
        value, origin = described.told(field, described.value_of(effective.settings, key)), effective.origin(key)
        lines.append(f"{key} = {value}" + ("" if origin == DEFAULT else f"  # {origin}"))
    return "\n".join(lines) + "\n"


def _explained(effective: Configured, key: str) -> str:
    field = known(key, "--explain")
    default = described.told(field, described.value_of(configured({}).settings, key))
    lines = {
        "value": described.told(field, described.value_of(effective.settings, key)),
        "source": effective.origin(key),
        "default": default,
        "allowed": described.allowed(field),
        "changes": "while the server runs, by ALTER SYSTEM" if described.is_live(key) else "with a restart",
        "meaning": field.description or "",
    }
    return f"{key}\n" + "".join(f"  {name:<8} {text}\n" for name, text in lines.items() if text)


def _reset(data_dir: Path, key: str) -> None:
    """Delete the record of a setting, whether there is still such a setting or not."""
    mask = os.umask(FOR_OWNER_ALONE)
    folder = DataFolder(data_dir.resolve())
    try:
        with folder.open_store() as keyvalue:
            SettingStore(keyvalue).delete(key)
    finally:
        folder.close()
        os.umask(mask)
