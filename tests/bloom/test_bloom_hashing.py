"""What the row hash `fs1` promises."""

import re

import numpy as np
import pyarrow as pa
import pytest
from arrow_columns import INTEGER_LIKE, VALUES, columns, values
from fs1_reference import MASK, STRIDE, bytes_word, decimal_word, row_hash, unmix, value_word
from hypothesis import given, settings
from hypothesis import strategies as st

from bloom import HASH_NAME, NULL_HASH, hash_rows, is_exact

few_examples = settings(max_examples=20, deadline=None)
NOT_ENCODABLE = [pa.string_view(), pa.binary_view(), pa.float16()]
every_type = pytest.mark.parametrize("kind", list(VALUES), ids=str)


def hashes_of(values, kind=None):
    """Hash one column of plain values."""
    return hash_rows([pa.array(values, type=kind)]).tolist()


def test_its_name_is_fs1():
    """The name stands in every file; another hash needs another name."""
    assert HASH_NAME == "fs1"


@every_type
@few_examples
@given(data=st.data())
def test_there_is_one_unsigned_64_bit_hash_per_row(kind, data):
    """The result is a uint64 array as long as the column."""
    column = data.draw(columns(kind))
    hashes = hash_rows([column])
    assert hashes.dtype == np.uint64
    assert len(hashes) == len(column)


GOLDEN = [
    ([0], pa.int64(), 0xE220A8397B1DCDAF),
    ([-1], pa.int8(), 0xE4D971771B652C20),
    ([2**64 - 1], pa.uint64(), 0xE4D971771B652C20),
    ([True], pa.bool_(), 0x910A2DEC89025CC1),
    ([1.5], pa.float64(), 0xD6DAB18E1392608A),
    ([float("nan")], pa.float32(), 0xC72971D82E15BB46),
    ([""], pa.string(), 0xA706DD2F4D197E6F),
    (["a"], pa.string(), 0x0493D9FE2FF87BA3),
    (["Grüße aus Köln"], pa.string(), 0x343C00B4B85BD000),
    (["long " * 100], pa.string(), 0x762AD8031A84C738),
    ([b"\0\0"], pa.binary(2), 0xDFCF35863DB3DAB7),
    ([19_000], pa.date32(), 0xD27C8B8B04E647F1),
    ([1_700_000_000_000_000], pa.timestamp("us"), 0xB7B8B1FCBDA40E0F),
    ([None], pa.int64(), NULL_HASH),
]


@pytest.mark.parametrize(("value", "kind", "expected"), GOLDEN, ids=[f"{kind}" for _, kind, _ in GOLDEN])
def test_golden_values_never_change(value, kind, expected):
    """A change of any of these numbers makes every stored filter answer falsely."""
    assert hashes_of(value, kind) == [expected]


def test_a_golden_composite_key_never_changes():
    """The way in which columns combine is frozen as well."""
    rows = hash_rows([pa.array([7], pa.int32()), pa.array(["seven"]), pa.array([None], pa.date32())])
    assert rows.tolist() == [0x26021D1EA5A5B496]


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_integers_hash_as_defined(numbers):
    """The vectorised hash equals the definition in plain integers."""
    assert hashes_of(numbers, pa.int64()) == [row_hash([value_word(number)]) for number in numbers]


@given(st.lists(st.floats()))
def test_floats_hash_as_defined(numbers):
    """The vectorised hash equals the definition in plain integers."""
    assert hashes_of(numbers, pa.float64()) == [row_hash([value_word(number)]) for number in numbers]


@given(st.lists(st.binary(max_size=400)))
def test_byte_strings_hash_as_defined(texts):
    """The vectorised hash equals the definition in plain integers, for short and long strings."""
    assert hashes_of(texts, pa.binary()) == [row_hash([value_word(text)]) for text in texts]


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 127, 128, 129, 136, 137, 1000, 300_000])
def test_strings_of_every_boundary_length_hash_as_defined(length):
    """Lengths around the word, the lock-step limit and the block size follow the one definition."""
    text = bytes(i % 251 for i in range(length))
    assert hashes_of([b"x", text, b"y" * 20]) == [row_hash([bytes_word(t)]) for t in (b"x", text, b"y" * 20)]


def test_blocks_of_many_rows_hash_as_defined():
    """Rows beyond the first internal block hash like those within it."""
    texts = [f"row {i}" for i in range(40_000)]
    assert hashes_of(texts)[-3:] == [row_hash([value_word(text)]) for text in texts[-3:]]


@given(st.lists(st.integers(-(10**38) + 1, 10**38 - 1)))
def test_decimals_hash_their_unscaled_integer(unscaled):
    """A decimal hashes all 128 bits of its unscaled integer."""
    column = pa.array(unscaled, pa.decimal128(38, 0))
    assert hash_rows([column]).tolist() == [row_hash([decimal_word(number)]) for number in unscaled]


@given(st.lists(st.tuples(st.none() | st.integers(0, 9), st.none() | st.text(max_size=3))))
def test_composite_keys_hash_as_defined(rows):
    """Columns enter one after the other, each with the seed of its position."""
    keys = [pa.array([a for a, _ in rows], pa.int32()), pa.array([b for _, b in rows], pa.string())]
    expected = [row_hash([None if value is None else value_word(value) for value in row]) for row in rows]
    assert hash_rows(keys).tolist() == expected


@every_type
@few_examples
@given(data=st.data())
def test_slicing_does_not_matter(kind, data):
    """A slice hashes to the slice of the hashes."""
    column = data.draw(columns(kind))
    start = data.draw(st.integers(0, len(column)))
    stop = data.draw(st.integers(start, len(column)))
    np.testing.assert_array_equal(hash_rows([column[start:stop]]), hash_rows([column])[start:stop])


@every_type
@few_examples
@given(data=st.data())
def test_a_row_alone_hashes_as_one_of_many(kind, data):
    """Single rows take another way through the same steps."""
    column = data.draw(columns(kind))
    alone = [hash_rows([column.slice(row, 1)])[0] for row in range(len(column))]
    assert hash_rows([column]).tolist() == alone
    pairs = [hash_rows([column.slice(row, 1), column.slice(row, 1)])[0] for row in range(len(column))]
    assert hash_rows([column, column]).tolist() == pairs


@every_type
@few_examples
@given(data=st.data())
def test_chunking_does_not_matter(kind, data):
    """A chunked column hashes like the same values in one piece."""
    column = data.draw(columns(kind))
    cut = data.draw(st.integers(0, len(column)))
    chunked = pa.chunked_array([column[:cut], column[cut:]], type=kind)
    np.testing.assert_array_equal(hash_rows([chunked]), hash_rows([column]))


@pytest.mark.parametrize("kind", [kind for kind in VALUES if kind not in NOT_ENCODABLE], ids=str)
@few_examples
@given(data=st.data())
def test_dictionary_encoding_does_not_matter(kind, data):
    """A dictionary column hashes like its values."""
    column = data.draw(columns(kind))
    encoded = column.dictionary_encode()
    np.testing.assert_array_equal(hash_rows([encoded]), hash_rows([column]))


def test_a_null_inside_a_dictionary_is_a_null():
    """An index that leads to NULL hashes like a NULL index."""
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array([None, "a"]))
    assert hash_rows([column]).tolist() == hashes_of([None, "a", None], pa.string())


def test_chunks_of_different_columns_need_not_align():
    """Two columns of one table may be cut differently."""
    left, right = pa.array([1, 2, 3]), pa.array(["a", "b", "c"])
    cut = [pa.chunked_array([left[:1], left[1:]]), pa.chunked_array([right[:2], right[2:]])]
    np.testing.assert_array_equal(hash_rows(cut), hash_rows([left, right]))


@every_type
def test_an_empty_column_has_no_hashes(kind):
    """No rows are no error, in one piece or in no chunk at all."""
    assert not len(hash_rows([pa.array([], type=kind)]))
    assert not len(hash_rows([pa.chunked_array([], type=kind)]))


@every_type
def test_null_hashes_to_one_constant(kind):
    """NULL is the same for every type."""
    assert hashes_of([None, None], kind) == [NULL_HASH, NULL_HASH]


@given(values(pa.string()))
def test_all_string_types_agree(texts):
    """The same text hashes alike as string, large string and view."""
    as_string = hashes_of(texts, pa.string())
    assert hashes_of(texts, pa.large_string()) == as_string
    assert hashes_of(texts, pa.string_view()) == as_string


@given(values(pa.binary()))
def test_all_binary_types_agree(texts):
    """The same bytes hash alike as binary, large binary and view."""
    as_binary = hashes_of(texts, pa.binary())
    assert hashes_of(texts, pa.large_binary()) == as_binary
    assert hashes_of(texts, pa.binary_view()) == as_binary


@given(st.lists(st.none() | st.integers(0, 127)))
def test_all_integer_widths_agree(numbers):
    """A column that is widened keeps its hashes."""
    as_int8 = hashes_of(numbers, pa.int8())
    for kind in (pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()):
        assert hashes_of(numbers, kind) == as_int8


def test_both_zeros_are_one_key():
    """Zero and negative zero are equal, so they hash alike."""
    assert hashes_of([-0.0]) == hashes_of([0.0])


def test_all_nans_are_one_key():
    """Every NaN, whatever its sign and payload, hashes alike."""
    nans = np.array([0x7FF8 << 48, 0xFFF8 << 48, 0x7FF0_0000_0000_0001, MASK], dtype=np.uint64)
    assert len(set(hash_rows([pa.array(nans.view(np.float64))]).tolist())) == 1


@pytest.mark.parametrize("kind", INTEGER_LIKE, ids=str)
@few_examples
@given(data=st.data())
def test_an_integer_like_value_can_be_read_back_from_its_hash(kind, data):
    """The hash of one integer-like column is a bijection on the 64-bit value."""
    column = data.draw(values(kind).map(lambda drawn: pa.array([v for v in drawn if v is not None], kind)))
    as_integers = column.cast(pa.uint8()) if kind == pa.bool_() else column
    if pa.types.is_temporal(kind):
        as_integers = column.view(pa.int32() if kind.bit_width == 32 else pa.int64())
    read_back = [(unmix(value) - STRIDE) & MASK for value in hash_rows([column]).tolist()]
    assert read_back == [value & MASK for value in as_integers.to_pylist()]


@pytest.mark.parametrize("kind", INTEGER_LIKE, ids=str)
def test_one_integer_like_column_is_exact(kind):
    """Equal hashes of such a column imply equal keys."""
    assert is_exact([kind])


@pytest.mark.parametrize("kind", [kind for kind in VALUES if kind not in INTEGER_LIKE], ids=str)
def test_other_types_are_not_exact(kind):
    """Floats, decimals and strings promise nothing."""
    assert not is_exact([kind])


@pytest.mark.parametrize("types", [[], [pa.int8(), pa.int8()]], ids=["none", "two"])
def test_only_a_single_column_is_exact(types):
    """No column, or several, promise nothing."""
    assert not is_exact(types)


def test_the_order_of_columns_matters():
    """(a, b) and (b, a) are different keys."""
    a, b = pa.array([1, 2, 3]), pa.array([4, 5, 6])
    assert not (hash_rows([a, b]) == hash_rows([b, a])).any()


def test_the_place_of_a_null_matters():
    """(NULL, 1) and (1, NULL) are different keys."""
    nulls, ones = pa.array([None], pa.int64()), pa.array([1])
    assert hash_rows([nulls, ones]) != hash_rows([ones, nulls])


def test_trailing_zero_bytes_matter():
    """Strings of zero bytes differ by their length alone, and hash differently."""
    hashes = hashes_of([b"\0" * length for length in range(1000)])
    assert len(set(hashes)) == 1000


def test_swapped_words_matter():
    """The same 8-byte words in another order are another string."""
    assert hashes_of(["AAAAAAAABBBBBBBB"]) != hashes_of(["BBBBBBBBAAAAAAAA"])


def test_a_million_similar_strings_have_no_collision():
    """Counted names, as keys are in practice, all hash differently."""
    names = pa.array(np.arange(1_000_000)).cast(pa.string())
    prefixed = pa.compute.binary_join_element_wise("customer", names, "#")
    assert len(np.unique(np.sort(hash_rows([prefixed])))) == 1_000_000


def test_a_million_small_pairs_have_no_collision():
    """A composite key of two small counters hashes without collision."""
    left, right = np.divmod(np.arange(1_000_000), 1000)
    assert len(np.unique(np.sort(hash_rows([pa.array(left), pa.array(right)])))) == 1_000_000


def test_every_bit_of_the_hash_is_balanced():
    """Over counted integers, each of the 64 bits is set half of the time."""
    hashes = hash_rows([pa.array(np.arange(100_000))])
    bits = np.unpackbits(hashes.view(np.uint8)).reshape(-1, 64)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.01


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.int8()),
        pa.struct([("a", pa.int8())]),
        pa.map_(pa.string(), pa.int8()),
        pa.decimal256(40, 2),
        pa.duration("s"),
        pa.month_day_nano_interval(),
        pa.null(),
    ],
    ids=str,
)
def test_an_unsupported_type_is_named(kind):
    """A type without a defined hash raises TypeError with its name, even without a row."""
    with pytest.raises(TypeError, match=re.escape(str(kind))):
        hash_rows([pa.chunked_array([], type=kind)])


def test_a_dictionary_of_an_unsupported_type_is_refused():
    """What cannot be hashed plain cannot be hashed encoded."""
    column = pa.array([1, 2], pa.duration("s")).dictionary_encode()
    with pytest.raises(TypeError, match="duration"):
        hash_rows([column])


def test_no_column_is_an_error():
    """A hash of nothing has no number of rows."""
    with pytest.raises(ValueError, match="at least one column"):
        hash_rows([])


def test_unequal_columns_are_an_error():
    """Columns of one row set have one length."""
    with pytest.raises(ValueError, match="different lengths"):
        hash_rows([pa.array([1]), pa.array([1, 2])])


def test_the_input_is_not_changed():
    """Hashing works on copies, also for a 64-bit column that needs no conversion."""
    numbers = np.arange(10, dtype=np.uint64)
    hash_rows([pa.array(numbers)])
    assert numbers.tolist() == list(range(10))
