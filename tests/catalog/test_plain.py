"""Plain values: no encodings, nothing under a NULL, one zero; and the values are those that came."""

import math

import numpy as np
import pyarrow as pa
import pytest

from catalog.plain import plain, plain_bytes, plain_values

LONG = "x" * 50


def encoded(values: pa.Array) -> pa.DictionaryArray:
    """Values as a dictionary that has each of them."""
    return pa.DictionaryArray.from_arrays(pa.array(range(len(values)), pa.int32()), values)


def repeated(values: pa.Array) -> pa.RunEndEncodedArray:
    """Each value twice, as runs."""
    ends = pa.array([2 * (place + 1) for place in range(len(values))], pa.int32())
    return pa.RunEndEncodedArray.from_arrays(ends, values)


TEXTS = pa.array(["a", None, "c"])
STRUCTS = pa.StructArray.from_arrays([encoded(TEXTS), TEXTS.cast(pa.string_view())], ["d", "v"])
ENCODED = {
    "large text": (TEXTS.cast(pa.large_string()), pa.string()),
    "text view": (TEXTS.cast(pa.string_view()), pa.string()),
    "bytes of one size": (pa.array([b"ab", None], pa.binary(2)), pa.binary()),
    "bytes view": (pa.array([b"ab", None], pa.binary_view()), pa.binary()),
    "dictionary": (encoded(TEXTS), pa.string()),
    "dictionary of views": (encoded(TEXTS.cast(pa.string_view())), pa.string()),
    "runs": (repeated(TEXTS), pa.string()),
    "runs of a dictionary": (repeated(encoded(TEXTS)), pa.string()),
    "runs of lists": (repeated(pa.array([[1], None, []])), pa.list_(pa.int64())),
    "list view": (pa.array([[1], None, [2, 3]], pa.list_view(pa.int8())), pa.list_(pa.int8())),
    "large list view": (pa.array([[1], None, [2, 3]], pa.large_list_view(pa.int8())), pa.list_(pa.int8())),
    "large list": (pa.array([[1], None, [2, 3]], pa.large_list(pa.int8())), pa.list_(pa.int8())),
    "list of one size": (pa.array([[1, 2], None, [2, 3]], pa.list_(pa.int8(), 2)), pa.list_(pa.int8())),
    "list of views": (pa.array([["a", None], None], pa.list_(pa.string_view())), pa.list_(pa.string())),
    "list of a dictionary": (pa.ListArray.from_arrays([0, 2, 3], encoded(TEXTS)), pa.list_(pa.string())),
    "list of runs": (pa.ListArray.from_arrays([0, 1, 6], repeated(TEXTS)), pa.list_(pa.string())),
    "dictionary of lists": (encoded(pa.array([[1], None, []])), pa.list_(pa.int64())),
    "struct of encodings": (STRUCTS, pa.struct([("d", pa.string()), ("v", pa.string())])),
    "list of structs of encodings": (
        pa.ListArray.from_arrays([0, 1, 3], STRUCTS),
        pa.list_(pa.struct([("d", pa.string()), ("v", pa.string())])),
    ),
}


@pytest.mark.parametrize("name", ENCODED)
def test_an_encoding_becomes_the_plain_type(name: str) -> None:
    """At the top and inside of lists and structs, whole or a slice."""
    values, expected = ENCODED[name]
    assert plain(values).type == expected
    assert plain(values).to_pylist() == values.to_pylist()
    assert plain(values.slice(1)).to_pylist() == values.slice(1).to_pylist()
    assert plain(values).validate(full=True) is None


@pytest.mark.parametrize("name", ENCODED)
def test_no_rows_are_no_rows_of_the_plain_type(name: str) -> None:
    """An empty stream makes a table, too."""
    values, expected = ENCODED[name]
    assert plain_values(pa.chunked_array([], values.type)).type == expected


def test_an_extension_is_its_storage() -> None:
    """A UUID is sixteen bytes, inside of a list, too."""
    uuids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, None], pa.binary(16)))
    assert plain(uuids).to_pylist() == [b"0" * 16, None]
    assert plain(pa.ListArray.from_arrays([0, 2], uuids)).to_pylist() == [[b"0" * 16, None]]


def test_fields_of_a_null_struct_are_null() -> None:
    """Engines read them without asking for the struct."""
    inner = pa.StructArray.from_arrays([pa.array([1, 2])], ["c"])
    hidden = pa.StructArray.from_arrays(
        [pa.array([1, 2]), pa.array([[1], [2]]), inner], ["a", "l", "s"], mask=pa.array([True, False])
    )
    found = plain(hidden)
    assert found.to_pylist() == hidden.to_pylist()
    assert [found.field(place).to_pylist()[0] for place in range(3)] == [None, None, None]
    assert found.field(2).field(0).to_pylist() == [None, 2]
    in_a_list = plain(pa.ListArray.from_arrays([0, 2], hidden))
    assert in_a_list.values.field(0).to_pylist() == [None, 2]


def test_a_null_list_has_no_elements() -> None:
    """Whatever stood where they would be."""
    hidden = pa.ListArray.from_arrays(
        pa.array([0, 2, 3], pa.int32()), pa.array([1, 2, 3]), mask=pa.array([True, False])
    )
    shown = pa.Array.from_buffers(hidden.type, 2, [hidden.buffers()[0], *pa.array([0, 2, 3], pa.int32()).buffers()[1:]],
                                  children=[pa.array([1, 2, 3])])  # fmt: skip
    assert plain(shown).to_pylist() == [None, [3]]
    assert plain(shown).values.to_pylist() == [3]


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()], ids=str)
def test_there_is_one_zero(kind: pa.DataType) -> None:
    """In every width, beside NULL and NaN, in slices and inside of others."""
    values = pa.array([1.0, -0.0, None, -1.0, math.nan, 0.0, -0.0], kind)
    for found in (plain(values), plain(values.slice(1)), plain(pa.ListArray.from_arrays([0, 7], values)).values):
        signs = [math.copysign(1, float(value)) for value in found.to_pylist() if value == 0]
        assert signs == [1.0] * 3
    assert plain(values).is_valid().to_pylist() == values.is_valid().to_pylist()
    assert plain(values).drop_null().to_pylist()[2] == -1.0


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()], ids=str)
def test_there_is_one_nan(kind: pa.DataType) -> None:
    """Processors make some with a sign."""
    size = kind.bit_width // 8
    made = np.array([math.nan, -math.nan, 1.0, -0.0], f"f{size}")
    assert made[:1].tobytes() != made[1:2].tobytes()
    bits = np.frombuffer(plain(pa.array(made)).buffers()[1], f"u{size}", 4)
    assert bits[0] == bits[1]
    assert plain(pa.array(made)).to_pylist()[2:] == [1.0, 0.0]


def test_what_is_plain_is_not_copied() -> None:
    """Loads are of such columns mostly."""
    for values in (pa.array([1, None]), pa.array([0.0, -1.0]), pa.array(["a"])):
        assert plain(values) is values


def test_an_array_that_is_too_large_for_its_offsets_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its values are those that came."""
    monkeypatch.setattr("catalog.plain.PIECE_BYTES_MAX", 100)
    letters = pa.array(["x" * 60, None, "y" * 60, "z" * 200], pa.large_string())
    found = plain_values(pa.chunked_array([letters]))
    assert found.num_chunks > 1
    assert (found.type, found.to_pylist()) == (pa.string(), letters.to_pylist())


def test_views_of_one_text_are_cut_by_what_they_become(monkeypatch: pytest.MonkeyPatch) -> None:
    """Together they take little memory as views, and may be more than one array has room for as texts."""
    views = pa.array([LONG] * 100, pa.string_view())
    shared = pa.Array.from_buffers(pa.string_view(), 100, [None, first_view_repeated(views), views.buffers()[2]])
    assert plain_bytes(shared) == 100 * len(LONG)
    assert plain_bytes(pa.StructArray.from_arrays([shared], names=["s"])) == 100 * len(LONG)
    assert plain_bytes(shared.slice(90)) == 10 * len(LONG)
    monkeypatch.setattr("catalog.plain.PIECE_BYTES_MAX", 30 * len(LONG))
    values = plain_values(pa.chunked_array([shared]))
    assert values.num_chunks == 4
    assert values.to_pylist() == [LONG] * 100


def first_view_repeated(views: pa.Array) -> pa.Buffer:
    """The views of an array, all of them like the first."""
    return pa.py_buffer(views.buffers()[1].to_pybytes()[:16] * len(views))
