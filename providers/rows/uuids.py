"""UUIDs as they are stored: canonical text, 36 letters in lower case (docs/decisions/0003)."""

import os
import time

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from providers.rows.moments import refuse_where

_BYTES = 16
_TEXT_BYTES = 36
_DASHES = (8, 13, 18, 23)
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_CANONICAL = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


def uuid_v7(rows: int) -> pa.Array:
    """Random UUIDs of version 7 (RFC 9562) as canonical text: 48 bits of Unix milliseconds, then random bits.

    Values of one call ascend by at least the millisecond they were made in.
    """
    raw = np.frombuffer(os.urandom(16 * rows), dtype=np.uint8).reshape(rows, 16).copy()
    raw[:, :6] = np.frombuffer((time.time_ns() // 1_000_000).to_bytes(6, "big"), dtype=np.uint8)
    raw[:, 6] = (raw[:, 6] & 0x0F) | 0x70
    raw[:, 8] = (raw[:, 8] & 0x3F) | 0x80
    return _text(raw)


def canonical_uuids(values: pa.Array) -> pa.Array:
    """Canonical text of UUIDs given as 16 bytes, or as text in any case, with or without dashes and braces."""
    if pa.types.is_binary(values.type):
        fixed = values.cast(pa.binary(_BYTES))
        raw = np.frombuffer(fixed.buffers()[1], dtype=np.uint8).reshape(-1, _BYTES)
        text = _text(raw[fixed.offset : fixed.offset + len(fixed)])
        return pc.if_else(values.is_valid(), text, pa.scalar(None, pa.string()))
    lowered = pc.utf8_lower(pc.utf8_trim(values, "{} "))
    bare = pc.match_substring_regex(lowered, r"^[0-9a-f]{32}$")
    dashed = pc.replace_substring_regex(lowered, r"^(.{8})(.{4})(.{4})(.{4})(.{12})$", r"\1-\2-\3-\4-\5")
    canonical = pc.if_else(bare, dashed, lowered)
    refuse_where(values, pc.invert(pc.match_substring_regex(canonical, _CANONICAL)), "is not a UUID")
    return canonical


def _text(raw: npt.NDArray[np.uint8]) -> pa.Array:
    """Canonical text of UUIDs given as rows of 16 bytes."""
    rows = len(raw)
    digits = _HEX[np.stack((raw >> 4, raw & 0x0F), axis=2).reshape(rows, 32)]
    text = np.full((rows, _TEXT_BYTES), ord("-"), dtype=np.uint8)
    text[:, [i for i in range(_TEXT_BYTES) if i not in _DASHES]] = digits
    offsets = np.arange(0, (rows + 1) * _TEXT_BYTES, _TEXT_BYTES, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(text))
