"""Our dead rows as Delta Lake's deletion vectors, which are Iceberg's, too: the same bitmap in another frame. Pure.

A file has a version byte, then a blob: its length, a magic number, a 64-bit roaring bitmap (of rows below 2^32 one
32-bit bitmap under the key 0, in its portable format), and a CRC-32. Its name is made of whose rows it is about, so
that it comes out the same when it is written again.
"""

import base64
import struct
import uuid
import zlib

from manifest.dead_rows import DeadRows
from manifest.published import Vector

_MAGIC = b"\xd1\xd3\x39\x64"
_ONE_BITMAP = struct.Struct("<QI").pack(1, 0)
_U32 = struct.Struct(">I")
FILE_VERSION = b"\x01"
OFFSET = len(FILE_VERSION)

_OURS = uuid.UUID("6f1d6f0e-7f0a-4a51-9a52-0d6f1a4f7c11")
_PYTHON = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_TO_Z85, _FROM_Z85 = str.maketrans(_PYTHON, _Z85), str.maketrans(_Z85, _PYTHON)


def own_id(text: str) -> str:
    """A UUID that is the same for the same text."""
    return str(uuid.uuid5(_OURS, text))


def encode_vector(dead: DeadRows, vector_id: str) -> tuple[Vector, bytes]:
    """The bytes of a deletion vector's file, and what the log says of it."""
    blob = _MAGIC + _ONE_BITMAP + dead.positions.serialize()
    data = FILE_VERSION + _U32.pack(len(blob)) + blob + _U32.pack(zlib.crc32(blob))
    return Vector(vector_id, len(blob), dead.count), data


def place_of(vector: Vector) -> str:
    """A vector's file as the log names it."""
    return base64.b85encode(uuid.UUID(vector.id).bytes).decode().translate(_TO_Z85)


def id_of(place: str) -> str:
    """What `place_of` wrote."""
    return str(uuid.UUID(bytes=base64.b85decode(place.translate(_FROM_Z85))))
