"""What WITH (…) may say."""

import pytest

from catalog.definition import Compression, FlushPolicy, TableOptions
from catalog.errors import ErrorKind
from flightserver.sql.options import bloom_column_names, parse_options
from tests.sql.refusals import refusal

IDS = {"a": 4, "b": 7, "C,d": 9}


def test_no_option_gives_the_defaults() -> None:
    """Defaults are those of the table definition."""
    assert parse_options({}, IDS) == TableOptions()


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("rows:10", FlushPolicy(10, None)),
        ("interval:0.5", FlushPolicy(None, 0.5)),
        ("rows:10,interval:60", FlushPolicy(10, 60.0)),
        (" INTERVAL : 60 , Rows : 10 ", FlushPolicy(10, 60.0)),
        ("none", FlushPolicy(None, None)),
    ],
)
def test_flush_policies(text: str, policy: FlushPolicy) -> None:
    """Rows, an interval, both or neither."""
    assert parse_options({"flush_policy": text}, IDS).flush_policy == policy


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rows",
        "rows:",
        "rows:0",
        "rows:1.5",
        "rows:nan",
        "rows:-1",
        "interval:0",
        "interval:inf",
        "rows:1,rows:2",
        "x:1",
    ],
)
def test_bad_flush_policies(text: str) -> None:
    """What is no policy is refused by the option's name."""
    assert "flush_policy" in refusal(ErrorKind.INVALID, lambda: parse_options({"flush_policy": text}, IDS))


def test_bloom_columns_become_ids() -> None:
    """Names, folded unless quoted, become stable ids."""
    assert parse_options({"bloom_columns": 'A, "C,d"'}, IDS).bloom_columns == (4, 9)


def test_no_bloom_columns() -> None:
    """An empty list is a list."""
    assert bloom_column_names(" ") == ()


def test_an_unknown_bloom_column_is_not_found() -> None:
    """The column is named."""
    assert "'x'" in refusal(ErrorKind.NOT_FOUND, lambda: parse_options({"bloom_columns": "x"}, IDS))


@pytest.mark.parametrize("text", ["a,", ",a", "a b", "'a'", "a.b", "a,A", "1"])
def test_bad_bloom_columns(text: str) -> None:
    """What is no list of different names is refused."""
    assert "bloom_columns" in refusal(ErrorKind.INVALID, lambda: bloom_column_names(text))


@pytest.mark.parametrize("text", ["0.00001", "0.5", "1e-3"])
def test_bloom_rates(text: str) -> None:
    """Rates within the limits are numbers."""
    assert parse_options({"bloom_fpp": text}, IDS).bloom_fpp == float(text)


@pytest.mark.parametrize("text", ["0", "0.6", "-0.1", "nan", "one", ""])
def test_bad_bloom_rates(text: str) -> None:
    """Rates that no filter can have are refused."""
    assert "bloom_fpp" in refusal(ErrorKind.INVALID, lambda: parse_options({"bloom_fpp": text}, IDS))


@pytest.mark.parametrize("codec", list(Compression))
def test_compressions(codec: Compression) -> None:
    """Every codec can be named in any case."""
    assert parse_options({"compression": codec.value.upper()}, IDS).compression is codec


def test_unknown_compression() -> None:
    """The codecs are listed."""
    assert "lz4, zstd, none" in refusal(ErrorKind.INVALID, lambda: parse_options({"compression": "gzip"}, IDS))


def test_unknown_options_list_the_known_ones() -> None:
    """A wrong name is answered with the right ones."""
    assert "bloom_fpp" in refusal(ErrorKind.INVALID, lambda: parse_options({"fpp": "1"}, IDS))


def test_options_change_what_is_given() -> None:
    """ALTER TABLE keeps the options it does not name."""
    base = TableOptions(bloom_fpp=0.3, compression=Compression.ZSTD)
    assert parse_options({"bloom_fpp": "0.1"}, IDS, base) == TableOptions(bloom_fpp=0.1, compression=Compression.ZSTD)
