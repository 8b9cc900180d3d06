"""Which files a manifest names, asked of one file or of what a newer manifest has left out. Pure."""

from collections.abc import Iterator

from manifest.batch_entry import BatchFileEntry
from manifest.entries import ManifestFile
from manifest.layout import batch_of_file, is_part, retired_name


def may_name(name: str) -> bool:
    """Tell whether a file is of a kind that manifests name."""
    return is_part(name) or batch_of_file(name) is not None


def names(manifest: ManifestFile, name: str) -> bool:
    """Tell whether a manifest needs a file. The mark of a retired batch is needed by those that have the batch."""
    batch = batch_of_file(name)
    if batch is None:
        return any(part.file is not None and part.file.path == name for part in manifest.parts)
    entry = manifest.by_number.get(batch)
    return entry is not None and (name in _files_of(entry) or name == retired_name(batch))


def left_out(before: ManifestFile, after: ManifestFile) -> Iterator[str]:
    """The files that a manifest needs, and the one that follows it does not; what both share is not looked at."""
    parts = {part.number: part for part in after.parts}
    for part in before.parts:
        now = parts.get(part.number)
        if now is part:
            continue
        if part.file is not None and (now is None or now.file is None or now.file.path != part.file.path):
            yield part.file.path
        kept = {} if now is None else now.by_number
        for entry in part.entries:
            other = kept.get(entry.batch)
            if other == entry:
                continue
            yield from _files_of(entry) - (set() if other is None else _files_of(other))
            if other is None:
                yield retired_name(entry.batch)


def _files_of(entry: BatchFileEntry) -> set[str]:
    return {entry.path, *(part.path for part in (entry.bloom, entry.dv) if part is not None)}
