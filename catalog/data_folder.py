"""The data folder: who may open it, and which format it has.

One process owns a folder at a time (an advisory lock on `LOCK`, released by the kernel when the process dies), and
`FORMAT` holds the version of everything below it. A newer format is refused before anything is read.
"""

import fcntl
import json
import os
from pathlib import Path

from catalog.errors import DatabaseError, ErrorKind

FORMAT_VERSION = 1


class DataFolder:
    """An exclusively opened data folder."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self._lock = _lock(root / "LOCK", root)
        try:
            _check_format(root / "FORMAT")
            self.tables.mkdir(exist_ok=True)
        except BaseException:
            self.close()
            raise

    @property
    def tables(self) -> Path:
        """Where batches, blooms, deletion files and manifests live."""
        return self.root / "tables"

    @property
    def rocksdb(self) -> Path:
        """Where the key-value store lives."""
        return self.root / "rocksdb"

    def close(self) -> None:
        """Let another process open the folder."""
        os.close(self._lock)


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


def _check_format(path: Path) -> None:
    if not path.exists():
        temporary = path.with_name("FORMAT.tmp")
        with temporary.open("w") as file:
            json.dump({"format": FORMAT_VERSION}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        return
    try:
        found = json.loads(path.read_text())["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise DatabaseError(ErrorKind.CORRUPT, f"{path} is damaged: it does not name a format") from error
    if found != FORMAT_VERSION:
        raise DatabaseError(
            ErrorKind.UNSUPPORTED,
            f"data folder {path.parent} has format {found}, this server reads format {FORMAT_VERSION}; "
            "use the server version that wrote it",
        )
