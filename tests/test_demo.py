"""The first thing that a new user runs: `make demo`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def shown() -> str:
    """Everything that the demo prints, on a wide terminal, with blanks and frames squeezed."""
    done = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return " ".join(done.stdout.replace("│", " ").split())


def test_all_flights_of_a_year_are_loaded(shown: str) -> None:
    """From the package, with a key of six columns."""
    assert "flights: 336,776 rows, key (year, month, day, carrier, flight, origin)" in shown


def test_a_corrected_flight_is_seen_once(shown: str) -> None:
    """With its new value; and what was deleted is not counted."""
    assert "before 1 -5 336776" in shown
    assert "after 1 -8 335911" in shown


def test_each_question_says_how_long_it_took(shown: str) -> None:
    """Three analyses, a look-up by key and one by a bloom filter."""
    assert shown.count("answered (") == 5


@pytest.mark.parametrize(
    "pruned",
    [
        "total=7 kept=7 pruned_by_range=0 pruned_by_bloom=0",
        "total=7 kept=2 pruned_by_range=5 pruned_by_bloom=0",
        "total=7 kept=1 pruned_by_range=0 pruned_by_bloom=6",
    ],
)
def test_each_question_says_what_it_did_not_read(shown: str, pruned: str) -> None:
    """Nothing is left out, most by ranges, most by blooms."""
    assert f"public.flights: batches {pruned}, hot rows=0" in shown


def test_it_ends_cleanly(shown: str) -> None:
    """The server and its folder."""
    assert shown.endswith("The server has stopped cleanly, and its folder is removed.")
