"""Checksums of files: measured, checked, and taken from what is written.

They are the CRC-32 of zlib, by zlib-ng, which takes a fifth of the time.
"""

import ctypes
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from zlib_ng.zlib_ng import crc32

from catalog.errors import DatabaseError, ErrorKind

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_CHUNK_BYTES = 4 << 20
_SYNC_FILE_RANGE_WRITE = 2
"""Of Linux: begin to write, and wait for nothing."""

_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]


def checksum(data: bytes | memoryview) -> str:
    """CRC-32 of `data` as it is written in manifests."""
    return checksum_text(crc32(data))


def checksum_text(crc: int) -> str:
    """A CRC-32 as it is written in manifests."""
    return f"crc32:{crc:08x}"


def file_checksum(path: Path) -> tuple[str, int]:
    """Return checksum and size in bytes of a whole file."""
    crc, size = 0, 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            crc = crc32(chunk, crc)
            size += len(chunk)
    return checksum_text(crc), size


def read_checked(path: Path, expected: str) -> bytes:
    """Read a file whole; raise CORRUPT when it is missing or its checksum differs."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DatabaseError(ErrorKind.CORRUPT, "its file is missing") from error
    if checksum(data) != expected:
        raise DatabaseError(ErrorKind.CORRUPT, "its file is not what was written")
    return data


def verify(path: Path, expected: str, size: int) -> None:
    """Raise CORRUPT when a file is missing, has another size, or fails its checksum."""
    try:
        found, found_size = file_checksum(path)
    except FileNotFoundError as error:
        raise DatabaseError(ErrorKind.CORRUPT, "its file is missing") from error
    if found_size != size or found != expected:
        raise DatabaseError(ErrorKind.CORRUPT, "its file is not what was written")


class Unsynced:
    """Files that are written and not yet synced: the disk writes them while others are still to come.

    Their descriptors stay open, so that no write that failed meanwhile goes unnoticed. Any thread may add one.
    """

    def __init__(self) -> None:
        self._descriptors: list[int] = []

    def add(self, descriptor: int) -> None:
        """Take a file, whose descriptor may be closed afterwards."""
        self._descriptors.append(os.dup(descriptor))

    def sync(self) -> None:
        """Wait until the bytes of all of them are durable."""
        while self._descriptors:
            descriptor = self._descriptors.pop()
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def forget(self) -> None:
        """Sync none of them."""
        while self._descriptors:
            os.close(self._descriptors.pop())


class SummedFile(io.RawIOBase):
    """A new file that a library writes from front to back. What passes is summed, and goes on to the disk at once.

    Once closed it is to be synced.
    """

    def __init__(self, path: Path, unsynced: Unsynced) -> None:
        super().__init__()
        self._file = path.open("wb", buffering=0)
        self._unsynced = unsynced
        self._crc = 0
        self._size = 0
        self._passed_on = 0

    @property
    def content(self) -> tuple[str, int]:
        """Checksum of what was written, and its size in bytes."""
        return checksum_text(self._crc), self._size

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write all of `data`."""
        rest = memoryview(data)
        length = rest.nbytes
        self._crc = crc32(rest, self._crc)
        self._size += length
        while rest.nbytes:
            rest = rest[self._file.write(rest) or 0 :]
        if self._size - self._passed_on >= _CHUNK_BYTES:
            self._pass_on()
        return length

    def close(self) -> None:
        """Leave the file to be synced; the folder entry is durable only after `sync_folder`."""
        if not self.closed:
            try:
                self._pass_on()
                self._unsynced.add(self._file.fileno())
            finally:
                self._file.close()
                super().close()

    def _pass_on(self) -> None:
        """Let the disk begin with what is new, where the system can be told to. Failures show when it is synced."""
        if _sync_file_range is not None:
            count = self._size - self._passed_on
            _sync_file_range(self._file.fileno(), self._passed_on, count, _SYNC_FILE_RANGE_WRITE)
        self._passed_on = self._size
