"""Our dead rows as Delta Lake's deletion vectors, which are Iceberg's, too: the same bitmap in another frame. Pure.

A file has a version byte, then blobs: of each its length, a magic number, a 64-bit roaring bitmap (of rows below 2^32
one 32-bit bitmap under the key 0, in its portable format), and a CRC-32. One file has those of many batches, because
each file is one more sync. Its name is made of whose rows it is about, so that it comes out the same when it is written
again.
"""

import base64
import struct
import uuid
import zlib
from collections.abc import Mapping
from functools import lru_cache

from manifest.dead_rows import DeadRows
from manifest.published import Vector

_MAGIC = b"\xd1\xd3\x39\x64"
_ONE_BITMAP = struct.Struct("<QI").pack(1, 0)
_U32 = struct.Struct(">I")
FILE_VERSION = b"\x01"

FILE_VECTORS_MAX = 64
"""A file stays for the last of its vectors, so it has not too many."""

_OURS = uuid.UUID("6f1d6f0e-7f0a-4a51-9a52-0d6f1a4f7c11")
_PYTHON = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_TO_Z85, _FROM_Z85 = str.maketrans(_PYTHON, _Z85), str.maketrans(_Z85, _PYTHON)


def own_id(text: str) -> str:
    """A UUID that is the same for the same text."""
    return str(uuid.uuid5(_OURS, text))


def encode_vectors(whose: str, dead: Mapping[int, DeadRows]) -> tuple[Mapping[int, Vector], bytes]:
    """What the log says of the dead rows of some batches, by their numbers, and the bytes of the file of all.

    `whose` tells the scope from all others.
    """
    file_id = own_id(" ".join([whose, *(f"{batch}:{found.digest}" for batch, found in dead.items())]))
    data, vectors = bytearray(FILE_VERSION), {}
    for batch, found in dead.items():
        blob = _MAGIC + _ONE_BITMAP + found.positions.serialize()
        vectors[batch] = Vector(file_id, len(data), len(blob), found.count, found.digest)
        data += _U32.pack(len(blob)) + blob + _U32.pack(zlib.crc32(blob))
    return vectors, bytes(data)


@lru_cache(maxsize=1_024)
def place_of(file_id: str) -> str:
    """A file of vectors as the log names it."""
    return base64.b85encode(uuid.UUID(file_id).bytes).decode().translate(_TO_Z85)


def id_of(place: str) -> str:
    """What `place_of` wrote."""
    return str(uuid.UUID(bytes=base64.b85decode(place.translate(_FROM_Z85))))
