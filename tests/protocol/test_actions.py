"""Actions survive the wire, and each is wrapped or raw as the protocol has it."""

from typing import get_args

import pytest
from google.protobuf import any_pb2
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import DatabaseError, ErrorKind
from flightserver.protocol import actions, flight
from flightserver.protocol.actions import ACTION_DESCRIPTIONS, decode_action, encode_action
from flightserver.protocol.generated import flight_pb2, flight_sql_pb2
from tests.protocol.samples import ACTIONS, INFO

WRAPPED = {
    "CreatePreparedStatement",
    "CreatePreparedSubstraitPlan",
    "ClosePreparedStatement",
    "BeginTransaction",
    "EndTransaction",
    "BeginSavepoint",
    "EndSavepoint",
    "CancelQuery",
}
RAW = {"CancelFlightInfo", "RenewFlightEndpoint", "SetSessionOptions", "GetSessionOptions", "CloseSession"}

SESSION_VALUES = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.lists(st.sampled_from(["", "a", "é"]), max_size=3).map(tuple),
)


def refusal(action_type: str, body: bytes) -> DatabaseError:
    """Return the error that decoding an action ends in."""
    with pytest.raises(DatabaseError) as caught:
        decode_action(action_type, body)
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: type(action).__name__)
def test_every_action_survives_the_wire(action):
    """What is encoded is decoded as an equal value."""
    assert decode_action(*encode_action(action)) == action


def test_samples_cover_every_action():
    """No type of the union is left out of these tests."""
    assert {type(action) for action in ACTIONS} == set(get_args(actions.Action))


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: type(action).__name__)
def test_envelope_is_the_protocols(action):
    """Flight SQL actions are an Any of their request, plain Flight actions are the bare request."""
    name, body = encode_action(action)
    if name in WRAPPED:
        type_name = any_pb2.Any.FromString(body).TypeName()
        assert type_name == f"arrow.flight.protocol.sql.Action{name}Request"
    else:
        request = getattr(flight_pb2, f"{name}Request").FromString(body)
        assert request.SerializeToString(deterministic=True) == body


def test_every_action_is_described():
    """ListActions has one line for each action."""
    assert set(ACTION_DESCRIPTIONS) == WRAPPED | RAW
    assert all("\n" not in text and text.endswith(".") for text in ACTION_DESCRIPTIONS.values())


@pytest.mark.parametrize("name", sorted(WRAPPED))
def test_bare_body_of_a_wrapped_action_is_refused(name):
    """A Flight SQL action without its envelope is an error that says so."""
    body = flight_sql_pb2.ActionEndTransactionRequest(transaction_id=b"\x01", action=1).SerializeToString()
    error = refusal(name, body)
    assert error.kind is ErrorKind.INVALID
    assert "google.protobuf.Any" in error.message


def test_wrong_message_in_the_envelope_is_refused():
    """The body must be of the type that the action's name promises."""
    _, body = encode_action(actions.BeginTransaction())
    error = refusal("CreatePreparedStatement", body)
    assert error.kind is ErrorKind.INVALID
    assert "ActionBeginTransactionRequest" in error.message


def test_unknown_action_is_unsupported():
    """An action that does not exist is refused by name."""
    error = refusal("Reboot", b"")
    assert error.kind is ErrorKind.UNSUPPORTED
    assert "Reboot" in error.message


@pytest.mark.parametrize("name", ["CloseSession", "GetSessionOptions", "SetSessionOptions"])
def test_empty_body_of_a_raw_action_is_fine(name):
    """An empty raw message has no bytes."""
    assert type(decode_action(name, b"")).__name__ == name


def test_transaction_must_end_one_way():
    """UNSPECIFIED neither commits nor rolls back, so it is refused."""
    envelope = any_pb2.Any()
    envelope.Pack(flight_sql_pb2.ActionEndTransactionRequest(transaction_id=b"tx"))
    assert "COMMIT, ROLLBACK" in refusal("EndTransaction", envelope.SerializeToString()).message


def test_cancel_needs_an_info():
    """CancelFlightInfo without a FlightInfo says what is missing."""
    assert "info" in refusal("CancelFlightInfo", b"").message


def test_cancel_query_opens_its_info():
    """The FlightInfo that travels as bytes inside CancelQuery arrives as a value."""
    envelope = any_pb2.Any()
    info = flight_pb2.FlightInfo(endpoint=[{"ticket": {"ticket": b"t"}}])
    envelope.Pack(flight_sql_pb2.ActionCancelQueryRequest(info=info.SerializeToString()))
    action = decode_action("CancelQuery", envelope.SerializeToString())
    assert action.info.endpoint == (flight.FlightEndpoint(flight.Ticket(b"t")),)


def test_damaged_info_in_cancel_query():
    """Damage below the envelope and the message is still one clear error."""
    envelope = any_pb2.Any()
    envelope.Pack(flight_sql_pb2.ActionCancelQueryRequest(info=b"\x0a\xff"))
    assert "FlightInfo" in refusal("CancelQuery", envelope.SerializeToString()).message


def test_info_of_the_transport_library_is_understood():
    """A FlightInfo that pyarrow serialized can be cancelled."""
    pa_flight = pytest.importorskip("pyarrow.flight")
    endpoint = pa_flight.FlightEndpoint(b"ticket", [])
    info = pa_flight.FlightInfo(None, pa_flight.FlightDescriptor.for_command(b"x"), [endpoint], 7, 9)
    body = flight_pb2.CancelFlightInfoRequest(info=flight_pb2.FlightInfo.FromString(info.serialize()))
    decoded = decode_action("CancelFlightInfo", body.SerializeToString()).info
    assert decoded.endpoint[0].ticket.ticket == b"ticket"
    assert (decoded.total_records, decoded.total_bytes) == (7, 9)
    assert decoded.flight_descriptor == flight.FlightDescriptor(flight.DescriptorType.CMD, b"x", ())


def test_absent_parts_of_an_info_are_none():
    """A FlightInfo without descriptor and expiry is not given empty ones."""
    body = flight_pb2.CancelFlightInfoRequest(info={"endpoint": [{"ticket": {}}]}).SerializeToString()
    info = decode_action("CancelFlightInfo", body).info
    assert info.flight_descriptor is None
    assert info.endpoint[0].expiration_time is None


@given(st.dictionaries(st.sampled_from(["catalog", "schema", "x"]), SESSION_VALUES))
def test_session_values_keep_their_type(options):
    """True stays a bool, 1 an integer, 1.0 a float, and a list keeps its texts."""
    decoded = decode_action(*encode_action(actions.SetSessionOptions(options))).session_options
    assert {name: (type(value), value) for name, value in decoded.items()} == {
        name: (type(value), value) for name, value in options.items()
    }


@pytest.mark.parametrize("value", [2**63, b"bytes", (1,), "\ud800"])
def test_impossible_session_value_is_refused(value):
    """An option that the protocol cannot carry is an error of this project's own class."""
    with pytest.raises(DatabaseError):
        encode_action(actions.SetSessionOptions({"x": value}))


def test_huge_body_is_refused_unread():
    """Messages with lists have a size limit."""
    assert refusal("SetSessionOptions", b"\x00" * (1 << 21)).kind is ErrorKind.INVALID


def test_handshake_payload():
    """A Basic handshake carries the user in field 2 and the password in field 3."""
    assert flight.decode_basic_auth(bytes.fromhex("12026d651a027077")) == flight.BasicAuth("me", "pw")


def test_damaged_handshake_payload():
    """A payload that is no message is refused."""
    with pytest.raises(DatabaseError):
        flight.decode_basic_auth(b"\x12\xff")


def test_sample_info_is_complete():
    """The sample sets every part, so that the round trip proves something."""
    assert all(getattr(INFO, name) for name in INFO.__dataclass_fields__)
