"""Manifests in RocksDB: the bytes of the column family `manifest_cache` (docs/formats/manifest-cache.md). Pure.

A scope has a *head*, which says what is known of its manifest, the manifest's bytes as its file has them, and those of
each file of a part. What changes often is small, and what is large is written once: a publication writes the head, the
manifest, which is bounded, and the files of parts that it made.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from catalog import checksummed
from catalog.definition import Scope
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AtomicWrite, Family
from providers.cold.scope_folder import Stamp
from providers.hot.record import prefix_end, scope_prefix, table_of, user_of
from providers.manifests.sync_state import SyncState

HEADS, MANIFESTS, PARTS = b"h", b"m", b"p"
"""What keys begin with, before the scope prefix."""


@dataclass(frozen=True)
class Head:
    """What is on record of a scope's manifest. `cached_bytes` are those of the manifest and of the files of parts.

    A head without `etag` belongs to a scope whose first manifest is being written.
    """

    version: int
    batches: int
    rows: int
    dead: int
    bytes: int
    etag: str | None
    stamp: Stamp | None
    cached_bytes: int
    last_refreshed: str
    last_accessed: str
    sync_state: SyncState


def head_key(scope: Scope) -> bytes:
    """Where a scope's head stands."""
    return HEADS + scope_prefix(scope)


def scope_of(key: bytes) -> Scope:
    """Whose head a key names."""
    return Scope(table_of(key[1:]), user_of(key[1:]))


def manifest_key(scope: Scope) -> bytes:
    """Where the bytes of a scope's manifest stand."""
    return MANIFESTS + scope_prefix(scope)


def part_key(scope: Scope, name: str) -> bytes:
    """Where the bytes of a part's file stand."""
    return PARTS + scope_prefix(scope) + name.encode()


def encode_head(head: Head) -> bytes:
    """Write a head."""
    return checksummed.encode(
        {
            "version": str(head.version),
            "batches": str(head.batches),
            "rows": str(head.rows),
            "dead": str(head.dead),
            "bytes": str(head.bytes),
            "etag": head.etag,
            "stamp": None if head.stamp is None else list(map(str, head.stamp)),
            "cached_bytes": str(head.cached_bytes),
            "last_refreshed": head.last_refreshed,
            "last_accessed": head.last_accessed,
            "sync_state": head.sync_state.value,
        }
    )


def decode_head(data: bytes) -> Head:
    """Read a head; raise CORRUPT when it is none."""
    raw = checksummed.decode(data, "a record of a manifest")
    try:
        return Head(
            version=int(raw["version"]),
            batches=int(raw["batches"]),
            rows=int(raw["rows"]),
            dead=int(raw["dead"]),
            bytes=int(raw["bytes"]),
            etag=raw["etag"],
            stamp=None if raw["stamp"] is None else _stamp(raw["stamp"]),
            cached_bytes=int(raw["cached_bytes"]),
            last_refreshed=raw["last_refreshed"],
            last_accessed=raw["last_accessed"],
            sync_state=SyncState(raw["sync_state"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DatabaseError(ErrorKind.CORRUPT, "a record of a manifest is not readable") from error


def encode_part(stamp: Stamp, data: bytes) -> bytes:
    """Write the bytes of a part's file, with what the file system says of it."""
    return " ".join(map(str, stamp)).encode() + b"\n" + data


def decode_part(stored: bytes) -> tuple[Stamp | None, bytes]:
    """Read them, without a stamp where it is none. The bytes have their checksum in the manifest."""
    stamp, _, data = stored.partition(b"\n")
    try:
        return _stamp(stamp.decode().split()), data
    except ValueError:
        return None, data


def put_head(batch: AtomicWrite, scope: Scope, head: Head) -> None:
    """Put a head into a batch."""
    batch.put(Family.MANIFEST_CACHE, head_key(scope), encode_head(head))


def put_manifest(batch: AtomicWrite, scope: Scope, data: bytes) -> None:
    """Put the bytes of a manifest into a batch."""
    batch.put(Family.MANIFEST_CACHE, manifest_key(scope), data)


def put_part(batch: AtomicWrite, scope: Scope, name: str, stamp: Stamp, data: bytes) -> None:
    """Put a part's file into a batch."""
    batch.put(Family.MANIFEST_CACHE, part_key(scope, name), encode_part(stamp, data))


def delete_part(batch: AtomicWrite, scope: Scope, name: str) -> None:
    """Delete what is on record of a part's file."""
    batch.delete(Family.MANIFEST_CACHE, part_key(scope, name))


def delete_scope(batch: AtomicWrite, scope: Scope) -> None:
    """Delete all that is on record of one scope."""
    batch.delete(Family.MANIFEST_CACHE, head_key(scope))
    batch.delete(Family.MANIFEST_CACHE, manifest_key(scope))
    lower = part_key(scope, "")
    batch.delete_range(Family.MANIFEST_CACHE, lower, prefix_end(lower))


def delete_prefix(batch: AtomicWrite, prefix: bytes) -> None:
    """Delete all that is on record of all scopes whose prefixes begin so."""
    for lower, upper in ranges(prefix):
        batch.delete_range(Family.MANIFEST_CACHE, lower, upper)


def ranges(prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Where everything of those scopes stands."""
    for kind in (HEADS, MANIFESTS, PARTS):
        yield kind + prefix, prefix_end(kind + prefix)


def _stamp(texts: list[str]) -> Stamp:
    inode, size, modified_ns = map(int, texts)
    return inode, size, modified_ns
