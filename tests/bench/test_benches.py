"""Every bench can be run: tiny, with its own checks of what it measured. What it took means nothing here."""

import importlib
import math
import shutil
import sys
from pathlib import Path

import pytest

from bench.__main__ import NAMES
from bench.report import Figure, at_least, at_most
from bench.scale import Scale

pytest.importorskip("duckdb")


@pytest.fixture(autouse=True)
def tools_of_this_environment(monkeypatch):
    """Find tpchgen-cli next to this interpreter, whether or not its environment is active."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")


@pytest.mark.parametrize("name", NAMES)
def test_runs_and_checks_its_results(name):
    """No bench has rotted."""
    if name == "tpch" and shutil.which("tpchgen-cli") is None:
        pytest.skip("tpchgen-cli is not installed")
    figures = importlib.import_module(f"bench.{name}").run(Scale(tiny=True))
    assert figures
    assert all(math.isfinite(figure.value) for figure in figures)


def test_a_table_line_says_whether_the_target_is_met():
    """Both senses of a target, and no target."""
    assert str(Figure("w", "1", "2", 0.5, at_most(1.0))) == "| w | 1 | 2 | 0.5 x | ≤ 1 x | yes |"
    assert str(Figure("w", "1", "2", 0.5, at_least(1.0))) == "| w | 1 | 2 | 0.5 x | ≥ 1 x | **no** |"
    assert str(Figure("w", "1", "2", 1234.5, None, "ms")) == "| w | 1 | 2 | 1,234 ms | - | - |"
