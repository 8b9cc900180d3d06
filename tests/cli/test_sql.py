"""The SQL shell as a process: what it takes, what it prints, how it fails."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.terminal import Terminal

ENDLESS = "SELECT count(*) FROM shell_big a, shell_big b, shell_big c WHERE a.id * b.id % 7 < c.id - 5"


@pytest.fixture(scope="module", autouse=True)
def _tables(run: Run) -> None:
    """A table with all kinds of values, and one that is large enough to keep a server busy."""
    numbers = ", ".join(f"({number})" for number in range(3_000))
    script = f"""
        CREATE TABLE shell (id BIGINT PRIMARY KEY, word TEXT, price DECIMAL(10,2), ok BOOLEAN, raw BYTEA, list INT[],
            at TIMESTAMP WITH TIME ZONE);
        INSERT INTO shell VALUES (1, 'eins', 1.50, true, X'00ff', [1, 2], '2026-01-02T03:04:05Z');
        INSERT INTO shell (id) VALUES (20);
        CREATE TABLE shell_big (id BIGINT PRIMARY KEY);
        INSERT INTO shell_big VALUES {numbers};
    """
    done = run("sql", stdin=script)
    assert done.returncode == 0, done.stderr


def test_command_prints_a_table(run: Run):
    """-c prints a header, a line, numbers on the right and NULL as NULL."""
    done = run("sql", "-c", "SELECT id, word FROM shell ORDER BY id")
    assert done.stdout.splitlines()[:4] == [" id │ word", "────┼──────", "  1 │ eins", " 20 │ NULL"]


def test_command_counts_and_times(run: Run):
    """A result ends with its row count and the time it took."""
    assert "(2 rows, " in run("sql", "-c", "SELECT id FROM shell").stdout


def test_change_prints_affected_rows(run: Run):
    """A change says how many rows it affected."""
    assert "(1 row affected, " in run("sql", "-c", "UPDATE shell SET ok = ok WHERE id = 20").stdout


def test_definition_prints_done(run: Run):
    """A statement that counts nothing says that it is done."""
    assert "(done, " in run("sql", "-c", "CREATE TABLE IF NOT EXISTS shell (id BIGINT PRIMARY KEY)").stdout


def test_file_runs_all_statements(run: Run, tmp_path: Path):
    """-f runs a script of several statements, comments and semicolons in texts included."""
    script = tmp_path / "script.sql"
    script.write_text("-- first; not a statement\nSELECT 'a;b' AS x;\n\nSELECT 2 AS y;")
    done = run("sql", "--format", "json", "-f", script)
    assert done.stdout.splitlines() == ['{"x": "a;b"}', '{"y": 2}']


def test_pipe_is_a_script(run: Run):
    """Without a terminal, statements come from stdin."""
    assert run("sql", "--format", "json", stdin="SELECT 1 AS one").stdout == '{"one": 1}\n'


def test_dash_is_stdin(run: Run):
    """`-` reads statements from stdin."""
    assert run("sql", "--format", "json", "-", stdin="SELECT 1 AS one").stdout == '{"one": 1}\n'


def test_error_is_one_line_and_exit_code_1(run: Run):
    """The server's message comes alone, without what the driver puts around it."""
    done = run("sql", "-c", "SELECT * FROM nowhere")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "flightserver: table 'nowhere' not found\n")


def test_error_in_the_middle_of_a_result_is_one_line(run: Run):
    """What fails while rows are read is told as plainly."""
    done = run("sql", "-c", "SELECT 1 / id AS a FROM (SELECT id - 1 AS id FROM shell)")
    assert (done.returncode, done.stderr) == (1, "flightserver: Divide by zero error\n")


def test_script_stops_at_first_error(run: Run, tmp_path: Path):
    """The statement that fails is named by its line, and none runs after it."""
    script = tmp_path / "script.sql"
    script.write_text("SELECT 1 AS a;\nSELECT *\nFROM nowhere;\nSELECT 2 AS b;")
    done = run("sql", "--format", "json", "-f", script)
    assert (done.returncode, done.stdout) == (1, '{"a": 1}\n')
    assert done.stderr == "flightserver: statement at line 2: table 'nowhere' not found\n"


def test_open_string_is_refused(run: Run):
    """A script that cannot be cut into statements fails before anything runs."""
    done = run("sql", "-c", "SELECT 1; SELECT 'x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "this string has no end" in done.stderr


def test_missing_file_is_one_line(run: Run, tmp_path: Path):
    """A script that does not exist is named."""
    done = run("sql", "-f", tmp_path / "none.sql")
    assert (done.returncode, done.stderr) == (
        1,
        f"flightserver: {tmp_path}/none.sql cannot be read: No such file or directory\n",
    )


def test_absent_server_is_one_line(run: Run):
    """A server that is not there is said to be not there."""
    done = run("sql", "--uri", "grpc://127.0.0.1:1", "-c", "SELECT 1")
    assert done.returncode == 1
    assert done.stderr == "flightserver: no server answers at grpc://127.0.0.1:1; start one with `flightserver serve`\n"


def test_csv_tells_null_from_empty_text(run: Run):
    """NULL is nothing, an empty text is quoted."""
    done = run("sql", "--format", "csv", "-c", "SELECT 1 AS a, '' AS b, CAST(NULL AS TEXT) AS c")
    assert done.stdout == '"a","b","c"\n1,"",\n'


def test_csv_writes_lists_and_bytes_as_text(run: Run):
    """What CSV has no form for becomes text."""
    done = run("sql", "--format", "csv", "-c", "SELECT raw, list FROM shell WHERE id = 1")
    assert done.stdout.splitlines()[1] == '"\\x00ff","[1, 2]"'


def test_json_keeps_types(run: Run):
    """Numbers, booleans, lists and NULL are JSON's; decimals keep all digits as text."""
    done = run("sql", "--format", "json", "-c", "SELECT * FROM shell WHERE id = 1")
    assert json.loads(done.stdout) == {
        "id": 1,
        "word": "eins",
        "price": "1.50",
        "ok": True,
        "raw": "\\x00ff",
        "list": [1, 2],
        "at": "2026-01-02 03:04:05Z",
    }


def test_json_keeps_columns_of_one_name(run: Run):
    """Two columns of one name are two keys."""
    done = run("sql", "--format", "json", "-c", "SELECT a.id, b.id FROM shell a JOIN shell b ON a.id < b.id")
    assert json.loads(done.stdout) == {"id": 1, "id_2": 20}


def test_control_characters_cannot_steer_the_terminal(run: Run):
    """An escape sequence in a value is shown, not sent."""
    assert "a\\x1b[31mb" in run("sql", "-c", "SELECT 'a\x1b[31mb' AS x").stdout


def test_max_rows_cuts_a_table(run: Run):
    """--max-rows shows the first rows and says so."""
    done = run("sql", "--max-rows", "2", "-c", "SELECT id FROM shell_big ORDER BY id")
    assert "(the first 2 rows; --max-rows 0 shows all, " in done.stdout


def test_reader_that_goes_away_ends_the_shell(environment: dict[str, str]):
    """`| head` ends the command without a traceback."""
    text = "SELECT a.id, b.id AS other FROM shell_big a, shell_big b"
    line = f'{sys.executable} -m flightserver sql --format json -c "{text}" | head -n 1'
    done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=False)
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


def test_explain_is_not_cut(run: Run):
    """Plans come as blocks, pruning first."""
    assert run("sql", "-c", "EXPLAIN SELECT * FROM shell").stdout.startswith("pruning\n  public.shell: batches total=")


@pytest.fixture(scope="module")
def catalog(run: Run) -> str:
    """What the backslash commands print that look into the catalog."""
    return run("sql", stdin="\\d shell\n\\dt\n\\dn\n").stdout


def test_meta_describes_a_table(catalog: str):
    r"""\d TABLE lists its columns."""
    assert " price  │ DECIMAL(10,2)" in catalog


def test_meta_lists_tables(catalog: str):
    r"""\dt lists tables."""
    assert re.search(r"^ public +│ shell_big +│ SHARED", catalog, re.MULTILINE)


def test_meta_lists_namespaces(catalog: str):
    r"""\dn lists namespaces."""
    assert "\n public\n" in catalog


def test_meta_hides_timing(run: Run):
    r"""\timing leaves the count alone."""
    assert run("sql", stdin="\\timing\nSELECT 1 AS a;\n").stdout.endswith("(1 row)\n\n")


def test_meta_leaves(run: Run):
    r"""\q ends a script."""
    assert run("sql", "--format", "json", stdin="SELECT 1 AS a;\n\\q\nSELECT 2 AS a;\n").stdout == '{"a": 1}\n'


def test_unknown_meta_is_refused(run: Run):
    """A backslash command that does not exist is an error."""
    assert run("sql", "-c", r"\z").returncode == 1


def test_no_progress_off_terminals(run: Run):
    """A slow statement leaves no trace on a stderr that is no terminal."""
    done = run("sql", "-c", "SELECT count(*) FROM shell_big a, shell_big b WHERE a.id * b.id % 7 < b.id - 5")
    assert (done.returncode, done.stderr) == (0, "")


def test_progress_and_cancel_on_a_terminal(environment: dict[str, str]):
    """A slow statement shows that it runs; Ctrl-C cancels it and the shell goes on."""
    with Terminal(environment, "sql") as terminal:
        terminal.expect("flightserver>")
        terminal.type(f"{ENDLESS};\r")
        terminal.expect("Ctrl-C cancels")
        terminal.interrupt()
        terminal.expect("cancelled after")
        terminal.expect("flightserver>")
        terminal.type("SELECT 40 + 2 AS answer;\r")
        terminal.expect("(1 row, ")
        terminal.expect("flightserver>")
        terminal.type("\\q\r")
        assert terminal.end() == 0


def test_statement_spans_lines_and_is_remembered(environment: dict[str, str]):
    """Enter sends a statement only after its `;`; it is in the history afterwards."""
    with Terminal(environment, "sql") as terminal:
        terminal.expect("flightserver>")
        terminal.type("SELECT 6 * 7\r")
        terminal.expect("...>")
        terminal.type("AS answer;\r")
        terminal.expect("(1 row, ")
        terminal.expect("flightserver>")
        terminal.type("\x04")
        assert terminal.end() == 0
    assert "+AS answer;" in (Path(environment["XDG_STATE_HOME"]) / "flightserver" / "history").read_text()


def test_error_keeps_the_shell(environment: dict[str, str]):
    """In the shell a failed statement is reported, and the next one runs."""
    with Terminal(environment, "sql") as terminal:
        terminal.expect("flightserver>")
        terminal.type("SELECT * FROM nowhere;\r")
        terminal.expect("table 'nowhere' not found")
        terminal.expect("flightserver>")
        terminal.type("SELECT 40 + 2 AS answer;\r")
        terminal.expect("(1 row, ")


def test_ctrl_c_ends_a_command(environment: dict[str, str]):
    """Ctrl-C during -c cancels the statement and exits with 130."""
    with Terminal(environment, "sql", "-c", ENDLESS) as terminal:
        terminal.expect("Ctrl-C cancels")
        terminal.interrupt()
        terminal.expect("cancelled after")
        assert terminal.end() == 130


def test_wide_table_fits_the_terminal(environment: dict[str, str]):
    """On a terminal no line is wider than it, and values that are cut end in an ellipsis."""
    text = "SELECT repeat AS a, repeat AS b FROM (SELECT concat_ws('-', 'x', {}) AS repeat)".format(f"'{'y' * 200}'")
    with Terminal(environment, "sql", "-c", text) as terminal:
        shown = terminal.expect("(1 row, ")
    lines = [line for line in shown.splitlines() if "│" in line]
    assert max(map(len, lines)) <= 130
    assert "…" in lines[-1]
