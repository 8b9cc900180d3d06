"""Keys of many rows: distinct, found and confirmed, collisions included."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.cold.files import KeyIndex
from providers.rows.hash_index import HashIndex
from providers.rows.keys import Keys, may_share

NUMBERS = st.lists(st.integers(-3, 9), max_size=20)
VALUES = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["a", "b", "c", ""])), max_size=30)


def keys_of(rows: list[tuple[int, str]], *, buckets: int | None = None) -> Keys:
    """Composite keys; with `buckets`, hashes that collide on purpose."""
    columns = (pa.array([row[0] for row in rows], pa.int64()), pa.array([row[1] for row in rows], pa.string()))
    keys = Keys.of(columns)
    if buckets is None:
        return keys
    return Keys(columns, np.array([hash(row) % buckets for row in rows], dtype=np.uint64), exact=False)


def last_flags(rows: list[tuple[int, str]]) -> list[bool]:
    """The specification of `last_of_each`."""
    return [row not in rows[index + 1 :] for index, row in enumerate(rows)]


def first_flags(rows: list[tuple[int, str]]) -> list[bool]:
    """The specification of `first_of_each`."""
    return [row not in rows[:index] for index, row in enumerate(rows)]


@given(VALUES)
def test_last_and_first_of_each_key(rows: list[tuple[int, str]]) -> None:
    """Exactly the last and the first row of every distinct key are flagged."""
    keys = keys_of(rows)
    assert keys.last_of_each.tolist() == last_flags(rows)
    assert keys.first_of_each.tolist() == first_flags(rows)


@given(VALUES, st.integers(1, 3))
def test_last_and_first_of_each_key_under_collisions(rows: list[tuple[int, str]], buckets: int) -> None:
    """When different keys share a hash, no row is lost and none is doubled."""
    keys = keys_of(rows, buckets=buckets)
    assert keys.last_of_each.tolist() == last_flags(rows)
    assert keys.first_of_each.tolist() == first_flags(rows)


@given(VALUES, VALUES, st.integers(1, 4), st.booleans())
def test_probe_finds_exactly_the_equal_keys(
    held: list[tuple[int, str]], asked: list[tuple[int, str]], buckets: int, collide: bool
) -> None:
    """Probing an index and confirming yields what comparing every pair yields."""
    mine = keys_of(held, buckets=buckets if collide else None)
    theirs = keys_of(asked, buckets=buckets if collide else None)
    addresses = np.arange(len(held), dtype=np.int64) * 10 + 7
    rows, found = HashIndex.build(mine, addresses).probe(theirs)
    confirmed = theirs.confirm(rows, mine, (found - 7) // 10)
    pairs = set(zip(rows[confirmed].tolist(), found[confirmed].tolist(), strict=True))
    assert len(pairs) == int(confirmed.sum())
    assert pairs == {(i, j * 10 + 7) for i, a in enumerate(asked) for j, b in enumerate(held) if a == b}


def numbers_of(numbers: list[int]) -> Keys:
    """Keys of one integer column."""
    return Keys.of([pa.array(numbers, pa.int32())])


@given(NUMBERS)
def test_last_and_first_of_each_number(numbers: list[int]) -> None:
    """Keys of one integer column, which are not matched by hash, are flagged like all others."""
    keys, rows = numbers_of(numbers), [(number, "") for number in numbers]
    assert keys.last_of_each.tolist() == last_flags(rows)
    assert keys.first_of_each.tolist() == first_flags(rows)


@given(st.sets(st.integers(-3, 9)), NUMBERS)
def test_numbers_are_found_as_they_stand(held: set[int], asked: list[int]) -> None:
    """Searching ascending numbers yields what comparing every pair yields."""
    batch, keys = sorted(held), numbers_of(asked)
    rows, found = KeyIndex.of(numbers_of(batch)).probe(keys)
    pairs = sorted(zip(rows.tolist(), found.tolist(), strict=True))
    assert pairs == [(i, batch.index(number)) for i, number in enumerate(asked) if number in held]


@pytest.mark.parametrize("make", [lambda number: number, str])
@given(parts=st.lists(st.sets(st.integers(0, 9), max_size=4), min_size=1, max_size=4))
def test_parts_share_a_key_when_one_stands_in_two(make: Callable[[int], object], parts: list[set[int]]) -> None:
    """Numbers and other keys alike."""
    keys = [Keys.of([pa.array([make(number) for number in part])]) for part in map(sorted, parts) if part]
    together = [number for part in parts for number in part]
    assert not keys or may_share(keys) == (len(set(together)) < len(together))


@given(VALUES, VALUES)
def test_merged_index_finds_what_its_parts_find(left: list[tuple[int, str]], right: list[tuple[int, str]]) -> None:
    """Merging two indexes loses no entry."""
    one = HashIndex.build(keys_of(left), np.arange(len(left), dtype=np.int64))
    two = HashIndex.build(keys_of(right), np.arange(len(right), dtype=np.int64) + 1000)
    merged = HashIndex.merge([one, two])
    asked = keys_of([*left, *right])
    expected = sorted((int(r), int(a)) for part in (one, two) for r, a in zip(*part.probe(asked), strict=True))
    assert sorted((int(r), int(a)) for r, a in zip(*merged.probe(asked), strict=True)) == expected
    assert (np.diff(merged.hashes.astype(object)) >= 0).all()


def test_kept_entries_are_all_that_is_left() -> None:
    """An index may be thinned out."""
    keys = keys_of([(1, "a"), (2, "b"), (3, "c")])
    index = HashIndex.build(keys, np.array([1, 2, 3]))
    thinned = index.kept(index.addresses != 2)
    assert len(thinned) == 2
    assert sorted(thinned.probe(keys)[1].tolist()) == [1, 3]


def test_probe_with_nothing_and_of_nothing() -> None:
    """Empty keys and empty indexes have no matches."""
    none, some = keys_of([]), keys_of([(1, "a")])
    assert len(HashIndex.build(none, np.empty(0, dtype=np.int64)).probe(some)[0]) == 0
    assert len(HashIndex.build(some, np.array([1])).probe(none)[0]) == 0


@pytest.mark.parametrize(
    ("columns", "exact"),
    [
        ([pa.array([1], pa.int64())], True),
        ([pa.array([1], pa.uint8())], True),
        ([pa.array(["a"])], False),
        ([pa.array([1.0])], False),
        ([pa.array([1], pa.int64()), pa.array([1], pa.int64())], False),
    ],
)
def test_only_one_integer_column_is_exact(columns: list[pa.Array], exact: bool) -> None:
    """Matches of any other key are confirmed by value."""
    assert Keys.of(columns).exact is exact


def test_minus_zero_and_zero_are_one_key() -> None:
    """Floats that compare equal are the same key."""
    keys = Keys.of([pa.array([0.0, -0.0])])
    assert keys.last_of_each.tolist() == [False, True]


def test_order_of_columns_matters() -> None:
    """(1, 2) and (2, 1) are different keys."""
    one, two = pa.array([1, 2]), pa.array([2, 1])
    keys = Keys.of([one, two])
    assert keys.hashes[0] != keys.hashes[1]
    assert keys.last_of_each.all()


def test_parts_of_strings_do_not_run_together() -> None:
    """("ab", "c") and ("a", "bc") are different keys."""
    keys = Keys.of([pa.array(["ab", "a"]), pa.array(["c", "bc"])])
    assert keys.hashes[0] != keys.hashes[1]


def test_chunked_columns_are_hashed_as_one() -> None:
    """Chunk borders mean nothing."""
    chunked = pa.chunked_array([[1, 2], [3]])
    assert Keys.of([chunked]).hashes.tolist() == Keys.of([pa.array([1, 2, 3])]).hashes.tolist()


def test_taken_keys_are_the_rows_asked_for() -> None:
    """`take` keeps values and hashes together."""
    keys = keys_of([(1, "a"), (2, "b"), (3, "c")])
    taken = keys.take(np.array([2, 0]))
    assert taken.hashes.tolist() == [keys.hashes[2], keys.hashes[0]]
    assert taken.columns[1].to_pylist() == ["c", "a"]


def test_key_in_a_message_is_short_and_quoted() -> None:
    """An error message shows a key as a person would write it, and never a megabyte of it."""
    keys = Keys.of([pa.array([7]), pa.array(["x" * 1000])])
    text = keys.describe(0)
    assert text.startswith("(7, 'xxx")
    assert len(text) < 120
    assert Keys.of([pa.array([7])]).describe(0) == "7"
