"""Which copies of manifests RocksDB keeps. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from catalog.definition import Scope


@dataclass(frozen=True)
class Copy:
    """A copy of a scope's manifest: its size, and when somebody last asked for it, as ISO 8601."""

    scope: Scope
    bytes: int
    last_accessed: str


def to_evict(copies: Iterable[Copy], bytes_max: int, before: str) -> list[Scope]:
    """Those that nobody has asked for since a time, and those unused for longest, until few enough are left."""
    newest_first = sorted(copies, key=lambda copy: copy.last_accessed, reverse=True)
    doomed, kept = [], 0
    for copy in newest_first:
        kept += copy.bytes
        if copy.last_accessed < before or kept > bytes_max:
            doomed.append(copy.scope)
    return doomed
