"""What a bit-sliced group promises: the answers of its filters, in their order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloom import BloomFilter, SlicedFilters


def random_hashes(count, seed):
    """Draw hashes as a good hash function would give them."""
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


def filters_of(sizes, fpp=0.1):
    """Build one filter per size, each over keys of its own."""
    return [BloomFilter.build(random_hashes(size, seed), fpp) for seed, size in enumerate(sizes)]


def one_by_one(filters, hashes):
    """Ask every filter by itself: shape (filters, hashes)."""
    return np.array([one.may_contain(hashes) for one in filters]).reshape(len(filters), len(hashes))


sizes = st.lists(st.sampled_from([0, 1, 300, 320, 1_000, 5_000]), max_size=20)


@settings(max_examples=40, deadline=None)
@given(sizes, st.integers(0, 2**32))
def test_answers_equal_those_of_the_filters_one_by_one(sizes, seed):
    """For filters of any mixture of sizes, slicing changes no answer and no order."""
    filters, hashes = filters_of(sizes), random_hashes(20, seed)
    group, expected = SlicedFilters(filters), one_by_one(filters, hashes)
    for index, value in enumerate(hashes.tolist()):
        np.testing.assert_array_equal(group.may_contain(value), expected[:, index])


@settings(max_examples=40, deadline=None)
@given(sizes, st.integers(0, 2**32), st.integers(0, 5))
def test_any_of_equals_any_of_the_single_answers(sizes, seed, count):
    """A filter is a candidate for several hashes when it is one for at least one of them."""
    filters, hashes = filters_of(sizes), random_hashes(count, seed)
    expected = one_by_one(filters, hashes).any(axis=1)
    np.testing.assert_array_equal(SlicedFilters(filters).any_of(hashes), expected)


def test_any_of_thousands_of_hashes():
    """More hashes than one internal block give the same answer as one by one."""
    filters, hashes = filters_of([300] * 9, fpp=0.0001), random_hashes(60_000, 99)
    expected = one_by_one(filters, hashes).any(axis=1)
    np.testing.assert_array_equal(SlicedFilters(filters).any_of(hashes), expected)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 64, 1_000])
def test_every_filter_finds_its_own_key(count):
    """Whatever the number of filters, the one that holds a key is among the candidates."""
    keys = random_hashes(count, 5)
    group = SlicedFilters([BloomFilter.build(keys[i : i + 1], 0.0001) for i in range(count)])
    found = np.array([group.may_contain(key) for key in keys.tolist()])
    assert found.diagonal().all()


def test_all_pairs_of_filters_and_hashes_are_found_at_once():
    """As if each filter were asked for each hash, in groups of several sizes."""
    filters, hashes = filters_of([10, 3_000, 10, 200, 3_000]), random_hashes(300, 3)
    found, rows = SlicedFilters(filters).pairs(hashes)
    expected = one_by_one(filters, hashes)
    answers = np.zeros_like(expected)
    answers[found, rows] = True
    np.testing.assert_array_equal(answers, expected)
    assert len(found) == expected.sum()


def test_filters_of_different_rates_may_be_mixed():
    """Filters of one size and different numbers of probes stay apart."""
    filters = [BloomFilter.build(random_hashes(60, seed), fpp) for seed, fpp in enumerate([0.5, 0.1, 0.01])]
    assert len({one.bit_count for one in filters}) == 1
    hashes = random_hashes(500, 77)
    group = SlicedFilters(filters)
    found = np.array([group.may_contain(value) for value in hashes.tolist()]).T
    np.testing.assert_array_equal(found, one_by_one(filters, hashes))


def test_filters_larger_than_one_internal_block_are_transposed_whole():
    """The transposition runs in ranges of bytes; the seams lose nothing."""
    filters, hashes = filters_of([400_000, 400_000, 400_000], fpp=0.001), random_hashes(200, 55)
    group = SlicedFilters(filters)
    own = random_hashes(400_000, 1)[:200]
    assert all(group.may_contain(value)[1] for value in own.tolist())
    found = np.array([group.may_contain(value) for value in hashes.tolist()]).T
    np.testing.assert_array_equal(found, one_by_one(filters, hashes))


def test_no_filters_have_no_answers():
    """An empty group answers with empty arrays."""
    group = SlicedFilters([])
    assert not len(group.may_contain(1))
    assert not len(group.any_of(random_hashes(3, 1)))
    assert group.nbytes == len(group) == 0


def test_the_extremes_of_a_hash_are_hashes():
    """0 and 2**64 - 1 can be asked for."""
    keys = np.array([0, 2**64 - 1], dtype=np.uint64)
    group = SlicedFilters([BloomFilter.build(keys, 0.0001)])
    assert group.may_contain(0).all()
    assert group.may_contain(2**64 - 1).all()


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_that_is_no_hash_is_refused(number):
    """Anything but 64 unsigned bits is an error, not a wrong answer."""
    with pytest.raises(OverflowError):
        SlicedFilters(filters_of([10])).may_contain(number)


def test_hashes_of_another_dtype_are_refused():
    """Only uint64 hashes are hashes."""
    with pytest.raises(TypeError, match="uint64"):
        SlicedFilters(filters_of([10])).any_of(np.zeros(3, dtype=np.int64))


def test_the_memory_is_that_of_the_filters():
    """Eight filters of one size take eight times the bytes of one."""
    filters = filters_of([1_000] * 8)
    assert SlicedFilters(filters).nbytes == sum(one.bits.nbytes for one in filters)


def test_later_changes_of_the_list_do_not_matter():
    """The group is a copy."""
    filters = filters_of([10, 10])
    group = SlicedFilters(filters)
    filters.clear()
    assert len(group.may_contain(1)) == len(group) == 2
