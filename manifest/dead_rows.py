"""Dead rows of a batch: which row positions have a newer version or a tombstone.

An immutable set of row positions (0-based in the file). A set only grows over a batch's life; growing yields a new
value, so that pinned readers keep theirs. Bytes (docs/formats/deletion-vector.md): a fixed header, then a 32-bit
roaring bitmap in its portable format, then a hash of everything before it. A CRC-32 there would make that of the whole
file, which manifests have, the same for all such files.
"""

import struct
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyroaring import BitMap, FrozenBitMap

from catalog.errors import DatabaseError, ErrorKind

FEW_SHARE = 64
"""One row of so many that a batch has is few."""

_HEADER = struct.Struct("<4sHHqqqII")
_MAGIC = b"FSDV"
_FORMAT = 2
_DIGEST_BYTES = 8


@dataclass(frozen=True, eq=False)
class DeadRows:
    """The dead rows of one batch of `rows` rows."""

    rows: int
    positions: FrozenBitMap

    @classmethod
    def none(cls, rows: int) -> "DeadRows":
        """No row of a batch is dead."""
        return cls(rows, FrozenBitMap())

    @property
    def count(self) -> int:
        """How many rows are dead."""
        return len(self.positions)

    def with_positions(self, positions: npt.NDArray[np.int64]) -> "DeadRows":
        """Mark more rows dead; rows that are dead already stay so."""
        if not len(positions):
            return self
        if int(positions.min()) < 0 or int(positions.max()) >= self.rows:
            raise DatabaseError(ErrorKind.INTERNAL, "a dead row lies outside its batch")
        merged = BitMap(self.positions)
        merged.update(positions.astype(np.uint32))
        return DeadRows(self.rows, FrozenBitMap(merged))

    def union(self, other: "DeadRows") -> "DeadRows":
        """Rows dead in either set."""
        return DeadRows(self.rows, FrozenBitMap(self.positions | other.positions))

    def minus(self, other: "DeadRows") -> npt.NDArray[np.int64]:
        """Positions dead here and alive in `other`, ascending."""
        return _to_array(self.positions - other.positions)

    def to_array(self) -> npt.NDArray[np.int64]:
        """All dead positions, ascending."""
        return _to_array(self.positions)

    def are_live(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Tell which of some rows are live. For few rows of a batch that takes no flag for each of all."""
        if "live_mask" in self.__dict__ or len(positions) * FEW_SHARE >= self.rows:
            return self.live_mask[positions]
        asked = BitMap(positions.astype(np.uint32))
        return np.isin(positions, _to_array(asked & self.positions), invert=True)

    @cached_property
    def digest(self) -> str:
        """A text that is the same for the same rows, and no other."""
        return _digest(self.positions.serialize()).hex()

    @cached_property
    def live_mask(self) -> npt.NDArray[np.bool_]:
        """One flag for each row of the batch, true for live rows."""
        mask = np.ones(self.rows, dtype=np.bool_)
        mask[self.to_array()] = False
        return mask

    @cached_property
    def live_array(self) -> pa.BooleanArray:
        """`live_mask` as an Arrow array, whose slices cost nothing."""
        return pa.array(self.live_mask)


def _to_array(bitmap: BitMap | FrozenBitMap) -> npt.NDArray[np.int64]:
    return np.frombuffer(bitmap.to_array(), dtype=np.uint32).astype(np.int64)


def encode(dead: DeadRows, table_id: int, batch: int, version: int) -> bytes:
    """Write the deletion vector of `batch` as of manifest `version`."""
    bitmap = dead.positions.serialize()
    header = _HEADER.pack(_MAGIC, _FORMAT, 0, table_id, batch, version, dead.rows, dead.count)
    body = header + bitmap
    return body + _digest(body)


@dataclass(frozen=True)
class DeletionFile:
    """A deletion vector with what its header says of where it belongs."""

    table_id: int
    batch: int
    version: int
    dead: DeadRows


def decode(data: bytes) -> DeletionFile:
    """Read a deletion vector; raise CORRUPT when any bit of it is wrong."""
    if len(data) < _HEADER.size + _DIGEST_BYTES or _digest(data[:-_DIGEST_BYTES]) != data[-_DIGEST_BYTES:]:
        raise DatabaseError(ErrorKind.CORRUPT, "it fails its checksum")
    magic, file_format, _, table_id, batch, version, rows, count = _HEADER.unpack_from(data)
    if magic != _MAGIC or file_format != _FORMAT:
        raise DatabaseError(ErrorKind.CORRUPT, f"it has the unknown format {file_format}")
    bitmap = FrozenBitMap.deserialize(data[_HEADER.size : -_DIGEST_BYTES])
    if len(bitmap) != count or (count and bitmap.max() >= rows):
        raise DatabaseError(ErrorKind.CORRUPT, "it contradicts its header")
    return DeletionFile(table_id, batch, version, DeadRows(rows, bitmap))


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=_DIGEST_BYTES).digest()
