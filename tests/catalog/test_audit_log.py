"""The audit log: records come with what they tell of, and no change to them goes unnoticed."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from catalog.audit import AuditRecord, Finding, Link, Verdict
from catalog.audit_log import AuditLog
from catalog.keyvalue import AUDIT_BASE, AUDIT_HEAD, AtomicWrite, Family, KeyValueStore

RECORDS = 20
TAMPERINGS = 1_000


def record(number: int) -> AuditRecord:
    """One of many, each another."""
    return AuditRecord(number * 1_000, "ann", "ann", "DROP TABLE", f"public.t{number}", Verdict.ALLOWED, rows=number)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KeyValueStore]:
    """A store whose log has some records."""
    with KeyValueStore(tmp_path / "rocksdb") as opened:
        for number in range(1, RECORDS + 1):
            AuditLog(opened).record(record(number))
        yield opened


def put(store: KeyValueStore, family: Family, pairs: dict[bytes, bytes | None]) -> None:
    """Write behind the log's back."""
    batch = AtomicWrite()
    for key, value in pairs.items():
        if value is None:
            batch.delete(family, key)
        else:
            batch.put(family, key, value)
    store.commit(batch)


def stored(store: KeyValueStore) -> dict[bytes, bytes]:
    """The records as they lie."""
    _, _, pairs = store.audit_log()
    return dict(pairs)


def problems(store: KeyValueStore) -> list[Finding]:
    """What is wrong with the log."""
    found, _ = AuditLog(store).check()
    return found


def test_records_come_in_order_with_their_numbers(store: KeyValueStore) -> None:
    """From one on, without gaps."""
    assert list(AuditLog(store).records()) == [(number, record(number)) for number in range(1, RECORDS + 1)]


def test_a_log_that_nobody_touched_has_no_findings(store: KeyValueStore) -> None:
    """Nor has one without a record."""
    assert problems(store) == []


def test_a_record_is_there_with_its_batch(store: KeyValueStore) -> None:
    """One batch, one fate."""
    batch = AtomicWrite()
    batch.put(Family.CATALOG, b"a", b"b")
    batch.audit(record(99).encode())
    store.commit(batch)
    assert list(AuditLog(store).records())[-1] == (RECORDS + 1, record(99))
    assert store.get(Family.CATALOG, b"a") == b"b"


def test_the_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Numbers and hashes follow what is there."""
    for number in (1, 2, 3):
        with KeyValueStore(tmp_path / "rocksdb") as opened:
            AuditLog(opened).record(record(number))
    with KeyValueStore(tmp_path / "rocksdb") as opened:
        assert problems(opened) == []
        assert [number for number, _ in AuditLog(opened).records()] == [1, 2, 3]


def test_what_was_cut_off_is_proved_by_the_rest(store: KeyValueStore) -> None:
    """A record says where it was cut, and the log is whole."""
    log = AuditLog(store)
    assert log.cut(before=6_000, at=1) == 5
    assert [number for number, _ in log.records()] == list(range(6, RECORDS + 2))
    assert problems(store) == []
    assert log.cut(before=9_000, at=2) == 3
    assert problems(store) == []


def test_the_newest_record_is_never_cut_off(store: KeyValueStore) -> None:
    """Or the chain would have no end."""
    log = AuditLog(store)
    assert log.cut(before=10**15, at=1) == RECORDS - 1
    assert problems(store) == []


def test_a_beginning_that_somebody_cut_off_is_found(store: KeyValueStore) -> None:
    """Also when the place where the log begins is written anew."""
    first, *_ = stored(store).items()
    put(store, Family.AUDIT, {first[0]: None})
    put(store, Family.META, {AUDIT_BASE: Link(1, first[1][:32]).encode()})
    assert problems(store)


def _altered(pairs: dict[bytes, bytes], by: random.Random) -> dict[bytes, bytes | None]:
    key = by.choice(list(pairs))
    value = bytearray(pairs[key])
    value[by.randrange(len(value))] ^= 1 << by.randrange(8)
    return {key: bytes(value)}


def _shortened(pairs: dict[bytes, bytes], by: random.Random) -> dict[bytes, bytes | None]:
    key = by.choice(list(pairs))
    return {key: pairs[key][: by.randrange(len(pairs[key]))]}


def _removed(pairs: dict[bytes, bytes], by: random.Random) -> dict[bytes, bytes | None]:
    return dict.fromkeys(by.sample(list(pairs), by.randint(1, 3)))


def _without_end(pairs: dict[bytes, bytes], by: random.Random) -> dict[bytes, bytes | None]:
    return dict.fromkeys(list(pairs)[-by.randint(1, RECORDS) :])


def _exchanged(pairs: dict[bytes, bytes], by: random.Random) -> dict[bytes, bytes | None]:
    one, other = by.sample(list(pairs), 2)
    return {one: pairs[other], other: pairs[one]}


def _moved_up(pairs: dict[bytes, bytes], by: random.Random) -> dict[bytes, bytes | None]:
    keys = list(pairs)
    gone = by.randrange(len(keys))
    later = {keys[number - 1]: pairs[keys[number]] for number in range(gone + 1, len(keys))}
    return {**later, keys[-1]: None}


def _added(pairs: dict[bytes, bytes], by: random.Random) -> dict[bytes, bytes | None]:
    number = RECORDS + by.randint(1, 5)
    return {Link(number, b"").key: pairs[by.choice(list(pairs))]}


def _forged(pairs: dict[bytes, bytes], by: random.Random) -> dict[bytes, bytes | None]:
    """A record written anew with the right hash for its place."""
    keys = list(pairs)
    place = by.randrange(1, len(keys))
    before = Link(place, pairs[keys[place - 1]][:32])
    body = record(by.randrange(10**6) + 1_000).encode()
    return {keys[place]: before.then(body).digest + body}


@pytest.mark.parametrize(
    "tamper", [_altered, _shortened, _removed, _without_end, _exchanged, _moved_up, _added, _forged]
)
def test_tampering_is_found(
    store: KeyValueStore, tamper: Callable[[dict[bytes, bytes], random.Random], dict[bytes, bytes | None]]
) -> None:
    """Bits, lengths, records that go, change places, or come: a thousand ways in all."""
    whole, chance = stored(store), random.Random(tamper.__name__)
    for _ in range(TAMPERINGS // 8):
        change = tamper(whole, chance)
        put(store, Family.AUDIT, change)
        assert problems(store), change
        put(store, Family.AUDIT, {key: whole.get(key) for key in change})
    assert problems(store) == []


@pytest.mark.parametrize("place", [AUDIT_HEAD, AUDIT_BASE])
def test_a_place_that_was_written_anew_is_found(store: KeyValueStore, place: bytes) -> None:
    """The head and the beginning are held against the records."""
    put(store, Family.META, {place: Link(7, bytes(32)).encode()})
    assert problems(store)
