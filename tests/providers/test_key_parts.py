"""Ordered keys are found in the row groups of a batch: each where it stands, and no other."""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from providers.cold.key_parts import KeyGroups, NumberPart, SuffixPart, has_ordered_key, key_groups, part_of
from providers.cold.rows import group_bounds, read_groups
from providers.cold.scope_folder import ScopeFolder
from providers.rows.keys import Keys

LOW, HIGH = -(2**63), 2**63 - 1
ROWS_OF_GROUP = 50

KEYS = {
    "dense": pa.array(range(1000), pa.int64()),
    "gaps": pa.array(range(-7000, 7000, 11), pa.int64()),
    "far apart": pa.array(sorted({LOW, HIGH, *range(LOW + 5, HIGH, 2**55 + 12345)}), pa.int64()),
    "tiny": pa.array(range(-128, 128), pa.int8()),
    "narrow": pa.array(range(-(2**31), 2**31 - 1, 2**21 + 7), pa.int32()),
    "days": pa.array([dt.date(1900, 1, 1) + dt.timedelta(days=3 * day) for day in range(400)]),
    "moments": pa.array(range(-9000, 9000, 17), pa.timestamp("ns", "UTC")),
    "times": pa.array(range(0, 86_400_000, 99_999), pa.time32("ms")),
    "text": pa.array(sorted({"", "a", "ä", "\U0001f600", *(f"{n}-é" for n in range(400))}, key=str.encode)),
    "numbered": pa.array([f"user-{n:014d}" for n in range(0, 3000, 7)]),
    "nested": pa.array(
        sorted({"k" + "ab" * n + end for n in range(5) for end in ("", "a", "é", "\x7f")}, key=str.encode)
    ),
    "bytes": pa.array(sorted({b"", b"\x00", b"\xff\xff", *(bytes([n % 256, n // 256]) for n in range(700))})),
}


def groups_of(path: Path, keys: pa.Array, **options: bool) -> KeyGroups | None:
    """The row groups of a file of these keys."""
    pq.write_table(pa.table({"other": keys, "k": keys}), path, row_group_size=ROWS_OF_GROUP, **options)
    return key_groups(group_bounds(ScopeFolder(path.parent), path.name, "k"), keys.type)


def found_in(path: Path, groups: KeyGroups, wanted: pa.Array) -> dict[int, int]:
    """Row in the file by row of `wanted`."""
    ordered = Keys.of([wanted]).ordered
    assert ordered is not None
    found = {}
    places = groups.places(ordered)
    for number, values in read_groups(ScopeFolder(path.parent), path.name, "k", list(places)):
        here = places[number]
        hits, rows = part_of(values).find(ordered.values[here[0] : here[-1] + 1])
        found |= dict(zip(ordered.row(hits + here[0]).tolist(), rows + groups.starts[number], strict=True))
    return found


@pytest.mark.parametrize("name", KEYS)
def test_every_key_is_found_where_it_stands_and_no_other(name: str, tmp_path: Path) -> None:
    """Of a batch with each second key, asked for all of them in random order."""
    keys, path = KEYS[name], tmp_path / "batch.parquet"
    assert has_ordered_key([keys.type])
    groups = groups_of(path, keys[::2])
    assert groups is not None
    order = np.random.default_rng(1).permutation(len(keys))
    wanted = keys.take(pa.array(order))
    expected = {row: key // 2 for row, key in enumerate(order.tolist()) if key % 2 == 0}
    assert found_in(path, groups, wanted) == expected


@pytest.mark.parametrize("name", ["dense", "gaps", "far apart", "tiny"])
def test_a_number_that_is_asked_for_alone_is_found_as_among_others(name: str) -> None:
    """Of a part with each second number, those that are there and those that are not, and both ends of their type."""
    (numbers,) = Keys.of([KEYS[name].cast(pa.int64())]).numbers or ()
    part = NumberPart.of([numbers[::2]])
    for number in [*numbers.tolist(), LOW, HIGH]:
        hits, rows = part.find(np.array([number]))
        expected = np.flatnonzero(numbers[::2] == number)
        assert (hits.tolist(), rows.tolist()) == ([0] * len(expected), expected.tolist())


@pytest.mark.parametrize(("name", "first", "last"), [("gaps", 300, 301), ("text", 120, 140), ("days", 95, 105)])
def test_only_row_groups_that_may_hold_a_key_are_looked_at(name: str, first: int, last: int, tmp_path: Path) -> None:
    """A narrow range of keys lies in one or two of them."""
    keys = KEYS[name]
    groups = groups_of(tmp_path / "batch.parquet", keys)
    ordered = Keys.of([keys[first:last]]).ordered
    assert groups is not None
    assert ordered is not None
    expected = {row // ROWS_OF_GROUP for row in range(first, last)}
    assert set(groups.places(ordered)) == expected


def test_a_file_without_bounds_has_no_row_groups_to_choose_from(tmp_path: Path) -> None:
    """It is searched as a whole."""
    assert groups_of(tmp_path / "batch.parquet", KEYS["gaps"], write_statistics=False) is None


@pytest.mark.parametrize(("step", "width"), [(1, 1), (200, 2), (2**20, 4), (2**40, 8)])
def test_numbers_take_as_few_bytes_as_they_can(step: int, width: int) -> None:
    """They are kept as differences from the first of each 32."""
    numbers = pa.array(np.arange(200, dtype=np.int64) * step - 2**50)
    assert part_of(numbers).nbytes == 7 * 32 * width + 7 * 8


def test_texts_with_one_beginning_are_kept_as_the_numbers_that_their_ends_are() -> None:
    """A quarter of what they take as they are, and less; what has longer ends, or zero bytes, stays as it is."""
    part = part_of(KEYS["numbered"])
    assert isinstance(part, SuffixPart)
    assert part.nbytes < KEYS["numbered"].nbytes / 4
    assert not isinstance(part_of(pa.array(["a" * 9, "b"])), SuffixPart)
    assert not isinstance(part_of(pa.array([b"a", b"a\x00"])), SuffixPart)


@pytest.mark.parametrize(
    "absent",
    ["", "user", "user-00000000000000", "user-000000000000000\x00", "user-0000000000000070", "usfr-00000000000007"],
)
def test_texts_that_only_begin_alike_are_not_found(absent: str) -> None:
    """Those that are shorter or longer, have a zero byte, or another beginning."""
    hits, _ = part_of(KEYS["numbered"][1:]).find(pa.array([absent]))
    assert not len(hits)


def test_very_many_numbers_are_found_in_several_steps() -> None:
    """As few are, in the order in which they are asked for."""
    numbers = np.arange(0, 600_000, 3)
    hits, rows = part_of(pa.array(numbers)).find(np.arange(200_000))
    assert hits.tolist() == list(range(0, 200_000, 3))
    assert rows.tolist() == list(range(len(hits)))


@pytest.mark.parametrize("key", [[pa.float64()], [pa.bool_()], [pa.decimal128(9, 2)], [pa.int64(), pa.int64()]])
def test_other_keys_are_not_ordered(key: list[pa.DataType]) -> None:
    """Of those, hashes are searched."""
    assert not has_ordered_key(key)


def test_text_is_ordered_by_its_bytes() -> None:
    """As the files' bounds are."""
    ordered = Keys.of([KEYS["text"].take(pc.array_sort_indices(KEYS["text"], order="descending"))]).ordered
    assert ordered is not None
    assert ordered.values.equals(KEYS["text"])
