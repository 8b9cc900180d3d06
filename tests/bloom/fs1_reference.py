"""The hash `fs1` again, one value at a time in plain integers: the oracle for the vectorised one."""

import math
import struct
from collections.abc import Sequence

MASK = (1 << 64) - 1
STRIDE = 0x9E3779B97F4A7C15
LENGTH_FACTOR = 0xD6E8FEB86659FD93
ROW_FACTOR = 0xC2B2AE3D27D4EB4F
NULL_HASH = 0x5BD1E995A7C4D3F1


def mix(word: int) -> int:
    """Apply the SplitMix64 finaliser."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


def unmix(word: int) -> int:
    """Undo `mix`, which proves that it is a bijection."""
    word ^= (word >> 31) ^ (word >> 62)
    word = (word * pow(0x94D049BB133111EB, -1, 1 << 64)) & MASK
    word ^= (word >> 27) ^ (word >> 54)
    word = (word * pow(0xBF58476D1CE4E5B9, -1, 1 << 64)) & MASK
    return word ^ (word >> 30) ^ (word >> 60)


def bytes_word(text: bytes) -> int:
    """Give the word of a byte string; the empty one still has one (zero) word."""
    pieces = [text[start : start + 8] for start in range(0, max(len(text), 1), 8)]
    words = (int.from_bytes(piece, "little") for piece in pieces)
    total = sum(mix((word + (i + 1) * STRIDE) & MASK) for i, word in enumerate(words))
    return (total + len(text) * LENGTH_FACTOR) & MASK


def float_word(value: float) -> int:
    """Give the binary64 bits of a float, with one zero and one NaN."""
    if math.isnan(value):
        return 0x7FF8_0000_0000_0000
    return struct.unpack("<Q", struct.pack("<d", value + 0.0))[0]


def decimal_word(unscaled: int) -> int:
    """Give the word of a 128-bit unscaled integer."""
    return (mix((unscaled >> 64) & MASK) + unscaled) & MASK


def value_word(value: int | float | str | bytes) -> int:
    """Give the word of an integer, a float, a text or a byte string."""
    if isinstance(value, float):
        return float_word(value)
    if isinstance(value, int):
        return value & MASK
    return bytes_word(value.encode() if isinstance(value, str) else value)


def row_hash(words: Sequence[int | None]) -> int:
    """Combine the words of a row, None being NULL."""
    row = 0
    for position, word in enumerate(words):
        seeded = 0 if word is None else word + (position + 1) * STRIDE
        contribution = NULL_HASH if word is None else mix(seeded & MASK)
        row = (row * ROW_FACTOR + contribution) & MASK
    return row
