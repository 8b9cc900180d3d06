"""Actions: what clients ask for with DoAction, and how each body is encoded.

The encoding is not uniform. Actions of Flight SQL travel inside an Any; actions of plain Flight (cancel, renew,
sessions) travel raw. `_ACTIONS` is the one table that says which is which; results follow the same rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, unique
from types import MappingProxyType
from typing import Any, TypeAlias

from catalog.errors import DatabaseError, ErrorKind
from flightserver.protocol.codec import Record
from flightserver.protocol.commands import SubstraitPlan
from flightserver.protocol.flight import FLIGHT_INFO, FlightEndpoint, FlightInfo, SessionValue
from flightserver.protocol.generated import flight_pb2, flight_sql_pb2
from flightserver.protocol.wire import check_size, serialize, unwrap, wrap


@dataclass(frozen=True)
class CreatePreparedStatement:
    """Prepare SQL text."""

    query: str
    transaction_id: bytes | None = None


@dataclass(frozen=True)
class CreatePreparedSubstraitPlan:
    """Prepare a Substrait plan."""

    plan: SubstraitPlan
    transaction_id: bytes | None = None


@dataclass(frozen=True)
class ClosePreparedStatement:
    """Forget a prepared statement."""

    prepared_statement_handle: bytes


@dataclass(frozen=True)
class BeginTransaction:
    """Start a transaction."""


@unique
class TransactionEnd(Enum):
    """How a transaction ends."""

    COMMIT = 1
    ROLLBACK = 2


@dataclass(frozen=True)
class EndTransaction:
    """Commit a transaction or roll it back."""

    transaction_id: bytes
    action: TransactionEnd


@dataclass(frozen=True)
class BeginSavepoint:
    """Mark a point inside a transaction."""

    transaction_id: bytes
    name: str


@unique
class SavepointEnd(Enum):
    """What to do with a savepoint."""

    RELEASE = 1
    ROLLBACK = 2


@dataclass(frozen=True)
class EndSavepoint:
    """Release a savepoint or roll back to it."""

    savepoint_id: bytes
    action: SavepointEnd


@dataclass(frozen=True)
class CancelQuery:
    """Stop the query behind a FlightInfo; older clients send this instead of CancelFlightInfo."""

    info: FlightInfo


@dataclass(frozen=True)
class CancelFlightInfo:
    """Stop the query behind a FlightInfo."""

    info: FlightInfo


@dataclass(frozen=True)
class RenewFlightEndpoint:
    """Ask for more time to fetch an endpoint."""

    endpoint: FlightEndpoint


@dataclass(frozen=True)
class SetSessionOptions:
    """Set or clear options of the session."""

    session_options: Mapping[str, SessionValue] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class GetSessionOptions:
    """Ask for the options of the session."""


@dataclass(frozen=True)
class CloseSession:
    """End the session and what belongs to it."""


Action: TypeAlias = (
    CreatePreparedStatement
    | CreatePreparedSubstraitPlan
    | ClosePreparedStatement
    | BeginTransaction
    | EndTransaction
    | BeginSavepoint
    | EndSavepoint
    | CancelQuery
    | CancelFlightInfo
    | RenewFlightEndpoint
    | SetSessionOptions
    | GetSessionOptions
    | CloseSession
)


@unique
class Envelope(Enum):
    """How an action's body and result are encoded."""

    ANY = "wrapped in google.protobuf.Any"
    RAW = "the bare message"


@dataclass(frozen=True)
class _CancelQueryWire:
    """CancelQuery as it travels: the FlightInfo is bytes inside the message."""

    info: bytes


class _CancelQueryRecord(Record[Any]):
    """Opens the FlightInfo inside CancelQuery, so that nobody above meets its bytes."""

    def __init__(self) -> None:
        super().__init__(_CancelQueryWire, flight_sql_pb2.ActionCancelQueryRequest)
        self.value_type = CancelQuery

    def load(self, message: Any) -> CancelQuery:
        return CancelQuery(FLIGHT_INFO.decode(message.info))

    def fill(self, message: Any, value: CancelQuery) -> None:
        message.info = serialize(FLIGHT_INFO.message(value.info))


_ACTIONS: tuple[tuple[Envelope, Record[Any]], ...] = (
    (Envelope.ANY, Record(CreatePreparedStatement, flight_sql_pb2.ActionCreatePreparedStatementRequest)),
    (Envelope.ANY, Record(CreatePreparedSubstraitPlan, flight_sql_pb2.ActionCreatePreparedSubstraitPlanRequest)),
    (Envelope.ANY, Record(ClosePreparedStatement, flight_sql_pb2.ActionClosePreparedStatementRequest)),
    (Envelope.ANY, Record(BeginTransaction, flight_sql_pb2.ActionBeginTransactionRequest)),
    (Envelope.ANY, Record(EndTransaction, flight_sql_pb2.ActionEndTransactionRequest)),
    (Envelope.ANY, Record(BeginSavepoint, flight_sql_pb2.ActionBeginSavepointRequest)),
    (Envelope.ANY, Record(EndSavepoint, flight_sql_pb2.ActionEndSavepointRequest)),
    (Envelope.ANY, _CancelQueryRecord()),
    (Envelope.RAW, Record(CancelFlightInfo, flight_pb2.CancelFlightInfoRequest)),
    (Envelope.RAW, Record(RenewFlightEndpoint, flight_pb2.RenewFlightEndpointRequest)),
    (Envelope.RAW, Record(SetSessionOptions, flight_pb2.SetSessionOptionsRequest)),
    (Envelope.RAW, Record(GetSessionOptions, flight_pb2.GetSessionOptionsRequest)),
    (Envelope.RAW, Record(CloseSession, flight_pb2.CloseSessionRequest)),
)
_BY_NAME = {record.value_type.__name__: (envelope, record) for envelope, record in _ACTIONS}

ACTION_DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {name: record.value_type.__doc__ or name for name, (_, record) in _BY_NAME.items()}
)
"""Every action type and what it does, for ListActions."""


def decode_action(action_type: str, body: bytes) -> Action:
    """Return the action in an Action message; raise UNSUPPORTED for an unknown type, INVALID for a damaged body."""
    if action_type not in _BY_NAME:
        raise DatabaseError(ErrorKind.UNSUPPORTED, f"{action_type[:200]!r} is not an action that this server knows")
    check_size(f"the body of action {action_type}", body)
    envelope, record = _BY_NAME[action_type]
    action: Action = record.decode(body if envelope is Envelope.RAW else _open(action_type, record, body))
    return action


def encode_action(action: Action) -> tuple[str, bytes]:
    """Return the type and body of the Action message that asks for `action`."""
    name = type(action).__name__
    envelope, record = _BY_NAME[name]
    message = record.message(action)
    return name, serialize(message) if envelope is Envelope.RAW else wrap(message)


def _open(action_type: str, record: Record[Any], body: bytes) -> bytes:
    opened = unwrap(body)
    if opened is None:
        raise DatabaseError(ErrorKind.INVALID, f"the body of action {action_type} is not a google.protobuf.Any")
    type_name, inner = opened
    if type_name != record.type_name:
        raise DatabaseError(
            ErrorKind.INVALID, f"action {action_type} must carry {record.type_name}, not {type_name[:200]}"
        )
    return inner
