"""A copy of a data folder as of one moment, in links: what a crash at that moment would have left.

Commits go on meanwhile; they are in RocksDB's checkpoint or they are not. What is published as a manifest, and what is
deleted, waits until all files have a second name, so that the manifests are those of the checkpoint's moment: none is
newer, and none names a file that is gone. Nothing is read for it, and only RocksDB's log is copied.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from catalog.data_folder import DataFolder
from catalog.keyvalue import KeyValueStore

STAGED = ".tmp"


def at_rest() -> AbstractContextManager[None]:
    """For a folder that nobody is served from."""
    return nullcontext()


@dataclass(frozen=True)
class Source:
    """An open data folder. While `still` is held, no file of a scope is published or deleted."""

    folder: DataFolder
    keyvalue: KeyValueStore
    still: Callable[[], AbstractContextManager[None]] = at_rest


def copy_moment(source: Source, target: Path) -> None:
    """Make `target`, a new folder on the same file system, a data folder as of some moment during the call."""
    target.mkdir()
    source.keyvalue.write_out()
    with source.still():
        source.keyvalue.copy_to(target / source.folder.rocksdb.name)
        _link_tree(source.folder.tables, target / source.folder.tables.name)
    source.folder.copy_format(target)


def _link_tree(source: Path, target: Path) -> None:
    """Give every file below `source` that somebody may need a second name below `target`.

    Left out are files that no manifest names yet, and folders of tables that nobody knows.
    """
    waiting = [(str(source), str(target))]
    while waiting:
        here, there = waiting.pop()
        os.mkdir(there)  # noqa: PTH102 - there may be a hundred thousand
        with os.scandir(here) as entries:
            for entry in entries:
                name = entry.name
                if entry.is_dir(follow_symlinks=False):
                    if not name.startswith("."):
                        waiting.append((f"{here}/{name}", f"{there}/{name}"))
                elif not name.endswith(STAGED):
                    with suppress(FileNotFoundError):  # of a job that gave up: no manifest ever named it
                        os.link(entry.path, f"{there}/{name}")
