"""What is known of a scope's manifest without loading it, for who looks after the server."""

from dataclasses import dataclass
from enum import Enum, unique

from catalog.definition import Scope
from providers.manifests.sync_state import SyncState


@unique
class Source(Enum):
    """Where a manifest would be taken from if somebody asked for it now."""

    MEMORY = "memory"
    ROCKSDB = "rocksdb"
    FILE = "file"


@dataclass(frozen=True)
class KnownManifest:
    """A manifest as it is kept. Of one that only its file has, nothing is known but its version; times are ISO 8601."""

    scope: Scope
    version: int
    source: Source
    batches: int | None = None
    rows: int | None = None
    dead: int | None = None
    bytes: int | None = None
    etag: str | None = None
    last_refreshed: str | None = None
    last_accessed: str | None = None
    sync_state: SyncState | None = None
