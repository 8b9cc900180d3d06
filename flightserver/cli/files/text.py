"""A file's text as UTF-8: unzipped, with its encoding undone, without a byte-order mark.

Reads as a binary file does, a piece at a time. No piece ends between the two letters of a line end, because Arrow's
CSV reader forgets the second one there, also within quotes.
"""

import codecs
import gzip
import io
import zlib
from pathlib import Path
from typing import Any

PIECE_BYTES = 4 << 20
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_GROWTH_MAX = 4
"""Bytes of UTF-8 that one byte of another encoding can become."""


class Text(io.RawIOBase):
    """The text of a file. A mark at its start says more than nothing, and less than an `encoding` that was named."""

    def __init__(self, path: Path, encoding: str | None) -> None:
        self._file = path.open("rb")
        self._raw = gzip.GzipFile(fileobj=self._file) if path.name.lower().endswith(".gz") else self._file
        self._start = b""
        self._start = self._unzipped(max(len(mark) for mark, _ in _MARKS))
        mark, marked = next(((mark, name) for mark, name in _MARKS if self._start.startswith(mark)), (b"", "utf-8"))
        encoding = encoding or marked
        if encoding == marked:
            self._start = self._start.removeprefix(mark)
        self._decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)()
        self._held = b""

    @property
    def bytes_done(self) -> int:
        """How much of the file itself has been read."""
        return self._file.tell()

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next piece, of at most `size` bytes; nothing at the end."""
        size = PIECE_BYTES if size < 0 else max(size, 2 * _GROWTH_MAX)
        piece = self._held + self._decoded(size - len(self._held))
        self._held = b""
        if piece.endswith(b"\r"):
            following = self._decoded(_GROWTH_MAX)
            if following:
                piece, self._held = piece[:-1], b"\r" + following
        return piece or (self.read(size) if self._held else b"")

    def readinto(self, buffer: Any) -> int:
        """The next piece, into a buffer."""
        view = memoryview(buffer)
        piece = self.read(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Let go of the file."""
        self._raw.close()
        self._file.close()
        super().close()

    def _decoded(self, size: int) -> bytes:
        if self._decoder is None:
            return self._unzipped(size)
        while True:
            raw = self._unzipped(max(size // _GROWTH_MAX, 1))
            text = self._decoder.decode(raw, final=not raw)
            if text or not raw:
                return text.encode()

    def _unzipped(self, size: int) -> bytes:
        if self._start:
            piece, self._start = self._start[:size], self._start[size:]
            return piece
        try:
            return self._raw.read(size)
        except (EOFError, zlib.error) as error:
            raise OSError(f"the compressed file is cut off or damaged: {error}") from error
