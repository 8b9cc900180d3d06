"""Arrow values as they are stored: without encodings, without what NULL hides, and with one zero and one NaN.

Invariants of a plain array, however deep it nests:
- it is no dictionary, run-end encoding, view or extension; lists and text have 32-bit offsets and no fixed size;
- a NULL struct has NULL fields and a NULL list no elements: engines read the children of a struct without its validity;
- -0.0 is 0.0, and every NaN the same: SQL calls them equal, and engines do not where they hash or look up.

Flat values that are plain already are not copied.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ALWAYS_PLAIN = frozenset(
    data_type.id
    for data_type in (
        pa.bool_(),
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.date32(), pa.time64("us"), pa.timestamp("us")),
        pa.decimal128(1),
    )
)
"""Types whose arrays have neither encodings, nor large pieces, nor several zeros."""

_OF_ONE_FORM = frozenset((pa.string().id, pa.binary().id))
"""The same but for large pieces."""

PIECE_BYTES_MAX = 1 << 30
"""Arrays with 64-bit offsets are cut so that each piece has room for 32-bit ones."""


def plain_values(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values of any type as plain ones. Types that columns cannot have stay as they are, for others to refuse."""
    pieces = [plain(piece) for chunk in values.chunks or [pa.nulls(0, values.type)] for piece in _cut(chunk)]
    return pa.chunked_array(pieces)


def are_known_to_be_plain(values: pa.ChunkedArray) -> bool:
    """Tell, without looking at them, that values are plain and in pieces that are small enough."""
    kind = values.type.id
    return kind in _ALWAYS_PLAIN or (kind in _OF_ONE_FORM and values.get_total_buffer_size() <= PIECE_BYTES_MAX)


def plain(values: pa.Array) -> pa.Array:
    """The same for one array, which must leave room for 32-bit offsets."""
    found, types = values.type, pa.types
    if isinstance(found, pa.BaseExtensionType):
        return plain(values.storage)
    if types.is_dictionary(found):
        return plain(values.dictionary).take(values.indices)
    if types.is_run_end_encoded(found):
        return plain(values.values).take(_runs(values))
    if types.is_struct(found):
        return _plain_struct(values)
    if is_list(found):
        return _plain_list(values)
    if types.is_large_string(found) or types.is_string_view(found):
        return values.cast(pa.string())
    if types.is_large_binary(found) or types.is_binary_view(found) or types.is_fixed_size_binary(found):
        return values.cast(pa.binary())
    return _with_one_zero_and_nan(values) if types.is_floating(found) else values


def is_list(data_type: pa.DataType) -> bool:
    """Tell whether a type is any of Arrow's lists; a map is none."""
    types = pa.types
    views = types.is_list_view(data_type) or types.is_large_list_view(data_type)
    return bool(
        views or types.is_list(data_type) or types.is_large_list(data_type) or types.is_fixed_size_list(data_type)
    )


def plain_bytes(values: pa.Array) -> int:
    """Memory that the texts of an array take once they are plain; those of a view may stand for one another before."""
    found, types = values.type, pa.types
    if isinstance(found, pa.BaseExtensionType):
        return plain_bytes(values.storage)
    if types.is_string_view(found) or types.is_binary_view(found):
        views = np.frombuffer(values.buffers()[1], np.int32, 4 * len(values), 16 * values.offset)
        return int(views[::4].sum(dtype=np.int64))
    if types.is_struct(found):
        return sum(map(plain_bytes, values.flatten()))
    if is_list(found):
        return plain_bytes(pc.list_flatten(values))
    return int(values.nbytes)


def _cut(values: pa.Array) -> list[pa.Array]:
    if plain_bytes(values) <= PIECE_BYTES_MAX or len(values) < 2:
        return [values]
    half = len(values) // 2
    return [*_cut(values.slice(0, half)), *_cut(values.slice(half))]


def _runs(values: pa.RunEndEncodedArray) -> pa.Array:
    """The run of each row."""
    rows = np.arange(values.offset, values.offset + len(values), dtype=np.int64)
    return pa.array(np.searchsorted(values.run_ends.to_numpy(), rows, side="right"))


def _plain_struct(values: pa.StructArray) -> pa.Array:
    if not values.type.num_fields:
        return values
    children = [plain(child) for child in values.flatten()]
    fields = [pa.field(field.name, child.type) for field, child in zip(values.type, children, strict=True)]
    return pa.StructArray.from_arrays(children, fields=fields, mask=values.is_null())


def _plain_list(values: pa.Array) -> pa.Array:
    elements = plain(pc.list_flatten(values))
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy()
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    return pa.ListArray.from_arrays(
        pa.array(offsets).cast(pa.int32()), elements, type=pa.list_(elements.type), mask=values.is_null()
    )


def _with_one_zero_and_nan(values: pa.Array) -> pa.Array:
    size = values.type.bit_width // 8
    word = np.dtype(f"u{size}")
    bits = np.frombuffer(values.buffers()[1], word, len(values), values.offset * size)
    numbers, one_nan = bits.view(f"f{size}"), np.array([np.nan], f"f{size}").view(word)[0]
    negative = bits == word.type(1 << (8 * size - 1))
    other_nans = np.isnan(numbers) & (bits != one_nan)
    if not negative.any() and not other_nans.any():
        return values
    missing = values.is_null().to_numpy(zero_copy_only=False) if values.null_count else None
    plain_bits = np.where(other_nans, one_nan, np.where(negative, word.type(0), bits))
    return pa.array(plain_bits, mask=missing).view(values.type)
