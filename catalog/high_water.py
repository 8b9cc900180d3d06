"""How far the key-value store's log was acknowledged, written down outside of the log.

A log that has lost its end, or has zeros in it, looks like one with fewer commits. The mark tells which there were: the
number of the newest change that was acknowledged, and with which change each log file begins. It is written after each
sync of the log, and before anybody who waited for that sync is answered, so that the log is never behind it unless it
has lost something. The mark itself is synced about once a second: after a power cut it may be that much behind.

The file (docs/formats/data-folder.md) has two places that are written by turns, so that one is always whole.
"""

import os
import struct
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from catalog import durable
from catalog.errors import DatabaseError, ErrorKind
from catalog.log_file import Span, first_change, gaps
from catalog.version_log import TAIL_BYTES, oldest_log_needed, version_log_of

SYNC_SECONDS = 1.0
PLACE_BYTES = 4_096
LOGS_MAX = 250
"""More than a store ever has; a mark has room for so many."""

_HEADER = struct.Struct("<4sHHqqq")
_LOG = struct.Struct("<qq")
_CRC = struct.Struct("<I")
_MAGIC = b"FSHW"
_FORMAT = 2


@dataclass(frozen=True)
class Acknowledged:
    """The number of the newest change that was acknowledged, when that was (seconds since 1970), and the log files.

    `logs` has the number of the first change of each log file that there was, by the file's number. Of those before
    `oldest_log`, if there were any, the store had said durably that they are not needed any more.
    """

    change: int = 0
    at: int = 0
    logs: Mapping[int, int] = field(default_factory=dict)
    oldest_log: int = 0


def missing_changes(
    acknowledged: Acknowledged, newest: int, oldest_log: int, logs: Mapping[int, Iterable[Span]]
) -> list[Span]:
    """Which acknowledged changes a store lacks. Pure.

    `newest` is the newest change that the store has at all; `logs` are its log files by number, of which those before
    `oldest_log` are not needed any more: what stood in them stands in other files.
    """
    begun = [first for number, first in acknowledged.logs.items() if number >= oldest_log]
    needed = [span for number in sorted(logs) if number >= oldest_log for span in logs[number]]
    start = min(begun) if begun else needed[0].first if needed else newest + 1
    return gaps(start, needed, acknowledged.change + 1)


class HighWater:
    """The mark of an open store."""

    def __init__(self, path: Path, store: Path) -> None:
        self._store = store
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        self._place = 0
        self._synced_at = 0.0
        self._listed_at = 0
        self._logs: dict[int, int] = {}
        self._oldest_log = 0

    def note(self, change: int) -> None:
        """Say that everything up to `change` is durable."""
        self._list_logs()
        acknowledged = Acknowledged(change, int(time.time()), self._logs, self._oldest_log)
        os.pwrite(self._descriptor, _encode(acknowledged), self._place * PLACE_BYTES)
        self._place = 1 - self._place
        now = time.monotonic()
        if now - self._synced_at >= SYNC_SECONDS:
            os.fdatasync(self._descriptor)
            self._synced_at = now

    def close(self) -> None:
        """Make the mark durable and let the file go."""
        try:
            os.fdatasync(self._descriptor)
        finally:
            os.close(self._descriptor)

    def _list_logs(self) -> None:
        """Look which log files there are, if any file of the store has come or gone."""
        changed_at = self._store.stat().st_mtime_ns
        if changed_at == self._listed_at:
            return
        found = log_files(self._store)
        known = {number: self._logs.get(number) or _first_change(path) for number, path in found.items()}
        self._logs = {number: first for number, first in known.items() if first is not None}
        said = oldest_log_needed(_end_of(version_log_of(self._store)))
        if all(number >= said for number in found):  # logs go only after what lets them go is durable
            self._oldest_log = max(self._oldest_log, said)
        if len(self._logs) == len(found):
            self._listed_at = changed_at


def _end_of(path: Path) -> bytes:
    """The last blocks of a log."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size // TAIL_BYTES - 1, 0) * TAIL_BYTES)
        return file.read()


def log_files(store: Path) -> dict[int, Path]:
    """The log files of a store by their numbers."""
    return {int(path.stem): path for path in store.glob("*.log") if path.stem.isdigit()}


def read(path: Path) -> Acknowledged | None:
    """What a mark says; None when there is none. CORRUPT when it is no mark."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    places = (_decode(data[:PLACE_BYTES]), _decode(data[PLACE_BYTES:]))
    whole = [found for found in places if found is not None]
    if not whole:
        raise DatabaseError(ErrorKind.CORRUPT, f"{path.name} is damaged")
    return max(whole, key=lambda found: found.change)


def begin(path: Path) -> None:
    """Write the mark of a store of which nothing is acknowledged, durably."""
    durable.publish(path, _encode(Acknowledged()))


def _first_change(path: Path) -> int | None:
    try:
        with path.open("rb") as file:
            return first_change(file.read(PLACE_BYTES))
    except FileNotFoundError:
        return None


def _encode(acknowledged: Acknowledged) -> bytes:
    logs = sorted(acknowledged.logs.items())[:LOGS_MAX]
    body = _HEADER.pack(_MAGIC, _FORMAT, len(logs), acknowledged.change, acknowledged.at, acknowledged.oldest_log)
    body += b"".join(_LOG.pack(number, first) for number, first in logs)
    return body + _CRC.pack(zlib.crc32(body))


def _decode(data: bytes) -> Acknowledged | None:
    """What one place says; None when it is damaged or was never written."""
    if len(data) < _HEADER.size + _CRC.size:
        return None
    magic, file_format, count, change, at, oldest_log = _HEADER.unpack_from(data)
    end = _HEADER.size + count * _LOG.size
    if (magic, file_format) != (_MAGIC, _FORMAT) or len(data) < end + _CRC.size:
        return None
    if zlib.crc32(data[:end]) != _CRC.unpack_from(data, end)[0]:
        return None
    return Acknowledged(change, at, dict(_LOG.iter_unpack(data[_HEADER.size : end])), oldest_log)
