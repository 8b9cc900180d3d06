"""Checkpoints of a Delta log: all actions that a version is made of, as one Parquet file. Pure, bytes in and out."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_TEXTS = pa.map_(pa.string(), pa.string())
_VECTOR = pa.struct(
    [
        ("storageType", pa.string()),
        ("pathOrInlineDv", pa.string()),
        ("offset", pa.int32()),
        ("sizeInBytes", pa.int32()),
        ("cardinality", pa.int64()),
    ]
)
_SCHEMA = pa.schema(
    [
        ("txn", pa.struct([("appId", pa.string()), ("version", pa.int64()), ("lastUpdated", pa.int64())])),
        (
            "add",
            pa.struct(
                [
                    ("path", pa.string()),
                    ("partitionValues", _TEXTS),
                    ("size", pa.int64()),
                    ("modificationTime", pa.int64()),
                    ("dataChange", pa.bool_()),
                    ("stats", pa.string()),
                    ("tags", _TEXTS),
                    ("deletionVector", _VECTOR),
                ]
            ),
        ),
        (
            "remove",
            pa.struct(
                [
                    ("path", pa.string()),
                    ("deletionTimestamp", pa.int64()),
                    ("dataChange", pa.bool_()),
                    ("extendedFileMetadata", pa.bool_()),
                    ("partitionValues", _TEXTS),
                    ("size", pa.int64()),
                    ("deletionVector", _VECTOR),
                ]
            ),
        ),
        (
            "metaData",
            pa.struct(
                [
                    ("id", pa.string()),
                    ("name", pa.string()),
                    ("format", pa.struct([("provider", pa.string()), ("options", _TEXTS)])),
                    ("schemaString", pa.string()),
                    ("partitionColumns", pa.list_(pa.string())),
                    ("configuration", _TEXTS),
                    ("createdTime", pa.int64()),
                ]
            ),
        ),
        (
            "protocol",
            pa.struct(
                [
                    ("minReaderVersion", pa.int32()),
                    ("minWriterVersion", pa.int32()),
                    ("readerFeatures", pa.list_(pa.string())),
                    ("writerFeatures", pa.list_(pa.string())),
                ]
            ),
        ),
    ]
)
_MAPS = frozenset({"partitionValues", "tags", "options", "configuration"})


def encode_checkpoint(actions: Iterable[Mapping[str, Any]]) -> bytes:
    """Write the actions, one to a row."""
    rows = pa.Table.from_pylist([dict(action) for action in actions], schema=_SCHEMA)
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="snappy")
    return bytes(sink.getvalue().to_pybytes())


def decode_checkpoint(data: bytes) -> Iterator[dict[str, Any]]:
    """Read what `encode_checkpoint` wrote."""
    for row in pq.read_table(pa.BufferReader(data)).to_pylist():
        yield {name: _plain(name, value) for name, value in row.items() if value is not None}


def _plain(name: str, value: Any) -> Any:
    """A value as JSON has it: without what is NULL, and maps as objects."""
    if name in _MAPS:
        return dict(value)
    if isinstance(value, dict):
        return {inner: _plain(inner, found) for inner, found in value.items() if found is not None}
    return value
