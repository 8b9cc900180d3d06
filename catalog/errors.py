"""Every failure that a client may see, by kind.

There is one exception class. What went wrong is its `ErrorKind`; the transport maps kinds to status codes in one
table, and everything else about an error is its message: one line that names the table, column, key or type at fault
and says what to do. Messages never carry a path on the server, a traceback or another user's data.
"""

from enum import Enum, unique


@unique
class ErrorKind(Enum):
    """What a caller can do about a failure, not where in the code it arose."""

    SYNTAX = "the statement cannot be parsed"
    INVALID = "the request asks for something that makes no sense for this table, type or value"
    NOT_FOUND = "a table, namespace, column, statement or ticket does not exist"
    ALREADY_EXISTS = "a table, namespace or key exists already"
    CONFLICT = "another transaction committed first; retry"
    UNSUPPORTED = "a serious request that this server does not serve"
    UNAUTHENTICATED = "credentials are missing, wrong or expired"
    DENIED = "the user may not do this"
    UNAVAILABLE = "the server is starting, draining or full; retry later"
    RESOURCES = "the statement needs more memory or time than it may use"
    CANCELLED = "the client or an operator stopped the statement"
    TIMEOUT = "the statement took longer than its limit"
    CORRUPT = "stored bytes fail their checksum or cannot be read"
    INTERNAL = "a defect of this server"


class DatabaseError(Exception):
    """A failure with a kind and one line of advice. Nothing of the failed request remains."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
