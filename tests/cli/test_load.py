"""The loader: file types, modes, failures."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv, ipc
from pyarrow import parquet as pq

from tests.cli.conftest import Run
from tests.cli.terminal import Terminal
from tests.server_process import ServerProcess

ROWS = pa.table({"id": pa.array(range(1_000)), "word": [None if i % 10 == 0 else f"w{i}" for i in range(1_000)]})


def write(path: Path, rows: pa.Table = ROWS) -> Path:
    """Write rows in the form that the file's name asks for."""
    match path.suffix:
        case ".parquet":
            pq.write_table(rows, path)
        case ".csv":
            csv.write_csv(rows, path)
        case ".gz":
            csv.write_csv(rows, path.with_suffix(""))
            path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
        case ".arrow":
            with ipc.new_file(path, rows.schema) as file:
                file.write_table(rows, max_chunksize=100)
        case ".arrows":
            with ipc.new_stream(path, rows.schema) as stream:
                stream.write_table(rows)
    return path


def fetch(server: ServerProcess, text: str) -> list[tuple[object, ...]]:
    """A query's rows."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(text)
        return [tuple(row) for row in cursor.fetchall()]


def change(server: ServerProcess, *texts: str) -> None:
    """Run statements."""
    with server.connect() as connection, connection.cursor() as cursor:
        for text in texts:
            cursor.execute(text)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.csv.gz", "a.arrow", "a.arrows"])
def test_every_kind_of_file_loads(call: Run, server: ServerProcess, tmp_path: Path, name: str):
    """All rows arrive, with NULLs."""
    done = call("load", write(tmp_path / name), "--table", "kinds", "--mode", "replace", "--batch-rows", "64")
    assert done.returncode == 0, done.stderr
    assert fetch(server, "SELECT count(*), count(word), sum(id) FROM kinds") == [(1_000, 900, 499_500)]


def test_rows_and_speed_are_printed(call: Run, tmp_path: Path):
    """The end names rows, table and rate, and there is no progress off terminals."""
    done = call("load", write(tmp_path / "a.parquet"), "--table", "public.printed")
    assert done.stdout.startswith("loaded 1,000 rows into public.printed in ")
    assert done.stdout.endswith(" rows/s)\n")
    assert done.stderr == ""


def test_progress_on_a_terminal(environment: dict[str, str], tmp_path: Path):
    """On a terminal a bar is shown."""
    path = write(tmp_path / "a.parquet")
    with Terminal(environment, "load", path, "--table", "progress") as terminal:
        terminal.expect("loading")
        terminal.expect("loaded 1,000 rows")
        assert terminal.end() == 0


def test_create_refuses_an_existing_table(call: Run, server: ServerProcess, tmp_path: Path):
    """The default mode never touches a table that exists."""
    change(server, "CREATE TABLE taken (id BIGINT PRIMARY KEY)")
    done = call("load", write(tmp_path / "a.parquet"), "--table", "taken")
    assert (done.returncode, done.stderr) == (1, "flightserver: table public.taken exists already\n")


def test_append_upserts_by_key(call: Run, server: ServerProcess, tmp_path: Path):
    """A row whose key exists gets a new version."""
    change(
        server,
        "CREATE TABLE keyed (id BIGINT PRIMARY KEY, word TEXT)",
        "INSERT INTO keyed VALUES (5, 'old'), (-1, 'x')",
    )
    assert call("load", write(tmp_path / "a.parquet"), "--table", "keyed", "--mode", "append").returncode == 0
    assert fetch(server, "SELECT count(*), max(word) FILTER (WHERE id = 5) FROM keyed") == [(1_001, "w5")]


def test_append_needs_a_table(call: Run, tmp_path: Path):
    """Append does not create."""
    done = call("load", write(tmp_path / "a.parquet"), "--table", "absent", "--mode", "append")
    assert done.returncode == 1
    assert "public.absent" in done.stderr


def test_create_append_creates_then_appends(call: Run, server: ServerProcess, tmp_path: Path):
    """The first run makes the table, the second adds to it."""
    path = write(tmp_path / "a.parquet")
    for _ in range(2):
        assert call("load", path, "--table", "both", "--mode", "create_append").returncode == 0
    assert fetch(server, "SELECT count(*) FROM both") == [(2_000,)]


def test_several_files_are_one_table(call: Run, server: ServerProcess, tmp_path: Path):
    """Files of different kinds with one schema load together."""
    paths = [write(tmp_path / name) for name in ("a.parquet", "b.arrow", "c.csv")]
    assert call("load", *paths, "--table", "several").returncode == 0
    assert fetch(server, "SELECT count(*) FROM several") == [(3_000,)]


def test_other_columns_are_refused(call: Run, tmp_path: Path):
    """All files must have one schema; the message names the column that is missing."""
    other = write(tmp_path / "b.parquet", ROWS.select(["id"]))
    done = call("load", write(tmp_path / "a.parquet"), other, "--table", "mixed")
    assert done.returncode == 1
    assert "b.parquet lacks word" in done.stderr


def test_other_types_are_refused(call: Run, tmp_path: Path):
    """A column of another type is named with both types."""
    other = write(tmp_path / "b.parquet", ROWS.set_column(0, "id", ROWS["id"].cast(pa.int32())))
    done = call("load", write(tmp_path / "a.parquet"), other, "--table", "mixed")
    assert done.returncode == 1
    assert "column id is int64 in " in done.stderr


def test_csv_takes_the_types_of_the_table(call: Run, server: ServerProcess, tmp_path: Path):
    """Text that looks like a number stays text in a TEXT column."""
    change(server, "CREATE TABLE codes (code TEXT PRIMARY KEY, day DATE)")
    (tmp_path / "codes.csv").write_text("code,day\n007,2026-01-02\n")
    assert call("load", tmp_path / "codes.csv", "--table", "codes", "--mode", "append").returncode == 0
    assert fetch(server, "SELECT code, CAST(day AS TEXT) FROM codes") == [("007", "2026-01-02")]


def test_bad_csv_value_leaves_nothing(call: Run, server: ServerProcess, tmp_path: Path):
    """A value that does not fit is named with its file, and no row of the whole load is there."""
    change(server, "CREATE TABLE strict (id BIGINT PRIMARY KEY, word TEXT)")
    good = write(tmp_path / "a.parquet")
    (tmp_path / "bad.csv").write_text("id,word\n5000,x\noops,y\n")
    done = call("load", good, tmp_path / "bad.csv", "--table", "strict", "--mode", "append")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.endswith("bad.csv, line 3: column id: 'oops' is no BIGINT\n")
    assert fetch(server, "SELECT count(*) FROM strict") == [(0,)]


def test_null_word_is_chosen(call: Run, server: ServerProcess, tmp_path: Path):
    """--null says what means NULL; otherwise NA is a text."""
    (tmp_path / "na.csv").write_text("id,word\n1,NA\n2,x\n")
    assert call("load", tmp_path / "na.csv", "--table", "na_text").returncode == 0
    assert call("load", tmp_path / "na.csv", "--table", "na_null", "--null", "NA").returncode == 0
    assert fetch(server, "SELECT count(word) FROM na_text UNION ALL SELECT count(word) FROM na_null") in (
        [(2,), (1,)],
        [(1,), (2,)],
    )


def test_shell_csv_loads_unchanged(call: Run, server: ServerProcess, tmp_path: Path):
    """What `sql --format csv` writes, `load` reads back: empty text and NULL stay apart."""
    change(
        server, "CREATE TABLE around (id BIGINT PRIMARY KEY, word TEXT)", "INSERT INTO around VALUES (1, ''), (2, NULL)"
    )
    (tmp_path / "around.csv").write_text(call("sql", "--format", "csv", "-c", "SELECT * FROM around").stdout)
    assert call("load", tmp_path / "around.csv", "--table", "around_again").returncode == 0
    assert fetch(server, "SELECT word FROM around_again ORDER BY id") == [("",), (None,)]


def test_large_rows_are_cut_into_messages(call: Run, server: ServerProcess, tmp_path: Path):
    """Batches beyond the driver's message limit are sent in pieces."""
    rows = pa.table({"id": range(32), "word": ["x" * 1_000_000] * 32})
    assert call("load", write(tmp_path / "large.arrow", rows), "--table", "large").returncode == 0
    assert fetch(server, "SELECT sum(length(word)) FROM large") == [(32_000_000,)]


def test_unknown_extension_is_refused(call: Run, tmp_path: Path):
    """A file of no known kind is refused with the kinds that are known."""
    (tmp_path / "a.txt").write_text("id\n1\n")
    done = call("load", tmp_path / "a.txt", "--table", "t")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "use .parquet, .pq" in done.stderr


def test_missing_file_is_refused(call: Run, tmp_path: Path):
    """A file that is not there is named."""
    done = call("load", tmp_path / "none.csv", "--table", "t")
    assert (done.returncode, done.stderr) == (1, f"flightserver: {tmp_path}/none.csv is not a file\n")


def test_damaged_file_is_refused(call: Run, tmp_path: Path):
    """A file that is not what its name says is named in one line."""
    (tmp_path / "a.parquet").write_text("not parquet at all")
    done = call("load", tmp_path / "a.parquet", "--table", "t")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "a.parquet: " in done.stderr


def test_bad_table_name_is_refused(call: Run, tmp_path: Path):
    """A table's name is read as SQL reads it."""
    done = call("load", write(tmp_path / "a.parquet"), "--table", "a b")
    assert done.returncode == 1
    assert "--table a b: " in done.stderr
