"""JSON with a checksum in front of it: what a record is in the CATALOG and JOBS column families."""

import json
import zlib
from typing import Any

from catalog.errors import DatabaseError, ErrorKind

_CHECKSUM_BYTES = 9


def encode(value: dict[str, Any]) -> bytes:
    """A CRC-32 in eight hexadecimal digits, a space, and the JSON that it covers, in one way of writing it."""
    written = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return _checksum(written) + written


def decode(data: bytes, what: str) -> Any:
    """The value that `encode` wrote; CORRUPT, by the name of `what`, for bytes that fail their checksum."""
    written = data[_CHECKSUM_BYTES:]
    if data[:_CHECKSUM_BYTES] != _checksum(written):
        raise DatabaseError(ErrorKind.CORRUPT, f"{what} fails its checksum")
    try:
        return json.loads(written)
    except ValueError as error:
        raise DatabaseError(ErrorKind.CORRUPT, f"{what} is damaged") from error


def _checksum(written: bytes) -> bytes:
    return b"%08x " % zlib.crc32(written)
