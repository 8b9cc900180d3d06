"""Every bench can be run: tiny, with its own checks of what it measured. What it took means nothing here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import NAMES
from bench.report import Figure, at_least, at_most, number

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", NAMES)
def test_runs_and_checks_its_results(name: str) -> None:
    """The command ends well, which means that the results were right, and prints figures."""
    pytest.importorskip("duckdb")
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "bench", "--tiny", name]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PATH": tools}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    head, _, table = done.stdout.partition("## All")
    assert head.startswith(f"## {name}")
    assert len(table.strip().splitlines()) > 2


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
