"""Values as text and back: every storable type with its extremes, and what text seems to be."""

import json

import pyarrow as pa
import pytest

from catalog.types import format_type, parse_type, storage_type
from flightserver.cli.values.guessed import guess, guess_json
from flightserver.cli.values.moments import interval_text
from flightserver.cli.values.parsed import Unreadable, decode, load_json, read, read_json
from flightserver.cli.values.written import json_values, texts
from tests.cli.storable import SCALARS, TYPES, leaves, values


def test_all_plain_types_are_tried():
    """The list of types that these tests go through has every type without parameters."""
    names = {format_type(parse_type(name)) for name in SCALARS}
    numbers = {f"{name}{sign}" for name in ("TINYINT", "SMALLINT", "INT", "BIGINT") for sign in ("", " UNSIGNED")}
    assert names >= numbers | {"FLOAT16", "FLOAT", "DOUBLE", "BOOLEAN", "TEXT", "BYTEA", "DATE", "UUID"}


@pytest.mark.parametrize("sql_type", TYPES)
def test_text_reads_back(sql_type: str):
    """What a type's values are written as is read as the same values."""
    column = values(sql_type)
    again = read(decode(texts(column).cast(pa.binary())), column.type)
    again.validate(full=True)
    assert leaves(again) == leaves(column)


@pytest.mark.parametrize("sql_type", TYPES)
def test_json_reads_back(sql_type: str):
    """What a type's values are in JSON is read as the same values."""
    column = values(sql_type)
    again = read_json([load_json(json.dumps(value)) for value in json_values(column)], column.type)
    again.validate(full=True)
    assert leaves(again) == leaves(column)


@pytest.mark.parametrize(
    ("written", "sql_type"),
    [
        (["1", "-5", "0"], "BIGINT"),
        (["007"], "TEXT"),
        (["02138", "10115"], "TEXT"),
        (["0x1F"], "TEXT"),
        (["+5"], "TEXT"),
        (["9223372036854775807"], "BIGINT"),
        (["11898508762506083287"], "DECIMAL(38,0)"),
        (["9" * 39], "TEXT"),
        (["1.5", "2", "1e-3", "-Infinity", "nan"], "DOUBLE"),
        (["0.12345678901234567"], "DOUBLE"),
        (["1234567890123456789.5"], "DECIMAL(38,1)"),
        (["1e400"], "TEXT"),
        (["1e-400"], "TEXT"),
        (["00.5"], "TEXT"),
        (["true", "False"], "BOOLEAN"),
        (["t", "f"], "TEXT"),
        (["2026-01-31"], "DATE"),
        (["2026-02-30"], "TEXT"),
        (["12:30", "12:30:01.5"], "TIME(6)"),
        (["2026-01-31 12:30:00", "2026-01-31"], "TIMESTAMP(6)"),
        (["2026-01-31 12:30:00.123456789"], "TIMESTAMP(9)"),
        (["3000-01-01 00:00:00.123456789"], "TEXT"),
        (["2026-01-31T12:30:00Z", "2026-01-31 12:30:00+05:30"], "TIMESTAMP(6) WITH TIME ZONE"),
        (["2026-01-31T12:30:00Z", "2026-01-31 12:30:00"], "TEXT"),
        (["1", "x"], "TEXT"),
        ([""], "TEXT"),
        ([None], "TEXT"),
    ],
)
def test_a_guessed_type_keeps_the_value(written: list[str | None], sql_type: str):
    """A column gets the narrowest type that loses nothing of it, else TEXT."""
    assert guess(pa.array(written, pa.string())) == parse_type(sql_type)


@pytest.mark.parametrize(
    ("line", "sql_type"),
    [
        ("[1, 2.5]", "DOUBLE"),
        ('["1", "2"]', "TEXT"),
        ('["2026-01-31"]', "DATE"),
        ('[1, "x"]', "TEXT"),
        ("[[1], null, []]", "LIST<BIGINT>"),
        ('[{"a": 1}, {"b": true}]', "STRUCT<a BIGINT, b BOOLEAN>"),
        ("[{}]", "TEXT"),
    ],
)
def test_json_says_more_of_types(line: str, sql_type: str):
    """In JSON a text is no number, and lists and objects are lists and structs."""
    assert guess_json(load_json(line)) == parse_type(sql_type)


@pytest.mark.parametrize(
    ("written", "sql_type"),
    [
        ("x", "BIGINT"),
        ("", "INT"),
        ("300", "TINYINT"),
        ("1.505", "DECIMAL(10,2)"),
        ("1e39", "FLOAT"),
        ("1e-400", "DOUBLE"),
        ("maybe", "BOOLEAN"),
        ("\\x0g", "BYTEA"),
        ("a\\b", "BYTEA"),
        ("2026-01-31 12:00", "DATE"),
        ("10:00:60", "TIME"),
        ("10:00:00.1234567", "TIME"),
        ("2026-01-31 00:00:00.1234567", "TIMESTAMP"),
        ("2026-01-31 00:00:00Z", "TIMESTAMP"),
        ("2026-01-31 00:00:00", "TIMESTAMPTZ"),
        ("999999-01-01", "TIMESTAMP(9)"),
        ("[1", "INT[]"),
        ('[1, "x"]', "INT[]"),
        ("1", "INT[]"),
        ('{"a": 1, "z": 2}', "STRUCT<a INT>"),
        ("x", "STRUCT<a INT>"),
    ],
)
def test_what_would_change_is_refused(written: str, sql_type: str):
    """A value that the type cannot hold as it stands is refused by its position."""
    with pytest.raises(Unreadable) as refused:
        read(pa.array([None, written, None]), storage_type(parse_type(sql_type)))
    assert refused.value.position == 1


@pytest.mark.parametrize(
    ("written", "sql_type", "value"),
    [
        (" 5 ", "INT", 5),
        ("yes", "BOOLEAN", True),
        ("f", "BOOLEAN", False),
        ("abc", "BYTEA", b"abc"),
        ("a\\\\b\\001", "BYTEA", b"a\\b\x01"),
        ("\\x0aFF", "BYTEA", b"\x0a\xff"),
    ],
)
def test_other_peoples_text_is_read(written: str, sql_type: str, value: object):
    """Forms that PostgreSQL takes are read, too."""
    assert read(pa.array([written]), parse_type(sql_type)).to_pylist() == [value]


@pytest.mark.parametrize(
    ("span", "text"),
    [
        ((14, 3, 14_706_700_000_000), "1 year 2 mons 3 days 04:05:06.7"),
        ((0, 0, 0), "00:00:00"),
        ((-1, 2, -1_000_000_000), "-1 mons +2 days -00:00:01"),
        ((0, 0, 360_000_000_000_000), "100:00:00"),
    ],
)
def test_intervals_are_written_as_in_postgresql(span: tuple[int, int, int], text: str):
    """Years, months, days and a time, each with its sign."""
    assert interval_text(*span) == text


def test_encoded_columns_are_written_plainly():
    """Dictionaries, run ends, views and maps are written as what they stand for."""
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["x", "y"]).dictionary_encode())
    assert texts(runs).to_pylist() == ["x", "x", "y"]
    assert texts(pa.array([[1], None], pa.list_view(pa.int8()))).to_pylist() == ["[1]", None]
    assert json_values(pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int8()))) == [{"k": 1}, None]
