"""What the file promises: what went in comes out, and damage never passes for an answer."""

import contextlib
import mmap
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloom import BloomCorrupt, BloomFilter, decode, encode

GOLDEN_FILE = Path(__file__).with_name("golden.bloom")


def filter_of(keys, fpp=0.01):
    """Build a filter over the hashes 0, K, 2K, … of an odd constant K."""
    return BloomFilter.build(np.arange(keys, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15), fpp)


def sealed(data):
    """Give a changed file the checksum that it needs to pass for whole."""
    data = bytearray(data)
    data[12:16] = bytes(4)
    data[12:16] = zlib.crc32(data).to_bytes(4, "little")
    return bytes(data)


def changed(data, position, layout, value):
    """Write one field of a file and seal it."""
    data = bytearray(data)
    struct.pack_into(layout, data, position, value)
    return sealed(data)


def assert_same(one, other):
    """Compare two filters field by field."""
    np.testing.assert_array_equal(one.bits, other.bits)
    for field in ("probes", "bit_count", "key_count", "fpp"):
        assert getattr(one, field) == getattr(other, field)


@pytest.fixture
def small_file():
    """Give a file of two small filters."""
    return encode({0: filter_of(10), 7: filter_of(50, 0.1)})


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.integers(-(2**31), 2**31 - 1), st.tuples(st.integers(0, 300), st.floats(0.0001, 0.9)), max_size=5
    )
)
def test_what_is_written_is_read(shapes):
    """Any set of filters comes back equal, keyed as it was."""
    filters = {key: filter_of(*shape) for key, shape in shapes.items()}
    read = decode(encode(filters))
    assert sorted(read) == sorted(filters)
    for key, one in filters.items():
        assert_same(read[key], one)


def test_a_read_filter_finds_its_keys():
    """A filter from a file has no false negatives."""
    hashes = np.random.default_rng(1).integers(0, 2**64, 1_000, dtype=np.uint64)
    assert decode(encode({3: BloomFilter.build(hashes, 0.01)}))[3].may_contain(hashes).all()


def test_no_filters_make_a_file():
    """A batch without filters has a file of one prefix."""
    assert decode(encode({})) == {}


def test_the_order_of_filters_does_not_matter():
    """One set of filters has one encoding."""
    a, b = filter_of(10), filter_of(20)
    assert encode({1: a, 2: b}) == encode({2: b, 1: a})


def test_a_file_is_read_in_place(small_file):
    """The bits of a filter are a view of the file, not a copy."""
    bits = decode(small_file)[0].bits
    assert np.shares_memory(bits, np.frombuffer(small_file, dtype=np.uint8))


def test_bits_start_at_multiples_of_64_bytes(small_file):
    """Payloads are aligned relative to the start of the file."""
    whole = np.frombuffer(small_file, dtype=np.uint8)
    starts = [one.bits.ctypes.data - whole.ctypes.data for one in decode(small_file).values()]
    assert [start % 64 for start in starts] == [0, 0]
    assert len(small_file) % 64 == 0


def test_read_bits_cannot_be_written(small_file):
    """Not even when the file's bytes could be."""
    bits = decode(memoryview(bytearray(small_file)))[0].bits
    assert not bits.flags.writeable


def test_a_mapped_file_can_be_read(tmp_path, small_file):
    """A memory-mapped file decodes like its bytes."""
    path = tmp_path / "batch-1.bloom"
    path.write_bytes(small_file)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        filters = decode(memoryview(mapped))
        assert_same(filters[7], filter_of(50, 0.1))
        del filters


def test_the_golden_file_is_read():
    """A file of the first release is read for ever."""
    filters = decode(GOLDEN_FILE.read_bytes())
    assert sorted(filters) == [0, 42]
    assert_same(filters[0], filter_of(10))
    assert_same(filters[42], filter_of(120, 0.001))


def test_the_golden_file_is_written():
    """The same filters are written byte for byte as in the first release."""
    assert encode({0: filter_of(10), 42: filter_of(120, 0.001)}) == GOLDEN_FILE.read_bytes()


def test_every_flipped_bit_is_found(small_file):
    """There is no bit in the file whose flip goes unnoticed."""
    damaged = bytearray(small_file)
    for position in range(len(damaged)):
        for bit in range(8):
            damaged[position] ^= 1 << bit
            with pytest.raises(BloomCorrupt):
                decode(memoryview(damaged))
            damaged[position] ^= 1 << bit


def test_every_truncation_is_found(small_file):
    """A file of any shorter length is refused."""
    for length in range(len(small_file)):
        with pytest.raises(BloomCorrupt):
            decode(small_file[:length])


def test_appended_bytes_are_found(small_file):
    """A longer file is refused, too."""
    with pytest.raises(BloomCorrupt, match="bytes"):
        decode(small_file + bytes(64))


@given(st.binary(max_size=300))
def test_foreign_bytes_are_refused(data):
    """Whatever is no bloom file raises the one exception, never another."""
    with pytest.raises(BloomCorrupt):
        decode(data)


@settings(max_examples=300, deadline=None)
@given(st.integers(16, 191), st.binary(min_size=1, max_size=12))
def test_a_sealed_forgery_raises_nothing_else(position, piece):
    """Wrong headers with a right checksum are read or refused, without any other error."""
    data = bytearray(encode({0: filter_of(10), 7: filter_of(50, 0.1)}))
    data[position : position + len(piece)] = piece
    with contextlib.suppress(BloomCorrupt):
        decode(sealed(data))


@pytest.mark.parametrize(
    ("position", "layout", "value", "complaint"),
    [
        (0, "<Q", 0, "not a bloom file"),
        (8, "<H", 2, "format 2"),
        (10, "<H", 3, "impossible|kind|order|bits"),
        (10, "<H", 1, "belong to no filter"),
        (10, "<H", 65_535, "too short for its entries"),
        (16, "<Q", 1, "says 1"),
        (24, "<8s", b"fs2", "another hash"),
        (64, "<i", 8, "in order"),
        (64, "<i", 7, "once"),
        (68, "<H", 9, "unknown kind 9"),
        (70, "<H", 0, "probes"),
        (72, "<Q", 2**63, "too short for its bits"),
        (72, "<Q", 1001, "impossible"),
        (88, "<d", 7.0, "rate"),
    ],
)
def test_each_wrong_field_is_named(small_file, position, layout, value, complaint):
    """A sealed file with one wrong field is refused for that reason."""
    with pytest.raises(BloomCorrupt, match=complaint):
        decode(changed(small_file, position, layout, value))


@pytest.mark.parametrize("identity", [2**31, -(2**31) - 1])
def test_an_id_beyond_32_bits_is_refused(identity):
    """Ids are int32."""
    with pytest.raises(ValueError, match="int32"):
        encode({identity: filter_of(1)})
