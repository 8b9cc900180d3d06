"""SQL types, Arrow types and which of them can be stored."""

import datafusion
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import DatabaseError, ErrorKind
from catalog.types import format_type, is_nested, parse_type, storable, storage_type

UNITS = st.sampled_from(["ms", "us", "ns"])
ZONES = st.sampled_from([None, "UTC", "Europe/Berlin", "+05:30", "-00:15"])
FIELD_NAMES = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=12)
DECIMALS = st.integers(1, 38).flatmap(lambda p: st.integers(0, p).map(lambda s: pa.decimal128(p, s)))
SCALARS = st.one_of(
    st.sampled_from([pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]),
    st.sampled_from([pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.string(), pa.binary(), pa.uuid()]),
    st.sampled_from([pa.date32(), pa.time32("ms"), pa.time64("us"), pa.time64("ns")]),
    DECIMALS,
    st.builds(pa.timestamp, UNITS, ZONES),
)
DECLARED = st.recursive(
    SCALARS,
    lambda child: st.one_of(
        child.map(pa.list_),
        st.dictionaries(FIELD_NAMES, child, min_size=1, max_size=4).map(lambda fields: pa.struct(list(fields.items()))),
    ),
    max_leaves=8,
)


def refused(kind: ErrorKind, text: str) -> str:
    """Parse a type that must be refused and return the line."""
    with pytest.raises(DatabaseError) as caught:
        parse_type(text)
    assert caught.value.kind is kind
    return caught.value.message


@given(DECLARED)
def test_types_survive_their_text(declared: pa.DataType) -> None:
    """Written as SQL and read again, a type is the same."""
    assert parse_type(format_type(declared)) == declared


@given(DECLARED)
def test_declared_types_are_storable_as_they_are(declared: pa.DataType) -> None:
    """A declared type offered by a client stays."""
    assert storable(declared, "c") == declared


@given(DECLARED)
def test_stored_types_hold_no_extension(declared: pa.DataType) -> None:
    """What files hold is plain, and stays so."""
    stored = storage_type(declared)
    assert "extension" not in str(stored)
    assert storage_type(stored) == stored


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tinyint", pa.int8()),
        ("SMALLINT", pa.int16()),
        ("INTEGER", pa.int32()),
        ("BIGINT", pa.int64()),
        ("INT8", pa.int64()),
        ("INT64", pa.int64()),
        ("TINYINT UNSIGNED", pa.uint8()),
        ("int unsigned", pa.uint32()),
        ("UBIGINT", pa.uint64()),
        ("UINT32", pa.uint32()),
        ("HALF", pa.float16()),
        ("REAL", pa.float32()),
        ("FLOAT", pa.float32()),
        ("DOUBLE", pa.float64()),
        ("DOUBLE PRECISION", pa.float64()),
        ("DECIMAL", pa.decimal128(38, 10)),
        ("NUMERIC(5)", pa.decimal128(5, 0)),
        ("DECIMAL ( 10 , 2 )", pa.decimal128(10, 2)),
        ("BOOL", pa.bool_()),
        ("VARCHAR", pa.string()),
        ("VARCHAR(20)", pa.string()),
        ("CHARACTER VARYING(20)", pa.string()),
        ("CHAR(2)", pa.string()),
        ("STRING", pa.string()),
        ("BLOB", pa.binary()),
        ("VARBINARY(8)", pa.binary()),
        ("BYTES", pa.binary()),
        ("DATE", pa.date32()),
        ("TIME", pa.time64("us")),
        ("TIME(0)", pa.time32("ms")),
        ("TIME(9)", pa.time64("ns")),
        ("TIMESTAMP", pa.timestamp("us")),
        ("DATETIME(3)", pa.timestamp("ms")),
        ("TIMESTAMP(9) WITHOUT TIME ZONE", pa.timestamp("ns")),
        ("TIMESTAMP WITH TIME ZONE", pa.timestamp("us", "UTC")),
        ("TIMESTAMPTZ(3)", pa.timestamp("ms", "UTC")),
        ("TIMESTAMP(6) WITH TIME ZONE 'Europe/Berlin'", pa.timestamp("us", "Europe/Berlin")),
        ("UUID", pa.uuid()),
        ("INT[]", pa.list_(pa.int32())),
        ("INT[][]", pa.list_(pa.list_(pa.int32()))),
        ("ARRAY<INT>", pa.list_(pa.int32())),
        ("LIST(TEXT)", pa.list_(pa.string())),
        ("STRUCT<a INT, B TEXT>", pa.struct([("a", pa.int32()), ("b", pa.string())])),
        ('STRUCT("B c": INT)', pa.struct([("B c", pa.int32())])),
        ("STRUCT<date DATE, list LIST<INT>>", pa.struct([("date", pa.date32()), ("list", pa.list_(pa.int32()))])),
    ],
)
def test_sql_names(text: str, expected: pa.DataType) -> None:
    """Each name is one Arrow type."""
    assert parse_type(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "JSON",
        "INTERVAL",
        "MAP<INT, INT>",
        "GEOMETRY",
        "UINT8",
        "DECIMAL(39, 2)",
        "DECIMAL(5, 6)",
        "DECIMAL(0)",
        "TIME(10)",
    ],
)
def test_types_that_cannot_be_stored_are_named(text: str) -> None:
    """The refusal repeats the type."""
    assert text in refused(ErrorKind.UNSUPPORTED, text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "INT INT", "INT ARRAY", "INT[3]", "INT(4)", "TEXT(5)", "STRUCT<>", "STRUCT<INT>", "STRUCT<a INT", "LIST"),
        *(
            "DECIMAL(1,2,3)",
            "DECIMAL(a)",
            "TIMESTAMP WITH ZONE",
            "'INT'",
            '"INT"',
            "INT; DROP",
            "STRUCT<a INT NOT NULL>",
        ),
    ],
)
def test_malformed_types_are_refused(text: str) -> None:
    """Nothing behind or inside of a type is ignored."""
    refused(ErrorKind.SYNTAX, text)


@pytest.mark.parametrize("zone", ["Nowhere/City", "../etc/passwd", "/etc/passwd", "", "+25:00"])
def test_unknown_zones_are_refused(zone: str) -> None:
    """A zone is in the time zone database, or a fixed offset."""
    assert "time zone" in refused(ErrorKind.INVALID, f"TIMESTAMP WITH TIME ZONE '{zone}'")


@pytest.mark.parametrize("text", ["LIST<" * 100 + "INT" + ">" * 100, "INT" + "[]" * 100, "STRUCT<a " * 5_000])
def test_deep_nesting_is_refused(text: str) -> None:
    """A type does not exhaust the stack."""
    assert "levels" in refused(ErrorKind.UNSUPPORTED, text)


def test_field_names_of_a_struct_are_unique() -> None:
    """Two fields of one name are refused."""
    assert "two fields" in refused(ErrorKind.INVALID, "STRUCT<a INT, A INT>")


@pytest.mark.parametrize(
    ("offered", "stored"),
    [
        (pa.large_string(), pa.string()),
        (pa.string_view(), pa.string()),
        (pa.dictionary(pa.int8(), pa.large_string()), pa.string()),
        (pa.dictionary(pa.int32(), pa.int64()), pa.int64()),
        (pa.run_end_encoded(pa.int32(), pa.date64()), pa.date32()),
        (pa.large_binary(), pa.binary()),
        (pa.binary_view(), pa.binary()),
        (pa.binary(16), pa.binary()),
        (pa.date64(), pa.date32()),
        (pa.time32("s"), pa.time32("ms")),
        (pa.timestamp("s"), pa.timestamp("ms")),
        (pa.timestamp("s", "UTC"), pa.timestamp("ms", "UTC")),
        (pa.decimal32(5, 2), pa.decimal128(5, 2)),
        (pa.decimal64(5, 2), pa.decimal128(5, 2)),
        (pa.decimal256(38, 2), pa.decimal128(38, 2)),
        (pa.large_list(pa.int8()), pa.list_(pa.int8())),
        (pa.list_(pa.int8(), 3), pa.list_(pa.int8())),
        (pa.list_view(pa.large_string()), pa.list_(pa.string())),
        (pa.null(), pa.string()),
        (pa.list_(pa.null()), pa.list_(pa.string())),
        (pa.list_view(pa.run_end_encoded(pa.int32(), pa.string_view())), pa.list_(pa.string())),
        (pa.list_(pa.field("element", pa.int8(), nullable=False)), pa.list_(pa.int8())),
        (pa.struct([pa.field("a", pa.date64(), nullable=False)]), pa.struct([("a", pa.date32())])),
        (pa.uuid(), pa.uuid()),
    ],
)
def test_offered_types_are_normalised(offered: pa.DataType, stored: pa.DataType) -> None:
    """Encodings and widths that mean the same become one stored type."""
    assert storable(offered, "c") == stored


@pytest.mark.parametrize(
    "offered",
    [
        pa.map_(pa.string(), pa.int8()),
        pa.dense_union([pa.field("a", pa.int8())]),
        pa.duration("s"),
        pa.month_day_nano_interval(),
        pa.decimal256(39, 2),
        pa.decimal128(5, -2),
        pa.json_(),
        pa.bool8(),
        pa.timestamp("us", "Nowhere/City"),
        pa.struct([]),
        pa.struct([("a", pa.int8()), ("a", pa.int8())]),
        pa.dictionary(pa.int8(), pa.duration("s")),
    ],
)
def test_other_offered_types_are_refused(offered: pa.DataType) -> None:
    """The refusal names the column."""
    with pytest.raises(DatabaseError, match="column price: type") as caught:
        storable(offered, "price")
    assert caught.value.kind is ErrorKind.UNSUPPORTED


def test_a_refusal_names_the_nested_column() -> None:
    """The path to the type at fault is given."""
    with pytest.raises(DatabaseError, match=r"column c\[\]\.x: type duration"):
        storable(pa.list_(pa.struct([("x", pa.duration("s"))])), "c")


def test_a_uuid_is_stored_as_text() -> None:
    """Also inside of lists and structs."""
    declared = pa.list_(pa.struct([("u", pa.uuid())]))
    assert storage_type(declared) == pa.list_(pa.struct([("u", pa.string())]))


@pytest.mark.parametrize(("declared", "nested"), [(pa.int8(), False), (pa.uuid(), False), (pa.list_(pa.int8()), True)])
def test_nested_types(declared: pa.DataType, nested: bool) -> None:
    """Lists and structs are nested."""
    assert is_nested(declared) is nested


@pytest.mark.parametrize(
    "declared", [pa.int16(), pa.uint64(), pa.float32(), pa.decimal128(9, 2), pa.string(), pa.date32()]
)
def test_canonical_names_mean_the_same_in_datafusion(declared: pa.DataType) -> None:
    """A CAST to the name gives a value of that type, or of its view."""
    table = datafusion.SessionContext().sql(f"SELECT CAST(NULL AS {format_type(declared)}) AS v").to_arrow_table()
    assert storable(table.schema.field("v").type, "v") == declared
