"""Protobuf bytes: parse, serialize, and the `google.protobuf.Any` envelope that Flight SQL puts around its messages.

Every failure of the protobuf library ends here, as a `DatabaseError` of kind INVALID. The type name in an envelope is
what follows the last slash of its URL; what stands before the slash is free, as protobuf defines it.
"""

import re
from typing import Any, TypeVar

from google.protobuf import any_pb2  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError, EncodeError, Message  # type: ignore[import-untyped]

from catalog.errors import DatabaseError, ErrorKind

MESSAGE_SIZE_MAX = 16 * 1024 * 1024
"""Largest command or action body that is looked at. SQL text and Substrait plans need the room."""

LIST_MESSAGE_SIZE_MAX = 1024 * 1024
"""Largest message of a type that holds lists: a list may cost a hundred times its encoded size once it is decoded."""

_URL_PREFIX = "type.googleapis.com/"
_TYPE_URL = re.compile(r"[A-Za-z0-9._~:/-]*/([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+)")

M = TypeVar("M", bound=Any)


def check_size(what: str, data: bytes, size_max: int = MESSAGE_SIZE_MAX) -> None:
    """Raise INVALID when `data` is larger than this server cares to read."""
    if len(data) > size_max:
        raise DatabaseError(
            ErrorKind.INVALID, f"{what} has {len(data)} bytes; at most {size_max} are read, send a smaller one"
        )


def parse(message_type: type[M], data: bytes) -> M:
    """Parse `data` as one `message_type`; raise INVALID when it is damaged."""
    try:
        return message_type.FromString(data)  # type: ignore[no-any-return]
    except (DecodeError, ValueError):
        name = message_type.DESCRIPTOR.name
        raise DatabaseError(ErrorKind.INVALID, f"the bytes are not a valid {name} message") from None


def serialize(message: Message) -> bytes:
    """Return the bytes of `message`, the same for equal messages."""
    try:
        data: bytes = message.SerializeToString(deterministic=True)
    except (EncodeError, ValueError) as error:
        name = message.DESCRIPTOR.name
        raise DatabaseError(ErrorKind.INVALID, f"a {name} message cannot be written: {error}") from None
    return data


def wrap(message: Message) -> bytes:
    """Put `message` into an Any and return its bytes."""
    url = _URL_PREFIX + message.DESCRIPTOR.full_name
    return serialize(any_pb2.Any(type_url=url, value=serialize(message)))


def unwrap(data: bytes) -> tuple[str, bytes] | None:
    """Return the full type name and the inner bytes of an Any; None when `data` is no Any with a type URL."""
    try:
        envelope = any_pb2.Any.FromString(data)
    except (DecodeError, ValueError):
        return None
    url = _TYPE_URL.fullmatch(envelope.type_url)
    return (url[1], envelope.value) if url else None
