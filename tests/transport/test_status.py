"""Failures as status codes: every kind has one, and no client is sent a traceback."""

import traceback

import pytest

from catalog.errors import DatabaseError, ErrorKind
from flightserver.transport.status import STATUS, InvalidArgument, hide_tracebacks, status_details, to_flight


def test_every_kind_has_a_status() -> None:
    """A new kind of error cannot be forgotten here."""
    assert set(STATUS) == set(ErrorKind)


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_the_line_of_a_failure_is_what_is_sent(kind: ErrorKind) -> None:
    """The exception that pyarrow turns into a status says what the error said."""
    assert str(to_flight(DatabaseError(kind, "say what to do"))).startswith("say what to do")


def test_details_are_a_status_message() -> None:
    """Field 1 is the code as a varint, field 2 the text with its length: INVALID_ARGUMENT is 3."""
    assert status_details(DatabaseError(ErrorKind.INVALID, "no")) == b"\x08\x03\x12\x02no"


def test_long_details_have_a_long_length() -> None:
    """Lengths above 127 take two bytes, low bits first."""
    details = status_details(DatabaseError(ErrorKind.NOT_FOUND, "x" * 300))
    assert details[:5] == b"\x08\x05\x12\xac\x02"
    assert len(details) == 305


def test_our_exceptions_render_no_traceback() -> None:
    """Flight asks this function for the text that it appends; other exceptions keep theirs."""
    hide_tracebacks()
    assert traceback.format_exception(InvalidArgument("no")) == []
    assert traceback.format_exception(ValueError("no")) != []
