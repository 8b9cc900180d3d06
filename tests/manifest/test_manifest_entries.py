"""The manifest as a value: how the next version comes about, and what no version may be."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifest_samples import EMPTY, MADE_AT, entry_of, refused

from catalog.errors import ErrorKind
from manifest.batch_entry import BatchFileEntry, DeletionEntry
from manifest.entries import BulkCommit, ManifestFile, check
from manifest.parts import Part

DELETIONS = DeletionEntry("batch-1.1.dv", "crc32:00000000")
LATER = "2024-05-06T07:08:10.000000+00:00"


def manifest_of(*entries: BatchFileEntry) -> ManifestFile:
    """A manifest of some batches."""
    return EMPTY.with_changes(updated_at=MADE_AT, added=entries)


def test_a_change_is_the_next_version() -> None:
    """The old version stays as it was."""
    before = manifest_of(entry_of(1))
    after = before.with_changes(updated_at=LATER, added=[entry_of(2)])
    assert (before.version, after.version) == (1, 2)
    assert len(before.batches) == 1
    assert (after.created_at, after.updated_at) == (MADE_AT, LATER)


def test_batches_are_in_numeric_order() -> None:
    """Batch 10 comes after batch 2, whatever order they were added in."""
    manifest = manifest_of(entry_of(10), entry_of(2), entry_of(1))
    assert [entry.batch for entry in manifest.batches] == [1, 2, 10]


def test_batches_are_found_by_number() -> None:
    """`by_number` follows the batches."""
    manifest = manifest_of(entry_of(10), entry_of(2)).with_changes(updated_at=LATER, removed=[2])
    assert list(manifest.by_number) == [10]


def test_max_batch_never_falls() -> None:
    """The number of a removed batch is not used again."""
    manifest = manifest_of(entry_of(5)).with_changes(updated_at=LATER, removed=[5])
    assert (list(manifest.batches), manifest.max_batch) == ([], 5)


def test_flushed_seq_never_falls() -> None:
    """Hot versions that were invisible stay invisible."""
    manifest = EMPTY.with_changes(updated_at=MADE_AT, flushed_seq=9).with_changes(updated_at=LATER, flushed_seq=3)
    assert manifest.flushed_seq == 9


def test_the_last_bulk_commit_stays_until_the_next() -> None:
    """A flush does not forget it."""
    commit = BulkCommit(1, 2, 1, "key", "hash")
    manifest = EMPTY.with_changes(updated_at=MADE_AT, last_bulk_commit=commit).with_changes(updated_at=LATER)
    assert manifest.last_bulk_commit == commit


def test_changes_apply_to_batches_that_stay() -> None:
    """New batches come as they are, removed ones are gone."""
    manifest = manifest_of(entry_of(1), entry_of(2)).with_changes(
        updated_at=LATER,
        removed=[1],
        added=[entry_of(3)],
        changed=[replace(entry_of(2), dead=1, dv=DELETIONS)],
    )
    assert [(entry.batch, entry.dead) for entry in manifest.batches] == [(2, 1), (3, 0)]


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 1000)), max_size=5))
def test_totals_are_sums(sizes: list[tuple[int, int]]) -> None:
    """Rows, dead rows and bytes are those of the entries."""
    entries = []
    for number, (rows, size) in enumerate(sizes, 1):
        entries.append(entry_of(number, rows, dead=rows // 2, dv=DELETIONS if rows > 1 else None, bytes=size))
    manifest = manifest_of(*entries)
    assert manifest.rows == sum(rows for rows, _ in sizes)
    assert manifest.dead == sum(rows // 2 for rows, _ in sizes)
    assert manifest.bytes == sum(size for _, size in sizes)


@pytest.mark.parametrize(
    ("fault", "entry"),
    [
        ("has no rows", entry_of(1, rows=0)),
        ("more dead rows than rows", entry_of(1, dead=11, dv=DELETIONS)),
        ("more dead rows than rows", entry_of(1, dead=-1)),
        ("disagree", entry_of(1, dead=1)),
        ("disagree", entry_of(1, dv=DELETIONS)),
        ("outside 1..max_batch", entry_of(0)),
        ("outside 1..max_batch", entry_of(-1)),
    ],
)
def test_an_impossible_batch_is_refused(fault: str, entry: BatchFileEntry) -> None:
    """The message says which invariant is broken, and of which table."""
    message = refused(ErrorKind.CORRUPT, lambda: manifest_of(entry))
    assert fault in message
    assert "public.t" in message


@pytest.mark.parametrize("numbers", [(2, 1), (1, 1)])
def test_batches_out_of_order_are_refused(numbers: tuple[int, int]) -> None:
    """Numbers ascend and occur once."""
    wrong = replace(EMPTY, max_batch=2, parts=(Part(tuple(entry_of(number) for number in numbers)),))
    assert "ascending" in refused(ErrorKind.CORRUPT, lambda: check(wrong))


def test_a_batch_above_max_batch_is_refused() -> None:
    """The counter covers every batch."""
    wrong = replace(EMPTY, max_batch=1, parts=(Part((entry_of(2),)),))
    assert "max_batch" in refused(ErrorKind.CORRUPT, lambda: check(wrong))
