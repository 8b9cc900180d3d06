"""A backup checked, and made a data folder again.

Every file is read from end to end and held against the listing, while it is copied: what is restored is what was taken.
The new folder's `FORMAT` comes last, so one that is not complete is refused by every server.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from zlib_ng.zlib_ng import crc32

from catalog import durable, high_water
from catalog.data_folder import FORMAT_FILE, TABLES, DataFolder, usable
from catalog.errors import DatabaseError, ErrorKind
from flightserver.backup.listing import FILE_NAME, BackupFile, Listing, decode
from flush.work import Work
from manifest import files

CHUNK_BYTES = 4 << 20


def listing_of(backup: Path) -> Listing:
    """What a backup says of itself; CORRUPT when that cannot be read."""
    try:
        return decode((backup / FILE_NAME).read_bytes())
    except OSError as error:
        raise DatabaseError(ErrorKind.CORRUPT, f"{FILE_NAME} of the backup cannot be read") from error


def findings(backup: Path, work: Work | None = None) -> Iterator[tuple[str, str]]:
    """Every file of a backup that is not what was written, and what is wrong with it."""
    watched = work or Work()
    for file in listing_of(backup).files:
        watched.check()
        try:
            files.verify(backup / file.path, file.checksum, file.bytes)
        except DatabaseError as error:
            yield file.path, error.message
        except OSError as error:
            yield file.path, f"its file cannot be read: {error.strerror}"
        watched.did(0, file.bytes)


def restore(backup: Path, data_dir: Path, *, accept_damage: bool = False) -> Listing:
    """Make a data folder of a backup, in a folder that is empty or not there.

    CORRUPT names the first file that is not what was written; with `accept_damage` such files are left out.
    """
    listing = listing_of(backup)
    folder_format = _format_of(backup, listing)
    with usable(data_dir):
        if data_dir.exists() and (not data_dir.is_dir() or any(data_dir.iterdir())):
            raise DatabaseError(
                ErrorKind.INVALID, f"{data_dir} is not empty; a backup is restored into an empty folder"
            )
        durable.make_folder(data_dir)
        data_dir.chmod(0o700)
        (data_dir / TABLES).mkdir()
        for file in listing.files:
            if file.path != FORMAT_FILE:
                _put_back(backup, data_dir, file, accept_damage=accept_damage)
        high_water.begin(DataFolder.mark_in(data_dir))
        durable.sync_file_system(data_dir)
        durable.publish(data_dir / FORMAT_FILE, folder_format)
    return listing


def _format_of(backup: Path, listing: Listing) -> bytes:
    """What says of which format the data folder is; without it nothing can be made of a backup."""
    listed = listing.by_path.get(FORMAT_FILE)
    try:
        return files.read_checked(backup / FORMAT_FILE, "" if listed is None else listed.checksum)
    except DatabaseError as error:
        raise DatabaseError(ErrorKind.CORRUPT, f"{FORMAT_FILE} of the backup is damaged: {error.message}") from error


def _put_back(backup: Path, data_dir: Path, file: BackupFile, *, accept_damage: bool) -> None:
    target = data_dir / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (backup / file.path).open("rb") as source, target.open("xb") as copy:
            problem = None if _copied(source, copy) == (file.checksum, file.bytes) else "is not what was written"
    except FileNotFoundError:
        problem = "is missing"
    if problem is not None:
        target.unlink(missing_ok=True)
        if not accept_damage:
            raise DatabaseError(
                ErrorKind.CORRUPT, f"{file.path} of the backup {problem}; --accept-damage leaves it out"
            )


def _copied(source: BinaryIO, copy: BinaryIO) -> tuple[str, int]:
    """Copy a file; return checksum and size of what was read."""
    crc, size = 0, 0
    while chunk := source.read(CHUNK_BYTES):
        copy.write(chunk)
        crc, size = crc32(chunk, crc), size + len(chunk)
    copy.flush()
    os.fsync(copy.fileno())
    return files.checksum_text(crc), size
