"""The protocol as the ADBC driver knows it: the descriptors of its own `.proto` files, embedded in its library.

This is an oracle that nobody here wrote: the driver is built from the protocol's original files.
"""

import mmap
from pathlib import Path

import adbc_driver_flightsql
from google.protobuf.descriptor_pb2 import FileDescriptorProto

_SYNTAX_FIELD = 12
_LENGTH_DELIMITED = 2


def driver_descriptor(file_name: str) -> FileDescriptorProto:
    """Return the descriptor of `file_name`, cut out of the driver's library."""
    with Path(adbc_driver_flightsql._driver_path()).open("rb") as library:
        data = mmap.mmap(library.fileno(), 0, access=mmap.ACCESS_READ)
        start = data.find(b"\n" + bytes([len(file_name)]) + file_name.encode())
        assert start >= 0, f"the driver holds no {file_name}"
        return FileDescriptorProto.FromString(data[start : _end(data, start)])


def _end(data: mmap.mmap, position: int) -> int:
    """Walk over the fields of a descriptor; `syntax` is the last one."""
    while True:
        key, position = _varint(data, position)
        assert key & 7 == _LENGTH_DELIMITED, "not a descriptor"
        length, position = _varint(data, position)
        position += length
        if key >> 3 == _SYNTAX_FIELD:
            return position


def _varint(data: mmap.mmap, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
