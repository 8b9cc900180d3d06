"""RocksDB's log as a file: every batch of a real one is found, and what is missing of it shows as a gap."""

import subprocess
import sys
from itertools import pairwise

import pytest

from catalog.log_file import BLOCK_BYTES, Span, first_change, gaps, spans

BATCHES = 40
WRITER = """
import os, sys
from pathlib import Path
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
store = KeyValueStore(Path(sys.argv[1]))
for number in range(40):
    batch = AtomicWrite()
    for place in range(number):
        batch.put(Family.HOT, b"%d/%d" % (number, place), os.urandom(1 + 7_001 * (place % 2)))
    if number % 5 == 0:
        batch.delete_range(Family.HOT, b"1", b"2")
        batch.delete(Family.META, b"1")
    store.commit(batch)
os._exit(9)
"""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The log of a store whose process died after forty batches, of nothing up to many blocks."""
    path = tmp_path_factory.mktemp("log") / "kv"
    assert subprocess.run([sys.executable, "-c", WRITER, path], check=False).returncode == 9
    return max(path.glob("*.log"), key=lambda found: found.stat().st_size).read_bytes()


def test_every_batch_of_a_log_is_found(log: bytes) -> None:
    """Small ones, ones over several blocks, and those that hold nothing; one begins where the one before ends."""
    found = list(spans(log))
    assert [span.length for span in found] == [number + 2 * (number % 5 == 0) for number in range(BATCHES)]
    assert all(before.end == after.first for before, after in pairwise(found))
    assert len(log) > 10 * BLOCK_BYTES


def test_the_first_change_is_in_the_first_bytes(log: bytes) -> None:
    """A log says early where it begins, and an empty one says nothing."""
    assert first_change(log[:4096]) == next(spans(log)).first
    assert first_change(b"") is None
    assert first_change(bytes(100)) is None


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_log_that_is_cut_has_the_batches_before_the_cut(log: bytes, share: float) -> None:
    """A batch that is not whole is none."""
    whole, cut = list(spans(log)), list(spans(log[: int(len(log) * share)]))
    assert cut == whole[: len(cut)]
    assert len(cut) < len(whole)


@pytest.mark.parametrize("place", range(0, 12 * BLOCK_BYTES, 5 * 4096))
def test_a_page_of_zeros_never_goes_unnoticed(log: bytes, place: int) -> None:
    """Wherever a page was lost, either batches are missing from their row, or their bytes fail RocksDB's checksum."""
    damaged = log[:place] + bytes(4096) + log[place + 4096 :]
    whole = list(spans(log))
    found = list(spans(damaged))
    assert found == whole or gaps(whole[0].first, found, whole[-1].end)


def test_gaps_are_what_is_between() -> None:
    """At the beginning, in the middle, at the end; nothing is missing from what is whole."""
    assert gaps(1, [Span(1, 2), Span(3, 0), Span(3, 4)], 7) == []
    assert gaps(1, [Span(3, 2), Span(9, 1)], 12) == [Span(1, 2), Span(5, 4), Span(10, 2)]
    assert gaps(5, [], 5) == []
    assert gaps(1, [Span(1, 9)], 4) == []
