"""Where a manifest comes from, and that no file of one is believed that is not what was written."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AtomicWrite, Family
from manifest import codec
from manifest.layout import MANIFEST_NAME
from manifest.parts import PART_NUMBERS
from providers.cold.scope_folder import ScopeFolder
from providers.commit.scope_store import ScopeStore
from providers.manifests import records
from providers.manifests.listed import Source
from providers.manifests.sync_state import TRANSITIONS, SyncEvent, SyncState, after
from tests.storage_fixtures import Database, TableAccess, kv

_opened: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def _watch() -> None:
    """An audit hook stays for the life of the process."""
    sys.addaudithook(lambda event, args: _opened.append(str(args[0])) if event == "open" else None)


@contextmanager
def opened_manifests() -> Iterator[list[str]]:
    """Names of manifest files that are opened meanwhile."""
    found: list[str] = []
    _opened.clear()
    yield found
    names = [Path(path).name for path in _opened]
    found += [name for name in names if name.startswith(("manifest.json", "part-"))]


@pytest.fixture
def table(tmp_path: Path) -> Iterator[TableAccess]:
    """A table with two batches, of which one has a dead row."""
    database = Database(tmp_path)
    access = database.create()
    access.write(kv(1, 10), kv(2, 20))
    access.flush()
    access.write(kv(1, 11))
    access.flush()
    yield access
    database.close()


def head_of(table: TableAccess) -> records.Head:
    """What is on record."""
    stored = table.db.keyvalue.get(Family.MANIFEST_CACHE, records.head_key(table.snapshot.scope))
    assert stored is not None
    return records.decode_head(stored)


def rows(table: TableAccess) -> dict[int, int]:
    """Values by key."""
    return {row["k"]: row["v"] for row in table.all()}


def test_a_restart_opens_no_manifest_that_rocksdb_answers_for(table: TableAccess) -> None:
    """The file is looked at, and not opened."""
    table.db.reopen()
    with opened_manifests() as opened:
        assert rows(table) == {1: 11, 2: 20}
    assert opened == []


def test_a_restart_opens_no_file_of_a_part_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in files of parts is on record, part by part."""
    monkeypatch.setattr("manifest.parts.PENDING_MAX", 2)
    database = Database(tmp_path)
    table = database.create()
    for key in range(5):
        table.write(kv(key, key))
        table.flush()
    assert any(path.name.startswith("part-") for path in table.folder.iterdir())
    database.reopen()
    with opened_manifests() as opened:
        assert rows(table) == {key: key for key in range(5)}
    assert opened == []
    database.close()


def test_what_a_flush_writes_does_not_grow_with_the_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the head, RocksDB gets the bounded manifest and the parts that are new."""
    monkeypatch.setattr("manifest.parts.PENDING_MAX", 2)
    database = Database(tmp_path)
    table = database.create()
    written: list[int] = []
    append = database.keyvalue.append

    def counted(batch: AtomicWrite) -> int:
        written.append(sum(len(value or b"") for f, _, value in batch.operations if f is Family.MANIFEST_CACHE))
        return append(batch)

    monkeypatch.setattr(database.keyvalue, "append", counted)
    sizes = []
    for key in range(PART_NUMBERS + 8):
        table.write(kv(key, key))
        written.clear()
        table.flush()
        sizes.append(sum(written))
    assert max(sizes[PART_NUMBERS + 2 :]) < max(sizes[:PART_NUMBERS]) / 4
    database.close()


def test_a_touched_file_is_read_once(table: TableAccess) -> None:
    """With the same content nothing is wrong, and the next start knows its new stamp."""
    os.utime(table.folder / MANIFEST_NAME)
    table.db.reopen()
    with opened_manifests() as opened:
        assert rows(table) == {1: 11, 2: 20}
    assert opened == [MANIFEST_NAME]
    table.db.reopen()
    with opened_manifests() as opened:
        assert rows(table) == {1: 11, 2: 20}
    assert opened == []


def changed_manifest(table: TableAccess, *, newer: int) -> bytes:
    """The manifest without what its last flush brought, as if somebody had put back an older one."""
    data = (table.folder / MANIFEST_NAME).read_bytes()
    manifest = codec.decode(data, ScopeFolder(table.folder).read_checked)
    return codec.encode(replace(manifest, version=manifest.version + newer, updated_at="2000-01-01T00:00:00+00:00"))


def test_a_manifest_that_the_server_did_not_write_is_refused(table: TableAccess) -> None:
    """Whole by itself, under a version that was written with another content."""
    (table.folder / MANIFEST_NAME).write_bytes(changed_manifest(table, newer=0))
    table.db.reopen()
    with pytest.raises(DatabaseError, match="not what was written") as caught:
        table.all()
    assert caught.value.kind is ErrorKind.CORRUPT


def test_a_newer_manifest_of_somebody_else_is_told(table: TableAccess, caplog: pytest.LogCaptureFixture) -> None:
    """It is read, as a crash may leave one as well."""
    (table.folder / MANIFEST_NAME).write_bytes(changed_manifest(table, newer=1))
    table.db.reopen()
    assert rows(table) == {1: 11, 2: 20}
    assert "the manifest of public.t was replaced by somebody else" in caplog.text
    assert head_of(table).version == table.snapshot.manifest.version


def test_a_manifest_of_another_table_is_refused(table: TableAccess) -> None:
    """However new it is."""
    data = (table.folder / MANIFEST_NAME).read_bytes()
    manifest = codec.decode(data, ScopeFolder(table.folder).read_checked)
    other = codec.encode(replace(manifest, table_id=manifest.table_id + 1, version=99))
    (table.folder / MANIFEST_NAME).write_bytes(other)
    table.db.reopen()
    with pytest.raises(DatabaseError, match="that of another"):
        table.all()


def test_a_change_behind_a_running_server_is_told_and_undone(
    table: TableAccess, caplog: pytest.LogCaptureFixture
) -> None:
    """Readers go on with what was published, and the next flush writes that."""
    (table.folder / MANIFEST_NAME).write_bytes(b"{}")
    assert rows(table) == {1: 11, 2: 20}
    table.write(kv(3, 30))
    table.flush()
    assert "the manifest of public.t was changed or deleted by somebody else" in caplog.text
    table.db.reopen()
    assert rows(table) == {1: 11, 2: 20, 3: 30}


@pytest.mark.parametrize("kind", [records.HEADS, records.MANIFESTS])
@pytest.mark.parametrize("damage", ["gone", "flipped", "cut"])
def test_a_damaged_record_is_no_damage(table: TableAccess, kind: bytes, damage: str) -> None:
    """The file is read, and the record written again."""
    key = kind + records.head_key(table.snapshot.scope)[1:]
    stored = table.db.keyvalue.get(Family.MANIFEST_CACHE, key)
    assert stored is not None
    batch = AtomicWrite()
    if damage == "gone":
        batch.delete(Family.MANIFEST_CACHE, key)
    else:
        flipped = stored[:-9] + bytes([stored[-9] ^ 1]) + stored[-8:]
        batch.put(Family.MANIFEST_CACHE, key, flipped if damage == "flipped" else stored[: len(stored) // 2])
    table.db.keyvalue.append(batch)
    table.db.reopen()
    with opened_manifests() as opened:
        assert rows(table) == {1: 11, 2: 20}
    assert opened == [MANIFEST_NAME]
    assert table.db.keyvalue.get(Family.MANIFEST_CACHE, records.manifest_key(table.snapshot.scope)) is not None
    assert head_of(table).sync_state is SyncState.IN_SYNC


def test_a_lost_manifest_is_damage_whatever_rocksdb_has(table: TableAccess) -> None:
    """The file is the truth; the record says that it could not be read."""
    scope = table.snapshot.scope
    (table.folder / MANIFEST_NAME).unlink()
    table.db.reopen()
    with pytest.raises(DatabaseError, match="its file is missing"):
        table.all()
    stored = table.db.keyvalue.get(Family.MANIFEST_CACHE, records.head_key(scope))
    assert stored is not None
    assert records.decode_head(stored).sync_state is SyncState.ERROR


def test_a_write_that_failed_leaves_what_was(table: TableAccess) -> None:
    """The file is as it was, and memory says so."""
    table.write(kv(3, 30))
    with table.unwritable(), pytest.raises(OSError, match="directory"):
        table.flush()
    assert table.state.manifest.sync_state is SyncState.IN_SYNC
    assert head_of(table).sync_state is SyncState.PENDING_WRITE
    table.db.reopen()
    with opened_manifests() as opened:
        assert rows(table) == {1: 11, 2: 20, 3: 30}
    assert opened == []


def test_a_dropped_table_leaves_no_record(table: TableAccess) -> None:
    """Its copies go with its other records."""
    store: ScopeStore = table.db.store
    store.drop_table(table.definition)
    assert list(table.db.keyvalue.scan(Family.MANIFEST_CACHE, b"", b"\xff")) == []


def told(table: TableAccess) -> tuple[object, ...]:
    """What is known of a manifest that nobody loads for it."""
    found = table.db.store.known_manifest(table.definition, table.user)
    assert found is not None
    return found.version, found.source, found.rows, found.dead, found.sync_state


def test_it_is_told_where_a_manifest_would_come_from(table: TableAccess) -> None:
    """From memory, from RocksDB, or from its file, and how they stand to each other."""
    scope = table.snapshot.scope
    assert told(table) == (2, Source.MEMORY, 3, 1, SyncState.IN_SYNC)
    path = table.folder / MANIFEST_NAME
    table.db.reopen()
    assert told(table) == (2, Source.ROCKSDB, 3, 1, SyncState.IN_SYNC)
    whole = path.read_bytes()
    path.write_bytes(b"{}")
    assert told(table) == (2, Source.FILE, 3, 1, SyncState.STALE)
    with pytest.raises(DatabaseError):
        table.all()
    assert told(table) == (2, Source.FILE, 3, 1, SyncState.ERROR)
    path.write_bytes(whole)
    assert rows(table) == {1: 11, 2: 20}
    assert told(table) == (2, Source.MEMORY, 3, 1, SyncState.IN_SYNC)
    path.write_bytes(b"{}")
    assert told(table) == (2, Source.MEMORY, 3, 1, SyncState.STALE)
    table.db.reopen()
    batch = AtomicWrite()
    records.delete_scope(batch, scope)
    table.db.keyvalue.append(batch)
    assert told(table) == (2, Source.FILE, None, None, None)


def test_what_the_table_of_states_lacks_cannot_happen() -> None:
    """Each pair of a state and an event is in the table or refused."""
    for state, event in product(SyncState, SyncEvent):
        if (state, event) in TRANSITIONS:
            assert after(state, event) is TRANSITIONS[state, event]
        else:
            with pytest.raises(ValueError, match=state.value):
                after(state, event)


def test_every_state_is_reached_and_comes_back_in_sync() -> None:
    """None is a dead end."""
    follows = {state: {TRANSITIONS[s, e] for s, e in TRANSITIONS if s is state} for state in SyncState}
    reached, ending = {SyncState.IN_SYNC}, {SyncState.IN_SYNC}
    for _ in SyncState:
        reached |= {found for state in reached for found in follows[state]}
        ending |= {state for state in SyncState if follows[state] & ending}
    assert reached == ending == set(SyncState)
