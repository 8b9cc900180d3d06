"""The data folder of a stopped server, checked from the command line."""

from pathlib import Path

from click.testing import CliRunner

from flightserver.cli.check import check
from tests.flush.checking.test_repair import flushed, folder_of, spoil
from tests.storage_fixtures import Database


def run(root: Path, *options: str) -> tuple[int, str]:
    """Exit code and words."""
    done = CliRunner().invoke(check, ["--data-dir", str(root / "data"), *options])
    return done.exit_code, done.output


def test_a_folder_is_checked_and_repaired(tmp_path: Path) -> None:
    """What is derived is written anew when that is asked for; what cannot be is listed, and stays as it is."""
    db = Database(tmp_path)
    table = db.create()
    flushed(table, 1, 2, 3)
    folder = folder_of(table)
    db.close()
    assert run(tmp_path) == (0, "all is as it was written\n")
    spoil(folder / "batch-1.bloom")
    code, words = run(tmp_path)
    assert code == 1
    assert "the bloom filter of batch 1 of table public.t: its file is not what was written" in words
    assert run(tmp_path, "--repair") == (0, "batch-1.bloom of public.t was written anew\nall is as it was written\n")
    spoil(folder / "batch-1.parquet")
    rotten = (folder / "batch-1.parquet").read_bytes()
    code, words = run(tmp_path, "--repair")
    assert code == 1
    assert "batch 1 of table public.t: its file is not what was written; put it back from a copy" in words
    assert (folder / "batch-1.parquet").read_bytes() == rotten
