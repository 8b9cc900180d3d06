"""Manifest files that are lost, from their copies in RocksDB.

A copy counts when it is certain that no newer file followed it: what wrote one would have left files of its own, marks
of batches that it left out, or a head that says that a write was pending. Who is not certain gets nothing.
"""

from collections.abc import Iterable

from catalog.definition import Scope
from catalog.errors import DatabaseError
from catalog.keyvalue import Family, KeyValueStore
from manifest import codec
from manifest.entries import ManifestFile
from manifest.files import checksum
from manifest.layout import batch_of_file, retired_name, version_of_file
from providers.manifests import records
from providers.manifests.mark import recorded_version
from providers.manifests.sync_state import SyncState


def manifest_on_record(keyvalue: KeyValueStore, scope: Scope, names: Iterable[str]) -> ManifestFile | None:
    """The newest manifest of a scope, if it is certain; `names` are those of all files in its folder."""
    stored, data = (keyvalue.get(Family.MANIFEST_CACHE, key(scope)) for key in (records.head_key, records.manifest_key))
    if stored is None or data is None:
        return None
    try:
        head = records.decode_head(stored)
        manifest = codec.decode(data, lambda name, expected: part_on_record(keyvalue, scope, name, expected) or b"")
    except DatabaseError:
        return None
    is_newest = checksum(data) == head.etag and manifest.version == recorded_version(keyvalue, scope)
    was_written = head.sync_state in {SyncState.IN_SYNC, SyncState.ERROR}
    return manifest if is_newest and was_written and not _is_followed(manifest, names) else None


def part_on_record(keyvalue: KeyValueStore, scope: Scope, name: str, expected: str) -> bytes | None:
    """The bytes of a part's file of some checksum."""
    stored = keyvalue.get(Family.MANIFEST_CACHE, records.part_key(scope, name))
    data = None if stored is None else records.decode_part(stored)[1]
    return data if data is not None and checksum(data) == expected else None


def _is_followed(manifest: ManifestFile, names: Iterable[str]) -> bool:
    """Tell whether some file is one that a newer manifest may have brought, or left out."""
    retired = {retired_name(batch) for batch in manifest.by_number}
    return any(
        name in retired
        or (batch_of_file(name) or 0) > manifest.max_batch
        or (version_of_file(name) or 0) > manifest.version
        for name in names
    )
