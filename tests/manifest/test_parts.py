"""Parts of a manifest: what a change leaves alone is the same as before, and files say what they once said."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifest_samples import EMPTY, MADE_AT, entry_of, refused

from catalog.errors import DatabaseError, ErrorKind
from manifest import codec
from manifest.batch_entry import BatchFileEntry, DeletionEntry
from manifest.entries import ManifestFile
from manifest.files import checksum
from manifest.layout import part_name
from manifest.parts import PART_NUMBERS, PENDING_MAX, PartFile, parts_of, parts_to_write

MANY = 5 * PART_NUMBERS


class Files:
    """The files of parts, as a folder has them."""

    def __init__(self) -> None:
        self.bytes: dict[str, bytes] = {}

    def with_files(self, manifest: ManifestFile) -> ManifestFile:
        """Write the files that are to be written."""
        parts = {part.number: part for part in manifest.parts}
        for part in parts_to_write(manifest.parts):
            name = part_name(part.number, manifest.version)
            self.bytes[name] = codec.encode_part(part)
            parts[part.number] = PartFile.of(name, checksum(self.bytes[name]), self.bytes[name]).part
        return replace(manifest, parts=tuple(parts.values()))

    def read(self, path: str, wanted: str) -> bytes:
        """A file, if it is the one."""
        if checksum(self.bytes[path]) != wanted:
            raise DatabaseError(ErrorKind.CORRUPT, "its file is not what was written")
        return self.bytes[path]


def dead(entry: BatchFileEntry, rows: int) -> BatchFileEntry:
    """The batch with so many dead rows."""
    return replace(entry, dead=rows, dv=DeletionEntry(f"batch-{entry.batch}.{rows}.dv", "crc32:00000000"))


def large(files: Files) -> ManifestFile:
    """A manifest of many batches, added one by one."""
    manifest = EMPTY
    for batch in range(1, MANY):
        manifest = files.with_files(manifest.with_changes(updated_at=MADE_AT, added=[entry_of(batch)]))
    return manifest


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 3 * PENDING_MAX // 2)),
        st.tuples(st.just("remove"), st.integers(0, 10**6)),
        st.tuples(st.just("kill"), st.integers(0, 10**6)),
    ),
    max_size=12,
)


@given(STEPS)
def test_any_history_is_read_back(steps: list[tuple[str, int]]) -> None:
    """After each change, manifest and files say together what the manifest is, and each batch once."""
    files, manifest = Files(), EMPTY
    expected: dict[int, int] = {}
    for what, number in steps:
        chosen = sorted(expected)[number % max(len(expected), 1) :: 7][: 2 * PENDING_MAX]
        if what == "add":
            added = [entry_of(manifest.max_batch + 1 + place) for place in range(number)]
            manifest = manifest.with_changes(updated_at=MADE_AT, added=added)
            expected |= {entry.batch: 0 for entry in added}
        elif what == "remove":
            manifest = manifest.with_changes(updated_at=MADE_AT, removed=chosen)
            expected = {batch: rows for batch, rows in expected.items() if batch not in chosen}
        else:
            changed = [dead(manifest.by_number[batch], 3) for batch in chosen]
            manifest = manifest.with_changes(updated_at=MADE_AT, changed=changed)
            expected |= dict.fromkeys(chosen, 3)
        manifest = files.with_files(manifest)
        found = codec.decode(codec.encode(manifest), files.read)
        assert found == manifest
        assert {entry.batch: entry.dead for entry in found.batches} == expected
        assert dict(found.by_number) == {entry.batch: entry for entry in manifest.batches}
        manifest = found


def test_a_manifest_says_little_itself_however_many_batches_there_are() -> None:
    """The rest stands in files, each of which is written about once."""
    files = Files()
    manifest = large(files)
    pending = [entry for part in manifest.parts for entry in part.pending]
    assert len(pending) <= PENDING_MAX
    assert len(files.bytes) < 3 * MANY // PART_NUMBERS


def test_scattered_changes_are_written_by_and_by() -> None:
    """Batches that die here and there do not make the manifest larger than it may be."""
    files = Files()
    manifest = large(files)
    for batch in range(1, MANY, 3):
        manifest = files.with_files(
            manifest.with_changes(updated_at=MADE_AT, changed=[dead(manifest.by_number[batch], 1)])
        )
        assert sum(len(part.pending) for part in manifest.parts) <= PENDING_MAX
    assert codec.decode(codec.encode(manifest), files.read) == manifest


def test_what_a_change_leaves_alone_is_the_same_as_before() -> None:
    """And so is what was worked out of it."""
    before = large(Files())
    after = before.with_changes(updated_at=MADE_AT, changed=[dead(before.by_number[1], 1)], added=[entry_of(MANY)])
    assert [one is other for one, other in zip(before.parts, after.parts, strict=False)] == [
        False,
        True,
        True,
        True,
        True,
    ]
    assert (after.rows, after.dead) == (before.rows + 10, 1)


def test_a_part_without_batches_is_none() -> None:
    """What is empty is not named any more."""
    files = Files()
    manifest = large(files)
    after = manifest.with_changes(updated_at=MADE_AT, removed=range(PART_NUMBERS, 2 * PART_NUMBERS))
    assert [part.number for part in after.parts] == [0, 2, 3, 4]
    assert codec.decode(codec.encode(after), files.read) == after


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data.replace(b"10", b"11", 1), lambda _: b"[]"]
)
def test_a_damaged_file_of_a_part_is_no_manifest(damage: object) -> None:
    """Whatever became of it."""
    files = Files()
    manifest = large(files)
    name = next(part.file.path for part in manifest.parts if part.file is not None)
    files.bytes[name] = damage(files.bytes[name])  # type: ignore[operator]
    refused(ErrorKind.CORRUPT, lambda: codec.decode(codec.encode(manifest), files.read))


def test_what_is_added_twice_is_refused() -> None:
    """A number is one batch."""
    with pytest.raises(DatabaseError, match="there already"):
        EMPTY.with_changes(updated_at=MADE_AT, added=[entry_of(1), entry_of(1)])


def test_batches_are_found_by_number_in_whatever_part() -> None:
    """Numbers that lie far apart, too."""
    numbers = [1, PART_NUMBERS, 10**9]
    found: Mapping[int, BatchFileEntry] = replace(EMPTY, parts=parts_of(map(entry_of, numbers))).by_number
    assert (list(found), len(found), 2 in found, 10**9 in found) == (numbers, 3, False, True)
