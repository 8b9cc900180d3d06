"""One scope's manifest as it is in memory, with what is known of its file and of its record in RocksDB."""

from dataclasses import dataclass, field

from catalog.definition import Scope
from manifest.entries import ManifestFile
from providers.cold.scope_folder import Stamp
from providers.manifests.sync_state import SyncEvent, SyncState, after


@dataclass(eq=False, slots=True, weakref_slot=True)
class CachedManifest:
    """A manifest that a scope has, as its file says it. Times are seconds since 1970.

    `etag` is the checksum of the file's bytes, `size` their number, and `stamp` what the file system said of it; etag
    and stamp are None before the first manifest. `last_refreshed` says when file and memory were last made the same,
    `last_accessed` when somebody last asked for it. These, the state, and the stamp of a touched file do change.
    """

    scope: Scope
    manifest: ManifestFile
    etag: str | None
    size: int
    stamp: Stamp | None
    last_refreshed: float
    last_accessed: float
    sync_state: SyncState = field(default=SyncState.IN_SYNC)

    def happen(self, event: SyncEvent) -> None:
        """Go on to the state that follows."""
        self.sync_state = after(self.sync_state, event)
