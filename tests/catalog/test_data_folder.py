"""The data folder: one owner at a time, one format."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.data_folder import FORMAT_VERSION, DataFolder
from catalog.errors import ErrorKind
from tests.catalog.samples import refused

OPEN_ELSEWHERE = """
import sys
from pathlib import Path
from catalog.data_folder import DataFolder
from catalog.errors import DatabaseError
try:
    DataFolder(Path(sys.argv[1]))
except DatabaseError as error:
    print(error.kind.name, error.message)
else:
    print("opened")
"""


def open_elsewhere(root: Path) -> str:
    """Open a folder in another process and return what it says."""
    done = subprocess.run([sys.executable, "-c", OPEN_ELSEWHERE, root], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    """A server may start on a path that does not exist."""
    folder = DataFolder(tmp_path / "a" / "b")
    assert folder.tables.is_dir()
    folder.close()


def test_a_folder_says_its_format(tmp_path: Path) -> None:
    """FORMAT is JSON and holds the version, and no temporary file is left beside it."""
    DataFolder(tmp_path).close()
    assert json.loads((tmp_path / "FORMAT").read_text()) == {"format": FORMAT_VERSION}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["FORMAT", "LOCK", "tables"]


def test_another_process_is_refused(tmp_path: Path) -> None:
    """Two servers never share a folder, and the message says what to do."""
    folder = DataFolder(tmp_path)
    said = open_elsewhere(tmp_path)
    folder.close()
    assert said.startswith("UNAVAILABLE data folder")
    assert "in use by another process; stop it or choose another folder" in said


def test_a_folder_can_be_opened_after_its_owner_closed_it(tmp_path: Path) -> None:
    """Closing lets the next process in."""
    DataFolder(tmp_path).close()
    assert open_elsewhere(tmp_path) == "opened"


def test_a_folder_can_be_opened_after_its_owner_died(tmp_path: Path) -> None:
    """The kernel drops the lock of a dead process: nothing has to be cleaned up."""
    assert open_elsewhere(tmp_path) == "opened"
    DataFolder(tmp_path).close()


@pytest.mark.parametrize("found", [FORMAT_VERSION + 1, FORMAT_VERSION - 1, "1"])
def test_another_format_is_refused(tmp_path: Path, found: object) -> None:
    """A folder of another format is not touched, and the message names both formats."""
    (tmp_path / "FORMAT").write_text(json.dumps({"format": found}))
    message = refused(ErrorKind.UNSUPPORTED, lambda: DataFolder(tmp_path))
    assert f"has format {found}, this server reads format {FORMAT_VERSION}" in message
    assert not (tmp_path / "tables").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"7", b"\xff\xfe"])
def test_a_damaged_format_is_refused(tmp_path: Path, content: bytes) -> None:
    """A FORMAT that names no format is damage, not a new folder."""
    (tmp_path / "FORMAT").write_bytes(content)
    refused(ErrorKind.CORRUPT, lambda: DataFolder(tmp_path))


def test_a_refused_folder_is_let_go(tmp_path: Path) -> None:
    """After a refusal the lock is free, in the same process too."""
    (tmp_path / "FORMAT").write_text("{")
    for _ in range(2):
        refused(ErrorKind.CORRUPT, lambda: DataFolder(tmp_path))
    (tmp_path / "FORMAT").unlink()
    DataFolder(tmp_path).close()
