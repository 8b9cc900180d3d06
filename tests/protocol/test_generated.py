"""The generated classes are those of the `.proto` files, and these agree with the protocol that drivers use."""

from importlib import resources

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet

import flightserver.protocol
from flightserver.protocol.generated import flight_pb2, flight_sql_pb2
from tests.protocol.driver_descriptor import driver_descriptor

FILES = {"flight.proto": flight_pb2, "flight_sql.proto": flight_sql_pb2}
ORIGINALS = {"flight.proto": "Flight.proto", "flight_sql.proto": "FlightSql.proto"}


def shape(message: DescriptorProto) -> dict[str, object]:
    """Return what decides a message's encoding: fields, enums and nested messages."""
    return {
        "fields": {
            field.name: (field.number, field.type, field.label, field.type_name, field.proto3_optional)
            for field in message.field
        },
        "enums": {enum.name: {value.name: value.number for value in enum.value} for enum in message.enum_type},
        "nested": {nested.name: shape(nested) for nested in message.nested_type},
    }


def shapes(file: FileDescriptorProto) -> dict[str, object]:
    """Return the shapes of all messages of a file."""
    return {message.name: shape(message) for message in file.message_type}


def checked_in(name: str) -> FileDescriptorProto:
    """Return the descriptor in the checked-in class file."""
    return FileDescriptorProto.FromString(FILES[name].DESCRIPTOR.serialized_pb)


@pytest.mark.parametrize("name", sorted(FILES))
def test_generated_classes_are_up_to_date(name, tmp_path):
    """Compiling the `.proto` file again gives the checked-in messages."""
    protoc = pytest.importorskip("grpc_tools.protoc")
    include = resources.files(flightserver.protocol)
    well_known = resources.files("grpc_tools") / "_proto"
    out = tmp_path / "set"
    status = protoc.main(["protoc", f"-I{include}", f"-I{well_known}", f"--descriptor_set_out={out}", name])
    assert status == 0
    (compiled,) = FileDescriptorSet.FromString(out.read_bytes()).file
    assert (compiled.package, shapes(compiled)) == (checked_in(name).package, shapes(checked_in(name)))


@pytest.mark.parametrize("name", sorted(FILES))
def test_messages_are_the_drivers(name):
    """Every message has the fields, numbers, types and enums that the driver was built with."""
    ours, theirs = checked_in(name), driver_descriptor(ORIGINALS[name])
    assert ours.package == theirs.package
    expected = shapes(theirs)
    for message, found in shapes(ours).items():
        assert found == expected[message], message


def test_no_flight_sql_message_is_missing():
    """Everything that the driver may send in Flight SQL is known."""
    theirs = driver_descriptor("FlightSql.proto")
    assert set(shapes(theirs)) == set(shapes(checked_in("flight_sql.proto")))


def test_cancel_status_is_the_drivers():
    """The one enum outside a message agrees too."""
    (status,) = (enum for enum in driver_descriptor("Flight.proto").enum_type if enum.name == "CancelStatus")
    assert {value.name: value.number for value in status.value} == dict(flight_pb2.CancelStatus.items())
