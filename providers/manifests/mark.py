"""The newest manifest version that a scope has published, on record in META, so that an older file is noticed."""

from catalog.definition import Scope
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from providers.hot.record import scope_prefix

MANIFEST_MARK = b"manifest/"


def manifest_mark(scope: Scope) -> bytes:
    """Key in META of the newest manifest version that a scope published."""
    return MANIFEST_MARK + scope_prefix(scope)


def recorded_version(keyvalue: KeyValueStore, scope: Scope) -> int:
    """That version; 0 before the first."""
    return int(keyvalue.get(Family.META, manifest_mark(scope)) or 0)


def put_mark(batch: AtomicWrite, scope: Scope, version: int) -> None:
    """Put on record that a version was published."""
    batch.put(Family.META, manifest_mark(scope), str(version).encode())
