"""A commit's bytes in the HOT column family (docs/formats/hot-record.md).

Key: scope (`scope_prefix`), then the first `_seq` as big-endian int64, so that a scan of a scope is in commit order.
Value: a header, the cold rows that the commit marked dead (a roaring bitmap for each batch), and one Arrow IPC stream
with the versions: user columns under physical names, `_seq`, `_deleted`. A large commit has several records, written
in one RocksDB batch; the dead-row marks stand in the first.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from catalog.definition import Scope, TableDef
from catalog.errors import DatabaseError, ErrorKind
from providers.rows.defaults import columns_by
from providers.rows.keys import Positions

_HEADER = struct.Struct("<4sHHII")
_MARK = struct.Struct("<qI")
_SEQ = struct.Struct(">q")
_MAGIC = b"FSHR"
_FORMAT = 1
_OPTIONS = pa.ipc.IpcWriteOptions()
"""Without any, pyarrow asks the environment each time."""


SEQ_BYTES = _SEQ.size
"""Length of the `_seq` that ends a record's key."""


@dataclass(frozen=True, eq=False)
class HotRecord:
    """Versions of one commit, and the cold rows that it marked dead, by batch number."""

    rows: pa.RecordBatch
    dead: Mapping[int, Positions]


def scope_prefix(scope: Scope) -> bytes:
    """Key prefix of a scope's records; no scope's prefix begins another's."""
    user = b"" if scope.user is None else scope.user.encode()
    return table_prefix(scope.table_id) + struct.pack(">?H", scope.user is not None, len(user)) + user


def table_prefix(table_id: int) -> bytes:
    """Key prefix of all scopes of a table."""
    return struct.pack(">q", table_id)


def prefix_end(prefix: bytes) -> bytes:
    """The smallest key above every key that begins with `prefix`."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1])


def record_key(scope: Scope, first_seq: int) -> bytes:
    """Key of the record whose first row has `first_seq`."""
    return scope_prefix(scope) + _SEQ.pack(first_seq)


def table_of(key: bytes) -> int:
    """The table whose record a key names."""
    return int(_SEQ.unpack(key[:8])[0])


def user_of(key: bytes) -> str | None:
    """The user whose scope a record's key names."""
    has_user, length = struct.unpack_from(">?H", key, 8)
    return key[11 : 11 + length].decode() if has_user else None


def encode(record: HotRecord) -> bytes:
    """Write a record's value."""
    marks = bytearray()
    for batch, positions in sorted(record.dead.items()):
        bitmap = BitMap(positions.astype(np.uint32)).serialize()
        marks += _MARK.pack(batch, len(bitmap)) + bitmap
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, record.rows.schema, options=_OPTIONS) as writer:
        writer.write_batch(record.rows)
    header = _HEADER.pack(_MAGIC, _FORMAT, 0, len(record.dead), len(marks))
    return b"".join((header, marks, memoryview(sink.getvalue())))


def decode(data: bytes) -> HotRecord:
    """Read a record's value; raise CORRUPT when it is none."""
    try:
        magic, file_format, _, mark_count, mark_bytes = _HEADER.unpack_from(data)
        _require(magic == _MAGIC and file_format == _FORMAT)
        dead = _decode_marks(data[_HEADER.size : _HEADER.size + mark_bytes], mark_count)
        with pa.ipc.open_stream(pa.py_buffer(data)[_HEADER.size + mark_bytes :]) as reader:
            rows = reader.read_next_batch()
    except (ValueError, IndexError, OSError, struct.error, pa.ArrowException, StopIteration) as error:
        raise DatabaseError(ErrorKind.CORRUPT, "it is not readable") from error
    return HotRecord(rows, dead)


def _require(readable: bool) -> None:
    if not readable:
        raise ValueError("unknown format")


def _decode_marks(data: bytes, count: int) -> dict[int, Positions]:
    dead: dict[int, Positions] = {}
    offset = 0
    for _ in range(count):
        batch, length = _MARK.unpack_from(data, offset)
        offset += _MARK.size
        bitmap = BitMap.deserialize(data[offset : offset + length])
        dead[batch] = np.frombuffer(bitmap.to_array(), dtype=np.uint32).astype(np.int64)
        offset += length
    return dead


def evolved(rows: pa.RecordBatch, table: TableDef, missing: Mapping[str, pa.Scalar]) -> pa.RecordBatch:
    """Bring versions written under an older definition into today's columns; see `columns_by` for `missing`."""
    schema = table.version_schema
    if rows.schema.equals(schema):
        return rows
    return pa.RecordBatch.from_arrays(columns_by(rows, schema, missing), schema=schema)
