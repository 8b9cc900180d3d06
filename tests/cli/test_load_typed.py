"""Parquet and Arrow files through the loader: what they hold is what the table has, or an error names the column."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import ipc
from pyarrow import parquet as pq

from tests.cli.conftest import Run
from tests.cli.test_load import change, fetch, write
from tests.server_process import ServerProcess

YEARS = [datetime(9999, 12, 31, 23, 59, 59), datetime(1, 1, 1)]
EMPTY_GROUP_FOOTER = bytes.fromhex("1502193c480172150400150425021801610035021801671500001600190c00")
"""Of a Parquet file without rows: `optional int64 a; optional group g {}`."""


@pytest.fixture
def load(call: Run, server: ServerProcess, request: pytest.FixtureRequest):
    """Load files into a new table; return its rows, or what went wrong."""
    table = request.node.name.partition("[")[0].removeprefix("test_")[:60]

    def load_files(*paths: Path, mode: str = "create") -> list[tuple[Any, ...]] | str:
        done = call("load", *paths, "--table", table, "--mode", mode)
        if done.returncode:
            assert (done.returncode, done.stderr.count("\n")) == (1, 1)
            return done.stderr.removeprefix(f"flightserver: {paths[0].parent}/").rstrip("\n")
        return fetch(server, f"SELECT * FROM {table}")

    return load_files


def write_legacy(path: Path, moments: list[Any], data_type: pa.DataType) -> Path:
    """Moments as INT96, as old writers have them."""
    pq.write_table(pa.table({"t": pa.array(moments, data_type)}), path, use_deprecated_int96_timestamps=True)
    return path


def test_old_moments_keep_their_years(load, tmp_path: Path):
    """INT96 reaches farther than nanoseconds do."""
    assert load(write_legacy(tmp_path / "a.parquet", YEARS, pa.timestamp("us"))) == [(year,) for year in YEARS]


def test_old_moments_in_lists_keep_their_years(load, tmp_path: Path):
    """However deep they are."""
    assert load(write_legacy(tmp_path / "a.parquet", [YEARS], pa.list_(pa.timestamp("us")))) == [(YEARS,)]


def test_old_moments_keep_their_nanoseconds(load, server: ServerProcess, tmp_path: Path):
    """Where there are some."""
    load(write_legacy(tmp_path / "a.parquet", [1, 1_700_000_000_000_000_001], pa.timestamp("ns")))
    shown = fetch(server, "SELECT CAST(min(t) AS TEXT) FROM old_moments_keep_their_nanoseconds")
    assert shown == [("1970-01-01 00:00:00.000000001",)]


def test_old_moments_that_no_type_holds_are_refused(load, tmp_path: Path):
    """Nanoseconds, and years beyond them, in one column."""
    moments = pa.table({"t": pa.array([datetime(9999, 1, 1), datetime(2026, 1, 1, microsecond=1)])})
    path = tmp_path / "a.parquet"
    pq.write_table(moments, path, use_deprecated_int96_timestamps=True, use_dictionary=False, compression="none")
    microsecond, nanosecond_more = (count.to_bytes(8, "little") for count in (1_000, 1_001))
    path.write_bytes(path.read_bytes().replace(microsecond, nanosecond_more))
    assert load(path) == (
        "a.parquet: t: some moments have nanoseconds, and others lie in years that TIMESTAMP(9) does not reach"
    )


def test_a_page_that_changed_is_refused(load, tmp_path: Path):
    """The checksum of a page is asked for where there is one."""
    path = tmp_path / "a.parquet"
    rows = pa.table({"a": pa.array([7, 8, 9] * 100)})
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    pq.write_table(rows, path, write_page_checksum=True, **plain)
    content = bytearray(path.read_bytes())
    content[content.index((9).to_bytes(8, "little"))] ^= 1
    path.write_bytes(content)
    assert load(path).startswith("a.parquet: ")


@pytest.mark.parametrize(
    ("values", "type_name"),
    [
        (
            pa.UnionArray.from_dense(
                pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array([1]), pa.array(["x"])]
            ),
            "dense_union<0: int64=0, 1: string=1>",
        ),
        (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), "month_day_nano_interval"),
        (pa.array([1], pa.duration("us")), "duration[us]"),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "map<string, int64>"),
    ],
)
def test_what_cannot_be_stored_is_named(load, tmp_path: Path, values: pa.Array, type_name: str):
    """Before any row of it is read."""
    path = write(tmp_path / "a.arrow", pa.table({"a": range(len(values)), "b": values}))
    assert load(path) == f"a.arrow: column b: type {type_name} cannot be stored"


def test_an_empty_group_is_named(load, tmp_path: Path):
    """A struct without fields has no form here."""
    size = len(EMPTY_GROUP_FOOTER).to_bytes(4, "little")
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + EMPTY_GROUP_FOOTER + size + b"PAR1")
    assert load(tmp_path / "a.parquet") == "a.parquet: column g: type struct<> has no fields"


def test_a_name_with_a_zero_letter_is_refused(load, tmp_path: Path):
    """The driver would cut it there."""
    path = write(tmp_path / "a.arrow", pa.table({"a\0b": [1]}))
    assert load(path).startswith("a.arrow: column name must have ")


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.arrows"])
def test_no_rows_make_a_table(load, server: ServerProcess, tmp_path: Path, name: str):
    """A file with columns alone is no error."""
    path = write(tmp_path / name, pa.schema([("a", pa.int32()), ("b", pa.string())]).empty_table())
    assert load(path, mode="replace") == []
    assert [row[1] for row in fetch(server, "SHOW COLUMNS FROM no_rows_make_a_table")] == ["INT", "TEXT"]


def test_columns_without_values_are_text(load, tmp_path: Path):
    """At the top, in lists and in structs."""
    values = pa.table({"a": pa.nulls(2), "b": [[None], None], "c": [{"x": None}, None]})
    assert load(write(tmp_path / "a.parquet", values)) == [(None, [None], {"x": None}), (None, None, None)]


def test_a_column_without_values_takes_the_type_of_another_file(load, server: ServerProcess, tmp_path: Path):
    """The parts of a table may lack values each for itself."""
    parts = [
        write(tmp_path / "a.parquet", pa.table({"a": pa.nulls(1), "b": [1]})),
        write(tmp_path / "b.parquet", pa.table({"a": [2], "b": pa.nulls(1, pa.int64())})),
    ]
    assert sorted(load(*parts), key=str) == [(2, None), (None, 1)]


def test_a_column_without_values_takes_the_type_of_the_table(call: Run, server: ServerProcess, tmp_path: Path):
    """NULL is a value of every type."""
    change(server, "CREATE TABLE nulls_into (id BIGINT PRIMARY KEY, a DATE)")
    path = write(tmp_path / "a.parquet", pa.table({"id": [1], "a": pa.nulls(1)}))
    assert call("load", path, "--table", "nulls_into", "--mode", "append").returncode == 0
    assert fetch(server, "SELECT * FROM nulls_into") == [(1, None)]


def test_encodings_are_undone(load, tmp_path: Path):
    """Dictionaries, run ends and views are stored as what they stand for, at every depth."""
    words = pa.array(["x", "y", "x"]).dictionary_encode()
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3, 4], pa.int32()), words)
    columns = {
        "words": pa.array(["p", "q", None, "p"], pa.dictionary(pa.int8(), pa.string())),
        "runs": runs,
        "views": pa.array([[1], None, [], [2, None]], pa.list_view(pa.int16())),
        "deep": pa.StructArray.from_arrays([runs], names=["x"]),
        "fixed": pa.array([[1, 2], None, [3, None], [5, 6]], pa.list_(pa.int8(), 2)),
    }
    assert load(write(tmp_path / "a.arrow", pa.table(columns))) == [
        ("p", "x", [1], {"x": "x"}, [1, 2]),
        ("q", "x", None, {"x": "x"}, None),
        (None, "y", [], {"x": "y"}, [3, None]),
        ("p", "x", [2, None], {"x": "x"}, [5, 6]),
    ]


def test_a_damaged_arrow_file_is_refused(load, tmp_path: Path):
    """Offsets that lead out of a batch end in an error, not in the end of the process."""
    path = tmp_path / "a.arrow"
    rows = pa.record_batch({"a": pa.array(["x" * 100, "y" * 100])})
    with ipc.new_file(path, rows.schema) as file:
        file.write_batch(rows)
    content = path.read_bytes()
    path.write_bytes(content.replace((200).to_bytes(4, "little"), (1 << 30).to_bytes(4, "little"), 1))
    assert load(path).startswith("a.arrow: ")


def test_a_type_can_be_asked_for(call: Run, server: ServerProcess, tmp_path: Path):
    """--type casts what a file has, if nothing is lost by it."""
    path = write(tmp_path / "a.parquet", pa.table({"a": [1, 2], "b": ["2026-01-31", None]}))
    asked = ("--table", "typed_asked", "--type", "a=TINYINT", "--type", "b=DATE")
    assert call("load", path, *asked).returncode == 0
    assert [row[1] for row in fetch(server, "SHOW COLUMNS FROM typed_asked")] == ["TINYINT", "DATE"]
    write(path, pa.table({"a": [1, 300], "b": ["x", None]}))
    assert f"{path}: column a: " in call("load", path, *asked, "--mode", "replace").stderr
