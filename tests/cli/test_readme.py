"""What the README tells people to type works, and what it says about settings is true."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from flightserver.configuration.described import all_fields, allowed, is_live, told
from tests.server_process import ServerProcess

README = (Path(__file__).parents[2] / "README.md").read_text()
DEFAULT_ADDRESS = "//127.0.0.1:31337"
_BLOCK = re.compile(r"<!-- (tour|client) -->\n```(bash|python)\n(.*?)```", re.DOTALL)
BLOCKS = [(match[1], match[2], match[3]) for match in _BLOCK.finditer(README)]


def settings_table() -> str:
    """The README's table of settings."""
    lines = ["| setting | default | allowed | meaning |", "|---|---|---|---|"]
    for key, field in all_fields().items():
        default = "" if field.is_required() else told(field, field.default)
        changes = " *" if is_live(key) else ""
        lines.append(f"| `{key}`{changes} | {default} | {allowed(field)} | {field.description} |")
    return "\n".join(lines) + "\n"


def play(language: str, text: str, server: ServerProcess, environment: dict[str, str], folder: Path) -> str:
    """Run a block as a person would, against the test's server; return what it printed."""
    text = text.replace(DEFAULT_ADDRESS, server.uri.removeprefix("grpc:"))
    command = ["bash", "-euc", text] if language == "bash" else [sys.executable, "-W", "error", "-c", text]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tour(server: ServerProcess, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the blocks of the tour print, in order."""
    folder = tmp_path_factory.mktemp("tour")
    return [play(language, text, server, environment, folder) for kind, language, text in BLOCKS if kind == "tour"]


def test_tour_changes_rows(tour: list[str]):
    """The first block ends with the two rows that are left, corrected."""
    values = [line.split()[-1] for line in tour[0].splitlines() if line.startswith(" north")]
    assert values == ["-3.0", "-3.5"]


def test_tour_sees_a_flushed_and_updated_row_once(tour: list[str]):
    """After the flush and the update the group still has two rows."""
    assert re.search(r"north\s+│\s+2 │\s+-1\.5", tour[1])


def test_tour_prunes(tour: list[str]):
    """A station that does not exist costs no batch."""
    assert "public.readings: batches total=1 kept=0" in tour[1]


def test_tour_ingests_from_python(tour: list[str]):
    """All rows of the stream have arrived."""
    assert "200000" in tour[2]


def test_tour_loads_a_file(tour: list[str]):
    """The loaded rows are there, the missing value as NULL."""
    assert tour[3].splitlines()[-2:] == [
        '"north",2026-01-01 02:00:00,-2.5',
        '"north",2026-01-01 03:00:00,',
    ]


@pytest.mark.parametrize("text", [text for kind, _, text in BLOCKS if kind == "client"])
def test_client_examples_run(text: str, server: ServerProcess, environment: dict[str, str], tmp_path: Path):
    """Each client's example runs without a warning."""
    assert play("python", text, server, environment, tmp_path)


def test_settings_are_documented():
    """The table of settings is generated: what this test compares with can be pasted into the README."""
    documented = README.partition("<!-- settings -->\n")[2].partition("<!-- /settings -->")[0]
    assert documented == settings_table()
