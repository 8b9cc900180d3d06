"""Durable files: what is synced in which order, and that damage is found before it is read."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from manifest_samples import refused

from catalog.durable import make_folder, publish, write_synced
from catalog.errors import ErrorKind
from manifest.files import checksum, file_checksum, read_checked, verify

TRACED = {
    "publish": "from catalog.durable import publish; publish(folder / 'manifest.json', b'new')",
    "make_folder": "from catalog.durable import make_folder; make_folder(folder / 'a' / 'b')",
    "write_synced": "from catalog.durable import write_synced; write_synced(folder / 'x', b'new')",
}


def calls_of(action: str, folder: Path) -> list[str]:
    """Run an action under strace; return its calls that name or sync something in `folder`, in order."""
    trace = folder.parent / "trace"
    script = f"import sys; from pathlib import Path; folder = Path(sys.argv[1]); {TRACED[action]}"
    watched = "trace=openat,write,fsync,rename,renameat,renameat2,mkdir,mkdirat,unlink"
    command = ["strace", "-f", "-y", "-e", watched, "-o", str(trace), sys.executable, "-c", script, str(folder)]
    subprocess.run(command, check=True)
    calls = []
    for line in trace.read_text().splitlines():
        called = re.match(r"\d+ +(\w+)\((.*)\) += ", line)
        if called and str(folder) in called.group(2) and called.group(1) != "openat":
            names = re.findall(rf"{re.escape(str(folder))}(/[^\">,]*)?[\">]", called.group(2))
            calls.append(" ".join([called.group(1), *(name.lstrip("/") or "." for name in names)]))
    return calls


needs_strace = pytest.mark.skipif(
    subprocess.run(["sh", "-c", "strace -o /dev/null true"], check=False, capture_output=True).returncode != 0,
    reason="strace is not installed or may not trace, so system calls cannot be seen",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    made = tmp_path / "scope"
    made.mkdir()
    return made


@needs_strace
def test_publishing_syncs_the_file_then_renames_then_syncs_the_folder(folder: Path) -> None:
    """A power cut leaves the old file or the new one, and after the return the new one."""
    assert calls_of("publish", folder) == [
        "write manifest.json.tmp",
        "fsync manifest.json.tmp",
        "rename manifest.json.tmp manifest.json",
        "fsync .",
    ]


@needs_strace
def test_a_new_folder_is_synced_into_its_parent(folder: Path) -> None:
    """Each new level has a durable name before the next is made."""
    assert calls_of("make_folder", folder) == ["mkdir a", "fsync .", "mkdir a/b", "fsync a"]


@needs_strace
def test_a_new_file_is_synced(folder: Path) -> None:
    """Its bytes are durable when the call returns."""
    assert calls_of("write_synced", folder) == ["write x", "fsync x"]


def test_publishing_replaces_and_leaves_nothing_beside(folder: Path) -> None:
    """Only the new content is there afterwards."""
    for content in (b"old", b"new"):
        publish(folder / "manifest.json", content)
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("manifest.json", b"new")]


def test_publishing_survives_a_temporary_file_of_a_crash(folder: Path) -> None:
    """A longer left-over of a writer that died does not shine through."""
    (folder / "manifest.json.tmp").write_bytes(b"left over, and long")
    publish(folder / "manifest.json", b"new")
    assert (folder / "manifest.json").read_bytes() == b"new"


def test_a_reader_sees_the_old_file_or_the_new_one(folder: Path) -> None:
    """A file that was opened before stays what it was."""
    publish(folder / "manifest.json", b"old")
    with (folder / "manifest.json").open("rb") as reader:
        publish(folder / "manifest.json", b"new")
        assert reader.read() == b"old"


def test_an_existing_folder_is_left_alone(folder: Path) -> None:
    """Making it again is no error."""
    (folder / "x").touch()
    make_folder(folder)
    assert (folder / "x").exists()


def test_a_checksum_is_that_of_the_file(folder: Path) -> None:
    """In memory and on the disk, in one piece or several, it is the same."""
    data = bytes(range(256)) * 20_000
    write_synced(folder / "x", data)
    assert file_checksum(folder / "x") == (checksum(data), len(data))


def test_a_checksum_names_its_kind() -> None:
    """Another kind can come later."""
    assert checksum(b"123456789") == "crc32:cbf43926"


def test_a_whole_file_is_read(folder: Path) -> None:
    """The bytes are those that the checksum was made of."""
    write_synced(folder / "x", b"data")
    assert read_checked(folder / "x", checksum(b"data")) == b"data"
    verify(folder / "x", checksum(b"data"), 4)


@pytest.mark.parametrize("content", [b"dbta", b"dat", b"data ", b""])
def test_a_changed_file_is_corrupt(folder: Path, content: bytes) -> None:
    """The message says what is wrong with it, and nothing of its folder; whoever reads it names what it is."""
    (folder / "x").write_bytes(content)
    for attempt in (
        lambda: read_checked(folder / "x", checksum(b"data")),
        lambda: verify(folder / "x", checksum(b"data"), 4),
    ):
        message = refused(ErrorKind.CORRUPT, attempt)
        assert message == "its file is not what was written"
        assert str(folder) not in message


def test_a_missing_file_is_corrupt(folder: Path) -> None:
    """A file that a manifest names exists."""
    for attempt in (lambda: read_checked(folder / "x", ""), lambda: verify(folder / "x", "", 0)):
        assert "missing" in refused(ErrorKind.CORRUPT, attempt)
