"""Failures as Flight status codes: one table, total over `ErrorKind`.

pyarrow has a Flight exception for some codes; INVALID_ARGUMENT, NOT_FOUND and UNIMPLEMENTED are reached by ValueError,
KeyError and NotImplementedError, to whose message it appends what `traceback.format_exception` returns, as it does to
every exception of GetSchema. That function is replaced by one that returns nothing for what this module raises, so that
no traceback reaches a client.
ALREADY_EXISTS and FAILED_PRECONDITION cannot be sent by pyarrow; INVALID_ARGUMENT stands in for them.
"""

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pyarrow import flight

from catalog.errors import DatabaseError, ErrorKind

log = logging.getLogger(__name__)


class InvalidArgument(ValueError):  # noqa: N818 - named after the status code
    """Sent as INVALID_ARGUMENT."""


class NotFound(KeyError):  # noqa: N818 - named after the status code
    """Sent as NOT_FOUND."""

    def __str__(self) -> str:
        return str(self.args[0])


class Unimplemented(NotImplementedError):  # noqa: N818 - named after the status code
    """Sent as UNIMPLEMENTED."""


STATUS: dict[ErrorKind, type[Exception]] = {
    ErrorKind.SYNTAX: InvalidArgument,
    ErrorKind.INVALID: InvalidArgument,
    ErrorKind.NOT_FOUND: NotFound,
    ErrorKind.ALREADY_EXISTS: InvalidArgument,
    ErrorKind.CONFLICT: flight.FlightUnavailableError,
    ErrorKind.UNSUPPORTED: Unimplemented,
    ErrorKind.UNAUTHENTICATED: flight.FlightUnauthenticatedError,
    ErrorKind.DENIED: flight.FlightUnauthorizedError,
    ErrorKind.UNAVAILABLE: flight.FlightUnavailableError,
    ErrorKind.RESOURCES: flight.FlightServerError,
    ErrorKind.CANCELLED: flight.FlightCancelledError,
    ErrorKind.TIMEOUT: flight.FlightTimedOutError,
    ErrorKind.CORRUPT: flight.FlightInternalError,
    ErrorKind.INTERNAL: flight.FlightInternalError,
}

_CODES: dict[type[Exception], int] = {
    InvalidArgument: 3,
    NotFound: 5,
    Unimplemented: 12,
    flight.FlightUnavailableError: 14,
    flight.FlightUnauthenticatedError: 16,
    flight.FlightUnauthorizedError: 7,
    flight.FlightServerError: 2,
    flight.FlightCancelledError: 1,
    flight.FlightTimedOutError: 4,
    flight.FlightInternalError: 13,
}
"""The gRPC code that each exception is sent with."""

DETAILS_TRAILER = "grpc-status-details-bin"

_QUIET = (InvalidArgument, NotFound, Unimplemented)
_format_exception = traceback.format_exception


def to_flight(error: DatabaseError) -> Exception:
    """The exception that sends a failure with its status code and its one line."""
    return STATUS[error.kind](error.message)


def status_details(error: DatabaseError) -> bytes:
    """A google.rpc.Status (code = 1, message = 2) with the failure's own line, for the trailer of that name.

    Go's clients show it instead of the text that pyarrow made; C++ clients would lose the status code by it.
    """
    message = error.message.encode()
    return b"\x08" + bytes([_CODES[STATUS[error.kind]]]) + b"\x12" + _varint(len(message)) + message


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


@contextmanager
def flight_errors(send_details: Callable[[bytes], None]) -> Iterator[None]:
    """Translate failures of a Flight method; what is not a `DatabaseError` is a defect: logged, sent without detail."""
    try:
        yield
    except DatabaseError as error:
        if error.kind in {ErrorKind.INTERNAL, ErrorKind.CORRUPT}:
            log.exception("a request failed")
        send_details(status_details(error))
        raise to_flight(error) from None
    except (flight.FlightError, GeneratorExit, StopIteration, *_QUIET):
        raise
    except Exception:
        log.exception("a request failed unexpectedly")
        raise flight.FlightInternalError("the request failed by a defect of the server") from None


def hide_tracebacks() -> None:
    """Keep pyarrow from sending tracebacks with what this module raises. Process-wide; call once."""

    def format_exception(*args: Any, **kwargs: Any) -> list[str]:
        shown = args[1] if len(args) > 1 else args[0] if args else None
        return [] if isinstance(shown, (*_QUIET, flight.FlightError)) else _format_exception(*args, **kwargs)

    traceback.format_exception = format_exception
