"""What this transport cannot carry is refused by name, without a word of how it is made."""

import grpc
import pytest
from pyarrow import flight

from tests.server_process import ServerProcess

DESCRIPTOR = b"\x08\x02\x12\x08SELECT 1"
"""A FlightDescriptor with a command, as bytes."""


def test_polling_is_refused(server: ServerProcess) -> None:
    """PollFlightInfo names what to call instead."""
    with grpc.insecure_channel(server.uri.removeprefix("grpc://")) as channel:
        poll = channel.unary_unary("/arrow.flight.protocol.FlightService/PollFlightInfo")
        with pytest.raises(grpc.RpcError) as refusal:
            poll(DESCRIPTOR)
    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "use GetFlightInfo" in refusal.value.details()


def test_exchange_is_refused(server: ServerProcess) -> None:
    """DoExchange names what to call instead, and shows no traceback."""
    with flight.connect(server.uri) as client:
        writer, reader = client.do_exchange(flight.FlightDescriptor.for_command(b"SELECT 1"))
        with pytest.raises(NotImplementedError, match="use DoPut and DoGet") as refusal:
            reader.read_all()
        with pytest.raises(NotImplementedError):
            writer.close()
    assert "Traceback" not in str(refusal.value)
