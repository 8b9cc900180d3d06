"""Failures as Flight status codes: one table, total over `ErrorKind`.

pyarrow has a Flight exception for some codes; INVALID_ARGUMENT, NOT_FOUND and UNIMPLEMENTED are reached by ValueError,
KeyError and NotImplementedError. ALREADY_EXISTS and FAILED_PRECONDITION cannot be sent by pyarrow; INVALID_ARGUMENT
stands in for them.

Behind the line of a failure the library writes `. Detail: Unavailable`, or `. Detail: Python exception: ` and a
traceback, into the one text that gRPC has. Clients get the line alone where there is a way:

- Go's show what comes in `grpc-status-details-bin`;
- C++ ones put together what comes in the library's own trailers, of which the detail is given another name;
- Java's show the text, and JDBC nothing else. A text alone can be sent as UNKNOWN only. So they get that code where a
  program does nothing else for the true one, which stands in the details.

Others get the true code, and behind the line its name: HTTP/2 libraries drop a text that ends in a blank.
"""

import ctypes
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pyarrow import _flight, flight

from catalog.errors import DatabaseError, ErrorKind
from catalog.full_disk import disk_full, is_full
from flightserver.protocol.java import JAVA_CLIENT

log = logging.getLogger(__name__)

CPP_CLIENT = "grpc-c++"


class InvalidArgument(ValueError):  # noqa: N818 - named after the status code
    """Sent as INVALID_ARGUMENT."""


class NotFound(KeyError):  # noqa: N818 - named after the status code
    """Sent as NOT_FOUND."""

    def __str__(self) -> str:
        return str(self.args[0])


class Unimplemented(NotImplementedError):  # noqa: N818 - named after the status code
    """Sent as UNIMPLEMENTED."""


class Line(flight.FlightError):
    """Sent as UNKNOWN, with its text alone."""

    def __format__(self, _: str) -> str:
        return _MARK + str(self)


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
    ErrorKind.RESOURCES: Line,
    ErrorKind.CANCELLED: flight.FlightCancelledError,
    ErrorKind.TIMEOUT: flight.FlightTimedOutError,
    ErrorKind.CORRUPT: flight.FlightInternalError,
    ErrorKind.INTERNAL: flight.FlightInternalError,
}

_CODES: dict[type[Exception], tuple[int, str]] = {
    InvalidArgument: (3, "INVALID_ARGUMENT"),
    NotFound: (5, "NOT_FOUND"),
    Unimplemented: (12, "UNIMPLEMENTED"),
    Line: (2, "UNKNOWN"),
    flight.FlightUnavailableError: (14, "UNAVAILABLE"),
    flight.FlightUnauthenticatedError: (16, "UNAUTHENTICATED"),
    flight.FlightUnauthorizedError: (7, "PERMISSION_DENIED"),
    flight.FlightCancelledError: (1, "CANCELLED"),
    flight.FlightTimedOutError: (4, "DEADLINE_EXCEEDED"),
    flight.FlightInternalError: (13, "INTERNAL"),
}
"""The gRPC code that each exception is sent with."""

_ACTED_ON = frozenset(
    {
        ErrorKind.CONFLICT,
        ErrorKind.UNAUTHENTICATED,
        ErrorKind.UNAVAILABLE,
        ErrorKind.CANCELLED,
        ErrorKind.TIMEOUT,
    }
)
"""Kinds for which programs log in or try again, so that their code is worth more than a bare line."""

DETAILS_TRAILER = "grpc-status-details-bin"

_MARK = "\0"
_LINE = f"Flight error: {_MARK}"
"""What the library puts before the text of a `FlightError`, with the mark of a `Line`, from which it is taken away."""

_DETAIL_HEADER = "_ZN5arrow6flight9transport4grpc23kGrpcStatusDetailHeaderE"
"""The library's variable for the name of the trailer in which a C++ client looks for the detail."""

_OTHER_HEADER = b"x-flightserver-detail-bin"


def to_flight(error: DatabaseError, user_agent: str) -> Exception:
    """The exception that sends a failure to a client with its one line, and with its status code if that is read."""
    is_line = user_agent.startswith(JAVA_CLIENT) and error.kind not in _ACTED_ON
    return Line(error.message) if is_line else STATUS[error.kind](error.message)


def refusal(error: DatabaseError, user_agent: str, *, at_login: bool = False) -> Exception:
    """The exception that refuses a call before its method: there are no trailers, but Flight's errors carry details."""
    if at_login and user_agent.startswith(JAVA_CLIENT):
        return Line(error.message)
    sent = to_flight(error, user_agent)
    if isinstance(sent, flight.FlightError) and _reads_details(user_agent):
        sent.extra_info = status_details(error)
    return sent


def _reads_details(user_agent: str) -> bool:
    """Tell whether details do a client no harm: C++ ones would lose the status code by them."""
    return CPP_CLIENT not in user_agent


def status_details(error: DatabaseError) -> bytes:
    """A google.rpc.Status (code = 1, message = 2) with the failure's own line, for the trailer of that name."""
    code, _ = _CODES[STATUS[error.kind]]
    message = error.message.encode()
    return b"\x08" + bytes([code]) + b"\x12" + _varint(len(message)) + message


def _code_name(error: object) -> str | None:
    """The name of the code of an exception that is meant for a client."""
    for kind, (_, name) in _CODES.items():
        if isinstance(error, kind):
            return name
    return "UNKNOWN" if isinstance(error, flight.FlightError) else None


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


@contextmanager
def flight_errors(
    user_agent: str, send_trailer: Callable[[str, bytes], None], *, by_code: bool = False
) -> Iterator[None]:
    """Translate failures of a Flight method; what is not a `DatabaseError` is a defect: logged, sent without detail.

    Every failure has its own code if it is sent `by_code`.
    """
    try:
        yield
    except (flight.FlightError, GeneratorExit, StopIteration, *_CODES):
        raise
    except Exception as error:  # noqa: BLE001 - what is not ours is logged, and its text is nobody's business
        failure = _failure_of(error)
        if _reads_details(user_agent):
            send_trailer(DETAILS_TRAILER, status_details(failure))
        _forget_frames(error)
        raise to_flight(failure, "" if by_code else user_agent) from None


def _forget_frames(error: BaseException) -> None:
    """Let go of what a failure passed through: the library keeps the last one, and so would keep a query running."""
    for behind in (error.__cause__, error.__context__):
        if behind is not None and behind.__traceback__ is not None:
            _forget_frames(behind)
    error.__traceback__ = None


def _failure_of(error: Exception) -> DatabaseError:
    """A failure as clients may know it; what is the server's own fault is logged."""
    if not isinstance(error, DatabaseError) and is_full(error):
        return disk_full()
    if not isinstance(error, DatabaseError):
        log.error("a request failed unexpectedly", exc_info=error)
        return DatabaseError(ErrorKind.INTERNAL, "the request failed by a defect of the server")
    if error.kind in {ErrorKind.INTERNAL, ErrorKind.CORRUPT}:
        log.error("a request failed", exc_info=error)
    return error


def send_lines_alone() -> None:
    """Keep pyarrow from writing behind, or before, the line of a failure. Process-wide; call once in a server."""
    name_codes()
    strip_lines()
    with suppress(ValueError):  # a library that has no such variable keeps its detail
        ctypes.c_char_p.in_dll(ctypes.CDLL(_flight.__file__), _DETAIL_HEADER).value = _OTHER_HEADER


def name_codes() -> None:
    """Let what is rendered of our exceptions be the name of their code."""
    render = traceback.format_exception

    def format_exception(*args: Any, **kwargs: Any) -> list[str]:
        shown = args[1] if len(args) > 1 else args[0] if args else None
        name = _code_name(shown)
        return render(*args, **kwargs) if name is None else [name]

    traceback.format_exception = format_exception


def strip_lines() -> None:
    """Let nothing stand before a `Line`."""
    encode: Callable[[Any], bytes] = _flight.tobytes

    def tobytes(value: Any) -> bytes:
        is_line = isinstance(value, str) and value.startswith(_LINE)
        return encode(value.removeprefix(_LINE) if is_line else value)

    _flight.tobytes = tobytes
