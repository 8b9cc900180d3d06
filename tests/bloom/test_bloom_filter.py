"""What one filter promises: never a false no, and a false yes no more often than asked."""

import dataclasses
import math

import numpy as np
import pyarrow as pa
import pytest
from arrow_columns import VALUES, columns
from hypothesis import given, settings
from hypothesis import strategies as st
from pybloom_live import BloomFilter as PybloomFilter

from bloom import BloomFilter, hash_rows
from bloom.filter import bit_positions

RATES = [0.5, 0.1, 0.01, 0.001, 0.0001]
hash_arrays = st.lists(st.integers(0, 2**64 - 1)).map(lambda drawn: np.array(drawn, dtype=np.uint64))


def random_hashes(count, seed):
    """Draw hashes as a good hash function would give them."""
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


@pytest.mark.parametrize("kind", list(VALUES), ids=str)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_key_of_every_type_is_found(kind, data):
    """There are no false negatives, whatever the type of the key."""
    hashes = hash_rows([data.draw(columns(kind))])
    assert BloomFilter.build(hashes, 0.01).may_contain(hashes).all()


@settings(deadline=None)
@given(hash_arrays, st.floats(1e-9, 0.999))
def test_every_hash_is_found_at_any_rate(hashes, fpp):
    """There are no false negatives, whatever the rate."""
    assert BloomFilter.build(hashes, fpp).may_contain(hashes).all()


@pytest.mark.parametrize("fpp", RATES)
def test_every_one_of_many_hashes_is_found(fpp):
    """There are no false negatives across internal blocks either."""
    hashes = random_hashes(100_000, 1)
    assert BloomFilter.build(hashes, fpp).may_contain(hashes).all()


@pytest.mark.parametrize("keys", [100, 1_000, 10_000, 150_000])
@pytest.mark.parametrize("fpp", RATES)
def test_the_rate_of_false_positives_is_kept(keys, fpp):
    """At most 1.3 times the asked rate of strangers is let in, for small filters and large."""
    one = BloomFilter.build(random_hashes(keys, 2), fpp)
    assert one.may_contain(random_hashes(2_000_000, 3)).mean() <= 1.3 * fpp


@pytest.mark.parametrize("fpp", [0.1, 0.01, 0.001])
def test_the_rate_holds_next_to_pybloom_live(fpp):
    """Over the same keys and strangers, both filters find all keys and keep the rate that was asked."""
    keys, strangers = np.arange(3_000), np.arange(3_000, 33_000)
    oracle = PybloomFilter(capacity=len(keys), error_rate=fpp)
    for key in keys.tolist():
        oracle.add(key)
    ours = BloomFilter.build(hash_rows([pa.array(keys)]), fpp)
    let_in_by_oracle = sum(stranger in oracle for stranger in strangers.tolist())
    let_in_by_us = ours.may_contain(hash_rows([pa.array(strangers)])).sum()
    noise = 4 * math.sqrt(fpp * len(strangers))
    assert let_in_by_oracle <= fpp * len(strangers) + noise
    assert let_in_by_us <= 1.3 * fpp * len(strangers) + noise


def test_a_filter_without_keys_contains_nothing():
    """No keys are fine, and rule out everything."""
    empty = BloomFilter.build(np.empty(0, dtype=np.uint64), 0.01)
    assert not empty.may_contain(random_hashes(1_000, 4)).any()


def test_probing_nothing_answers_nothing():
    """No question is fine, too."""
    answers = BloomFilter.build(random_hashes(10, 5), 0.01).may_contain(np.empty(0, dtype=np.uint64))
    assert answers.dtype == np.bool_
    assert not len(answers)


def test_duplicates_do_not_change_a_filter():
    """A filter is sized for its distinct keys."""
    hashes = random_hashes(1_000, 6)
    once, often = BloomFilter.build(hashes, 0.01), BloomFilter.build(np.tile(hashes, 50), 0.01)
    np.testing.assert_array_equal(once.bits, often.bits)
    assert once.key_count == often.key_count == 1_000


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_change_a_filter(random):
    """A filter is a function of the set of its keys."""
    hashes = random_hashes(50, 7)
    shuffled = np.array(random.sample(hashes.tolist(), 50), dtype=np.uint64)
    np.testing.assert_array_equal(BloomFilter.build(hashes, 0.01).bits, BloomFilter.build(shuffled, 0.01).bits)


@settings(deadline=None)
@given(hash_arrays.filter(len))
def test_exactly_the_defined_bits_are_set(hashes):
    """The bits of a filter are those that the definition gives for its keys."""
    one = BloomFilter.build(hashes, 0.01)
    positions = np.unique(bit_positions(hashes, one.bit_count, one.probes))
    np.testing.assert_array_equal(np.flatnonzero(np.unpackbits(one.bits, bitorder="little")), positions)


@given(st.integers(0, 2**64 - 1))
def test_positions_follow_the_written_formula(value):
    """Bit positions equal the formula of the format in plain integers."""
    low, high = value % 2**32, value >> 32
    lanes = [(low + i * high + i * (i - 1) // 2 * 0x9E3779B9) % 2**32 for i in range(13)]
    found = bit_positions(np.array([value], dtype=np.uint64), 5 * 2**20, 13)
    assert found.tolist() == [[lane * 5 * 2**20 >> 32 for lane in lanes]]


def test_a_key_with_a_zero_step_still_uses_different_bits():
    """The quadratic term spreads all but the first two probes of a hash whose upper half is zero."""
    assert len(np.unique(bit_positions(np.array([5], dtype=np.uint64), 1 << 20, 13))) == 12


@pytest.mark.parametrize(("fpp", "probes"), [(0.5, 1), (0.1, 3), (0.01, 7), (0.001, 10), (0.0001, 13)])
def test_probes_depend_on_the_rate_alone(fpp, probes):
    """Filters of one rate have one number of probes, whatever their size."""
    assert {BloomFilter.build(random_hashes(n, 8), fpp).probes for n in (0, 10, 10_000)} == {probes}


@pytest.mark.parametrize("keys", range(1_000, 20_000, 777))
def test_a_size_wastes_at_most_a_quarter(keys):
    """Quantised sizes stay within 25 % of the exact need."""
    needed = -7 * keys / math.log(1 - 0.01 ** (1 / 7))
    assert needed <= BloomFilter.build(random_hashes(keys, 9), 0.01).bit_count <= 1.25 * needed


def test_filters_of_similar_batches_have_one_size():
    """There are four sizes per doubling of the number of keys."""
    sizes = {BloomFilter.build(random_hashes(keys, 10), 0.01).bit_count for keys in range(8_000, 16_000, 100)}
    assert len(sizes) <= 5


def test_bits_may_be_read_only():
    """Probing does not write, so the bits may be a read-only view of a file."""
    hashes = random_hashes(100, 11)
    one = BloomFilter.build(hashes, 0.01)
    frozen = dataclasses.replace(one, bits=np.frombuffer(one.bits.tobytes(), dtype=np.uint8))
    assert frozen.may_contain(hashes).all()


def test_bits_may_be_mapped_from_a_file(tmp_path):
    """Bits that stay on disk answer as well."""
    hashes = random_hashes(100, 12)
    one = BloomFilter.build(hashes, 0.01)
    one.bits.tofile(tmp_path / "bits")
    mapped = dataclasses.replace(one, bits=np.memmap(tmp_path / "bits", dtype=np.uint8, mode="r"))
    assert mapped.may_contain(hashes).all()


def test_hashes_may_be_strided():
    """A view with gaps is as good as a contiguous array."""
    hashes = random_hashes(1_000, 13)
    assert BloomFilter.build(hashes[::2], 0.01).may_contain(hashes[::2]).all()


def test_a_filter_cannot_be_changed():
    """The fields of a filter are frozen."""
    one = BloomFilter.build(random_hashes(10, 14), 0.01)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.probes = 1


@pytest.mark.parametrize("fpp", [0.0, 1.0, -0.1, 2.0, math.nan])
def test_an_impossible_rate_is_refused(fpp):
    """A rate lies strictly between 0 and 1."""
    with pytest.raises(ValueError, match="rate of false positives"):
        BloomFilter.build(random_hashes(10, 15), fpp)


@pytest.mark.parametrize("dtype", [np.int64, np.uint32, np.float64])
def test_hashes_of_another_dtype_are_refused(dtype):
    """Only uint64 hashes are hashes."""
    one = BloomFilter.build(random_hashes(10, 16), 0.01)
    with pytest.raises(TypeError, match="uint64"):
        BloomFilter.build(np.zeros(3, dtype=dtype), 0.01)
    with pytest.raises(TypeError, match="uint64"):
        one.may_contain(np.zeros(3, dtype=dtype))


@pytest.mark.parametrize(
    "change",
    [{"bit_count": 512}, {"bit_count": 0}, {"probes": 0}, {"probes": 65}, {"key_count": -1}, {"fpp": 1.5}],
    ids=str,
)
def test_contradicting_fields_are_refused(change):
    """A filter that could not answer is never made."""
    one = BloomFilter.build(random_hashes(10, 17), 0.01)
    with pytest.raises(ValueError, match=r"bit|probes|count|rate"):
        dataclasses.replace(one, **change)
