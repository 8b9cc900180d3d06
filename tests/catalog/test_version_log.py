"""RocksDB's log of versions: what it says of logs, and a store that has lost its end is refused."""

from pathlib import Path

import pytest

from catalog.errors import DatabaseError
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from catalog.version_log import oldest_log_needed, version_log_of


def filled(path: Path) -> None:
    """Make a store with changes in tables and in its log; leave it as a kill would."""
    with KeyValueStore(path / "open" / "rocksdb") as store:
        for number in range(4):
            batch = AtomicWrite()
            batch.put(Family.HOT, b"%d" % number, b"x")
            store.commit(batch)
            if number == 1:
                store.write_out()
        (path / "rocksdb").mkdir()
        for file in (path / "open" / "rocksdb").iterdir():
            (path / "rocksdb" / file.name).write_bytes(file.read_bytes())
        (path / "rocksdb.mark").write_bytes((path / "open" / "rocksdb.mark").read_bytes())


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("filler", [b"", b"\0"])
def test_a_store_that_has_forgotten_tables_is_refused(tmp_path: Path, share: float, filler: bytes) -> None:
    """With a way out; RocksDB would open it, with fewer rows, and delete the tables."""
    (tmp_path / "open").mkdir()
    filled(tmp_path)
    log = version_log_of(tmp_path / "rocksdb")
    data = log.read_bytes()
    assert oldest_log_needed(data) > 0
    kept = int(len(data) * share)
    log.write_bytes(data[:kept] + filler * (len(data) - kept))
    tables = {path.name for path in (tmp_path / "rocksdb").glob("*.sst")}
    with pytest.raises(DatabaseError, match=r"lost its end.*--accept-loss|cannot be opened"):
        KeyValueStore(tmp_path / "rocksdb")
    assert {path.name for path in (tmp_path / "rocksdb").glob("*.sst")} == tables


def test_a_store_that_is_whole_is_opened_again_and_again(tmp_path: Path) -> None:
    """What it needs of its logs only grows."""
    (tmp_path / "open").mkdir()
    filled(tmp_path)
    needed = [oldest_log_needed(version_log_of(tmp_path / "rocksdb").read_bytes())]
    for _ in range(3):
        with KeyValueStore(tmp_path / "rocksdb") as store:
            assert [key for key, _ in store.scan(Family.HOT, b"", b"\xff")] == [b"0", b"1", b"2", b"3"]
            store.write_out()
        needed.append(oldest_log_needed(version_log_of(tmp_path / "rocksdb").read_bytes()))
    assert needed == sorted(needed)
