"""Where the cold files of scopes lie. Nothing else in `providers` or `flush` touches the file system of the cold tier.

A `ScopeFolder` is one scope's folder: files are named in it, never by a path. Libraries that open files themselves
(the engine, Arrow's readers and writers) are handed a local path. `TableFolders` are the folders of all tables.

A file that was written here is durable once it is synced *and* its name is, by `sync` or `publish`.
"""

import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path

from catalog import durable
from catalog.definition import Scope, TableDef
from manifest import files
from manifest.files import SummedFile, Unsynced
from manifest.layout import aside_name, restored_name, scope_folder, table_id_of_folder

Stamp = tuple[int, int, int]
"""Inode, size in bytes, and time of the last change in nanoseconds: a file that was replaced or changed has another."""


@dataclass(frozen=True)
class ScopeFolder:
    """The folder of one scope's files. It may not exist yet: then it has no files."""

    root: Path

    def local_path(self, name: str) -> str:
        """Where a library finds a file, or is to write it."""
        return self._prefix + name

    def make(self) -> None:
        """Create the folder, durably, where it does not exist."""
        durable.make_folder(self.root)

    def names(self) -> list[str]:
        """Names of all files."""
        try:
            with os.scandir(self.root) as found:
                return [entry.name for entry in found if entry.is_file()]
        except FileNotFoundError:
            return []

    def size(self, name: str) -> int | None:
        """Size of a file in bytes; None when it is missing."""
        try:
            return os.stat(self._prefix + name).st_size  # noqa: PTH116 - a third of the time, and queries ask for many
        except FileNotFoundError:
            return None

    def stamp(self, name: str) -> Stamp | None:
        """What tells whether a file is the same as before, without opening it; None when it is missing."""
        try:
            found = os.stat(self._prefix + name)  # noqa: PTH116 - a third of the time
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

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
        durable.write_synced(self.root / name, data)
        return files.checksum(data)

    def open_summed(self, name: str, unsynced: Unsynced) -> SummedFile:
        """A new file for a library to write into, which is among `unsynced` once it is closed."""
        return SummedFile(self.root / name, unsynced)

    def sync_file(self, name: str) -> None:
        """Sync the bytes of a file that a library wrote at its local path."""
        durable.sync_file(self.root / name)

    def sync(self) -> None:
        """Make all names durable."""
        durable.sync_folder(self.root)

    def publish(self, name: str, data: bytes) -> None:
        """Replace a file atomically and durably."""
        durable.publish(self.root / name, data)

    def rename(self, name: str, new: str) -> None:
        """Give a file another name; a file that has it already is replaced."""
        (self.root / name).replace(self.root / new)

    def link(self, name: str, also: str) -> None:
        """Give a file a second name."""
        (self.root / also).hardlink_to(self.root / name)

    def touch(self, name: str) -> None:
        """Make an empty file, which no sync makes durable."""
        (self.root / name).touch()

    def put_back(self, name: str, data: bytes) -> None:
        """Write a file anew, durably; what stands in its place is kept aside."""
        written = restored_name(name)
        durable.write_synced(self.root / written, data)
        self.keep_aside(name)
        self.rename(written, name)
        self.sync()

    def keep_aside(self, name: str) -> None:
        """Give a damaged file, if it is there, a second name that nothing else ever has."""
        if self.size(name) is not None:
            number = next(number for number in count(1) if self.size(aside_name(name, number)) is None)
            self.link(name, aside_name(name, number))

    def unlink(self, name: str) -> None:
        """Delete a file; no error when it is missing."""
        (self.root / name).unlink(missing_ok=True)

    def below(self, name: str) -> "ScopeFolder":
        """A folder in it, of files that are about its own."""
        return ScopeFolder(self.root / name)

    def remove(self) -> None:
        """Delete the folder, which has no file any more; no error when it is missing."""
        with suppress(FileNotFoundError):
            self.root.rmdir()

    @cached_property
    def _prefix(self) -> str:
        return f"{self.root}/"


@dataclass(frozen=True)
class TableFolders:
    """The folders of all tables, whose scopes' folders lie in them.

    Folders of tables that nobody knows are kept aside, below `.unknown`, until somebody knows them again.
    """

    root: Path

    def scope(self, table: TableDef, scope: Scope) -> ScopeFolder:
        """The folder of a scope."""
        return ScopeFolder(scope_folder(self.root, table, scope))

    def table_ids(self) -> set[int]:
        """Ids of all tables that have a folder in its place."""
        return set(_by_table(self.root))

    def ids_aside(self) -> set[int]:
        """Ids of all tables that have a folder aside."""
        return set(_by_table(self._aside))

    def remove(self, table_ids: Collection[int]) -> int:
        """Delete the folders of the tables with these ids; return how many."""
        folders = [folder for table_id, folder in _by_table(self.root).items() if table_id in table_ids]
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        return len(folders)

    def set_aside(self, table_ids: Collection[int]) -> list[str]:
        """Move the folders of these tables aside; return where they are now."""
        return self._move(table_ids, self.root, self._aside)

    def bring_back(self, table_ids: Collection[int]) -> list[str]:
        """Move the folders of these tables back from aside; return where they are now."""
        return self._move(table_ids, self._aside, self.root)

    @property
    def _aside(self) -> Path:
        return self.root / ".unknown"

    @staticmethod
    def _move(table_ids: Collection[int], source: Path, target: Path) -> list[str]:
        moved = []
        for table_id, folder in sorted(_by_table(source).items()):
            if table_id in table_ids:
                place = target / folder.relative_to(source)
                durable.make_folder(place.parent)
                folder.rename(place)
                for changed in (place.parent, folder.parent):
                    durable.sync_folder(changed)
                moved.append(str(place))
        return moved


def _by_table(root: Path) -> dict[int, Path]:
    """The folders of tables by their ids."""
    found = {folder: table_id_of_folder(folder.name) for folder in root.glob("*/*")}
    return {table_id: folder for folder, table_id in found.items() if table_id is not None}
