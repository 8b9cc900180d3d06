"""The data folder: who may open it, which format it has, and that all of it is there.

One process owns a folder at a time (an advisory lock on `LOCK`, released by the kernel when the process dies), and
`FORMAT` holds the version of everything below it. A newer format is refused before anything is read.

`FORMAT` comes last: a folder that has it was complete once, and whatever is missing from it now has been lost. While a
new folder is being made, it has `FORMAT.tmp` instead. A folder with content and without either has lost its `FORMAT`.
Nothing is ever made in the place of what was lost: an empty folder in the place of `rocksdb` would be a catalog that
knows no table.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from catalog import durable
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import KeyValueStore, is_new, mark_of

FORMAT_VERSION = 17
TABLES = "tables"
FORMAT_FILE = "FORMAT"

FOR_OWNER_ALONE = 0o077
"""The mask for whatever works on a data folder: nobody else may read what it makes."""

_PUT_BACK = "put it back from a copy, or mount its volume"


class DataFolder:
    """An exclusively opened data folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._format = root / FORMAT_FILE
        self._beginning = root / "FORMAT.tmp"
        with usable(root):
            root.mkdir(parents=True, exist_ok=True)
            with suppress(PermissionError):  # it is another account's, and so are the rights to it
                root.chmod(0o700)
            self._lock = _lock(root / "LOCK", root)
        try:
            with usable(root):
                self._open()
        except BaseException:
            self.close()
            raise

    @property
    def tables(self) -> Path:
        """Where batches, blooms, deletion files and manifests live."""
        return self.root / TABLES

    @property
    def rocksdb(self) -> Path:
        """Where the key-value store lives."""
        return self.store_in(self.root)

    @staticmethod
    def store_in(root: Path) -> Path:
        """Where the key-value store of a folder lives, which somebody else may own."""
        return root / "rocksdb"

    @classmethod
    def mark_in(cls, root: Path) -> Path:
        """Where the mark of that store lies."""
        return mark_of(cls.store_in(root))

    def open_store(self, kind: type[KeyValueStore] = KeyValueStore, *, accept_loss: bool = False) -> KeyValueStore:
        """Open the key-value store; with that, a new folder is complete."""
        store = kind(self.rocksdb, accept_loss=accept_loss)
        if self._beginning.exists():
            self._beginning.replace(self._format)
            durable.sync_folder(self.root)
        return store

    def fresh_scratch(self) -> Path:
        """An empty folder for what lives no longer than a server, without what one that was killed has left there."""
        scratch = self.root / "scratch"
        with usable(self.root):
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
        return scratch

    def copy_format(self, target: Path) -> None:
        """Write into a copy of the folder which format it has."""
        durable.write_synced(target / self._format.name, self._format.read_bytes())

    def close(self) -> None:
        """Let another process open the folder."""
        os.close(self._lock)

    def _open(self) -> None:
        if self._format.exists():
            self._check()
        else:
            self._begin()

    def _check(self) -> None:
        """Raise when the folder has another format, or lacks a part."""
        try:
            found = json.loads(self._format.read_text())["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise DatabaseError(ErrorKind.CORRUPT, f"{self._format} is damaged: it does not name a format") from error
        if found != FORMAT_VERSION:
            raise DatabaseError(
                ErrorKind.UNSUPPORTED,
                f"data folder {self.root} has format {found}, this server reads format {FORMAT_VERSION}; "
                "use the server version that wrote it",
            )
        if is_new(self.rocksdb):
            raise DatabaseError(
                ErrorKind.CORRUPT, f"{self.rocksdb} is missing or empty, and with it every definition; {_PUT_BACK}"
            )
        if not self.tables.is_dir():
            raise DatabaseError(ErrorKind.CORRUPT, f"{self.tables} is missing, and with it every batch; {_PUT_BACK}")

    def _begin(self) -> None:
        """Begin a new folder. Raise CORRUPT when it has content that nobody is known to have begun."""
        has_tables = self.tables.is_dir() and any(self.tables.iterdir())
        if not self._beginning.exists() and (has_tables or not is_new(self.rocksdb)):
            raise DatabaseError(
                ErrorKind.CORRUPT, f"data folder {self.root} has content and no FORMAT; put that back from a copy"
            )
        durable.write_synced(self._beginning, json.dumps({"format": FORMAT_VERSION}).encode())
        self.tables.mkdir(exist_ok=True)
        durable.sync_folder(self.root)


@contextmanager
def usable(root: Path) -> Iterator[None]:
    """Say in one line why a folder cannot be used: it is a file, or read-only, or its disk is full."""
    try:
        yield
    except OSError as error:
        raise DatabaseError(
            ErrorKind.UNAVAILABLE, f"data folder {root} cannot be used: {error.strerror}; choose another folder"
        ) from error


def _lock(path: Path, root: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise DatabaseError(
            ErrorKind.UNAVAILABLE, f"data folder {root} is in use by another process; stop it or choose another folder"
        ) from error
    return descriptor
