"""Every bench can be run: tiny, with its own checks of what it measured. What it took means nothing here."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.__main__ import NAMES
from bench.report import Figure, at_least, at_most, number

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.proof, pytest.mark.timeout(3600)]
"""The first test runs every bench."""


@pytest.fixture(scope="module")
def printed() -> Mapping[str, str]:
    """What the command prints, by its headlines. It ends well, which means that all results were right."""
    pytest.importorskip("duckdb")
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "bench", "--tiny", *NAMES]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PATH": tools}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    _, *parts = re.split(r"^## (\w+)\n", done.stdout, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_runs_and_checks_its_results(printed: Mapping[str, str], name: str) -> None:
    """And prints figures, which the last table has, too."""
    _, _, table = printed[name].partition("| what |")
    figures = [line for line in table.splitlines()[1:] if line.startswith("| ")]
    assert figures
    assert set(figures) <= set(printed["All"].splitlines())


@pytest.mark.parametrize(
    ("target", "met"), [(at_most(1.0), "≤ 1 x | yes"), (at_least(1.0), "≥ 1 x | **no**"), (None, "- | -")]
)
def test_a_line_says_whether_the_target_is_met(target: object, met: str) -> None:
    """Both senses of a target, and none."""
    assert str(Figure("w", "1", "2", 0.5, target)) == f"| w | 1 | 2 | 0.5 x | {met} |"


@pytest.mark.parametrize(
    ("value", "text"), [(0.00321, "0.00321"), (1.0, "1"), (1.2345, "1.23"), (1234.4, "1,234"), (0, "0")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    """And no exponent."""
    assert number(value) == text
