"""The row hash `fs1`: Arrow columns to one stable 64-bit number per row.

The definition is part of the file format (`docs/formats/bloom.md`) and never changes under this name. It
depends on values only: not on slicing, offsets, chunking, dictionary encoding, the width of an integer or
the flavour of a string type. With `mix` the 64-bit finaliser of SplitMix64 (Steele, Lea, Flood, "Fast
splittable pseudorandom number generators", 2014), all arithmetic modulo 2**64:

* each value becomes a 64-bit word: an integer its two's complement, a float its canonical binary64, a byte
  string the sum over its little-endian 8-byte words of `mix(word + (i + 1) * STRIDE)` plus
  `length * LENGTH_FACTOR`;
* the column at position `p` contributes `mix(word + (p + 1) * STRIDE)`, or `NULL_HASH` for NULL;
* a row starts with the first contribution, and each further one enters as `row * ROW_FACTOR + contribution`.

`mix` is a bijection, hence so is the hash of one integer column (`is_exact`). The sum over words makes the
string hash independent of the order of evaluation: short strings are hashed word position by word position,
the tails of long ones in one segmented sum. Dictionary-encoding plain strings first was measured and left
out: Arrow encodes 7 M mostly distinct strings per second where this hashes 30 M, and with few distinct
values, its best case, short strings gain about half.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

HASH_NAME = "fs1"
NULL_HASH = 0x5BD1E995A7C4D3F1
"""What a NULL contributes. One 64-bit integer has the same hash: exactness is a promise for non-NULL keys."""

STRIDE = 0x9E3779B97F4A7C15
LENGTH_FACTOR = 0xD6E8FEB86659FD93
ROW_FACTOR = 0xC2B2AE3D27D4EB4F

Words = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64]

_WORD_BITS = 64
_MODULUS = 1 << _WORD_BITS
_BLOCK_ROWS = 16_384
_BLOCK_BYTES = 1 << 18
_LOCKSTEP_WORDS = 16
_ALONE_BYTES_MAX = 128
_LEADING_BYTES = np.array([(1 << (8 * count)) - 1 for count in range(9)], dtype=np.uint64)
_CANONICAL_NAN = np.uint64(0x7FF8_0000_0000_0000)


def hash_rows(columns: Sequence[pa.Array | pa.ChunkedArray]) -> Words:
    """Hash each row over the columns, in order.

    Returns a new array of one uint64 per row. Raises TypeError, naming the type, for a type without a
    defined hash (nested, interval, extension, …) and ValueError for no columns or for unequal lengths.

    Equal values of different types hash alike only within a family: all integers by value, all floats by
    value, all strings and binaries by their bytes. Decimals hash their unscaled integer and times their
    count of units, so cast a literal to the column's type before hashing it.
    """
    if not columns:
        raise ValueError("a row hash needs at least one column")
    lengths = {len(column) for column in columns}
    if len(lengths) != 1:
        raise ValueError(f"columns have different lengths: {sorted(lengths)}")
    if lengths == {1} and all(_has_word(column) for column in columns):
        return np.array([_hash_one([column[0] for column in columns])], dtype=np.uint64)
    rows = _hash_column(columns[0], _seed(0))
    for position, column in enumerate(columns[1:], start=1):
        rows *= np.uint64(ROW_FACTOR)
        rows += _hash_column(column, _seed(position))
    return rows


def is_exact(types: Sequence[pa.DataType]) -> bool:
    """Tell whether equal hashes imply equal rows, for non-NULL rows of columns of these types.

    True for exactly one column of an integer, boolean, date, time or timestamp type.
    """
    return len(types) == 1 and _is_integer_like(types[0])


def _has_word(column: Any) -> bool:
    """Tell whether a column's only value is hashed faster by itself than as an array."""
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        return bool(column.nbytes <= _ALONE_BYTES_MAX)
    return _is_integer_like(column.type)


def _hash_one(values: Sequence[Any]) -> int:
    """The hash of one row in Python's numbers, in which each step is as in the arrays."""
    row = 0
    for position, value in enumerate(values):
        seed = _seed(position)
        contribution = _mixed((_word(value) + seed) % _MODULUS) if value.is_valid else NULL_HASH
        row = (row * ROW_FACTOR + contribution) % _MODULUS
    return row


def _word(value: Any) -> int:
    if pa.types.is_string(value.type) or pa.types.is_binary(value.type):
        return _byte_string_word(value.as_buffer().to_pybytes())
    number = value.value if pa.types.is_temporal(value.type) else value.as_py()
    return int(number) % _MODULUS


def _byte_string_word(content: bytes) -> int:
    word = len(content) * LENGTH_FACTOR
    for place, start in enumerate(range(0, max(len(content), 1), 8)):
        word += _mixed((int.from_bytes(content[start : start + 8], "little") + _seed(place)) % _MODULUS)
    return word % _MODULUS


def _mixed(word: int) -> int:
    """The finaliser of SplitMix64."""
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % _MODULUS
    word = (word ^ word >> 27) * 0x94D049BB133111EB % _MODULUS
    return word ^ word >> 31


def _seed(position: int) -> int:
    return (position + 1) * STRIDE % _MODULUS


def _mix(words: Words) -> None:
    """Apply the finaliser of SplitMix64 in place, in blocks that stay in the processor's cache."""
    for start in range(0, len(words), _BLOCK_ROWS):
        block = words[start : start + _BLOCK_ROWS]
        block ^= block >> np.uint64(30)
        block *= np.uint64(0xBF58476D1CE4E5B9)
        block ^= block >> np.uint64(27)
        block *= np.uint64(0x94D049BB133111EB)
        block ^= block >> np.uint64(31)


def _hash_column(column: Any, seed: int) -> Words:
    if not isinstance(column, pa.ChunkedArray):
        return _hash_array(column, seed)
    _check_type(column.type)
    hashes = np.empty(len(column), dtype=np.uint64)
    start = 0
    for chunk in column.iterchunks():
        hashes[start : start + len(chunk)] = _hash_array(chunk, seed)
        start += len(chunk)
    return hashes


def _hash_array(array: Any, seed: int) -> Words:
    _check_type(array.type)
    if pa.types.is_dictionary(array.type):
        hashes = _hash_dictionary(array, seed)
    else:
        hashes = _value_words(array)
        hashes += np.uint64(seed)
        _mix(hashes)
    if array.null_count:
        hashes[_nulls(array)] = NULL_HASH
    return hashes


def _hash_dictionary(array: Any, seed: int) -> Words:
    values = _hash_array(array.dictionary, seed)
    if not len(values):
        return np.full(len(array), NULL_HASH, dtype=np.uint64)
    indices = _integer_words(array.indices).view(np.int64)
    if array.null_count:
        indices[_nulls(array)] = 0
    return values[indices]


def _nulls(array: Any) -> npt.NDArray[np.bool_]:
    nulls: npt.NDArray[np.bool_] = array.is_null().to_numpy(zero_copy_only=False)
    return nulls


def _check_type(data_type: Any) -> None:
    value_type = data_type.value_type if pa.types.is_dictionary(data_type) else data_type
    if not (
        _is_integer_like(value_type)
        or pa.types.is_floating(value_type)
        or pa.types.is_decimal128(value_type)
        or pa.types.is_fixed_size_binary(value_type)
        or _is_view(value_type)
        or _is_small_offset(value_type)
        or _is_large_offset(value_type)
    ):
        raise TypeError(f"no row hash is defined for the Arrow type {data_type}")


def _is_integer_like(data_type: Any) -> bool:
    return bool(
        pa.types.is_integer(data_type)
        or pa.types.is_boolean(data_type)
        or pa.types.is_date(data_type)
        or pa.types.is_time(data_type)
        or pa.types.is_timestamp(data_type)
    )


def _is_view(data_type: Any) -> bool:
    return bool(pa.types.is_string_view(data_type) or pa.types.is_binary_view(data_type))


def _is_small_offset(data_type: Any) -> bool:
    return bool(pa.types.is_string(data_type) or pa.types.is_binary(data_type))


def _is_large_offset(data_type: Any) -> bool:
    return bool(pa.types.is_large_string(data_type) or pa.types.is_large_binary(data_type))


def _value_words(array: Any) -> Words:
    """Turn values into fresh 64-bit words; what stands at the place of a NULL is arbitrary."""
    data_type = array.type
    if not len(array):
        return np.empty(0, dtype=np.uint64)
    if _is_integer_like(data_type):
        return _integer_words(array)
    if pa.types.is_floating(data_type):
        return _float_words(array)
    if pa.types.is_decimal128(data_type):
        return _decimal_words(array)
    return _byte_string_words(array)


def _fixed_width(array: Any, dtype: str) -> npt.NDArray[Any]:
    """View the values of a fixed-width array, honouring its offset; Arrow memory is little-endian."""
    itemsize = np.dtype(dtype).itemsize
    buffer = array.buffers()[1]
    return np.frombuffer(buffer, dtype=dtype, count=len(array), offset=array.offset * itemsize)


def _integer_words(array: Any) -> Words:
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.uint8())
    kind = "u" if pa.types.is_unsigned_integer(array.type) else "i"
    values = _fixed_width(array, f"<{kind}{array.type.bit_width // 8}")
    return values.astype(np.uint64 if kind == "u" else np.int64).view(np.uint64)


def _float_words(array: Any) -> Words:
    with np.errstate(invalid="ignore"):
        values = _fixed_width(array, f"<f{array.type.bit_width // 8}").astype(np.float64)
        values += 0.0  # turns -0.0 into 0.0 and changes nothing else
    words = values.view(np.uint64)
    words[np.isnan(values)] = _CANONICAL_NAN
    return words


def _decimal_words(array: Any) -> Words:
    halves = np.frombuffer(array.buffers()[1], dtype="<u8", count=2 * len(array), offset=16 * array.offset)
    words = halves[1::2].astype(np.uint64)
    _mix(words)
    words += halves[0::2]
    return words


def _byte_string_words(array: Any) -> Words:
    offsets, data = _byte_strings(array)
    words = np.empty(len(array), dtype=np.uint64)
    for start, stop in _blocks(offsets):
        first, last = int(offsets[start]), int(offsets[stop])
        words[start:stop] = _block_words(offsets[start : stop + 1] - first, data[first:last])
    return words


def _byte_strings(array: Any) -> tuple[Offsets, npt.NDArray[np.uint8]]:
    """Give the rows + 1 offsets and the bytes of any string, binary or fixed-size binary array."""
    data_type = array.type
    if _is_view(data_type):
        array = array.cast(pa.large_string() if pa.types.is_string_view(data_type) else pa.large_binary())
    if pa.types.is_fixed_size_binary(data_type):
        offsets = np.arange(array.offset, array.offset + len(array) + 1, dtype=np.int64) * data_type.byte_width
        content = array.buffers()[1]
    else:
        dtype = np.dtype("<i4" if _is_small_offset(data_type) else "<i8")
        _, starts, content = array.buffers()
        offsets = np.frombuffer(starts, dtype=dtype, count=len(array) + 1, offset=array.offset * dtype.itemsize).astype(
            np.int64
        )
    return offsets, np.frombuffer(b"" if content is None else content, dtype=np.uint8)


def _blocks(offsets: Offsets) -> Iterator[tuple[int, int]]:
    """Cut rows into ranges of bounded rows and bytes; a range holds at least one row."""
    rows, start = len(offsets) - 1, 0
    while start < rows:
        within_bytes = int(np.searchsorted(offsets, offsets[start] + _BLOCK_BYTES, side="right")) - 1
        stop = max(start + 1, min(within_bytes, start + _BLOCK_ROWS, rows))
        yield start, stop
        start = stop


def _block_words(offsets: Offsets, data: npt.NDArray[np.uint8]) -> Words:
    """Hash the byte strings of one block: the leading words in lockstep, then the tails of long rows."""
    source = _words_at_every_byte(data)
    starts, lengths = offsets[:-1], offsets[1:] - offsets[:-1]
    sums = _mixed_words(source, starts, np.minimum(lengths, 8), _seed(0))
    sums += lengths.view(np.uint64) * np.uint64(LENGTH_FACTOR)
    rows = np.flatnonzero(lengths > 8)
    for position in range(1, _LOCKSTEP_WORDS):
        if not len(rows):
            return sums
        remaining = lengths[rows] - 8 * position
        cut = np.minimum(remaining, 8)
        sums[rows] += _mixed_words(source, starts[rows] + 8 * position, cut, _seed(position))
        rows = rows[remaining > 8]
    if len(rows):
        sums[rows] += _tail_sums(source, starts[rows], lengths[rows])
    return sums


def _words_at_every_byte(data: npt.NDArray[np.uint8]) -> Words:
    """View a zero-padded copy of the bytes as the 8-byte word that starts at each byte."""
    padded = np.zeros(len(data) + 8, dtype=np.uint8)
    padded[: len(data)] = data
    return np.ndarray(shape=(len(data) + 1,), dtype="<u8", buffer=padded.data, strides=(1,))


def _mixed_words(source: Words, starts: Offsets, lengths: Offsets, seeds: int | Words) -> Words:
    """Read one word of 0 to 8 bytes at each start, add its seed, and mix."""
    words = source[starts].astype(np.uint64, copy=False)
    words &= _LEADING_BYTES[lengths]
    words += np.uint64(seeds) if isinstance(seeds, int) else seeds
    _mix(words)
    return words


def _tail_sums(source: Words, starts: Offsets, lengths: Offsets) -> Words:
    """Sum the mixed words from position `_LOCKSTEP_WORDS` to the end of rows that reach beyond it."""
    counts = (lengths + 7) // 8 - _LOCKSTEP_WORDS
    ends = np.cumsum(counts)
    firsts = ends - counts
    positions = np.arange(ends[-1]) - np.repeat(firsts - _LOCKSTEP_WORDS, counts)
    cuts = np.full(len(positions), 8, dtype=np.int64)
    cuts[ends - 1] = (lengths - 1) % 8 + 1
    seeds = (positions + 1).view(np.uint64) * np.uint64(STRIDE)
    mixed = _mixed_words(source, np.repeat(starts, counts) + 8 * positions, cuts, seeds)
    return np.add.reduceat(mixed, firsts)
