"""What comes back from a cluster, in the types that our own planner gives. Nothing is rounded or cut."""

from collections.abc import Callable, Iterable

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind

_FAMILIES: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_integer,
    pa.types.is_decimal,
    pa.types.is_floating,
    lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind),
    lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind),
    pa.types.is_boolean,
    pa.types.is_date,
    pa.types.is_timestamp,
    pa.types.is_nested,
)


def brought_to(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch in a schema; INTERNAL when it has other columns, or values that are none of their types."""
    if batch.num_columns != len(schema):
        raise _other(f"{batch.num_columns} columns instead of {len(schema)}")
    check_types((values.type for values in batch.columns), schema)
    columns = []
    for values, field in zip(batch.columns, schema, strict=True):
        try:
            columns.append(values.cast(field.type))
        except pa.ArrowInvalid:
            raise _other(f"a value for {field.name} that {field.type} cannot hold") from None
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def check_types(theirs: Iterable[pa.DataType | None], schema: pa.Schema) -> None:
    """Raise UNSUPPORTED where a column of the cluster has values that are not of our own column's type."""
    for kind, field in zip(theirs, schema, strict=True):
        if kind is None or not is_same(kind, field.type):
            raise _other(f"{kind} for {field.name}, which is {field.type}")


def is_same(theirs: pa.DataType, ours: pa.DataType) -> bool:
    """Tell whether values of one type are those of the other, as they are."""
    if pa.types.is_decimal(theirs) and pa.types.is_decimal(ours):
        return bool(theirs.scale == ours.scale)
    if pa.types.is_timestamp(theirs) and pa.types.is_timestamp(ours):
        return (theirs.tz is None) == (ours.tz is None)
    return any(is_one(theirs) and is_one(ours) for is_one in _FAMILIES)


def _other(what: str) -> DatabaseError:
    return DatabaseError(ErrorKind.UNSUPPORTED, f"the cluster gives {what}; SET engine = 'local'")
