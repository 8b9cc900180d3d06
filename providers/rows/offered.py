"""Rows that a client offers, brought into a table's form: types, defaults, NOT NULL, keys. Vectorised.

Every fault names the column, and the row where that helps. `Strictness.STREAM` is for typed Arrow streams, where text
is no number; `Strictness.STATEMENT` is for SQL, where literals take the type of their column as in PostgreSQL.
"""

from collections.abc import Mapping
from enum import Enum, unique

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import DELETED_COLUMN, Column, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.types import format_type
from providers.rows.change import Change
from providers.rows.defaults import columns_by, default_column, uuid_text
from providers.rows.keys import Mask
from providers.rows.sequence import SeqAllocator

_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_UUID_BYTES = 16
_UNITS = {"s": "second", "ms": "millisecond", "us": "microsecond", "ns": "nanosecond"}
_INTEGER_DIGITS = 20
_PLAIN = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
"""What the values of a dictionary are cast to first: Arrow looks up no views."""


@unique
class Strictness(Enum):
    """How freely a value may change its type on the way into a column."""

    STREAM = "within a family of types, and only without loss"
    STATEMENT = "as an SQL assignment: text is parsed, and numbers become text"


def admitted(table: TableDef, offered: pa.Table, user: str, allocator: SeqAllocator, strictness: Strictness) -> Change:
    """Bring rows with user-named columns into physical columns. Columns that are not offered get their default."""
    deleted = _deleted(table, offered)
    _refuse_unknown(table, offered)
    columns = []
    for column in table.columns:
        index = offered.schema.get_field_index(column.name)
        if index < 0:
            values = pa.chunked_array([default_column(column, offered.num_rows, user, allocator)])
        else:
            values = convert(offered.column(index), column, table, strictness)
        _check_nulls(values, column, table, deleted)
        columns.append(values)
    _check_key_numbers(table, columns)
    return Change(pa.Table.from_arrays(columns, schema=table.row_schema), deleted)


def tombstones(table: TableDef, keys: pa.Table) -> Change:
    """Tombstones for rows given by the physical columns of their key."""
    rows = pa.Table.from_arrays(columns_by(keys, table.row_schema, {}), schema=table.row_schema)
    return Change(rows, np.ones(keys.num_rows, dtype=np.bool_))


def convert(values: pa.ChunkedArray, column: Column, table: TableDef, strictness: Strictness) -> pa.ChunkedArray:
    """Cast values to a column's storage type; INVALID when a value does not fit."""
    values = decode(values)
    if pa.types.is_fixed_size_binary(values.type) and column.type == pa.uuid():
        return _uuid_from_bytes(values, column)
    if values.type != column.storage:
        if strictness is Strictness.STREAM and not _same_family(values.type, column.storage):
            raise DatabaseError(
                ErrorKind.INVALID,
                f"column {column.name} of {table.name} has type {format_type(column.type)}, "
                f"the offered values have type {values.type}",
            )
        _refuse_unknown_fields(values, column, table)
        if strictness is Strictness.STATEMENT:
            values = _without_finer_digits(values, column.storage)
        values = _cast(values, column, table)
    return _check_uuid(values, column) if column.type == pa.uuid() else values


def _without_finer_digits(values: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    """Moments with no more digits than the column has: `now()` has nine. Streams must say that they leave some out."""
    if pa.types.is_timestamp(values.type) and pa.types.is_timestamp(target):
        return pc.floor_temporal(values, unit=_UNITS[target.unit])
    if pa.types.is_time64(values.type) and pa.types.is_time(target):
        return values.cast(target, safe=False)
    return values


def _cast(values: pa.ChunkedArray, column: Column, table: TableDef) -> pa.ChunkedArray:
    try:
        return _cast_exactly(values, column.storage)
    except (pa.ArrowException, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DatabaseError(
            ErrorKind.INVALID,
            f"column {column.name} of {table.name}: a value does not fit type {format_type(column.type)}: {reason}",
        ) from error


def _cast_exactly(values: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    """Arrow's cast, also where it asks too much (integers to short decimals), too little (infinity), or is missing."""
    if pa.types.is_integer(values.type) and pa.types.is_decimal(target):
        values = values.cast(pa.decimal256(_INTEGER_DIGITS + target.scale, target.scale))
    if _is_text(values.type) and pa.types.is_time(target):
        unit = "ms" if pa.types.is_time32(target) else target.unit
        moments = pc.binary_join_element_wise("1970-01-01", values.cast(pa.string()), " ")
        values = moments.cast(pa.timestamp(unit))
    cast = values.cast(target)
    if pa.types.is_floating(target) and pa.types.is_floating(values.type) and target.bit_width < values.type.bit_width:
        infinite = pc.and_(pc.is_inf(cast.cast(pa.float32())), pc.is_finite(values))
        if pc.any(infinite, min_count=0).as_py():
            raise ValueError("the number is too large")
    return cast


def decode(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Undo dictionaries, run-end encoding and extension types."""
    if pa.types.is_run_end_encoded(values.type):
        values = pc.run_end_decode(values)
    if isinstance(values.type, pa.BaseExtensionType):
        values = pa.chunked_array([chunk.storage for chunk in values.chunks], values.type.storage_type)
    if pa.types.is_dictionary(values.type):
        plain = _PLAIN.get(values.type.value_type, values.type.value_type)
        values = pa.chunked_array([chunk.dictionary.cast(plain).take(chunk.indices) for chunk in values.chunks], plain)
    return values


def _refuse_unknown_fields(values: pa.ChunkedArray, column: Column, table: TableDef) -> None:
    """A cast would drop the fields of a struct that are not in the column's type, without a word."""
    name = _unknown_field(values.type, column.storage)
    if name is not None:
        raise DatabaseError(
            ErrorKind.INVALID,
            f"column {column.name} of {table.name} has type {format_type(column.type)}, which has no field {name}",
        )


def _unknown_field(offered: pa.DataType, stored: pa.DataType) -> str | None:
    """The first field, however deep, that the stored type lacks."""
    if _is_list(offered) and _is_list(stored):
        return _unknown_field(offered.value_type, stored.value_type)
    if not (pa.types.is_struct(offered) and pa.types.is_struct(stored)):
        return None
    theirs: Mapping[str, pa.DataType] = {field.name: field.type for field in stored}
    for field in offered:
        found = _unknown_field(field.type, theirs[field.name]) if field.name in theirs else field.name
        if found is not None:
            return found
    return None


def _deleted(table: TableDef, offered: pa.Table) -> Mask | None:
    if DELETED_COLUMN not in offered.column_names:
        return None
    flags = offered.column(DELETED_COLUMN)
    if not pa.types.is_boolean(flags.type):
        raise DatabaseError(
            ErrorKind.INVALID, f"column {DELETED_COLUMN} for {table.name} must be boolean, not {flags.type}"
        )
    if table.has_hidden_key:
        raise DatabaseError(ErrorKind.INVALID, f"table {table.name} has no key, so a stream cannot delete its rows")
    return np.asarray(pc.fill_null(flags, False).to_numpy(), dtype=np.bool_)


def _refuse_unknown(table: TableDef, offered: pa.Table) -> None:
    seen = set()
    for name in offered.column_names:
        if name in seen:
            raise DatabaseError(ErrorKind.INVALID, f"column {name} is offered twice for {table.name}")
        seen.add(name)
        if name != DELETED_COLUMN:
            table.column(name)


def _check_nulls(values: pa.ChunkedArray, column: Column, table: TableDef, deleted: Mask | None) -> None:
    if column.nullable or not values.null_count:
        return
    missing = np.asarray(values.is_null().to_numpy(), dtype=np.bool_)
    if deleted is not None and column.id not in table.key:
        missing = missing & ~deleted
    if missing.any():
        what = "is in the key" if column.id in table.key else "is NOT NULL"
        raise DatabaseError(
            ErrorKind.INVALID,
            f"column {column.name} of {table.name} {what}, but row {int(np.argmax(missing)) + 1} has no value for it",
        )


def _check_key_numbers(table: TableDef, columns: list[pa.ChunkedArray]) -> None:
    for column, values in zip(table.columns, columns, strict=True):
        in_key = column.id in table.key
        if in_key and pa.types.is_floating(values.type) and pc.any(pc.is_nan(values)).as_py():
            raise DatabaseError(
                ErrorKind.INVALID, f"column {column.name} of {table.name} is in the key and cannot be NaN"
            )


def _uuid_from_bytes(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    if values.type.byte_width != _UUID_BYTES:
        raise DatabaseError(
            ErrorKind.INVALID, f"column {column.name}: a UUID has 16 bytes, not {values.type.byte_width}"
        )
    flat = values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)
    raw = np.frombuffer(flat.buffers()[1], dtype=np.uint8).reshape(-1, _UUID_BYTES)
    text = uuid_text(raw[flat.offset : flat.offset + len(flat)])
    return pa.chunked_array([pc.if_else(flat.is_valid(), text, pa.scalar(None, pa.string()))])


def _check_uuid(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    """Canonical text of UUIDs given as text: lower case, with or without dashes and braces in the input."""
    lowered = pc.utf8_lower(pc.utf8_trim(values, "{} "))
    bare = pc.match_substring_regex(lowered, r"^[0-9a-f]{32}$")
    dashed = pc.replace_substring_regex(lowered, r"^(.{8})(.{4})(.{4})(.{4})(.{12})$", r"\1-\2-\3-\4-\5")
    canonical = pc.if_else(bare, dashed, lowered)
    valid = pc.match_substring_regex(canonical, _UUID)
    if not pc.all(valid, min_count=0).as_py():
        wrong = pc.filter(values, pc.invert(pc.fill_null(valid, True)))[0].as_py()
        raise DatabaseError(ErrorKind.INVALID, f"column {column.name}: {wrong[:60]!r} is not a UUID")
    return canonical


def _same_family(offered: pa.DataType, stored: pa.DataType) -> bool:
    if pa.types.is_null(offered):
        return True
    if pa.types.is_nested(stored) or pa.types.is_nested(offered):
        return _same_nesting(offered, stored)
    return any(matches(offered) and matches(stored) for matches in _FAMILIES)


def _same_nesting(offered: pa.DataType, stored: pa.DataType) -> bool:
    if _is_list(offered) and _is_list(stored):
        return _same_family(offered.value_type, stored.value_type)
    if not (pa.types.is_struct(offered) and pa.types.is_struct(stored)):
        return False
    theirs: Mapping[str, pa.DataType] = {field.name: field.type for field in offered}
    return all(field.name in theirs and _same_family(theirs[field.name], field.type) for field in stored)


def _is_number(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(data_type) or pa.types.is_floating(data_type) or pa.types.is_decimal(data_type))


def _is_text(data_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(data_type) or pa.types.is_large_string(data_type) or pa.types.is_string_view(data_type)
    )


def _is_bytes(data_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(data_type)
        or pa.types.is_large_binary(data_type)
        or pa.types.is_binary_view(data_type)
        or pa.types.is_fixed_size_binary(data_type)
    )


def _is_date_or_timestamp(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_date(data_type) or pa.types.is_timestamp(data_type))


def _is_list(data_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(data_type) or pa.types.is_large_list(data_type) or pa.types.is_fixed_size_list(data_type)
    )


_FAMILIES = (_is_number, _is_text, _is_bytes, _is_date_or_timestamp, pa.types.is_time, pa.types.is_boolean)
