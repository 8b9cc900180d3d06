"""SQLAlchemy's own suite of tests for dialects, against a real server.

It has a pytest plugin with options and warning filters of its own, so it runs in a process of its own.
"""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy.engine import URL

from tests.sqlalchemy.suite.requirements import UNSUPPORTED, UNSUPPORTED_TESTS

FOLDER = Path(__file__).parent / "suite"
TESTS_MIN = 650

pytestmark = [pytest.mark.proof, pytest.mark.timeout(3600)]
"""The first test runs the whole suite."""


@pytest.fixture(scope="module")
def report(url: URL, tmp_path_factory: pytest.TempPathFactory) -> ET.ElementTree:
    """What became of every test of the suite."""
    path = tmp_path_factory.mktemp("suite") / "report.xml"
    address = url.update_query_dict({"unenforced": "omit"}).render_as_string(hide_password=False)
    command = [sys.executable, "-m", "pytest", "-c", str(FOLDER / "setup.cfg"), "-p", "no:cacheprovider"]
    command += ["-p", "sqlalchemy.testing.plugin.pytestplugin", "--dburi", address]
    command += ["--junitxml", str(path), "--tb=short", str(FOLDER / "cases.py")]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert path.exists(), done.stdout + done.stderr
    return ET.parse(path)  # noqa: S314 - written by the line above


def outcomes(report: ET.ElementTree, *tags: str) -> list[str]:
    """The messages of all tests with an outcome of these kinds."""
    found = [(case, outcome) for case in report.iter("testcase") for outcome in case if outcome.tag in tags]
    return [f"{case.get('name')}: {outcome.get('message')}" for case, outcome in found]


def test_nothing_fails(report: ET.ElementTree) -> None:
    """Every test that is run passes."""
    broken = outcomes(report, "failure", "error")
    assert not broken, "\n".join(broken)


def test_most_is_run(report: ET.ElementTree) -> None:
    """The suite was found, and what is skipped does not grow unnoticed."""
    assert sum(len(case) == 0 for case in report.iter("testcase")) >= TESTS_MIN


def test_tests_are_skipped_for_listed_reasons_only(report: ET.ElementTree) -> None:
    """Each requirement that skips a test stands in the list with its reason."""
    reasons = tuple(f"{name}: {reason}" for name, reason in (UNSUPPORTED | UNSUPPORTED_TESTS).items())
    assert [skipped for skipped in outcomes(report, "skipped") if not skipped.endswith(reasons)] == []


def test_each_listed_requirement_is_asked_for(report: ET.ElementTree) -> None:
    """The list holds nothing that the suite does not know."""
    (asked,) = [found for found in report.iter("property") if found.get("name") == "asked"]
    assert set(UNSUPPORTED) - set(asked.get("value", "").split()) == set()


def test_each_listed_test_is_skipped(report: ET.ElementTree) -> None:
    """A test that would pass by now leaves the list."""
    skipped = outcomes(report, "skipped")
    assert [name for name in UNSUPPORTED_TESTS if not any(f": {name}: " in message for message in skipped)] == []
