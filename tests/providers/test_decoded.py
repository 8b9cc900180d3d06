"""Exports read files beside the engine: several at a time, and what fits is kept decoded."""

import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest

from providers.cold.decoded import DecodedFiles
from providers.engine.streaming import side_by_side
from providers.lru import ByteBoundedCache
from tests.storage_fixtures import TableAccess, kv

LARGE = 1 << 30


def fill(table: TableAccess, batches: int) -> None:
    """Flush batches of ten rows each."""
    for number in range(batches):
        table.write(*[kv(10 * number + k, k) for k in range(10)])
        table.flush()


def kept_within(size: int) -> DecodedFiles:
    """Decoded files that have so many bytes."""
    return DecodedFiles(ByteBoundedCache(size))


def read(table: TableAccess, files: DecodedFiles, *names: str) -> list[int]:
    """Read columns of every batch by one reader; return how many rows each file had."""
    snapshot, reader = table.snapshot, files.reader()
    columns = [table.definition.by_name[name].physical for name in names]
    return [
        sum(batch.num_rows for batch in reader.rows(snapshot.cold, entry, columns))
        for entry in snapshot.manifest.batches
    ]


def lose_files(table: TableAccess, *numbers: int) -> None:
    """Delete the files of some batches, counted from 0."""
    for number in numbers:
        (table.folder / table.snapshot.manifest.batches[number].path).unlink()


def test_what_was_read_is_kept(table: TableAccess) -> None:
    """The second reader needs no file."""
    fill(table, 2)
    files = kept_within(LARGE)
    assert read(table, files, "k", "v") == [10, 10]
    lose_files(table, 0, 1)
    assert read(table, files, "k", "v") == [10, 10]


def test_other_columns_are_read_anew(table: TableAccess) -> None:
    """What is kept is some columns of a batch."""
    fill(table, 1)
    files = kept_within(LARGE)
    read(table, files, "k")
    lose_files(table, 0)
    with pytest.raises(FileNotFoundError):
        read(table, files, "k", "v")


def test_what_was_read_in_part_is_not_kept(table: TableAccess) -> None:
    """A reader that leaves early has not seen the whole batch."""
    fill(table, 1)
    files, cold, entry = kept_within(LARGE), table.snapshot.cold, table.snapshot.manifest.batches[0]
    names = [table.definition.by_name["k"].physical]
    rows = files.reader().rows(cold, entry, names)
    next(rows)
    rows.close()
    lose_files(table, 0)
    with pytest.raises(FileNotFoundError):
        list(files.reader().rows(cold, entry, names))


def test_a_reader_of_more_than_fits_keeps_the_beginning(table: TableAccess) -> None:
    """Again and again: the end does not push it out."""
    fill(table, 3)
    files = kept_within(2 * 10 * 16 + 8)
    for _ in range(2):
        assert read(table, files, "k", "v") == [10, 10, 10]
    lose_files(table, 0, 1)
    assert read(table, files, "k", "v") == [10, 10, 10]
    lose_files(table, 2)
    with pytest.raises(FileNotFoundError):
        read(table, files, "k", "v")


def test_with_no_budget_nothing_is_kept(table: TableAccess) -> None:
    """Every reader reads."""
    fill(table, 1)
    files = kept_within(0)
    read(table, files, "k")
    lose_files(table, 0)
    with pytest.raises(FileNotFoundError):
        read(table, files, "k")


def numbers(start: int, count: int) -> Iterator[pa.RecordBatch]:
    """Batches of one row with consecutive numbers."""
    for number in range(start, start + count):
        yield pa.record_batch({"n": [number]})


def faulty() -> Iterator[pa.RecordBatch]:
    """One batch, and then a fault."""
    yield from numbers(0, 1)
    raise ValueError("broken")


def test_streams_side_by_side_give_all_their_batches_each_in_order() -> None:
    """More streams than threads."""
    found = [batch[0][0].as_py() for batch in side_by_side((numbers(100 * n, 50) for n in range(5)), 2)]
    assert sorted(found) == [100 * n + i for n in range(5) for i in range(50)]
    assert [[n for n in found if n // 100 == stream] for stream in range(5)] == [
        list(range(100 * stream, 100 * stream + 50)) for stream in range(5)
    ]


def test_a_fault_in_one_stream_ends_all() -> None:
    """The others are not read to their end."""
    endless = (batch for _ in iter(int, 1) for batch in numbers(0, 1))
    with pytest.raises(ValueError, match="broken"):
        for _ in side_by_side(iter([endless, faulty()]), 2):
            pass


def test_who_stops_reading_leaves_no_thread_behind() -> None:
    """Threads that are ahead end with the caller's interest."""
    before = threading.active_count()
    batches = side_by_side((numbers(0, 1_000) for _ in range(4)), 3)
    next(batches)
    batches.close()
    assert threading.active_count() == before
