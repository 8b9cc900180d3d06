"""Where the cold files of scopes lie. Nothing else in `providers` or `flush` touches the file system of the cold tier.

A `ScopeFolder` is one scope's folder: files are named in it, never by a path. Libraries that open files themselves
(the engine, Arrow's readers and writers) are handed a local path. `TableFolders` are the folders of all tables.

A file that was written here is durable once it is synced *and* its name is, by `sync` or `publish`.
"""

import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from catalog.definition import Scope, TableDef
from manifest import files
from manifest.files import SummedFile, Unsynced
from manifest.layout import scope_folder, table_id_of_folder


@dataclass(frozen=True)
class ScopeFolder:
    """The folder of one scope's files. It may not exist yet: then it has no files."""

    root: Path

    def local_path(self, name: str) -> str:
        """Where a library finds a file, or is to write it."""
        return self._prefix + name

    def make(self) -> None:
        """Create the folder, durably, where it does not exist."""
        files.make_folder(self.root)

    def names(self) -> list[str]:
        """Names of all files."""
        return [path.name for path in self.root.iterdir() if path.is_file()] if self.root.exists() else []

    def size(self, name: str) -> int | None:
        """Size of a file in bytes; None when it is missing."""
        try:
            return os.stat(self._prefix + name).st_size  # noqa: PTH116 - a third of the time, and queries ask for many
        except FileNotFoundError:
            return None

    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None when it is missing."""
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def read_checked(self, name: str, checksum: str) -> bytes:
        """The bytes of a file; CORRUPT when it is missing or its checksum differs."""
        return files.read_checked(self.root / name, checksum)

    def checksum(self, name: str) -> tuple[str, int]:
        """Checksum of a whole file, and its size in bytes."""
        return files.file_checksum(self.root / name)

    def verify(self, name: str, checksum: str, size: int) -> None:
        """Raise CORRUPT when a file is missing, has another size, or fails its checksum."""
        files.verify(self.root / name, checksum, size)

    def write_synced(self, name: str, data: bytes) -> str:
        """Write a new file and sync its bytes; return its checksum."""
        files.write_synced(self.root / name, data)
        return files.checksum(data)

    def open_summed(self, name: str, unsynced: Unsynced) -> SummedFile:
        """A new file for a library to write into, which is among `unsynced` once it is closed."""
        return SummedFile(self.root / name, unsynced)

    def sync_file(self, name: str) -> None:
        """Sync the bytes of a file that a library wrote at its local path."""
        files.sync_file(self.root / name)

    def sync(self) -> None:
        """Make all names durable."""
        files.sync_folder(self.root)

    def publish(self, name: str, data: bytes) -> None:
        """Replace a file atomically and durably."""
        files.publish(self.root / name, data)

    def rename(self, name: str, new: str) -> None:
        """Give a file another name; a file that has it already is replaced."""
        (self.root / name).replace(self.root / new)

    def link(self, name: str, also: str) -> None:
        """Give a file a second name."""
        (self.root / also).hardlink_to(self.root / name)

    def touch(self, name: str) -> None:
        """Make an empty file, which no sync makes durable."""
        (self.root / name).touch()

    def unlink(self, name: str) -> None:
        """Delete a file; no error when it is missing."""
        (self.root / name).unlink(missing_ok=True)

    @cached_property
    def _prefix(self) -> str:
        return f"{self.root}/"


@dataclass(frozen=True)
class TableFolders:
    """The folders of all tables, whose scopes' folders lie in them."""

    root: Path

    def scope(self, table: TableDef, scope: Scope) -> ScopeFolder:
        """The folder of a scope."""
        return ScopeFolder(scope_folder(self.root, table, scope))

    def table_ids(self) -> set[int]:
        """Ids of all tables that have a folder."""
        found = (table_id_of_folder(folder.name) for folder in self.root.glob("*/*"))
        return {table_id for table_id in found if table_id is not None}

    def remove(self, table_ids: Collection[int]) -> int:
        """Delete the folders of the tables with these ids; return how many."""
        folders = [folder for folder in self.root.glob("*/*") if table_id_of_folder(folder.name) in table_ids]
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        return len(folders)
