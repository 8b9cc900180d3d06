"""RocksDB's write-ahead log as a file: which changes stand in it. Pure: bytes in, numbers out.

A log is cut into blocks of 32 KiB, these into fragments (checksum, length, kind), and one or more fragments hold a
batch of changes, which begins with the number of its first change and how many there are. Where there can be no
fragment, RocksDB goes on with the next block, without a word if it finds zeros, and so does this. Numbers run on from
batch to batch and from log to log: what is missing shows as a gap. Checksums are RocksDB's own business.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

BLOCK_BYTES = 32_768

_FRAGMENT = struct.Struct("<IHB")
_BATCH = struct.Struct("<QI")
_LOG_NUMBER_BYTES = 4
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_KINDS = {_WHOLE, _FIRST, _MIDDLE, _LAST}
_RECYCLED = 4
"""The same kinds, four higher, are followed by the number of their log."""


class Span(NamedTuple):
    """Changes with consecutive numbers: that of the first, and how many."""

    first: int
    length: int

    @property
    def end(self) -> int:
        """The number of the next change."""
        return self.first + self.length


class _Fragment(NamedTuple):
    """Part of a batch; of one that the log's end cuts off, `content` is shorter than `length`."""

    kind: int
    length: int
    content: memoryview


def spans(log: bytes) -> Iterator[Span]:
    """The batches that stand whole in a log."""
    head: bytes | None = None
    for kind, length, content in _fragments(log):
        if len(content) < length:
            return
        if kind in {_WHOLE, _FIRST}:
            head = bytes(content[: _BATCH.size])
        elif head is not None:
            head += bytes(content[: _BATCH.size])
        if kind in {_WHOLE, _LAST} and head is not None:
            yield Span(*_BATCH.unpack_from(head))
            head = None


def records(log: bytes) -> Iterator[bytes]:
    """What stands whole in a log, record by record."""
    parts: list[bytes] | None = None
    for kind, length, content in _fragments(log):
        if len(content) < length:
            return
        if kind in {_WHOLE, _FIRST}:
            parts = []
        if parts is None:
            continue
        parts.append(bytes(content))
        if kind in {_WHOLE, _LAST}:
            yield b"".join(parts)
            parts = None


def first_change(beginning: bytes) -> int | None:
    """The number of a log's first change, from the log's first bytes; None when it has none yet."""
    for kind, _, content in _fragments(beginning):
        if kind in {_WHOLE, _FIRST} and len(content) >= _BATCH.size:
            return int(_BATCH.unpack_from(content)[0])
    return None


def gaps(start: int, found: Iterable[Span], end: int) -> list[Span]:
    """What is missing of the changes from `start` on: up to `end`, or up to the last that was found."""
    missing = []
    for span in (*found, Span(end, 0)):
        if span.first > start:
            missing.append(Span(start, span.first - start))
        start = max(start, span.end)
    return missing


def _fragments(log: bytes) -> Iterator[_Fragment]:
    view, position = memoryview(log), 0
    while position + _FRAGMENT.size <= len(view):
        left = BLOCK_BYTES - position % BLOCK_BYTES
        if left < _FRAGMENT.size:
            position += left
            continue
        _, length, kind = _FRAGMENT.unpack_from(view, position)
        start = position + _FRAGMENT.size
        if kind - _RECYCLED in _KINDS:
            kind, start = kind - _RECYCLED, start + _LOG_NUMBER_BYTES
        end = start + length
        if not kind or end > position + left:
            position += left
            continue
        if kind in _KINDS:
            yield _Fragment(kind, length, view[start:end])
        position = end
