"""Text files through the loader: what CSV and JSON lines say is what the table has, or an error names the line."""

import gzip
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_load import change, fetch
from tests.server_process import ServerProcess

Rows = list[tuple[object, ...]]


@pytest.fixture
def load(call: Run, server: ServerProcess, tmp_path: Path, request: pytest.FixtureRequest):
    """Load a file of this content into a new table; return the rows, or what went wrong."""
    table = request.node.name.partition("[")[0].removeprefix("test_")[:60]

    def load_content(content: str | bytes, *options: str, name: str = "a.csv") -> Rows | str:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        done = call("load", tmp_path / name, "--table", table, *options)
        if done.returncode:
            assert (done.returncode, done.stderr.count("\n")) == (1, 1)
            return done.stderr.removeprefix(f"flightserver: {tmp_path}/").rstrip("\n")
        return fetch(server, f"SELECT * FROM {table}")

    return load_content


def types(server: ServerProcess, table: str) -> list[str]:
    """The types of a table's columns."""
    return [str(row[1]) for row in fetch(server, f"SHOW COLUMNS FROM {table}")]


def test_a_line_end_within_quotes_is_kept(load):
    """Also where the reader's block ends between its two letters."""
    head = b'id,s,p\n0,"'
    content = head + b"z" * ((4 << 20) - len(head) - 2) + b'A\r\nB",x\r\n1,a,x\r\n'
    assert [row[1][-4:] for row in load(content)] == ["A\r\nB", "a"]


def test_a_row_larger_than_a_block_is_read(load):
    """However long a value is, and whatever lines it has."""
    rows = load('a,b\n0,x\n1,"' + "y\n" * 6_000_000 + '"\n2,z\n')
    assert [(number, len(text)) for number, text in rows] == [(0, 1), (1, 12_000_000), (2, 1)]


def test_a_blank_line_of_one_column_is_null(load):
    """It is what a CSV writer makes of NULL there."""
    assert load("a\n1\n\n3\n") == [(1,), (None,), (3,)]


def test_a_blank_line_between_wide_rows_is_nothing(load):
    """A row of several columns has commas."""
    assert load("\na,b\n1,2\n\n3,4\n\n") == [(1, 2), (3, 4)]


def test_codes_keep_their_zeros(load):
    """What would change as a number stays text."""
    assert load('zip,hex,phone,quoted\n02138,0x1F,+49123,"007"\n') == [("02138", "0x1F", "+49123", "007")]


def test_large_numbers_keep_their_digits(load, server: ServerProcess):
    """A whole number beyond BIGINT is a DECIMAL, no rounded DOUBLE."""
    assert [int(value) for (value,) in load("a\n11898508762506083287\n")] == [11898508762506083287]
    assert types(server, "large_numbers_keep_their_digits") == ["DECIMAL(38,0)"]


def test_a_type_can_be_asked_for(load, server: ServerProcess):
    """--type names what a column is read as, in the words of SQL."""
    assert load("a,b\n1,2\n", "--type", "a=TEXT", "--type", "b=DECIMAL(5,1)")[0][0] == "1"
    assert types(server, "a_type_can_be_asked_for") == ["TEXT", "DECIMAL(5,1)"]


def test_a_uuid_can_be_asked_for(load, server: ServerProcess):
    """A type that text alone does not show."""
    assert load("a\n6F9619FF-8B86-D011-B42D-00CF4FC964FF\n", "--type", "a=UUID") == [
        ("6f9619ff-8b86-d011-b42d-00cf4fc964ff",)
    ]
    assert types(server, "a_uuid_can_be_asked_for") == ["UUID"]


def test_text_can_be_asked_for(load):
    """--text takes every column as it is written."""
    assert load("a,b,c\n1,2026-01-01,\n", "--text", "--type", "b=DATE")[0][0] == "1"


def test_a_type_without_its_column_is_refused(load):
    """A misspelt column of --type is no wish that can be ignored."""
    assert load("a\n1\n", "--type", "A=TEXT") == "flightserver: --type A: there is no such column; there are a"


@pytest.mark.parametrize("asked", ["a", "=TEXT", "a=NOTHING"])
def test_a_wrong_type_is_refused(call: Run, tmp_path: Path, asked: str):
    """--type is a column, an equals sign and a type."""
    done = call("load", tmp_path / "none.csv", "--table", "t", "--type", asked)
    assert done.stderr.startswith(f"flightserver: --type {asked}: ")


def test_empty_columns_are_text(load, server: ServerProcess):
    """A column without a value can hold any that follows."""
    assert load("a,b\n1,\n2,\n") == [(1, None), (2, None)]
    assert types(server, "empty_columns_are_text") == ["BIGINT", "TEXT"]


def test_a_column_may_begin_empty(load):
    """Also when no value comes for many megabytes."""
    rows = load("a,b\n" + f"{'x' * 990},\n" * 9_000 + "y,1\n")
    assert (len(rows), rows[-1]) == (9_001, ("y", "1"))


def test_a_header_alone_makes_a_table(load, server: ServerProcess):
    """No rows are no error."""
    assert load("a,b\n") == []
    assert types(server, "a_header_alone_makes_a_table") == ["TEXT", "TEXT"]


def test_an_empty_file_is_refused(load):
    """Without a header there are no columns."""
    assert load("") == "a.csv has no header line"


def test_columns_without_a_name_get_one(load, call: Run):
    """As does one whose name is taken."""
    load("id,,a,a\n1,2,3,4\n")
    shown = call("sql", "--format", "json", "-c", "SELECT * FROM columns_without_a_name_get_one")
    assert shown.stdout == '{"id": 1, "column_2": 2, "a": 3, "a_2": 4}\n'


def test_other_encodings_are_named(load):
    """Text that is not UTF-8 is no BYTEA: the line is named, and --encoding reads it."""
    content = "a,b\n1,x\n2,München\n".encode("latin-1")
    assert load(content) == (
        "a.csv, line 3: column b: 'M\\xfcnchen' is not UTF-8; name the encoding, like --encoding latin-1"
    )
    assert load(content, "--encoding", "latin-1") == [(1, "x"), (2, "München")]


def test_a_header_in_another_encoding_is_named(load):
    """As its rows are."""
    assert load("ä,b\n1,x\n".encode("latin-1")).startswith("a.csv, line 1: the header is not UTF-8; ")


def test_a_byte_order_mark_names_the_encoding(load):
    """What Excel writes as Unicode text is read."""
    assert load("a,b\n1,ü\n".encode("utf-16")) == [(1, "ü")]
    assert load("a,b\n1,ü\n".encode("utf-8-sig"), "--mode", "replace") == [(1, "ü")]


def test_an_unknown_encoding_is_refused(call: Run, tmp_path: Path):
    """By its name, before anything is read."""
    done = call("load", tmp_path / "none.csv", "--table", "t", "--encoding", "klingon")
    assert done.stderr.startswith("flightserver: --encoding klingon: ")


def test_null_words_add_to_nothing(load):
    """--null says what else is NULL; nothing between commas still is."""
    assert load("a,b\nNA,1\n,2\nx,NA\n", "--null", "NA") == [(None, 1), (None, 2), ("x", None)]


def test_nothing_can_be_an_empty_text(load):
    """--empty-text takes that away."""
    assert load("a,b\nx,\n,y\n", "--empty-text") == [("x", ""), ("", "y")]


def test_a_tab_separates_tsv(load):
    """The name of a file says what stands between its fields."""
    assert load("a\tb\n1\tx,y\n", name="a.tsv") == [(1, "x,y")]


def test_another_delimiter_is_asked_for(load):
    """A CSV without commas in its header is not one column: the option is named."""
    assert load("a\tb\n1\t2\n") == (
        "a.csv, line 1: the header has no ',' but '\\t'; say --delimiter tab, or --delimiter ',' if this is one column"
    )
    assert load("a\tb\n1\t2\n", "--delimiter", "tab") == [(1, 2)]
    assert load("a;b\n1;2\n", "--mode", "replace").startswith("a.csv, line 1: ")
    assert load("a;b\n1;2\n", "--mode", "replace", "--delimiter", ";") == [(1, 2)]


def test_a_value_that_breaks_the_guess_is_named(load):
    """Column, line and value, and the way out."""
    rows = "".join(f'{number},"two\n{"x" * 990}"\n' for number in range(9_000))
    assert load(f"a,b\n{rows}1.5,x\n") == (
        "a.csv, line 18002: column a: '1.5' is no BIGINT (guessed from the first rows; --type a=TEXT takes any)"
    )


def test_a_value_that_is_none_of_the_type_is_named(load):
    """Blank lines count, too."""
    assert load("a,b\n\n1,2\n3,x\n", "--type", "b=INT") == "a.csv, line 4: column b: 'x' is no INT"


@pytest.mark.parametrize(("row", "fields"), [("3", "1 field"), ("3,4,5", "3 fields")])
def test_a_ragged_row_is_named(load, row: str, fields: str):
    """By its line and how many fields it has."""
    assert load(f'a,b\n1,"x\ny"\n{row}\n') == f"a.csv, line 4: {fields}, but the header has 2"


def test_a_zipped_file_that_is_cut_off_is_refused(load):
    """Not loaded up to there."""
    content = gzip.compress("".join(["a,b\n", *(f"{i},{i * 7919 % 997}\n" for i in range(100_000))]).encode())
    assert "cut off or damaged" in load(content[: len(content) // 2], name="a.csv.gz")
    assert len(load(content, name="a.csv.gz")) == 100_000


def test_one_row_is_no_rows(call: Run, tmp_path: Path):
    """The count is in words that fit."""
    (tmp_path / "one.csv").write_text("a\n1\n")
    done = call("load", tmp_path / "one.csv", "--table", "one_row")
    assert done.stdout.startswith("loaded 1 row into public.one_row in ")


def test_json_lines_are_rows(load, server: ServerProcess):
    """Keys are columns, a missing one is NULL, and numbers keep their digits."""
    content = '{"a": 1, "b": "007", "c": [1, 2]}\n\n{"a": 2, "d": {"x": 11898508762506083287, "y": "2026-01-31"}}\n'
    assert [row[:2] for row in load(content, name="a.jsonl")] == [(1, "007"), (2, None)]
    assert types(server, "json_lines_are_rows") == [
        "BIGINT",
        "TEXT",
        "LIST<BIGINT>",
        "STRUCT<x DECIMAL(38,0), y DATE>",
    ]


def test_json_lines_may_be_zipped(load):
    """As other text may."""
    assert load(gzip.compress(b'{"a": 1}\n'), name="a.json.gz") == [(1,)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "this is no JSON"),
        ("[1]", "a line holds one JSON object"),
        ('{"a": "x"}', "key a: 'x' is no BIGINT"),
        ('{"a": 1, "b": 2}', "key b is in none of the first lines; name it, like --type b=TEXT"),
    ],
)
def test_a_wrong_json_line_is_named(load, line: str, reason: str):
    """By its number and what is wrong with it."""
    first = f'{{"a": 1, "text": "{"x" * 990}"}}\n' * 5_000
    assert load(f"{first}{line}\n", name="a.json").startswith(f"a.json, line 5001: {reason}")


def test_a_url_is_no_file(call: Run):
    """What is not on this machine is said to be a URL, as it was written."""
    done = call("load", "s3://bucket/a.parquet", "--table", "t")
    assert (done.returncode, done.stderr) == (
        1,
        "flightserver: s3://bucket/a.parquet is a URL; load takes files of this machine, so fetch it first\n",
    )


def test_a_replacement_takes_the_types_of_the_table(load, server: ServerProcess):
    """What replaces the rows of a table is read as they were."""
    load("code\n007\n")
    assert load("code\n8\n", "--mode", "replace") == [("8",)]


def test_text_takes_the_types_of_the_table(load, server: ServerProcess, call: Run, tmp_path: Path):
    """Whatever it looks like."""
    change(server, "CREATE TABLE taken_types (code TEXT PRIMARY KEY, raw BYTEA, at TIMESTAMPTZ, list INT[])")
    (tmp_path / "a.csv").write_text('code,raw,at,list\n007,\\x0106,2026-01-31 12:00:00+01,"[1,null]"\n')
    (tmp_path / "b.json").write_text('{"code": 8, "raw": "\\\\x00", "at": null, "list": []}\n')
    for name in ("a.csv", "b.json"):
        done = call("load", tmp_path / name, "--table", "taken_types", "--mode", "append")
        assert done.returncode == 0, done.stderr
    assert fetch(server, "SELECT code, raw, CAST(at AS TEXT), list FROM taken_types ORDER BY code") == [
        ("007", b"\x01\x06", "2026-01-31 11:00:00+00", [1, None]),
        ("8", b"\x00", None, []),
    ]
