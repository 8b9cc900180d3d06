"""A table's columns in Delta Lake: which types it has, and what is refused by the column's name. Pure.

Where the type of a column is wider there, nothing is lost; what would lose something is refused. Readers find a column
in a batch by its physical name, and a batch that is older than the column has NULL in it.
"""

import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pyarrow as pa

from catalog.definition import SEQ, Column, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.types import format_type

MAPPED_LETTERS = frozenset(" ,;{}()\n\t=")
"""Letters that a column may have when it is found by another name, and not otherwise."""

FIELD_IDS_OF_COLUMN = 1 << 16
"""Fields in a nested column have ids of their own, from the column's on."""

_SIMPLE: dict[pa.DataType, str] = {
    pa.bool_(): "boolean",
    pa.int8(): "byte",
    pa.int16(): "short",
    pa.int32(): "integer",
    pa.int64(): "long",
    pa.uint8(): "short",
    pa.uint16(): "integer",
    pa.uint32(): "long",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    pa.binary(): "binary",
    pa.date32(): "date",
}
_MOMENT_UNITS = frozenset({"ms", "us"})


def published_columns(table: TableDef) -> tuple[Column, ...]:
    """What a published table has: the columns that users see, and `_seq`."""
    return (*table.visible_columns, SEQ)


def check_publishable(table: TableDef) -> None:
    """Raise UNSUPPORTED, with the column's name, for what a Delta table cannot have."""
    lowered: set[str] = set()
    for column in published_columns(table):
        for data_type in _types_in(column.storage):
            if not data_type.num_fields and _simple(data_type) is None:
                raise _refused(column, f"Delta Lake has no type for {format_type(data_type)}")
        if column.name.lower() in lowered:
            raise _refused(column, "another column has the name in other case, which Delta Lake does not tell apart")
        lowered.add(column.name.lower())
        if column.added > 1 and column.before is not None and column.before.upper() != "NULL":
            raise _refused(
                column,
                "it was added with a DEFAULT, which older rows have without holding it; add it without, then UPDATE",
            )


def is_mapped(table: TableDef) -> bool:
    """Tell whether columns are found by other names than those that users see."""
    return any(
        column.physical != column.name or not MAPPED_LETTERS.isdisjoint(column.name) for column in table.visible_columns
    )


def has_local_times(table: TableDef) -> bool:
    """Tell whether there are timestamps without a zone, which older readers of Delta Lake do not know."""
    found = (data_type for column in table.visible_columns for data_type in _types_in(column.storage))
    return any(_simple(data_type) == "timestamp_ntz" for data_type in found if not data_type.num_fields)


def schema_text(table: TableDef, *, mapped: bool) -> str:
    """The columns as the log's metadata has them."""
    fields = [_field(column, mapped=mapped) for column in published_columns(table)]
    return json.dumps({"type": "struct", "fields": fields})


def max_column_id(table: TableDef) -> int:
    """The largest id that a column or a field of the schema may have."""
    return (table.next_column_id + 1) * FIELD_IDS_OF_COLUMN


def _field(column: Column, *, mapped: bool) -> dict[str, Any]:
    base = max(0, column.id) * FIELD_IDS_OF_COLUMN
    ids = count(base + 1)

    def metadata(physical: str) -> dict[str, Any]:
        if not mapped:
            return {}
        return {"delta.columnMapping.id": next(ids), "delta.columnMapping.physicalName": physical}

    about = metadata(column.physical)
    return {
        "name": column.name,
        "type": _type(column.storage, metadata),
        "nullable": column.stores_null,
        "metadata": about,
    }


def _type(data_type: pa.DataType, metadata: Callable[[str], dict[str, Any]]) -> Any:
    if pa.types.is_list(data_type):
        element = _type(data_type.value_type, metadata)
        return {"type": "array", "elementType": element, "containsNull": True}
    if pa.types.is_struct(data_type):
        fields = []
        for child in data_type:
            about = metadata(child.name)
            fields.append(
                {"name": child.name, "type": _type(child.type, metadata), "nullable": True, "metadata": about}
            )
        return {"type": "struct", "fields": fields}
    return _simple(data_type)


def _simple(data_type: pa.DataType) -> str | None:
    if pa.types.is_decimal128(data_type):
        return f"decimal({data_type.precision},{data_type.scale})" if data_type.scale >= 0 else None
    if pa.types.is_timestamp(data_type):
        if data_type.unit not in _MOMENT_UNITS:
            return None
        return "timestamp_ntz" if data_type.tz is None else "timestamp"
    return _SIMPLE.get(data_type)


def _types_in(data_type: pa.DataType) -> Iterator[pa.DataType]:
    """A type and all that are in it."""
    yield data_type
    for index in range(data_type.num_fields):
        yield from _types_in(data_type.field(index).type)


def _refused(column: Column, reason: str) -> DatabaseError:
    return DatabaseError(ErrorKind.UNSUPPORTED, f"column {column.name} cannot be published: {reason}")
