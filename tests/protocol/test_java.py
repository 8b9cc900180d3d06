"""What JDBC's driver is told of moments and of half floats."""

import pyarrow as pa
from google.protobuf import any_pb2

from flightserver.protocol.generated import flight_sql_pb2
from flightserver.protocol.java import offered_parameters, readable_by
from flightserver.protocol.results import encode_prepared_result

JDBC = "grpc-java-netty/1.71.0"
OTHERS = ["", "ADBC Flight SQL Driver v1.13.0 grpc-go/1.76.0", "grpc-c++/1.71.0 grpc-java"]
MOMENTS = pa.schema(
    [
        pa.field("$1", pa.timestamp("us")),
        pa.field("$2", pa.timestamp("ns", "Europe/Berlin")),
        pa.field("$3", pa.time64("ns")),
        pa.field("$4", pa.date32()),
        pa.field("$5", pa.decimal128(9, 2)),
    ]
)


def test_java_is_offered_milliseconds():
    """Times and timestamps become milliseconds and keep their zone; everything else stays."""
    assert offered_parameters(MOMENTS, JDBC).types == [
        pa.timestamp("ms"),
        pa.timestamp("ms", "Europe/Berlin"),
        pa.time32("ms"),
        pa.date32(),
        pa.decimal128(9, 2),
    ]
    assert offered_parameters(MOMENTS, JDBC).names == MOMENTS.names


def test_others_are_offered_the_types_of_the_columns():
    """Only a user agent that begins as Java's does is one."""
    assert all(offered_parameters(MOMENTS, agent).equals(MOMENTS) for agent in OTHERS)


def test_the_answer_to_a_prepare_asks_for_what_is_offered():
    """The encoded parameter schema is the one for the client that prepares."""
    data = encode_prepared_result(b"h", pa.schema([("d", pa.int64())]), MOMENTS, False, JDBC)
    answer = flight_sql_pb2.ActionCreatePreparedStatementResult()
    assert any_pb2.Any.FromString(data).Unpack(answer)
    assert pa.ipc.read_schema(pa.py_buffer(answer.parameter_schema)) == offered_parameters(MOMENTS, JDBC)


HALVES = pa.schema(
    [
        pa.field("a", pa.float16(), nullable=False, metadata={"k": "v"}),
        pa.field("b", pa.list_(pa.struct([("c", pa.float16()), ("d", pa.int8())]))),
    ]
)


def test_java_is_told_of_floats_where_halves_are():
    """At every depth, and nothing else of a column changes."""
    found = readable_by(JDBC, HALVES)
    assert found.types == [pa.float32(), pa.list_(pa.struct([("c", pa.float32()), ("d", pa.int8())]))]
    assert found.field("a").equals(HALVES.field("a").with_type(pa.float32()), check_metadata=True)


def test_others_are_told_of_halves():
    """They are what is stored."""
    assert all(readable_by(agent, HALVES).equals(HALVES) for agent in OTHERS)
