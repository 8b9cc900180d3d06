"""Answers are wrapped or raw as the protocol has it, and other programs read them."""

import pyarrow as pa
import pytest
from google.protobuf import any_pb2

from flightserver.protocol import results
from flightserver.protocol.flight import CancelStatus, CloseStatus, SessionOptionError
from flightserver.protocol.generated import flight_pb2, flight_sql_pb2
from tests.protocol.samples import INFO

SCHEMA = pa.schema([pa.field("a", pa.int64(), nullable=False)])
EMPTY = pa.schema([])


def opened(data: bytes, message_type):
    """Return the message of the given type inside an Any."""
    message = message_type()
    assert any_pb2.Any.FromString(data).Unpack(message)
    return message


def prepared(dataset_schema, parameter_schema, is_update):
    """Return the decoded answer to a prepare."""
    data = results.encode_prepared_result(b"handle", dataset_schema, parameter_schema, is_update)
    return opened(data, flight_sql_pb2.ActionCreatePreparedStatementResult)


def test_prepared_query_has_its_schemas():
    """Both schemas are IPC messages that Arrow reads back."""
    result = prepared(SCHEMA, EMPTY, False)
    assert result.prepared_statement_handle == b"handle"
    assert pa.ipc.read_schema(pa.py_buffer(result.dataset_schema)) == SCHEMA
    assert pa.ipc.read_schema(pa.py_buffer(result.parameter_schema)) == EMPTY


def test_prepared_update_has_no_dataset_schema():
    """Drivers tell an update by its empty dataset schema."""
    result = prepared(None, SCHEMA, True)
    assert result.dataset_schema == b""
    assert result.is_update


def test_is_update_is_always_given():
    """False is sent, not left out."""
    assert prepared(SCHEMA, EMPTY, False).HasField("is_update")


def test_query_without_columns_is_no_update():
    """A query with an empty schema still sends a schema."""
    assert prepared(EMPTY, EMPTY, False).dataset_schema != b""


def test_update_result_golden_bytes():
    """The count is a bare varint in field 1."""
    assert results.encode_update_result(300).hex() == "08ac02"


def test_unknown_count():
    """An unknown count is -1."""
    assert flight_sql_pb2.DoPutUpdateResult.FromString(results.encode_update_result(-1)).record_count == -1


def test_bind_result_golden_bytes():
    """The handle is the bare field 1."""
    assert results.encode_bind_result(b"h").hex() == "0a0168"


def test_bind_result_without_a_handle():
    """No handle differs from an empty one."""
    assert results.encode_bind_result(None) == b""
    assert results.encode_bind_result(b"").hex() == "0a00"


def test_begin_results_are_wrapped():
    """Transactions and savepoints answer with their handle inside an Any."""
    transaction = opened(results.encode_begin_transaction_result(b"tx"), flight_sql_pb2.ActionBeginTransactionResult)
    savepoint = opened(results.encode_begin_savepoint_result(b"sp"), flight_sql_pb2.ActionBeginSavepointResult)
    assert (transaction.transaction_id, savepoint.savepoint_id) == (b"tx", b"sp")


@pytest.mark.parametrize("status", list(CancelStatus))
def test_cancel_results(status):
    """The old action answers wrapped, the new one raw, with the same numbers."""
    old = opened(results.encode_cancel_query_result(status), flight_sql_pb2.ActionCancelQueryResult)
    new = flight_pb2.CancelFlightInfoResult.FromString(results.encode_cancel_flight_info_result(status))
    assert old.CancelResult.Name(old.result) == f"CANCEL_RESULT_{status.name}"
    assert flight_pb2.CancelStatus.Name(new.status) == f"CANCEL_STATUS_{status.name}"


def test_renewed_endpoint():
    """Renewing answers with the bare endpoint."""
    endpoint = flight_pb2.FlightEndpoint.FromString(results.encode_renew_result(INFO.endpoint[0]))
    assert endpoint.ticket.ticket == b"one"
    assert endpoint.expiration_time.seconds == 1_700_000_000


def test_refused_session_options():
    """Each refused option is listed with its reason."""
    data = results.encode_set_session_result({"x": SessionOptionError.INVALID_NAME})
    errors = flight_pb2.SetSessionOptionsResult.FromString(data).errors
    assert {name: error.value for name, error in errors.items()} == {"x": 1}


def test_no_refused_session_options():
    """Success is an empty message."""
    assert results.encode_set_session_result({}) == b""


def test_session_options():
    """Options are answered in the member of their type."""
    data = results.encode_get_session_result({"schema": "public", "n": 1, "l": ()})
    options = flight_pb2.GetSessionOptionsResult.FromString(data).session_options
    assert options["schema"].string_value == "public"
    assert options["n"].WhichOneof("option_value") == "int64_value"
    assert options["l"].WhichOneof("option_value") == "string_list_value"


@pytest.mark.parametrize("status", list(CloseStatus))
def test_closed_session(status):
    """Closing answers raw."""
    result = flight_pb2.CloseSessionResult.FromString(results.encode_close_session_result(status))
    assert result.Status.Name(result.status) == status.name
