"""The folder with all backups, each a folder by its name. One is taken at a time, by whatever server.

A backup is made under a name that begins with a dot, and gets its own when all of it is durable: what is listed is
whole. On the file system of the data folder its files are links, else copies; what the backup before has is linked from
there. So a backup takes the room of what is new, and of what has been deleted since from the data folder.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog import durable
from catalog.errors import DatabaseError, ErrorKind
from catalog.full_disk import full_disk_told, is_full
from flightserver.backup.contents import Before, contents_of
from flightserver.backup.listing import FILE_NAME, BackupFile, Listing, check_backup_name, decode, encode
from flightserver.backup.moment import Source, copy_moment
from flush.work import Work

MAKING = ".making-"
GOING = ".going-"
STAGING = "backup.tmp"
"""In the data folder: links of a moment that are yet to be copied to another file system."""

MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Shelved:
    """A backup on the shelf; None for the listing where that cannot be read, which `problem` tells."""

    name: str
    listing: Listing | None
    problem: str | None = None

    @property
    def created_at(self) -> int:
        """When it was taken, in microseconds since 1970; 0 where nobody knows."""
        return 0 if self.listing is None else self.listing.created_at


class Shelf:
    """The backups in a folder, which is made when the first one is taken."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def folder(self, name: str) -> Path:
        """Where a backup lies; NOT_FOUND when there is none of that name."""
        found = self._root / check_backup_name(name)
        if not found.is_dir():
            raise DatabaseError(ErrorKind.NOT_FOUND, f"there is no backup {name}")
        return found

    def listed(self) -> list[Shelved]:
        """All backups, oldest first."""
        names = [entry.name for entry in self._root.iterdir() if entry.is_dir()] if self._root.is_dir() else []
        found = [_shelved(self._root, name) for name in names if not name.startswith(".")]
        return sorted(found, key=lambda one: (one.created_at, one.name))

    def take(self, name: str, source: Source, *, kept_max: int = 0, work: Work | None = None) -> Listing:
        """Take a backup; return what it says of itself.

        Then the oldest go, so that `kept_max` are left (0: all), unless something was damaged: they may have it whole.
        """
        check_backup_name(name)
        if self._root.is_relative_to(source.folder.root) or source.folder.root.is_relative_to(self._root):
            raise DatabaseError(
                ErrorKind.INVALID, "backup_dir and the data folder must lie beside each other, not in one another"
            )
        with full_disk_told(), _usable():
            durable.make_folder(self._root)
            with self._alone():
                if (self._root / name).exists():
                    raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"there is a backup {name} already")
                listing = self._taken(name, source, work or Work())
                if kept_max and not listing.problems:
                    self._let_go(kept_max)
                return listing

    def _taken(self, name: str, source: Source, work: Work) -> Listing:
        before, created_at = self._newest(), int(time.time() * MICROSECONDS)
        making = self._root / f"{MAKING}{name}"
        is_beside = _device(self._root) == _device(source.folder.root)
        linked = making if is_beside else source.folder.root / STAGING
        try:
            shutil.rmtree(linked, ignore_errors=True)
            copy_moment(source, linked)
            contents = contents_of(linked, before, work)
            if is_beside:
                _leave(linked, contents.files)
            else:
                _copy(linked, making, contents.files, before, work)
            known = set() if before is None else set(before.listing.files)
            new_bytes = sum(file.bytes for file in contents.files if file not in known)
            listing = Listing(created_at, tuple(contents.files), new_bytes, tuple(contents.problems))
            durable.write_synced(making / FILE_NAME, encode(listing))
            durable.sync_file_system(making)
            making.rename(self._root / name)
            durable.sync_folder(self._root)
            return listing
        finally:
            shutil.rmtree(making, ignore_errors=True)
            clear_staging(source.folder.root)

    def _newest(self) -> Before | None:
        """The backup before."""
        readable = [one for one in self.listed() if one.listing is not None]
        if not readable or readable[-1].listing is None:
            return None
        return Before(self._root / readable[-1].name, readable[-1].listing)

    def _let_go(self, kept_max: int) -> None:
        """Delete the oldest backups; one that cannot be read is left to people."""
        readable = [one for one in self.listed() if one.listing is not None]
        for old in readable[:-kept_max]:
            going = self._root / f"{GOING}{old.name}"
            (self._root / old.name).rename(going)
            durable.sync_folder(self._root)
            shutil.rmtree(going, ignore_errors=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep others out; clear away what an interrupted one has left."""
        descriptor = os.open(self._root / "LOCK", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise DatabaseError(
                    ErrorKind.UNAVAILABLE, "another backup is being taken; retry when it is done"
                ) from error
            for entry in self._root.iterdir():
                if entry.name.startswith((MAKING, GOING)):
                    shutil.rmtree(entry, ignore_errors=True)
            yield
        finally:
            os.close(descriptor)


def clear_staging(data_dir: Path) -> None:
    """Delete what an interrupted backup has left in the data folder."""
    shutil.rmtree(data_dir / STAGING, ignore_errors=True)


def _shelved(root: Path, name: str) -> Shelved:
    try:
        return Shelved(name, decode((root / name / FILE_NAME).read_bytes()))
    except DatabaseError as error:
        return Shelved(name, None, error.message)
    except OSError:
        return Shelved(name, None, f"{FILE_NAME} cannot be read")


def _leave(root: Path, files: list[BackupFile]) -> None:
    """Delete all files that are not listed."""
    listed = {file.path for file in files}
    for here, _, names in os.walk(root):
        folder = os.path.relpath(here, root)
        for name in names:
            path = name if folder == "." else f"{folder}/{name}"
            if path not in listed:
                (root / path).unlink()


def _copy(linked: Path, making: Path, files: list[BackupFile], before: Before | None, work: Work) -> None:
    """Copy files to another file system; those that the backup before has, too, are linked from there."""
    shutil.rmtree(making, ignore_errors=True)
    for file in files:
        work.check()
        target = making / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if before is not None and before.listing.by_path.get(file.path) == file:
            try:
                target.hardlink_to(before.root / file.path)
                continue
            except FileNotFoundError:
                pass
        if (linked / file.path).exists():
            shutil.copyfile(linked / file.path, target)
            work.did(0, file.bytes)


def _device(path: Path) -> int:
    return path.stat().st_dev


@contextmanager
def _usable() -> Iterator[None]:
    """Say without a path why the folder cannot be used."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise
        raise DatabaseError(ErrorKind.UNAVAILABLE, f"the backup cannot be made: {error.strerror}") from error
