"""The page of faults names tests that are there."""

import re
from pathlib import Path

PAGE = Path(__file__).with_name("README.md")
TESTS = PAGE.parents[1]


def test_every_fault_names_tests_that_are_there() -> None:
    """By file and function."""
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE.read_text())
    missing = [(file, test) for file, test in named if f"\ndef {test}(" not in (TESTS / file).read_text()]
    assert named
    assert not missing
