"""Parameters as clients are told of them, and the values that they bind.

Where a statement does not tell a parameter's type, clients are offered text, which can carry any value.
"""

from collections.abc import Iterator, Mapping

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from catalog.plain import plain_values

UNKNOWN_TYPE = pa.string()


def parameter_schema(count: int, types: Mapping[int, pa.DataType]) -> pa.Schema:
    """The schema of one row of parameters."""
    return pa.schema([pa.field(f"${number}", types.get(number, UNKNOWN_TYPE)) for number in range(1, count + 1)])


def bound_rows(bound: pa.Table) -> Iterator[dict[str, pa.Scalar]]:
    """Each row of bound parameters, by number."""
    bound = comparable(bound)
    for row in range(bound.num_rows):
        yield {str(number + 1): bound.column(number)[row] for number in range(bound.num_columns)}


def comparable(bound: pa.Table) -> pa.Table:
    """The parameters as the engine takes them: UUIDs are text, dictionaries their values, missing fields are typed."""
    for number, field in enumerate(bound.schema):
        values = bound.column(number)
        if field.type == pa.uuid():
            texts = [None if value is None else str(value) for value in values.to_pylist()]
            bound = bound.set_column(number, field.name, pa.array(texts, pa.string()))
        elif pa.types.is_dictionary(field.type):
            bound = bound.set_column(number, field.name, plain_values(values))
        elif pa.types.is_struct(field.type) or pa.types.is_list(field.type):
            bound = bound.set_column(number, field.name, values.cast(_typed(field.type)))
    return bound


def _typed(data_type: pa.DataType) -> pa.DataType:
    """The type with text inside where Python gave nothing but None."""
    if pa.types.is_struct(data_type):
        return pa.struct([(field.name, _typed(field.type)) for field in data_type])
    if pa.types.is_list(data_type):
        return pa.list_(_typed(data_type.value_type))
    return UNKNOWN_TYPE if pa.types.is_null(data_type) else data_type


def check_bound(bound: pa.Table, count: int) -> None:
    """Raise INVALID unless `bound` has a column for every parameter."""
    if bound.num_columns != count:
        raise DatabaseError(
            ErrorKind.INVALID, f"the statement has {count} parameters, but {bound.num_columns} were bound"
        )
