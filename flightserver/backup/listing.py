"""What a backup says of itself, in its file `BACKUP`: when it was taken, and each file with its checksum. Pure."""

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from catalog.errors import DatabaseError, ErrorKind

FILE_NAME = "BACKUP"
FORMAT = 1

_CHECKSUM_BYTES = 9
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class BackupFile:
    """A file, by its path in the data folder. `checksum` is as in manifests."""

    path: str
    bytes: int
    checksum: str


@dataclass(frozen=True)
class Listing:
    """A backup. `created_at` is in microseconds since 1970; `problems` are files that were damaged when it was taken.

    `new_bytes` is the size of those files that the backup before did not have.
    """

    created_at: int
    files: tuple[BackupFile, ...]
    new_bytes: int = 0
    problems: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files)

    @cached_property
    def by_path(self) -> Mapping[str, BackupFile]:
        """The files by their paths."""
        return {file.path: file for file in self.files}


def encode(listing: Listing) -> bytes:
    """Write a listing: a checksum, a space, and the JSON that it covers."""
    value = {
        "format": FORMAT,
        "created_at": listing.created_at,
        "new_bytes": listing.new_bytes,
        "problems": list(listing.problems),
        "files": [[file.path, file.bytes, file.checksum] for file in listing.files],
    }
    written = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return _checksum(written) + written


def decode(data: bytes) -> Listing:
    """Read what `encode` wrote. CORRUPT for anything else, UNSUPPORTED for another format."""
    written = data[_CHECKSUM_BYTES:]
    if data[:_CHECKSUM_BYTES] != _checksum(written):
        raise DatabaseError(ErrorKind.CORRUPT, f"{FILE_NAME} fails its checksum")
    try:
        value = json.loads(written)
        if value["format"] != FORMAT:
            raise DatabaseError(ErrorKind.UNSUPPORTED, f"the backup has format {value['format']}, this is for {FORMAT}")
        files = tuple(BackupFile(str(path), int(size), str(checksum)) for path, size, checksum in value["files"])
        return Listing(int(value["created_at"]), files, int(value["new_bytes"]), tuple(map(str, value["problems"])))
    except (ValueError, KeyError, TypeError) as error:
        raise DatabaseError(ErrorKind.CORRUPT, f"{FILE_NAME} is damaged") from error


def described(listing: Listing) -> str:
    """A backup in one line."""
    damaged = f", {len(listing.problems)} of them damaged" if listing.problems else ""
    return f"{len(listing.files)} files{damaged}, {listing.bytes:,} bytes, {listing.new_bytes:,} of them new"


def check_backup_name(name: str) -> str:
    """Return `name` when a backup can be called so: it is the name of a folder."""
    if not _NAME.fullmatch(name):
        raise DatabaseError(
            ErrorKind.INVALID,
            "the name of a backup has 1 to 100 letters, digits, '_', '.' and '-', and begins with a letter or a digit",
        )
    return name


def _checksum(written: bytes) -> bytes:
    return b"%08x " % zlib.crc32(written)
