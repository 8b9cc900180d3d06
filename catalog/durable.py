"""Durable files: written, synced, and named so that a power cut leaves the old or the new, whole.

A file is durable when its bytes *and* its folder entry are synced; `publish` does both, in that order, around an
atomic rename. Skipping the folder's sync leaves the previous file after a power cut.
"""

import ctypes
import os
from pathlib import Path

_syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
"""Of Linux."""


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and sync its bytes. The folder entry is durable only after `sync_folder`."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_file(path: Path) -> None:
    """Sync the bytes of a file that another library wrote."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    sync_file(folder)


def sync_file_system(path: Path) -> None:
    """Sync all that was written to the file system of a path: cheaper than each of very many files and folders."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if _syncfs is None:
            os.sync()
        elif _syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, each with a durable name."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        sync_folder(new.parent)


def publish(path: Path, data: bytes) -> None:
    """Replace a file atomically and durably: temporary file, sync, rename, sync of the folder."""
    temporary = path.with_name(path.name + ".tmp")
    write_synced(temporary, data)
    temporary.replace(path)
    sync_folder(path.parent)
