"""The types in which clients are asked to send parameters: JDBC's driver sends each in the type that it was told."""

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


def _in_milliseconds(data_type: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(data_type):
        return pa.timestamp("ms", data_type.tz)
    return pa.time32("ms") if pa.types.is_time(data_type) else data_type
