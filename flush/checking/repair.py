"""What is lost of a scope's files, and can be derived, is put back: byte for byte, held against its checksum.

So a repair needs no lock, but for the manifest itself: whoever reads meanwhile finds the file whole or not at all, and
a file that a newer manifest does not name any more is one that nobody reads. Damaged files are kept aside. A scope that
is in memory knows its manifest and its dead rows; of one that is not, RocksDB may have a copy of the manifest. Without
one, a lost manifest is left to whoever asks for REBUILD MANIFEST: files alone do not tell whether others are missing.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from catalog.definition import Scope, TableDef
from catalog.keyvalue import KeyValueStore
from flush.change import ColdChange, publish_change
from flush.checking.deriving import bloom_bytes, dead_rows_found, deletion_bytes
from flush.checking.scopes import StoredScope, check_bloom, check_deletions
from flush.work import Work
from manifest import codec as manifest_codec
from manifest.batch_entry import BatchFileEntry
from manifest.dead_rows import DeadRows
from manifest.entries import ManifestFile
from manifest.files import checksum
from manifest.layout import MANIFEST_NAME
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.damage import Damage, DamagedPart
from providers.manifests.recovering import manifest_on_record

_Found = TypeVar("_Found")


@dataclass
class Repaired:
    """Names of the files that were put back, and what is damaged still."""

    files: list[str] = field(default_factory=list)
    left: list[Damage] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Repair:
    """A repair of one scope. `still` is held while a file is put in the place of another."""

    stored: StoredScope
    work: Work
    still: Callable[[], AbstractContextManager[None]] = nullcontext
    done: Repaired = field(default_factory=Repaired)

    def put_back(self, name: str, expected: str, data: bytes | None) -> bool:
        """Write a file anew, if this is what was in it; tell whether it was."""
        if data is None or checksum(data) != expected:
            return False
        self._write(name, data)
        return True

    def write_manifest(self, manifest: ManifestFile) -> None:
        """See that the manifest on the disk, and the files of its parts, are those of a manifest that is known."""
        folder, data = self.stored.folder, manifest_codec.encode(manifest)
        for part in manifest.parts:
            file = part.file
            if file is not None and not self._is_whole(file.path, file.checksum):
                self.put_back(file.path, file.checksum, manifest_codec.encode_part_file(file))
        if manifest.version and folder.read(MANIFEST_NAME) != data:
            folder.keep_aside(MANIFEST_NAME)
            with self.still():
                folder.publish(MANIFEST_NAME, data)
            self.done.files.append(MANIFEST_NAME)

    def write_recorded(self) -> None:
        """See that a manifest that cannot be read is the one that RocksDB has. Nobody may load it meanwhile."""
        stored = self.stored
        if stored.met(DamagedPart.MANIFEST, stored.manifest) is None:
            return
        found = manifest_on_record(stored.keyvalue, stored.scope, stored.folder.names())
        if found is not None:
            self.write_manifest(found)

    def write_blooms(self, manifest: ManifestFile) -> None:
        """See that every bloom file is what the manifest says; one whose rows cannot be read is left."""
        for entry in manifest.batches:
            self.work.check()
            met = self.stored.met(DamagedPart.BLOOM, partial(check_bloom, self.stored.folder, entry), entry.batch)
            if met is not None and not self._write_bloom(entry):
                self.done.left.append(met)

    def _write_bloom(self, entry: BatchFileEntry) -> bool:
        def derive() -> bytes | None:
            self.stored.folder.verify(entry.path, entry.checksum, entry.bytes)
            return bloom_bytes(self.stored, entry)

        return entry.bloom is not None and self.put_back(entry.bloom.path, entry.bloom.checksum, self._derived(derive))

    def write_deletions(self, manifest: ManifestFile, known: Mapping[int, DeadRows]) -> list[BatchFileEntry]:
        """See that every deletion file is what the manifest says; return the batches where nobody can tell.

        `known` are the dead rows of batches, as far as they are in memory.
        """
        lost = [entry for entry in manifest.batches if self._has_lost_deletions(entry)]
        lost = [entry for entry in lost if not self._write_deletions(entry, known.get(entry.batch))]
        if not lost or known:
            return lost
        return [entry for entry in lost if not self._write_found(manifest, entry)]

    def _has_lost_deletions(self, entry: BatchFileEntry) -> bool:
        self.work.check()
        met = self.stored.met(DamagedPart.DELETIONS, partial(check_deletions, self.stored.folder, entry), entry.batch)
        return met is not None

    def _write_deletions(self, entry: BatchFileEntry, dead: DeadRows | None) -> bool:
        if dead is None or entry.dv is None:
            return False
        return self.put_back(entry.dv.path, entry.dv.checksum, deletion_bytes(self.stored, entry, dead))

    def _write_found(self, manifest: ManifestFile, entry: BatchFileEntry) -> bool:
        def found() -> Iterable[DeadRows]:
            for other in manifest.batches:
                self.stored.folder.verify(other.path, other.checksum, other.bytes)
            return list(dead_rows_found(self.stored, manifest, [entry]))

        return any(self._write_deletions(entry, dead) for dead in self._derived(found) or ())

    def _derived(self, derive: Callable[[], _Found]) -> _Found | None:
        """What is derived; None when what it is derived of cannot be read."""
        found: list[_Found] = []
        self.stored.met(DamagedPart.RECORDS, lambda: found.append(derive()))
        return found[0] if found else None

    def _is_whole(self, name: str, expected: str) -> bool:
        return not self.stored.met(DamagedPart.MANIFEST, lambda: self.stored.folder.read_checked(name, expected))

    def _write(self, name: str, data: bytes) -> None:
        with self.still():
            self.stored.folder.put_back(name, data)
        self.done.files.append(name)
        self.work.did(0, len(data))


def repair_scope(store: ScopeStore, keyvalue: KeyValueStore, table: TableDef, user: str | None, work: Work) -> Repaired:
    """Put back what can be derived of a scope while it is in use; what is whole again is known to be."""
    scope = Scope(table.id, user)
    stored = StoredScope(keyvalue, store.folder_of(table, user), table, scope)
    repair = Repair(stored, work, store.stillness.together)
    with store.kept_unloaded(table, user) as folder:
        if folder is not None:
            repair.write_recorded()
    state = store.in_memory(scope)
    if state is not None:
        _repair_loaded(store, state, repair)
    else:
        repair_stored(repair)
    for damage in store.files.damages.of_scope(scope):
        if damage.part.may_be_derived and not any(_is_same(damage, left) for left in repair.done.left):
            store.files.damages.forget(damage)
    store.files.forget_filters(scope)
    return repair.done


def _is_same(damage: Damage, other: Damage) -> bool:
    return (damage.part, damage.batch) == (other.part, other.batch)


def repair_stored(repair: Repair) -> ManifestFile | None:
    """Put back what can be derived of a scope that is not in memory, but for its manifest, which is returned."""
    read: list[ManifestFile] = []
    met = repair.stored.met(DamagedPart.MANIFEST, lambda: read.append(repair.stored.manifest()))
    if met is not None:
        repair.done.left.append(met)
        return None
    manifest = read[0]
    repair.write_blooms(manifest)
    for entry in repair.write_deletions(manifest, {}):
        repair.done.left.append(lost_deletions(repair.stored, entry))
    return manifest


def lost_deletions(stored: StoredScope, entry: BatchFileEntry) -> Damage:
    """That nobody can tell which rows of a batch are dead."""
    how = f"its file is lost, and nothing else tells all {entry.dead} rows of it"
    return Damage(stored.table.name, stored.scope, DamagedPart.DELETIONS, how, entry.batch)


def _repair_loaded(store: ScopeStore, state: ScopeState, repair: Repair) -> None:
    with store.exclusive(state):
        repair.write_manifest(state.head.manifest)
    repair.write_blooms(state.head.manifest)
    for entry in repair.write_deletions(state.head.manifest, state.head.dead):
        with store.exclusive(state):
            _record_anew(store, state, entry, repair)


def _record_anew(store: ScopeStore, state: ScopeState, entry: BatchFileEntry, repair: Repair) -> None:
    """Record the dead rows of a batch in a file of a new name: there are more of them by now than its file had."""
    head, dead = state.head, state.head.dead.get(entry.batch)
    current = head.manifest.by_number.get(entry.batch)
    if entry.dv is None or dead is None or current is None or current.dv != entry.dv:
        return
    repair.stored.folder.keep_aside(entry.dv.path)
    publish_change(store, state, ColdChange(dead={entry.batch: dead}))
    repair.done.files.append(entry.dv.path)
