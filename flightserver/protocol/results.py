"""Answers to actions and DoPut, as bytes.

Answers to Flight SQL actions are wrapped in an Any; answers to plain Flight actions and everything in
PutResult.app_metadata travel raw.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from flightserver.protocol.codec import Record
from flightserver.protocol.flight import (
    FLIGHT_ENDPOINT,
    CancelStatus,
    CloseStatus,
    FlightEndpoint,
    SessionOptionError,
    SessionValue,
)
from flightserver.protocol.generated import flight_pb2, flight_sql_pb2
from flightserver.protocol.java import offered_parameters
from flightserver.protocol.wire import serialize, wrap


@dataclass(frozen=True)
class _SessionOptions:
    session_options: Mapping[str, SessionValue]


@dataclass(frozen=True)
class _QueryCancel:
    result: CancelStatus


@dataclass(frozen=True)
class _FlightCancel:
    status: CancelStatus


@dataclass(frozen=True)
class _SessionClose:
    status: CloseStatus


_QUERY_CANCEL = Record(_QueryCancel, flight_sql_pb2.ActionCancelQueryResult)
_FLIGHT_CANCEL = Record(_FlightCancel, flight_pb2.CancelFlightInfoResult)
_SESSION_CLOSE = Record(_SessionClose, flight_pb2.CloseSessionResult)
_SESSION_OPTIONS = Record(_SessionOptions, flight_pb2.GetSessionOptionsResult)


def encode_prepared_result(
    handle: bytes,
    dataset_schema: pa.Schema | None,
    parameter_schema: pa.Schema,
    is_update: bool,
    user_agent: str = "",
) -> bytes:
    """Answer CreatePreparedStatement. An update has no dataset schema: some drivers recognise it only by that.

    The parameter schema is always sent, because drivers take the number of parameters from it. It depends on the
    `user_agent` that asks.
    """
    return wrap(
        flight_sql_pb2.ActionCreatePreparedStatementResult(
            prepared_statement_handle=handle,
            dataset_schema=b"" if dataset_schema is None else encode_schema(dataset_schema),
            parameter_schema=encode_schema(offered_parameters(parameter_schema, user_agent)),
            is_update=is_update,
        )
    )


def encode_schema(schema: pa.Schema) -> bytes:
    """Return a schema as the encapsulated IPC message that Flight SQL embeds."""
    data: bytes = schema.serialize().to_pybytes()
    return data


def encode_update_result(count: int) -> bytes:
    """Answer an update or ingest with the number of rows; -1 when it is not known."""
    return serialize(flight_sql_pb2.DoPutUpdateResult(record_count=count))


def encode_bind_result(handle: bytes | None) -> bytes:
    """Answer a bind with the handle that the client uses from now on; None keeps the one it has."""
    return serialize(flight_sql_pb2.DoPutPreparedStatementResult(prepared_statement_handle=handle))


def encode_begin_transaction_result(transaction_id: bytes) -> bytes:
    """Answer BeginTransaction."""
    return wrap(flight_sql_pb2.ActionBeginTransactionResult(transaction_id=transaction_id))


def encode_begin_savepoint_result(savepoint_id: bytes) -> bytes:
    """Answer BeginSavepoint."""
    return wrap(flight_sql_pb2.ActionBeginSavepointResult(savepoint_id=savepoint_id))


def encode_cancel_query_result(status: CancelStatus) -> bytes:
    """Answer CancelQuery."""
    return wrap(_QUERY_CANCEL.message(_QueryCancel(status)))


def encode_cancel_flight_info_result(status: CancelStatus) -> bytes:
    """Answer CancelFlightInfo."""
    return serialize(_FLIGHT_CANCEL.message(_FlightCancel(status)))


def encode_renew_result(endpoint: FlightEndpoint) -> bytes:
    """Answer RenewFlightEndpoint with the endpoint as it is now."""
    return serialize(FLIGHT_ENDPOINT.message(endpoint))


def encode_set_session_result(errors: Mapping[str, SessionOptionError]) -> bytes:
    """Answer SetSessionOptions with the options that were refused."""
    result = flight_pb2.SetSessionOptionsResult()
    for name, error in errors.items():
        result.errors[name].value = error.value
    return serialize(result)


def encode_get_session_result(options: Mapping[str, SessionValue]) -> bytes:
    """Answer GetSessionOptions."""
    return serialize(_SESSION_OPTIONS.message(_SessionOptions(options)))


def encode_close_session_result(status: CloseStatus) -> bytes:
    """Answer CloseSession."""
    return serialize(_SESSION_CLOSE.message(_SessionClose(status)))
