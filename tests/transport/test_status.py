"""Failures as status codes: every kind has one, and no client is sent a traceback."""

import traceback

import pytest
from pyarrow import _flight, flight

from catalog.errors import DatabaseError, ErrorKind
from flightserver.protocol.java import JAVA_CLIENT
from flightserver.transport.status import (
    CPP_CLIENT,
    STATUS,
    InvalidArgument,
    Line,
    name_codes,
    refusal,
    status_details,
    strip_lines,
    to_flight,
)


def test_every_kind_has_a_status() -> None:
    """A new kind of error cannot be forgotten here."""
    assert set(STATUS) == set(ErrorKind)


@pytest.mark.parametrize("kind", list(ErrorKind))
@pytest.mark.parametrize("client", [JAVA_CLIENT, CPP_CLIENT, ""])
def test_the_line_of_a_failure_is_what_is_sent(kind: ErrorKind, client: str) -> None:
    """The exception that pyarrow turns into a status says what the error said."""
    assert str(to_flight(DatabaseError(kind, "say what to do"), client)) == "say what to do"


def test_details_are_a_status_message() -> None:
    """Field 1 is the code as a varint, field 2 the text with its length: INVALID_ARGUMENT is 3."""
    assert status_details(DatabaseError(ErrorKind.INVALID, "no")) == b"\x08\x03\x12\x02no"


def test_long_details_have_a_long_length() -> None:
    """Lengths above 127 take two bytes, low bits first."""
    details = status_details(DatabaseError(ErrorKind.NOT_FOUND, "x" * 300))
    assert details[:5] == b"\x08\x05\x12\xac\x02"
    assert len(details) == 305


def test_a_refusal_carries_its_details() -> None:
    """A call that no method answers has no trailers, but a Flight error takes them along, except to C++ clients."""
    error = DatabaseError(ErrorKind.UNAUTHENTICATED, "no")
    assert refusal(error, "").extra_info == status_details(error)
    assert refusal(error, CPP_CLIENT).extra_info == b""


def test_our_exceptions_render_the_name_of_their_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flight asks this function for the text that it appends; other exceptions keep theirs."""
    monkeypatch.setattr(traceback, "format_exception", traceback.format_exception)
    name_codes()
    assert traceback.format_exception(InvalidArgument("no")) == ["INVALID_ARGUMENT"]
    assert traceback.format_exception(flight.FlightError("no")) == ["UNKNOWN"]
    assert traceback.format_exception(ValueError("no")) == ["ValueError: no\n"]


def test_a_line_loses_what_the_library_puts_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else does."""
    monkeypatch.setattr(_flight, "tobytes", _flight.tobytes)
    strip_lines()
    assert _flight.tobytes(f"Flight error: {Line('no')}") == b"no"
    assert _flight.tobytes("Flight error: no") == b"Flight error: no"
    assert _flight.tobytes(b"no") == b"no"
