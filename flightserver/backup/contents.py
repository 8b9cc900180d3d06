"""What of a copied data folder belongs to a backup, and with which checksums: by the manifests in the copy.

A file of a scope has its checksum in the manifest, so no batch is read. What no manifest names is not part of a backup:
neither is what other engines read, which is made anew.
Where a manifest is missing or cannot be read, everything beside it is kept, for whoever repairs the table.
What the backup before has under the same inode is the same file, and need not be looked at again.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from catalog.data_folder import TABLES
from catalog.errors import DatabaseError
from flightserver.backup.listing import BackupFile, Listing
from flush.work import Work
from manifest import codec, files
from manifest.layout import DELTA_LOG, MANIFEST_NAME


@dataclass(frozen=True)
class Before:
    """The backup before: where it lies, and what it lists."""

    root: Path
    listing: Listing

    def same(self, path: str, now: os.stat_result) -> BackupFile | None:
        """What it lists of a path, when that is the file that is there now."""
        listed = self.listing.by_path.get(path)
        if listed is None or listed.bytes != now.st_size:
            return None
        try:
            then = (self.root / path).stat()
        except OSError:
            return None
        return listed if (then.st_ino, then.st_dev) == (now.st_ino, now.st_dev) else None


@dataclass
class Contents:
    """The files of a backup, and those of them that are damaged."""

    files: list[BackupFile] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def note(self, root: Path, file: BackupFile) -> None:
        """Take a file in; it is a problem where it is missing or has another size."""
        self.files.append(file)
        try:
            size = (root / file.path).stat().st_size
        except OSError:
            size = -1
        if size != file.bytes:
            self.problems.append(file.path)


def contents_of(root: Path, before: Before | None, work: Work) -> Contents:
    """What belongs to the backup that lies in `root`."""
    found = Contents()
    by_folder = _by_folder(before)
    for folder, names in _folders(root):
        work.check()
        if folder.endswith(f"/{DELTA_LOG}"):
            continue
        if folder != TABLES and not folder.startswith(f"{TABLES}/"):
            found.files += [_measured(root, f"{folder}/{name}" if folder else name, before) for name in names]
        elif MANIFEST_NAME in names:
            _note_scope(found, root, folder, names, before, by_folder)
        else:
            found.files += [_measured(root, f"{folder}/{name}", before) for name in names]
    return found


def _note_scope(
    found: Contents,
    root: Path,
    folder: str,
    names: list[str],
    before: Before | None,
    by_folder: Mapping[str, list[BackupFile]],
) -> None:
    """Take in the files of one scope."""
    path = f"{folder}/{MANIFEST_NAME}"
    stored = root / path
    if before is not None and before.same(path, stored.stat()) is not None:
        for file in by_folder[folder]:
            found.note(root, file)
        return
    data = stored.read_bytes()
    found.files.append(BackupFile(path, len(data), files.checksum(data)))
    try:
        manifest = codec.decode(data, lambda name, checksum: files.read_checked(root / folder / name, checksum))
    except DatabaseError:
        found.problems.append(path)
        found.files += [_measured(root, f"{folder}/{name}", before) for name in names if name != MANIFEST_NAME]
        return
    for part in manifest.parts:
        if part.file is not None:
            found.note(root, _as_stored(root, f"{folder}/{part.file.path}", part.file.checksum))
    for entry in manifest.batches:
        found.note(root, BackupFile(f"{folder}/{entry.path}", entry.bytes, entry.checksum))
        if entry.bloom is not None:
            found.note(root, BackupFile(f"{folder}/{entry.bloom.path}", entry.bloom.bytes, entry.bloom.checksum))
        if entry.dv is not None:
            found.note(root, _as_stored(root, f"{folder}/{entry.dv.path}", entry.dv.checksum))


def _measured(root: Path, path: str, before: Before | None) -> BackupFile:
    """A file whose checksum nobody has on record."""
    known = None if before is None else before.same(path, (root / path).stat())
    if known is not None:
        return known
    checksum, size = files.file_checksum(root / path)
    return BackupFile(path, size, checksum)


def _as_stored(root: Path, path: str, checksum: str) -> BackupFile:
    """A file whose size no manifest says."""
    try:
        return BackupFile(path, (root / path).stat().st_size, checksum)
    except FileNotFoundError:
        return BackupFile(path, 0, checksum)


def _folders(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Every folder below `root`, by its path, with the names of its files."""
    for here, _, names in os.walk(root):
        folder = os.path.relpath(here, root)
        yield "" if folder == "." else folder, sorted(names)


def _by_folder(before: Before | None) -> dict[str, list[BackupFile]]:
    """What the backup before lists, by folder."""
    found: dict[str, list[BackupFile]] = {}
    for file in before.listing.files if before is not None else ():
        found.setdefault(file.path.rpartition("/")[0], []).append(file)
    return found
