"""Every file and record of a scope, read from end to end and held against what the manifest says.

It looks at the disk alone, never at what is kept in memory, while others write, flush and compact: what is missing
because a newer manifest does not name it any more is no damage, so whatever is met is asked once more of the newest.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

import bloom
from bloom import BloomCorrupt
from catalog.definition import SEQ_COLUMN, Scope, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import Family, KeyValueStore
from flush.work import Work
from manifest.batch_entry import BatchFileEntry
from manifest.entries import ManifestFile
from manifest.layout import MANIFEST_NAME
from providers.cold.rows import read_footer
from providers.cold.scope_folder import ScopeFolder
from providers.commit import recovery
from providers.damage import Damage, DamagedError, DamagedPart, named
from providers.hot import record
from providers.manifests.mark import recorded_version
from providers.manifests.service import read_file

READ_ATTEMPTS = 10
"""How often a manifest is read again that was replaced meanwhile."""


@dataclass(frozen=True, eq=False)
class StoredScope:
    """Where all of a scope is stored. `table` is its committed definition."""

    keyvalue: KeyValueStore
    folder: ScopeFolder
    table: TableDef
    scope: Scope

    def manifest(self) -> ManifestFile:
        """The manifest on the disk; CORRUPT when there is none that can be read, although none replaces it."""
        for _ in range(READ_ATTEMPTS - 1):
            before = self.folder.read(MANIFEST_NAME)
            try:
                return self._read_manifest()
            except DatabaseError:
                if self.folder.read(MANIFEST_NAME) == before:
                    raise
        return self._read_manifest()

    def _read_manifest(self) -> ManifestFile:
        published = recorded_version(self.keyvalue, self.scope)
        return read_file(self.folder, self.table, self.scope, published)[0]

    def met(self, part: DamagedPart, look: Callable[[], object], batch: int | None = None) -> Damage | None:
        """The damage that somebody meets who looks at a part, if there is any."""
        try:
            with named(self.table, self.scope, part, batch):
                look()
        except DamagedError as error:
            return error.damage
        except DatabaseError as error:
            if error.kind is not ErrorKind.UNSUPPORTED:
                raise
            return Damage(self.table.name, self.scope, part, error.message, batch)
        return None


def check_scope(stored: StoredScope, work: Work) -> list[Damage]:
    """All that is damaged of a scope, by batches."""
    manifest: ManifestFile | None = None

    def read() -> None:
        nonlocal manifest
        manifest = stored.manifest()

    found = stored.met(DamagedPart.MANIFEST, read)
    hot = stored.met(DamagedPart.HOT_ROWS, lambda: _check_hot(stored, manifest))
    if manifest is None:
        return [damage for damage in (found, hot) if damage is not None]
    met = [damage for entry in manifest.batches for damage in _of_batch(stored, entry, work)]
    if met:
        met = _still_there(met, manifest, stored.manifest())
    return met if hot is None else [*met, hot]


def _of_batch(stored: StoredScope, entry: BatchFileEntry, work: Work) -> Iterator[Damage]:
    """What of a batch's files is damaged."""
    work.check()
    looks: list[tuple[DamagedPart, Callable[[], object]]] = [(DamagedPart.BATCH, lambda: _check_rows(stored, entry))]
    if entry.bloom is not None:
        looks.append((DamagedPart.BLOOM, lambda: check_bloom(stored.folder, entry)))
    if entry.dv is not None:
        looks.append((DamagedPart.DELETIONS, lambda: check_deletions(stored.folder, entry)))
    for part, look in looks:
        found = stored.met(part, look, entry.batch)
        if found is not None:
            yield found
    work.did(entry.rows, entry.bytes)


def _check_rows(stored: StoredScope, entry: BatchFileEntry) -> None:
    """CORRUPT for a file that is not what was written, or has rows of something else."""
    stored.folder.verify(entry.path, entry.checksum, entry.bytes)
    about = read_footer(stored.folder, entry.path)
    whose = (about.table_id, about.user_id, about.batch, about.rows)
    if whose != (stored.scope.table_id, stored.scope.user, entry.batch, entry.rows):
        raise DatabaseError(ErrorKind.CORRUPT, "its file has the rows of something else")


def check_bloom(folder: ScopeFolder, entry: BatchFileEntry) -> None:
    """CORRUPT when the bloom filters of a batch are not what the manifest says."""
    if entry.bloom is None:
        return
    try:
        filters = bloom.decode(folder.read_checked(entry.bloom.path, entry.bloom.checksum))
    except BloomCorrupt as error:
        raise DatabaseError(ErrorKind.CORRUPT, str(error)) from error
    if set(filters) != set(entry.bloom.columns):
        raise DatabaseError(ErrorKind.CORRUPT, "it has filters of other columns")


def check_deletions(folder: ScopeFolder, entry: BatchFileEntry) -> None:
    """CORRUPT when the dead rows of a batch are not what the manifest says."""
    if entry.dv is not None:
        recovery.read_dead_rows(folder, entry, entry.dv)


def _check_hot(stored: StoredScope, manifest: ManifestFile | None) -> None:
    """CORRUPT for a record that is none, or not one of this scope as its manifest lists it."""
    prefix = record.scope_prefix(stored.scope)
    names = {*(column.physical for column in stored.table.key_columns), SEQ_COLUMN}
    for key, value in stored.keyvalue.scan(Family.HOT, prefix, record.prefix_end(prefix)):
        found = record.decode(value)
        try:
            found.rows.validate(full=True)
        except pa.ArrowException as error:
            raise DatabaseError(ErrorKind.CORRUPT, "it has values that cannot be") from error
        (first,) = struct.unpack(">q", key[-record.SEQ_BYTES :])
        if not names <= set(found.rows.schema.names) or found.rows.column(SEQ_COLUMN)[0].as_py() != first:
            raise DatabaseError(ErrorKind.CORRUPT, "it has the rows of something else")
        for batch, positions in found.dead.items() if manifest is not None else ():
            entry = manifest.by_number.get(batch) if manifest is not None else None
            if entry is not None and len(positions) and int(positions.max()) >= entry.rows:
                raise DatabaseError(ErrorKind.CORRUPT, "it marks rows that are not there")


def _still_there(found: list[Damage], before: ManifestFile, newest: ManifestFile) -> list[Damage]:
    """Of damaged files those that a newer manifest names, too."""
    return [damage for damage in found if _names_alike(damage, before, newest)]


def _names_alike(damage: Damage, before: ManifestFile, newest: ManifestFile) -> bool:
    batch = damage.batch or 0
    old, new = before.by_number.get(batch), newest.by_number.get(batch)
    if old is None or new is None:
        return False
    match damage.part:
        case DamagedPart.BLOOM:
            return old.bloom == new.bloom
        case DamagedPart.DELETIONS:
            return old.dv == new.dv
        case _:
            return old.identity == new.identity
