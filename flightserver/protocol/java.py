"""What JDBC's driver is told differently: it sends parameters in the type that it is told, and knows no FLOAT16."""

import pyarrow as pa

JAVA_CLIENT = "grpc-java"
"""What the user agent of JDBC's driver begins with."""


def offered_parameters(schema: pa.Schema, user_agent: str) -> pa.Schema:
    """The types in which a client is asked to send parameters.

    JDBC's driver counts times and timestamps in milliseconds, whatever unit it is told (it did until 19.0 at least),
    so milliseconds are what it is told. Others get the types of the columns.
    """
    if not user_agent.startswith(JAVA_CLIENT):
        return schema
    return pa.schema([field.with_type(_in_milliseconds(field.type)) for field in schema], metadata=schema.metadata)


def readable_by(user_agent: str, schema: pa.Schema) -> pa.Schema:
    """A table's schema for a client: one column of a type that it does not know costs JDBC's driver the whole list."""
    if not user_agent.startswith(JAVA_CLIENT):
        return schema
    return pa.schema([field.with_type(_without_halves(field.type)) for field in schema], metadata=schema.metadata)


def _without_halves(data_type: pa.DataType) -> pa.DataType:
    if pa.types.is_list(data_type):
        item = data_type.value_field
        return pa.list_(item.with_type(_without_halves(item.type)))
    if pa.types.is_struct(data_type):
        return pa.struct([field.with_type(_without_halves(field.type)) for field in data_type])
    return pa.float32() if pa.types.is_float16(data_type) else data_type


def _in_milliseconds(data_type: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(data_type):
        return pa.timestamp("ms", data_type.tz)
    return pa.time32("ms") if pa.types.is_time(data_type) else data_type
