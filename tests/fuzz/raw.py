"""Flight below pyarrow: gRPC with requests of any bytes, and the status codes as they were sent."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import grpc
import pyarrow as pa

from flightserver.protocol.actions import CreatePreparedStatement, encode_action
from tests.processes import HANGS_SECONDS

SERVICE = "/arrow.flight.protocol.FlightService/"
DEADLINE_SECONDS = HANGS_SECONDS
ANSWERS_MAX = 20
"""So many messages of an answer are read; then the call is cancelled."""

UNARY = ("GetFlightInfo", "PollFlightInfo", "GetSchema")
ANSWERED_BY_STREAM = ("ListFlights", "DoGet", "DoAction", "ListActions")

NO_LIMIT = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


@dataclass(frozen=True)
class Answer:
    """How a call ended: the name of its status code, and what it said."""

    code: str
    text: str = ""
    messages: tuple[bytes, ...] = ()


class RawClient:
    """One channel of its own to a server, without credentials."""

    def __init__(self, uri: str) -> None:
        options = [*NO_LIMIT, ("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.insecure_channel(uri.removeprefix("grpc://"), options=options)

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def call(self, method: str, requests: Sequence[bytes]) -> Answer:
        """Send requests, a single one unless the method takes a stream; read some of what comes back."""
        path = SERVICE + method
        try:
            if method in UNARY:
                return Answer("OK", "", (self._channel.unary_unary(path)(requests[0], timeout=DEADLINE_SECONDS),))
            if method in ANSWERED_BY_STREAM:
                return _read(self._channel.unary_stream(path)(requests[0], timeout=DEADLINE_SECONDS))
            return _read(self._channel.stream_stream(path)(iter(requests), timeout=DEADLINE_SECONDS))
        except grpc.RpcError as error:
            return Answer(error.code().name, error.details() or "")

    def put_and_wait(self, requests: Iterable[bytes]) -> Answer:
        """DoPut by a client that keeps its side of the call open until the server has ended it."""
        ended = threading.Event()

        def messages() -> Iterator[bytes]:
            yield from requests
            ended.wait()

        try:
            return _read(self._channel.stream_stream(SERVICE + "DoPut")(messages(), timeout=DEADLINE_SECONDS))
        except grpc.RpcError as error:
            return Answer(error.code().name, error.details() or "")
        finally:
            ended.set()

    def put_and_cancel(self, requests: Iterable[bytes]) -> None:
        """Begin a DoPut, and take it back when its requests are sent but its end is not."""
        sent: Future[grpc.Call] = Future()

        def messages() -> Iterator[bytes]:
            call = sent.result()
            yield from requests
            call.cancel()

        call = self._channel.stream_stream(SERVICE + "DoPut")(messages(), timeout=DEADLINE_SECONDS)
        sent.set_result(call)
        with suppress(grpc.RpcError):
            for _ in call:
                pass


def _read(call: "grpc.CallIterator") -> Answer:
    messages = tuple(islice(call, ANSWERS_MAX))
    if len(messages) == ANSWERS_MAX:
        call.cancel()
    return Answer("OK", "", messages)


def field(number: int, value: bytes) -> bytes:
    """A field of a protobuf message that holds bytes."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def descriptor(command: bytes) -> bytes:
    """A FlightDescriptor of a command."""
    return b"\x08\x02" + field(2, command)


def ticket(command: bytes) -> bytes:
    """A Ticket."""
    return field(1, command)


def action(name: str, body: bytes) -> bytes:
    """An Action."""
    return field(1, name.encode()) + field(2, body)


def prepare(sql: str) -> bytes:
    """The body of a CreatePreparedStatement."""
    return encode_action(CreatePreparedStatement(sql))[1]


def flight_data(header: bytes = b"", body: bytes = b"", command: bytes | None = None) -> bytes:
    """A FlightData: an IPC message in its two parts, the first one with a descriptor."""
    described = b"" if command is None else field(1, descriptor(command))
    return described + (field(2, header) if header else b"") + (field(1000, body) if body else b"")


def ipc_messages(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch] = (), **options: object
) -> list[tuple[bytes, bytes]]:
    """The header and the body of each message of a stream, the schema's first."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    found = pa.ipc.MessageReader.open_stream(sink.getvalue())
    return [(message.metadata.to_pybytes(), message.body.to_pybytes() if message.body else b"") for message in found]


def stream(command: bytes, messages: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    """The requests of a DoPut."""
    return [
        flight_data(header, body, command if number == 0 else None) for number, (header, body) in enumerate(messages)
    ]
