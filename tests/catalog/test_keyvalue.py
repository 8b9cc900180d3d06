"""The key-value store on a real disk: batches, order, durability, and damage that is never silent."""

import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from tests.catalog.samples import refused

ROWS = 300
HOT = Family.HOT
KILLED_WRITER = """
import os, sys
from pathlib import Path
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
store = KeyValueStore(Path(sys.argv[1]))
for number in range(10):
    batch = AtomicWrite()
    batch.put(Family.HOT, b"a%d" % number, b"x" * 50)
    batch.put(Family.META, b"b%d" % number, b"y" * 50)
    store.commit(batch)
os._exit(9)
"""

TWO_LOGS = """
import os, sys
from pathlib import Path
from catalog import keyvalue
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
keyvalue.WRITE_BUFFER_BYTES = 300_000
store = KeyValueStore(Path(sys.argv[1]))
for number in range(60):
    batch = AtomicWrite()
    batch.put(Family.HOT, b"a%d" % number, os.urandom(10_000))
    batch.put(Family.META, b"b%d" % number, b"")
    store.commit(batch)
os._exit(9)
"""


def newest_log(path: Path) -> Path:
    """The log of a store."""
    return max(path.glob("*.log"), key=lambda found: found.stat().st_size)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The write-ahead log of a store whose process died after ten commits."""
    killed = subprocess.run([sys.executable, "-c", KILLED_WRITER, tmp_path / "kv"], check=False)
    assert killed.returncode == 9
    return newest_log(tmp_path / "kv")


def put_all(store: KeyValueStore, pairs: dict[bytes, bytes], family: Family = HOT) -> None:
    """Commit some pairs as one batch."""
    batch = AtomicWrite()
    for key, value in pairs.items():
        batch.put(family, key, value)
    store.commit(batch)


def all_of(store: KeyValueStore, family: Family = HOT) -> dict[bytes, bytes]:
    """Read a whole family."""
    return dict(store.scan(family, b"", b"\xff" * 9))


@pytest.fixture
def store(tmp_path: Path) -> KeyValueStore:
    """An empty store."""
    with KeyValueStore(tmp_path / "kv") as opened:
        yield opened


@pytest.fixture
def sorted_file(tmp_path: Path) -> tuple[Path, dict[bytes, bytes]]:
    """A closed store whose rows stand in one sorted file; that file, and the rows."""
    noise = random.Random(1)
    pairs = {b"k%05d" % number: noise.randbytes(100) for number in range(ROWS)}
    with KeyValueStore(tmp_path / "kv") as opened:
        put_all(opened, pairs)
    return max((tmp_path / "kv").glob("*.sst"), key=lambda path: path.stat().st_size), pairs


def test_a_value_comes_back(store: KeyValueStore) -> None:
    """Bytes go in and the same bytes come out, zeros and empty values included."""
    put_all(store, {b"\0a\0": b"", b"b": b"\0\xff"})
    assert (store.get(HOT, b"\0a\0"), store.get(HOT, b"b"), store.get(HOT, b"c")) == (b"", b"\0\xff", None)


def test_values_are_bytes_and_never_pickles(store: KeyValueStore) -> None:
    """A value that is a pickle comes back as bytes: the store runs in raw mode."""
    pickle = b"\x80\x04\x95\x0f\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94."
    put_all(store, {b"k": pickle})
    assert store.get(HOT, b"k") == pickle


def test_families_are_apart(store: KeyValueStore) -> None:
    """One key has a value of its own in each family."""
    for family in Family:
        put_all(store, {b"k": family.value.encode()}, family)
    assert [store.get(family, b"k") for family in Family] == [family.value.encode() for family in Family]


def test_keys_come_in_byte_order(store: KeyValueStore) -> None:
    """A scan is ordered as bytes are, not as they were written."""
    put_all(store, dict.fromkeys((b"b", b"\xff", b"a\x00", b"a", b"\x00"), b""))
    assert list(all_of(store)) == [b"\0", b"a", b"a\0", b"b", b"\xff"]


@settings(max_examples=30, deadline=None)
@given(keys=st.sets(st.binary(max_size=3)), lower=st.binary(max_size=3), upper=st.binary(max_size=3))
def test_bounds_are_half_open(
    tmp_path_factory: pytest.TempPathFactory, keys: set[bytes], lower: bytes, upper: bytes
) -> None:
    """A scan and the first key include the lower bound and exclude the upper one."""
    with KeyValueStore(tmp_path_factory.mktemp("kv")) as store:
        put_all(store, dict.fromkeys(keys, b""))
        expected = sorted(key for key in keys if lower <= key < upper)
        assert [key for key, _ in store.scan(HOT, lower, upper)] == expected
        assert store.first_key(HOT, lower, upper) == next(iter(expected), None)


def test_a_scan_sees_what_was_there_when_it_began(store: KeyValueStore) -> None:
    """Commits during a scan do not show in it."""
    put_all(store, {b"a": b"", b"c": b""})
    cursor = store.scan(HOT, b"", b"\xff")
    assert next(cursor)[0] == b"a"
    put_all(store, {b"b": b""})
    assert [key for key, _ in cursor] == [b"c"]


def test_a_deleted_key_is_gone(store: KeyValueStore) -> None:
    """And deleting it once more is no error."""
    put_all(store, {b"a": b"1"})
    for _ in range(2):
        batch = AtomicWrite()
        batch.delete(HOT, b"a")
        store.commit(batch)
    assert store.get(HOT, b"a") is None


def test_a_deleted_range_is_half_open(store: KeyValueStore) -> None:
    """The upper bound of a deleted range stays."""
    put_all(store, dict.fromkeys((b"a", b"b", b"c", b"d"), b""))
    batch = AtomicWrite()
    batch.delete_range(HOT, b"b", b"d")
    store.commit(batch)
    assert list(all_of(store)) == [b"a", b"d"]


def test_a_batch_spans_families(store: KeyValueStore) -> None:
    """Puts and deletes in several families are one commit."""
    put_all(store, {b"old": b"1"}, Family.META)
    batch = AtomicWrite()
    batch.put(HOT, b"new", b"2")
    batch.delete(Family.META, b"old")
    store.commit(batch)
    assert (all_of(store), all_of(store, Family.META)) == ({b"new": b"2"}, {})


def test_a_commit_survives_reopening(tmp_path: Path) -> None:
    """What was committed is there after a close."""
    with KeyValueStore(tmp_path / "kv") as first:
        put_all(first, {b"k": b"v"})
    with KeyValueStore(tmp_path / "kv") as second:
        assert all_of(second) == {b"k": b"v"}


def test_a_commit_survives_the_death_of_its_process(log: Path) -> None:
    """What was committed is there although nothing was closed."""
    with KeyValueStore(log.parent) as store:
        assert list(all_of(store)) == [b"a%d" % number for number in range(10)]


def test_what_was_never_acknowledged_may_be_torn(tmp_path: Path) -> None:
    """A batch that nobody waited for may be lost with the end of the log, and the store opens without it."""
    path = tmp_path / "kv"
    unsynced = KILLED_WRITER.replace("store.commit(batch)", "(store.commit if number < 7 else store.append)(batch)")
    subprocess.run([sys.executable, "-c", unsynced, path], check=False)
    log = newest_log(path)
    log.write_bytes(log.read_bytes()[:-1])
    with KeyValueStore(path) as store:
        assert len(all_of(store)) == 9


@pytest.mark.parametrize("lost", [1, 60, 200, 700])
def test_a_log_without_its_end_is_refused(log: Path, lost: int) -> None:
    """Acknowledged commits that are missing are counted, and nothing on disk changes, however often it is tried."""
    log.write_bytes(log.read_bytes()[:-lost])
    before = contents(log.parent)
    for _ in range(2):
        message = refused(ErrorKind.CORRUPT, lambda: KeyValueStore(log.parent))
        assert "changes that were acknowledged" in message
        assert "--accept-loss" in message
    assert contents(log.parent) == before


def test_a_missing_log_is_refused(log: Path) -> None:
    """Also when the whole file is gone."""
    log.unlink()
    assert "has lost 20 changes" in refused(ErrorKind.CORRUPT, lambda: KeyValueStore(log.parent))


def test_a_log_whose_middle_is_zeros_is_refused(log: Path) -> None:
    """RocksDB passes over zeros without a word, and would apply what comes after them."""
    data = log.read_bytes()
    log.write_bytes(data[:100] + bytes(40_000) + data[100:])
    refused(ErrorKind.CORRUPT, lambda: KeyValueStore(log.parent))


@pytest.mark.parametrize("keep", [0, 40_000])
def test_an_older_log_without_its_end_is_refused(tmp_path: Path, keep: int) -> None:
    """Newer logs are whole, and so is the newest change: what is missing lies before them."""
    path = tmp_path / "kv"
    subprocess.run([sys.executable, "-c", TWO_LOGS, path], check=False)
    logs = sorted(path.glob("*.log"))
    assert len(logs) > 1
    logs[0].write_bytes(logs[0].read_bytes()[:keep])
    assert "changes that were acknowledged" in refused(ErrorKind.CORRUPT, lambda: KeyValueStore(path))
    with KeyValueStore(path, accept_loss=True) as store:
        assert len(all_of(store, Family.META)) < 60
    with KeyValueStore(path):
        pass


def test_a_lost_store_is_not_made_anew(log: Path) -> None:
    """A folder that is missing or empty where something was acknowledged is a loss, which nobody can accept."""
    shutil.rmtree(log.parent)
    for accept_loss in (False, True):
        message = refused(ErrorKind.CORRUPT, lambda lost=accept_loss: KeyValueStore(log.parent, accept_loss=lost))
        assert "the folder kv is missing or empty, and with it every definition and 20 changes" in message
        log.parent.mkdir(exist_ok=True)


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda mark: mark.write_bytes(b"x"), lambda mark: mark.write_bytes(b"")]
)
def test_without_a_mark_nobody_can_tell(log: Path, damage: Callable[[Path], object]) -> None:
    """A store whose mark is missing or damaged is refused, until somebody accepts what may be missing."""
    damage(log.parent.with_name("kv.mark"))
    assert "--accept-loss" in refused(ErrorKind.CORRUPT, lambda: KeyValueStore(log.parent))
    with KeyValueStore(log.parent, accept_loss=True) as store:
        assert len(all_of(store)) == 10
    with KeyValueStore(log.parent):
        pass


def test_a_mark_that_was_half_written_is_no_loss(log: Path) -> None:
    """It has two places, and the other one is whole."""
    mark = log.parent.with_name("kv.mark")
    data = bytearray(mark.read_bytes())
    assert len(data) > 4096
    data[10] ^= 1
    mark.write_bytes(data)
    with KeyValueStore(log.parent) as store:
        assert len(all_of(store)) == 10


@pytest.mark.parametrize("lost", [1, 60, 200, 700])
def test_an_accepted_loss_is_of_batches_from_the_end_and_whole(log: Path, lost: int) -> None:
    """Wherever the log ends, the store holds the first n batches, each of them completely, and is whole again."""
    log.write_bytes(log.read_bytes()[:-lost])
    KeyValueStore(log.parent, accept_loss=True).close()
    with KeyValueStore(log.parent) as store:
        count = len(all_of(store))
        assert count < 10
        assert list(all_of(store)) == [b"a%d" % number for number in range(count)]
        assert list(all_of(store, Family.META)) == [b"b%d" % number for number in range(count)]


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_damaged_log_is_refused(log: Path, place: float) -> None:
    """A flipped bit in the log does not drop the commits after it in silence."""
    data = bytearray(log.read_bytes())
    data[int(len(data) * place)] ^= 1
    log.write_bytes(data)
    assert "cannot be opened" in refused(ErrorKind.CORRUPT, lambda: KeyValueStore(log.parent))
    with KeyValueStore(log.parent, accept_loss=True) as store:
        assert len(all_of(store)) < 10


def test_damage_never_means_fewer_rows(sorted_file: tuple[Path, dict[bytes, bytes]]) -> None:
    """Wherever a sorted file is damaged, a scan returns every row or raises CORRUPT."""
    path, pairs = sorted_file
    whole = path.read_bytes()
    outcomes = set()
    for position in range(10, len(whole), len(whole) // 25):
        damaged = bytearray(whole)
        damaged[position] ^= 4
        path.write_bytes(damaged)
        outcomes.add(_scan_or_kind(path.parent) in (pairs, ErrorKind.CORRUPT))
    assert outcomes == {True}


def _scan_or_kind(path: Path) -> dict[bytes, bytes] | ErrorKind:
    try:
        with KeyValueStore(path) as store:
            return all_of(store)
    except DatabaseError as error:
        return error.kind


@pytest.mark.parametrize(
    "read",
    [
        lambda store: list(store.scan(HOT, b"", b"z")),
        lambda store: store.get(HOT, b"k00000"),
        lambda store: store.first_key(HOT, b"", b"z"),
    ],
)
def test_no_way_of_reading_ignores_damage(
    sorted_file: tuple[Path, dict[bytes, bytes]], read: Callable[[KeyValueStore], object]
) -> None:
    """Scans, look-ups and the first key raise CORRUPT, without naming a file of the server."""
    path, _ = sorted_file
    damaged = bytearray(path.read_bytes())
    damaged[100] ^= 1
    path.write_bytes(damaged)
    with KeyValueStore(path.parent) as store:
        assert str(path.parent) not in refused(ErrorKind.CORRUPT, lambda: read(store))


def test_a_missing_file_is_refused(sorted_file: tuple[Path, dict[bytes, bytes]]) -> None:
    """A store that lacks a sorted file does not open."""
    path, _ = sorted_file
    path.unlink()
    refused(ErrorKind.CORRUPT, lambda: KeyValueStore(path.parent))


def test_threads_share_syncs_and_lose_nothing(tmp_path: Path) -> None:
    """Eight threads commit at once; every commit that returned is there after a reopening."""
    with KeyValueStore(tmp_path / "kv") as store:

        def commit_many(worker: int) -> None:
            for number in range(25):
                put_all(store, {b"%d/%02d" % (worker, number): b"v"})

        threads = [threading.Thread(target=commit_many, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with KeyValueStore(tmp_path / "kv") as store:
        assert len(all_of(store)) == 200


def test_a_later_ticket_makes_earlier_ones_durable(store: KeyValueStore) -> None:
    """Tickets are ordered, and waiting for one twice returns at once."""
    batches = [AtomicWrite() for _ in range(3)]
    for number, batch in enumerate(batches):
        batch.put(HOT, b"%d" % number, b"")
    tickets = [store.append(batch) for batch in batches]
    assert tickets == sorted(set(tickets))
    for ticket in reversed(tickets):
        store.wait_durable(ticket)


def test_an_appended_batch_is_visible_before_it_is_durable(store: KeyValueStore) -> None:
    """The next writer builds on what was appended."""
    batch = AtomicWrite()
    batch.put(HOT, b"k", b"v")
    store.append(batch)
    assert store.get(HOT, b"k") == b"v"


FILLED = """
import os, resource, sys
from pathlib import Path
from catalog.errors import DatabaseError
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore

def one(key):
    batch = AtomicWrite()
    batch.put(Family.HOT, key, bytes(5_000))
    return batch

store = KeyValueStore(Path(sys.argv[1]))
store.commit(one(b"first"))
waiting = store.append(one(b"second"))
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, before[1]))
for key in (b"lost", b"lost too"):
    try:
        store.append(one(key))
        sys.exit("a full disk took a batch")
    except DatabaseError as error:
        print(error.kind.name)
store.wait_durable(waiting)
resource.setrlimit(resource.RLIMIT_FSIZE, before)
assert store.get(Family.HOT, b"first")
while True:
    try:
        store.commit(one(b"third"))
        break
    except DatabaseError:
        pass
assert [key for key, _ in store.scan(Family.HOT, b"", b"z")] == [b"first", b"second", b"third"]
os._exit(9)
"""


def test_a_full_disk_refuses_a_batch_and_no_more(tmp_path: Path) -> None:
    """What was appended before it becomes durable, and with room again the store goes on as if it had not come."""
    done = subprocess.run([sys.executable, "-c", FILLED, tmp_path / "kv"], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (9, "RESOURCES\n" * 2), done.stderr
    with KeyValueStore(tmp_path / "kv") as store:
        assert set(all_of(store)) == {b"first", b"second", b"third"}
