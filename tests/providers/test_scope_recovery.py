"""A scope read back from disk, at every stage of its life, and what damage does."""

import re
from dataclasses import replace

import pytest

from catalog.durable import publish
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AtomicWrite, Family
from manifest import codec
from manifest.layout import MANIFEST_NAME
from manifest.parts import parts_of
from providers.cold.scope_folder import ScopeFolder
from providers.hot.record import decode, record_key, scope_prefix
from tests.storage_fixtures import Database, TableAccess, kv


def reopened(table: TableAccess) -> dict[int, int]:
    """Contents after a restart; counts must agree."""
    table.db.reopen()
    assert table.snapshot.live_count == len(table.all())
    return table.values()


def hot_records(table: TableAccess) -> list[tuple[bytes, bytes]]:
    """Every hot record on disk."""
    return list(table.db.keyvalue.scan(Family.HOT, b"", b"\xff" * 64))


def test_empty_scope_comes_back_empty(table: TableAccess) -> None:
    """A table without rows."""
    assert reopened(table) == {}


def test_hot_rows_come_back_with_their_last_versions(table: TableAccess) -> None:
    """Of several versions in the log, the last one lives."""
    table.write(kv(1, 1), kv(2, 1))
    table.write(kv(1, 2))
    table.delete(kv(2))
    assert reopened(table) == {1: 2}


def test_hot_rows_over_cold_ones_come_back(table: TableAccess) -> None:
    """Dead marks of unflushed commits are applied to the batches again."""
    table.write(kv(1, 1), kv(2, 1), kv(3, 1))
    table.flush()
    table.write(kv(1, 2))
    table.delete(kv(2))
    assert table.snapshot.manifest.dead == 0
    assert reopened(table) == {1: 2, 3: 1}
    assert table.snapshot.dead[1].to_array().tolist() == [0, 1]


def test_flush_that_did_not_clean_up_changes_nothing(table: TableAccess) -> None:
    """Hot records at or below the manifest's `flushed_seq` are invisible, whether or not they were deleted."""
    table.write(kv(1, 1), kv(2, 1))
    table.delete(kv(2))
    kept = hot_records(table)
    table.flush()
    back = AtomicWrite()
    for key, value in kept:
        back.put(Family.HOT, key, value)
    table.db.keyvalue.commit(back)
    assert reopened(table) == {1: 1}
    table.write(kv(1, 2))
    assert reopened(table) == {1: 2}


def test_manifest_that_was_not_published_changes_nothing(table: TableAccess) -> None:
    """A temporary manifest beside the manifest is not read."""
    table.write(kv(1, 1))
    table.flush()
    (table.folder / "manifest.json.tmp").write_bytes(b"{half")
    assert reopened(table) == {1: 1}


def test_marks_on_a_batch_that_was_rewritten_are_ignored(table: TableAccess) -> None:
    """A hot record may mark rows of a batch that compaction has replaced since."""
    for key in range(3):
        table.write(kv(key, 1))
        table.flush()
    table.delete(kv(1))
    table.compact()
    record = decode(hot_records(table)[0][1])
    assert set(record.dead) == {2}
    assert [entry.batch for entry in table.snapshot.manifest.batches] == [4]
    assert reopened(table) == {0: 1, 2: 1}


def test_seqs_after_a_restart_are_larger(table: TableAccess) -> None:
    """A scope knows its newest `_seq` from records and batches alike."""
    last = table.write(kv(1)).seq
    table.db.reopen()
    assert table.snapshot.last_seq == last
    table.flush()
    table.db.reopen()
    assert table.snapshot.last_seq == last
    assert not table.snapshot.has_unflushed
    assert table.write(kv(2)).seq > last


def test_second_restart_is_like_the_first(table: TableAccess) -> None:
    """Recovery itself writes nothing that recovery would read differently."""
    table.write(kv(1, 1))
    table.flush()
    table.write(kv(1, 2), kv(2, 2))
    before = hot_records(table)
    assert reopened(table) == reopened(table) == {1: 2, 2: 2}
    assert hot_records(table) == before


def test_record_keys_sort_in_commit_order(table: TableAccess) -> None:
    """Records of a scope lie together and in order."""
    seqs = [table.write(kv(key)).seq for key in range(5)]
    prefix = scope_prefix(table.snapshot.scope)
    assert [key for key, _ in hot_records(table)] == [record_key(table.snapshot.scope, seq) for seq in seqs]
    assert all(key.startswith(prefix) for key, _ in hot_records(table))


@pytest.mark.parametrize("name", [MANIFEST_NAME, "batch-1.2.dv"])
def test_damaged_file_is_an_error_not_fewer_rows(table: TableAccess, name: str) -> None:
    """A flipped bit in a manifest or a deletion file is CORRUPT when it is read."""
    table.write(kv(1), kv(2))
    table.flush()
    table.delete(kv(1))
    table.flush()
    path = table.folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    table.db.reopen()
    with pytest.raises(DatabaseError) as caught:
        table.insert(kv(2))
    assert caught.value.kind is ErrorKind.CORRUPT
    assert str(table.db.root) not in caught.value.message


def test_a_manifest_of_a_newer_server_names_its_table(table: TableAccess) -> None:
    """It is not damaged, and is not to be made anew."""
    table.write(kv(1))
    table.flush()
    path = table.folder / MANIFEST_NAME
    path.write_text(re.sub(r'"format":\d+', '"format":99', path.read_text()))
    table.db.reopen()
    with pytest.raises(DatabaseError, match=r"table public\.t cannot be read: a manifest has format 99") as caught:
        table.insert(kv(2))
    assert caught.value.kind is ErrorKind.UNSUPPORTED


def test_missing_deletion_file_is_an_error(table: TableAccess) -> None:
    """Without its deletion file a batch would show dead rows."""
    table.write(kv(1), kv(2))
    table.flush()
    table.delete(kv(1))
    table.flush()
    (table.folder / "batch-1.2.dv").unlink()
    table.db.reopen()
    with pytest.raises(DatabaseError) as caught:
        table.all()
    assert caught.value.kind is ErrorKind.CORRUPT


def test_deletion_file_of_another_batch_is_refused(table: TableAccess) -> None:
    """A deletion file says whose it is; one that contradicts the manifest is an error."""
    for key in (1, 11):
        table.write(kv(key), kv(key + 1))
        table.flush()
    table.delete(kv(1), kv(11))
    table.flush()
    manifest = codec.decode((table.folder / MANIFEST_NAME).read_bytes(), ScopeFolder(table.folder).read_checked)
    one, two = manifest.batches
    swapped = replace(
        manifest, version=manifest.version + 1, parts=parts_of([replace(one, dv=two.dv), replace(two, dv=one.dv)])
    )
    publish(table.folder / MANIFEST_NAME, codec.encode(swapped))
    table.db.reopen()
    with pytest.raises(DatabaseError, match="contradicts"):
        table.all()


def test_damaged_hot_record_is_an_error(table: TableAccess) -> None:
    """A record that cannot be read is not skipped."""
    table.write(kv(1))
    ((key, value),) = hot_records(table)
    bad = AtomicWrite()
    bad.put(Family.HOT, key, value[:-20])
    table.db.keyvalue.commit(bad)
    table.db.reopen()
    with pytest.raises(DatabaseError) as caught:
        table.all()
    assert caught.value.kind is ErrorKind.CORRUPT


def test_a_lost_manifest_is_an_error_and_no_empty_table(db: Database) -> None:
    """A table whose manifest is gone is not served without its rows, and its files are not taken for garbage."""
    table = db.create()
    table.insert(kv(1, 1))
    table.flush()
    manifest = table.folder / "manifest.json"
    db.reopen()
    manifest.unlink()
    with pytest.raises(DatabaseError, match="flightserver rebuild") as caught:
        table.all()
    assert caught.value.kind is ErrorKind.CORRUPT


def test_a_manifest_from_an_old_backup_is_an_error(db: Database) -> None:
    """Rows flushed since would be missing."""
    table = db.create()
    table.insert(kv(1, 1))
    table.flush()
    old = (table.folder / "manifest.json").read_bytes()
    table.insert(kv(2, 2))
    table.flush()
    path = table.folder / "manifest.json"
    db.reopen()
    path.write_bytes(old)
    with pytest.raises(DatabaseError, match="older than it was"):
        table.all()
