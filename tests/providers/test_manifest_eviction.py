"""What of manifests stays in memory and in RocksDB, and for how long."""

import gc
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.definition import FlushPolicy, Scope, TableKind
from catalog.evolution import set_options
from catalog.keyvalue import Family
from flush.jobs.kinds import make_task
from flush.jobs.scheduler import Plan
from providers.commit.residents import LOOKS_MAX, SCOPE_BYTES
from providers.manifests import records
from providers.manifests.eviction import Copy, to_evict
from providers.manifests.listed import Source
from tests.storage_fixtures import Database, TableAccess, kv

USERS = ("ann", "bob", "cid", "dan")


@pytest.fixture
def table(tmp_path: Path) -> Iterator[TableAccess]:
    """A USER table in which four users have a batch each."""
    database = Database(tmp_path)
    access = database.create(kind=TableKind.USER)
    for user in USERS:
        access.of_user(user).write(kv(1))
        access.of_user(user).flush()
    yield access
    database.close()


def in_memory(table: TableAccess) -> list[str | None]:
    """Whose scopes are in memory."""
    gc.collect()
    return sorted(str(state.head.scope.user) for state in table.db.store.loaded())


def copies(table: TableAccess) -> list[str | None]:
    """Whose manifests RocksDB has."""
    return [records.scope_of(key).user for key, _ in table.db.keyvalue.scan(Family.MANIFEST_CACHE, b"h", b"m")]


def test_the_oldest_and_what_is_too_much_goes() -> None:
    """Unused for too long, or least recently used beyond the limit."""
    found = [Copy(Scope(number, None), 10, f"2026-11-{number:02}") for number in (4, 1, 3, 2)]
    assert to_evict(found, 40, "2026-11-01") == []
    assert {scope.table_id for scope in to_evict(found, 40, "2026-11-03")} == {1, 2}
    assert {scope.table_id for scope in to_evict(found, 25, "2026-11-01")} == {1, 2}
    assert {scope.table_id for scope in to_evict(found, 0, "2026-11-01")} == {1, 2, 3, 4}


def test_memory_is_bounded_by_the_number_of_scopes(tmp_path: Path) -> None:
    """Of several that are used one after another, the last stays."""
    database = Database(tmp_path, scopes_max=1)
    table = database.create(kind=TableKind.USER)
    for user in USERS:
        table.of_user(user).write(kv(1))
        table.of_user(user).flush()
    table.db.reopen()
    for user in USERS:
        assert table.of_user(user).values() == {1: 0}
    assert in_memory(table) == ["dan"]
    database.close()


def test_memory_is_bounded_by_what_manifests_take(table: TableAccess) -> None:
    """Room for two scopes, of which those used last stay."""
    one = SCOPE_BYTES + table.of_user("ann").snapshot.manifest.memory_bytes
    table.db.reopen()
    table.db.store.residents.set_limit(2 * one)
    for user in USERS:
        assert table.of_user(user).values() == {1: 0}
    assert in_memory(table) == ["cid", "dan"]


def test_a_scope_with_hot_rows_stays_until_they_are_known_to_rest(table: TableAccess) -> None:
    """So few rows are not flushed by an interval, so nothing waits for the scope any more."""
    policy = FlushPolicy(rows=None, interval_seconds=1e-9)
    table.alter(lambda found: set_options(found, replace(found.options, flush_policy=policy)))
    for user in USERS:
        table.of_user(user).write(kv(2))
    table.db.store.residents.set_limit(0)
    table.of_user("ann").write(kv(3))
    assert in_memory(table) == list(USERS)
    jobs = table.db.jobs(Plan(compacts=False))
    for _ in range(2):
        jobs.tick()
    table.of_user("eve").values()
    assert in_memory(table) == []
    assert table.of_user("ann").values() == {1: 0, 2: 0, 3: 0}


def test_to_remember_a_scope_looks_at_a_few_others(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are that may not go."""
    looks = 0

    def waits(_: object) -> bool:
        nonlocal looks
        looks += 1
        return True

    monkeypatch.setattr("providers.commit.scope_state.ScopeState.waits_for_maintenance", property(waits))
    table.db.store.residents.set_limit(0)
    for number in range(3 * LOOKS_MAX):
        looks = 0
        table.of_user(f"user-{number}").values()
        assert looks <= LOOKS_MAX


def test_what_nobody_uses_leaves_memory_and_rocksdb(table: TableAccess) -> None:
    """By a job; what was used since stays, and when that was is on record."""
    moment = time.time()
    table.of_user("cid").values()
    assert table.db.store.evict_manifests(1 << 30, moment) == (3, 3)
    assert in_memory(table) == ["cid"]
    assert copies(table) == ["cid"]
    known = table.db.store.known_manifest(table.definition, "ann")
    assert known is not None
    assert (known.source, known.version) == (Source.FILE, 1)
    table.db.reopen()
    assert table.db.store.evict_manifests(1 << 30, moment) == (0, 0)
    for user in USERS:
        assert table.of_user(user).values() == {1: 0}
    assert copies(table) == list(USERS)


def test_a_job_evicts(table: TableAccess) -> None:
    """With no room, no copy stays, and the next flush makes one again."""
    jobs = table.db.jobs()
    jobs.do(make_task("manifest_eviction", {"cache_mb": 0, "ttl_s": 3600.0}), "ann")
    assert copies(table) == []
    table.of_user("ann").write(kv(2))
    table.of_user("ann").flush()
    assert copies(table) == ["ann"]
    table.db.reopen()
    assert table.of_user("ann").values() == {1: 0, 2: 0}
