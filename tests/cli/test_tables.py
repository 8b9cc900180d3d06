"""How the shell shows results to people."""

from collections.abc import Iterator

import pytest

from tests.cli.conftest import Run
from tests.cli.terminal import Terminal

WIDE = "SELECT " + ", ".join(f"'{chr(97 + number) * 30}' AS c{number}" for number in range(12))


def show(call: Run, *arguments: str, stdin: str = "") -> str:
    """What a statement or a script prints."""
    done = call("sql", *arguments, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_null_is_not_the_text_null(call: Run):
    """A text that reads NULL has quotes, and one that has them gets more."""
    rows = "SELECT column1 AS a FROM (VALUES ('NULL'), (NULL), ('''NULL'''), ('NULLS'))"
    assert show(call, "-c", rows).splitlines()[2:6] == [" 'NULL'", " NULL", " ''NULL''", " NULLS"]


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("INTERVAL '14 months 3 days 4 hours 5 minutes 6.7 seconds'", "1 year 2 mons 3 days 04:05:06.7"),
        ("INTERVAL '-1 day'", "-1 days"),
        ("TIMESTAMP '2026-01-03 12:00:00' - TIMESTAMP '2026-01-01'", "2 days 12:00:00"),
        ("[INTERVAL '1 day']", '["1 day"]'),
        ("CAST(CAST(2932897 AS INT) AS DATE)", "10000-01-01"),
        ("MAP {'a': 1}", '{"a": 1}'),
        ("{a: [1.5], b: NULL}", '{"a": [1.5], "b": null}'),
    ],
)
def test_every_type_has_a_text(call: Run, expression: str, text: str):
    """Spans of time as in PostgreSQL, lists, structs and maps as JSON."""
    assert show(call, "-c", f"SELECT {expression} AS a").splitlines()[2].strip() == text


def test_expanded_has_a_line_for_every_column(call: Run):
    r"""\x switches to blocks of lines, and back."""
    script = "\\x\nSELECT 1 AS one, NULL AS longer;\n\\x\nSELECT 1 AS one;\n"
    assert show(call, stdin=f"\\timing\n{script}").splitlines() == [
        "timing is off",
        "expanded is on",
        "─[ row 1 ]─",
        " one    │ 1",
        " longer │ NULL",
        "(1 row)",
        "",
        "expanded is off",
        " one",
        "─────",
        "   1",
        "(1 row)",
        "",
    ]


def test_a_wrong_expanded_is_refused(call: Run):
    r"""\x takes on, off and auto."""
    assert call("sql", stdin="\\x maybe\n").stderr == "flightserver: \\x maybe: say on, off or auto\n"


@pytest.fixture(scope="module")
def wide(environment: dict[str, str]) -> Iterator[str]:
    """What a terminal shows of a row that is wider than it, by itself and with expansion switched off."""
    with Terminal(environment, "sql") as terminal:
        terminal.expect("flightserver>")
        terminal.type(f"{WIDE};\r")
        shown = terminal.expect("(1 row, ")
        terminal.expect("flightserver>")
        terminal.type("\\x off\r")
        terminal.expect("expanded is off")
        terminal.expect("flightserver>")
        terminal.type(f"{WIDE};\r")
        terminal.expect(" c0 ")
        yield shown + "|||" + terminal.expect("shows all")


def test_a_wide_row_is_expanded_on_a_terminal(wide: str):
    """No value is cut to a few letters."""
    shown = wide.partition("|||")[0]
    assert "─[ row 1 ]─" in shown
    assert all(chr(97 + number) * 30 in shown for number in range(12))


def test_what_does_not_fit_is_said_below_the_rows(wide: str):
    """Without expansion columns are left out, and the last line counts them."""
    lines = wide.partition("|||")[2].splitlines()
    assert lines[2].startswith(f" {'a' * 16}… │ {'b' * 16}… │ ")
    assert lines[3].endswith("6 of 12 columns; \\x ")
