"""Arrow arrays without their encodings, so that everything after the edge meets one form of each type.

Dictionaries and run ends are decoded, views and 64-bit offsets become plain, fixed sizes of lists are forgotten and
extension types are their storage, at every depth. Values and NULLs stay what they were. Arrow's own casts do some of
this at the top of an array, none of it for run ends below it, and one of a list view with a NULL is not even valid.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def plain_type(encoded: pa.DataType) -> pa.DataType:
    """The type that `plain` gives to arrays of a type."""
    types = pa.types
    if isinstance(encoded, pa.BaseExtensionType):
        return plain_type(encoded.storage_type)
    if types.is_dictionary(encoded) or types.is_run_end_encoded(encoded):
        return plain_type(encoded.value_type)
    if types.is_large_string(encoded) or types.is_string_view(encoded):
        return pa.string()
    if types.is_large_binary(encoded) or types.is_binary_view(encoded):
        return pa.binary()
    if is_any_list(encoded):
        return pa.list_(plain_type(encoded.value_type))
    if types.is_struct(encoded):
        return pa.struct([_plain_field(child) for child in encoded])
    return encoded


def plain(values: pa.Array) -> pa.Array:
    """The same values without encodings. What has none is returned as it is."""
    if plain_type(values.type) == values.type:
        return values
    types = pa.types
    if isinstance(values.type, pa.BaseExtensionType):
        return plain(values.storage)
    if types.is_dictionary(values.type):
        return plain(values.dictionary).take(values.indices)
    if types.is_run_end_encoded(values.type):
        ends = values.run_ends.to_numpy()
        rows = np.arange(values.offset, values.offset + len(values))
        return plain(values.values).take(pa.array(np.searchsorted(ends, rows, side="right")))
    if is_any_list(values.type):
        return _plain_list(values)
    if types.is_struct(values.type):
        children = [plain(values.field(index)) for index in range(values.type.num_fields)]
        return pa.StructArray.from_arrays(children, type=plain_type(values.type), mask=values.is_null())
    return values.cast(plain_type(values.type))


def plain_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch with plain columns of the same names."""
    fields = [_plain_field(field) for field in batch.schema]
    return pa.RecordBatch.from_arrays([plain(column) for column in batch.columns], schema=pa.schema(fields))


def is_any_list(encoded: pa.DataType) -> bool:
    """Tell whether values are lists, in whichever of Arrow's five layouts."""
    types = pa.types
    views = types.is_list_view(encoded) or types.is_large_list_view(encoded)
    return bool(views or types.is_list(encoded) or types.is_large_list(encoded) or types.is_fixed_size_list(encoded))


def _plain_field(field: pa.Field) -> pa.Field:
    return field.with_type(plain_type(field.type))


def _plain_list(values: pa.Array) -> pa.Array:
    """Lists one behind the other, with the elements of NULLs left out."""
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    if offsets[-1] > np.iinfo(np.int32).max:
        raise pa.ArrowInvalid(f"lists of {offsets[-1]} elements in all are too many for one array")
    elements = plain(values.flatten())
    return pa.ListArray.from_arrays(
        pa.array(offsets.astype(np.int32)), elements, type=plain_type(values.type), mask=values.is_null()
    )
