"""Which names of a scope's files were ever used: the largest batch number and the largest manifest version.

A name that a file has had never comes back, whatever became of the file. So the numbers are put on record (key
`used/` and the scope prefix in META) before a file gets one, and a file goes only when that record is durable.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from catalog.definition import Scope
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from manifest.entries import ManifestFile
from manifest.layout import batch_of_file, version_of_file
from providers.hot.record import scope_prefix

USED = b"used/"


@dataclass(frozen=True)
class UsedNames:
    """No file of the scope has, or ever had, a larger batch number or manifest version."""

    batch: int = 0
    version: int = 0

    @property
    def next_batch(self) -> "UsedNames":
        """One more batch number is used."""
        return replace(self, batch=self.batch + 1)

    @property
    def next_version(self) -> "UsedNames":
        """One more manifest version is used."""
        return replace(self, version=self.version + 1)

    def and_those_of(self, manifest: ManifestFile, names: Iterable[str]) -> "UsedNames":
        """These, those of a manifest, and those of files."""
        listed = list(names)
        return UsedNames(
            max([self.batch, manifest.max_batch, *(batch_of_file(name) or 0 for name in listed)]),
            max([self.version, manifest.version, *(version_of_file(name) or 0 for name in listed)]),
        )


def recorded(keyvalue: KeyValueStore, scope: Scope) -> UsedNames:
    """What is on record of a scope."""
    stored = keyvalue.get(Family.META, _key(scope))
    return UsedNames(*map(int, stored.split())) if stored else UsedNames()


def put_used(batch: AtomicWrite, scope: Scope, used: UsedNames) -> None:
    """Put a scope's record into a batch."""
    batch.put(Family.META, _key(scope), f"{used.batch} {used.version}".encode())


def _key(scope: Scope) -> bytes:
    return USED + scope_prefix(scope)
