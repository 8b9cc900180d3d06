"""Values of plain Flight that the transport library does not decode.

They are FlightInfo and its parts as a client sends them back, the credentials of a Basic handshake, the value of a
session option, and the answers of the standard actions.
"""

import time
from dataclasses import dataclass
from enum import Enum, unique
from typing import Any, TypeAlias

from catalog.errors import DatabaseError, ErrorKind
from flightserver.protocol.codec import LIST_LENGTH_MAX, SPECIAL_FORMS, Record
from flightserver.protocol.generated import flight_pb2

SessionValue: TypeAlias = str | bool | int | float | tuple[str, ...] | None
"""The value of a session option. None clears the option."""


@unique
class DescriptorType(Enum):
    """Whether a descriptor names its stream by path or by command."""

    UNKNOWN = 0
    PATH = 1
    CMD = 2


@unique
class CancelStatus(Enum):
    """What became of a request to cancel."""

    CANCELLED = 1
    CANCELLING = 2
    NOT_CANCELLABLE = 3


@unique
class SessionOptionError(Enum):
    """Why a session option was not set."""

    INVALID_NAME = 1
    INVALID_VALUE = 2
    ERROR = 3


@unique
class CloseStatus(Enum):
    """What became of a request to close a session."""

    CLOSED = 1
    CLOSING = 2
    NOT_CLOSEABLE = 3


@dataclass(frozen=True)
class BasicAuth:
    """User name and password from the payload of a handshake."""

    username: str
    password: str


@dataclass(frozen=True)
class Timestamp:
    """A point in time, UTC: seconds since 1970 and nanoseconds within the second."""

    seconds: int
    nanos: int


def expires_after(seconds: float) -> Timestamp:
    """The point in time that many seconds from now."""
    nanos = time.time_ns() + int(seconds * 1e9)
    return Timestamp(nanos // 1_000_000_000, nanos % 1_000_000_000)


@dataclass(frozen=True)
class Ticket:
    """The opaque bytes that fetch a stream."""

    ticket: bytes


@dataclass(frozen=True)
class Location:
    """Where a stream can be fetched."""

    uri: str


@dataclass(frozen=True)
class FlightDescriptor:
    """The name of a stream."""

    type: DescriptorType
    cmd: bytes
    path: tuple[str, ...]


@dataclass(frozen=True)
class FlightEndpoint:
    """One part of a result. Without locations it is fetched over the connection that it came from."""

    ticket: Ticket
    location: tuple[Location, ...] = ()
    expiration_time: Timestamp | None = None
    app_metadata: bytes = b""


@dataclass(frozen=True)
class FlightInfo:
    """What GetFlightInfo answered, as a client sends it back to cancel its query."""

    schema: bytes
    flight_descriptor: FlightDescriptor | None
    endpoint: tuple[FlightEndpoint, ...]
    total_records: int
    total_bytes: int
    ordered: bool
    app_metadata: bytes


class SessionOptionForm:
    """Session option values are plain Python values; their type chooses the member of the union."""

    def load(self, message: Any) -> SessionValue:
        """Return the value of the member that is set, or None."""
        member = message.WhichOneof("option_value")
        if member != "string_list_value":
            return None if member is None else getattr(message, member)
        if len(message.string_list_value.values) > LIST_LENGTH_MAX:
            raise DatabaseError(ErrorKind.INVALID, f"a session option may list at most {LIST_LENGTH_MAX} texts")
        return tuple(message.string_list_value.values)

    def fill(self, message: Any, value: SessionValue) -> None:
        """Set the member for the type of `value`; a bool is not taken for a number."""
        match value:
            case None:
                pass
            case bool():
                message.bool_value = value
            case str():
                message.string_value = value
            case int():
                message.int64_value = value
            case float():
                message.double_value = value
            case _:
                message.string_list_value.SetInParent()
                message.string_list_value.values.extend(value)


SPECIAL_FORMS[flight_pb2.SessionOptionValue.DESCRIPTOR.full_name] = SessionOptionForm()

FLIGHT_INFO = Record(FlightInfo, flight_pb2.FlightInfo)
FLIGHT_ENDPOINT = Record(FlightEndpoint, flight_pb2.FlightEndpoint)
_BASIC_AUTH = Record(BasicAuth, flight_pb2.BasicAuth)


def encode_flight_info(schema: bytes, descriptor: bytes, ticket: bytes, lifetime_seconds: float | None) -> bytes:
    """The bytes of a FlightInfo with one endpoint and unknown counts; `schema` and `descriptor` are encoded already."""
    info = flight_pb2.FlightInfo(schema=schema, total_records=-1, total_bytes=-1)
    info.flight_descriptor.MergeFromString(descriptor)
    endpoint = info.endpoint.add()
    endpoint.ticket.ticket = ticket
    if lifetime_seconds is not None:
        expires = expires_after(lifetime_seconds)
        endpoint.expiration_time.seconds, endpoint.expiration_time.nanos = expires.seconds, expires.nanos
    return info.SerializeToString()  # type: ignore[no-any-return]


def decode_basic_auth(payload: bytes) -> BasicAuth:
    """Return the credentials in a handshake's payload; raise INVALID when it holds none."""
    return _BASIC_AUTH.decode(payload)
