"""Dead rows of a batch: a set that only grows, and its bytes."""

import struct
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifest_samples import refused

from catalog.errors import ErrorKind
from manifest.dead_rows import DeadRows, decode, encode
from manifest.files import checksum

ROWS = 100_000
POSITIONS = st.sets(st.integers(0, ROWS - 1), max_size=50)


def dead_at(positions: set[int], rows: int = ROWS) -> DeadRows:
    """A batch with these rows dead."""
    return DeadRows.none(rows).with_positions(np.array(sorted(positions), dtype=np.int64))


@given(POSITIONS)
def test_dead_positions_are_those_given(positions: set[int]) -> None:
    """As an array, as a mask and as a count, the set is the same."""
    dead = dead_at(positions)
    assert dead.to_array().tolist() == sorted(positions)
    assert np.flatnonzero(~dead.live_mask).tolist() == sorted(positions)
    assert dead.live_array.false_count == dead.count == len(positions)


@given(POSITIONS, POSITIONS)
def test_a_few_rows_are_asked_as_all_are(positions: set[int], asked: set[int]) -> None:
    """In any order, with and without a flag for every row."""
    dead, rows = dead_at(positions), np.array([*asked, *positions], dtype=np.int64)
    live = [int(row) not in positions for row in rows]
    assert dead.are_live(rows).tolist() == live
    assert dead.live_mask.any()
    assert dead.are_live(rows).tolist() == live


@given(POSITIONS, POSITIONS)
def test_marks_are_merged_and_never_replaced(first: set[int], second: set[int]) -> None:
    """A deletion vector only grows, and the older value stays as it was."""
    before = dead_at(first)
    after = before.with_positions(np.array(sorted(second), dtype=np.int64))
    assert set(after.to_array()) == first | second
    assert set(before.to_array()) == first


@given(POSITIONS, POSITIONS)
def test_union_and_difference(first: set[int], second: set[int]) -> None:
    """They are those of sets."""
    assert set(dead_at(first).union(dead_at(second)).to_array()) == first | second
    assert dead_at(first).minus(dead_at(second)).tolist() == sorted(first - second)


@pytest.mark.parametrize("position", [-1, 10, 2**32])
def test_a_position_outside_the_batch_is_refused(position: int) -> None:
    """No mark is wrapped or lost."""
    refused(ErrorKind.INTERNAL, lambda: dead_at({position}, rows=10))


def test_no_marks_leave_the_value_alone() -> None:
    """Nothing to mark, nothing to copy."""
    dead = dead_at({1})
    assert dead.with_positions(np.empty(0, dtype=np.int64)) is dead


@given(POSITIONS | st.just(set(range(70_000))), st.integers(0, 2**62), st.integers(1, 2**40), st.integers(0, 2**40))
def test_what_is_written_is_read(positions: set[int], table_id: int, batch: int, version: int) -> None:
    """Positions and the place where they belong come back equal."""
    read = decode(encode(dead_at(positions), table_id, batch, version))
    assert (read.table_id, read.batch, read.version, read.dead.rows) == (table_id, batch, version, ROWS)
    assert set(read.dead.to_array()) == positions


def test_every_flipped_bit_is_found() -> None:
    """Damage never reads as other dead rows."""
    whole = encode(dead_at({1, 5, 70_000}), 1, 2, 3)
    for bit in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        refused(ErrorKind.CORRUPT, lambda data=bytes(damaged): decode(data))


@pytest.mark.parametrize("length", [0, 3, 44, -1])
def test_a_cut_file_is_corrupt(length: int) -> None:
    """A file that ends early is refused."""
    refused(ErrorKind.CORRUPT, lambda: decode(encode(dead_at({1}), 1, 2, 3)[:length]))


@pytest.mark.parametrize(
    ("offset", "layout", "value"), [(0, "<4s", b"XXXX"), (4, "<H", 3), (32, "<I", 5), (36, "<I", 7)]
)
def test_a_header_that_contradicts_the_bitmap_is_corrupt(offset: int, layout: str, value: object) -> None:
    """Magic, format, row count and dead count are checked although the checksum is right."""
    data = bytearray(encode(dead_at({1, 5}), 1, 2, 3)[:-8])
    struct.pack_into(layout, data, offset, value)
    refused(ErrorKind.CORRUPT, lambda: decode(bytes(data) + blake2b(data, digest_size=8).digest()))


def test_no_two_files_have_one_checksum() -> None:
    """Manifests tell them apart by it: what a file ends with does not cancel out what it begins with."""
    some = [encode(DeadRows.none(10).with_positions(np.array([row])), 1, 1, 2) for row in range(10)]
    assert len({checksum(data) for data in some}) == 10
