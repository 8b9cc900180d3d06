"""The data folder: one owner at a time, one format, and nothing made anew in the place of what was lost."""

import json
import shutil
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


def open_and_close(root: Path) -> None:
    """Open a folder and its store, and close both."""
    folder = DataFolder(root)
    try:
        folder.open_store().close()
    finally:
        folder.close()


def test_a_folder_says_its_format(tmp_path: Path) -> None:
    """FORMAT is JSON and holds the version, and no temporary file is left beside it."""
    open_and_close(tmp_path)
    assert json.loads((tmp_path / "FORMAT").read_text()) == {"format": FORMAT_VERSION}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["FORMAT", "LOCK", "rocksdb", "rocksdb.mark", "tables"]


@pytest.mark.parametrize("made", ["LOCK", "FORMAT.tmp", "tables", "rocksdb"])
def test_a_folder_that_was_half_made_is_finished(tmp_path: Path, made: str) -> None:
    """A process that died while it made the folder left nothing that could be lost."""
    open_and_close(tmp_path)
    (tmp_path / "FORMAT").rename(tmp_path / "FORMAT.tmp")
    order = ["LOCK", "FORMAT.tmp", "tables", "rocksdb"]
    for name in order[order.index(made) + 1 :]:
        shutil.rmtree(tmp_path / name) if (tmp_path / name).is_dir() else (tmp_path / name).unlink()
    open_and_close(tmp_path)
    assert (tmp_path / "FORMAT").exists()


@pytest.mark.parametrize(("lost", "empty"), [("rocksdb", False), ("rocksdb", True), ("tables", False)])
def test_a_folder_that_has_lost_a_part_is_refused(tmp_path: Path, lost: str, empty: bool) -> None:
    """What is missing is named and not made anew; an empty folder in the place of the store is no store."""
    open_and_close(tmp_path)
    shutil.rmtree(tmp_path / lost)
    if empty:
        (tmp_path / lost).mkdir()
    message = refused(ErrorKind.CORRUPT, lambda: DataFolder(tmp_path))
    assert f"{tmp_path / lost} is missing" in message
    assert not (tmp_path / lost / "CURRENT").exists()


@pytest.mark.parametrize("content", ["rocksdb", "tables"])
def test_content_without_a_format_is_refused(tmp_path: Path, content: str) -> None:
    """A folder that has something and no FORMAT is no new folder of the newest format."""
    open_and_close(tmp_path)
    (tmp_path / "tables" / "public").mkdir()
    for name in {"rocksdb", "tables"} - {content}:
        shutil.rmtree(tmp_path / name)
    (tmp_path / "FORMAT").unlink()
    assert "has content and no FORMAT" in refused(ErrorKind.CORRUPT, lambda: DataFolder(tmp_path))
    assert not (tmp_path / "FORMAT").exists()


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


def test_what_a_dead_owner_has_spilled_is_gone(tmp_path: Path) -> None:
    """The folder for it is empty each time."""
    folder = DataFolder(tmp_path / "data")
    (folder.fresh_scratch() / "datafusion-x").mkdir()
    folder.close()
    again = DataFolder(tmp_path / "data")
    assert list(again.fresh_scratch().iterdir()) == []
    again.close()


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


@pytest.mark.parametrize("root", ["file", "file/below", "/sys/data"])
def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path, root: str) -> None:
    """A file stands in its place, or nothing can be made there."""
    (tmp_path / "file").write_bytes(b"")
    message = refused(ErrorKind.UNAVAILABLE, lambda: DataFolder(tmp_path / root))
    assert message.startswith(f"data folder {tmp_path / root} cannot be used: ")
    assert "\n" not in message
