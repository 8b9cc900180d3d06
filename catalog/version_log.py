"""RocksDB's log of versions (`MANIFEST-…`): which write-ahead logs are needed, as their rows are in no table yet.

It is cut into records like those logs, and RocksDB takes zeros in it, or a cut, for its end: then it knows older tables
alone, deletes newer ones, and misses no log that went when these were written. So how far it was is noted elsewhere.
"""

from collections.abc import Iterator
from pathlib import Path

from catalog.log_file import BLOCK_BYTES, records

TAIL_BYTES = 4 * BLOCK_BYTES

_MIN_LOG = 10
_NUMBERS = frozenset({2, 3, 4, 9, _MIN_LOG, 200, 203})
_TEXTS = frozenset({1, 201})
_MAY_BE_IGNORED = 1 << 13
"""Tags with this bit have a length, and can be passed over by whoever does not know them."""


def version_log_of(store: Path) -> Path:
    """The log of versions that a store uses."""
    return store / (store / "CURRENT").read_text().strip()


def oldest_log_needed(log: bytes) -> int:
    """The number of the oldest log file that is needed, by a log of versions, or its end; 0 if it says none."""
    return max((dict(_numbers(record)).get(_MIN_LOG, 0) for record in records(log)), default=0)


def _numbers(edit: bytes) -> Iterator[tuple[int, int]]:
    """The numbers that an edit begins with, by their tags; what follows is about tables."""
    position = 0
    try:
        while position < len(edit):
            tag, position = _varint(edit, position)
            if tag in _NUMBERS:
                number, position = _varint(edit, position)
                yield tag, number
            elif tag in _TEXTS or tag & _MAY_BE_IGNORED:
                length, position = _varint(edit, position)
                position += length
            else:
                return
    except IndexError:
        return


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number in pieces of seven bits, and where it ends."""
    number = shift = 0
    while True:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
