"""Compaction: fewer and cleaner batches with the same contents."""

import numpy as np
import pytest

from catalog.errors import DatabaseError
from flush import compaction
from flush.batch_writer import BatchRows, NewBatch
from flush.compaction import Compacted, choose, choose_scattered, has_scattered_dead
from providers.cold.scope_folder import ScopeFolder
from tests.storage_fixtures import TableAccess, kv


def batches(table: TableAccess, *sizes: int) -> None:
    """Flush batches of so many rows each, with ascending keys."""
    key = 0
    for size in sizes:
        table.write(*[kv(key + i, key + i) for i in range(size)])
        table.flush()
        key += size


def versions(table: TableAccess) -> list[dict[str, int]]:
    """Every live row with its `_seq`."""
    return table.query("SELECT k, v, _seq FROM t ORDER BY k").to_pylist()


def test_compaction_preserves_contents_and_seqs(table: TableAccess) -> None:
    """Merging batches changes neither a value nor a `_seq`."""
    batches(table, 5, 5, 5)
    table.write(kv(3, 33))
    table.delete(kv(7))
    table.flush()
    before = versions(table)
    assert table.compact() == Compacted(4, 1)
    assert versions(table) == before
    table.db.reopen()
    assert versions(table) == before


def test_compacted_batch_has_no_dead_rows(table: TableAccess) -> None:
    """Dead rows are left out of what compaction writes."""
    batches(table, 10)
    table.delete(kv(1), kv(2))
    table.flush()
    table.compact()
    (entry,) = table.snapshot.manifest.batches
    assert (entry.rows, entry.dead, entry.dv) == (8, 0, None)


def test_compaction_leaves_out_rows_that_are_dead_but_not_flushed(table: TableAccess) -> None:
    """A delete that is only in the hot tier counts too, and is not undone by a restart."""
    batches(table, 4, 4)
    table.delete(kv(1))
    table.compact()
    assert table.snapshot.manifest.rows == 7
    table.db.reopen()
    assert sorted(table.values()) == [0, 2, 3, 4, 5, 6, 7]


def test_batches_whose_rows_are_all_dead_vanish(table: TableAccess) -> None:
    """Nothing is written for batches without a live row; they only leave the manifest."""
    batches(table, 3, 3)
    table.delete(*[kv(i) for i in range(6)])
    table.flush()
    assert table.compact() == Compacted(2, 0)
    assert not table.snapshot.manifest.batches
    table.db.reopen()
    assert table.all() == []


def test_batch_numbers_are_not_used_again(table: TableAccess) -> None:
    """After everything vanished, after reclamation and a restart, the next batch still has a new number."""
    batches(table, 3, 3)
    table.delete(*[kv(i) for i in range(6)])
    table.flush()
    table.compact()
    table.reclaim()
    table.db.reopen()
    batches(table, 1)
    assert [entry.batch for entry in table.snapshot.manifest.batches] == [3]


def test_rows_that_die_during_a_compaction_stay_dead(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deletes and updates that commit while the outputs are being written are carried over into them."""
    batches(table, 5, 5)
    write = compaction.write_batch

    def race(*args: object) -> object:
        entry = write(*args)
        table.delete(kv(2))
        table.write(kv(7, 70))
        return entry

    monkeypatch.setattr(compaction, "write_batch", race)
    assert table.compact() == Compacted(2, 1)
    expected = {i: i for i in range(10) if i != 2} | {7: 70}
    assert table.values() == expected
    assert table.snapshot.manifest.dead == 2
    table.db.reopen()
    assert table.values() == expected
    table.flush()
    table.compact()
    assert table.values() == expected


def test_rows_that_die_during_a_compaction_into_several_batches(
    table: TableAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Source positions are mapped to the right output, also when keys of the inputs interleave."""
    monkeypatch.setattr(compaction, "BATCH_ROWS_MAX", 4)
    table.write(*[kv(i, i) for i in range(0, 12, 2)])
    table.flush()
    table.write(*[kv(i, i) for i in range(1, 12, 2)])
    table.flush()
    table.delete(kv(0))
    write = compaction.write_batch

    def race(*args: object) -> object:
        entry = write(*args)
        if table.snapshot.live_count == 11:
            table.delete(kv(1), kv(6), kv(11))
        return entry

    monkeypatch.setattr(compaction, "choose", lambda snapshot, **_: list(snapshot.manifest.batches))
    monkeypatch.setattr(compaction, "write_batch", race)
    assert table.compact() == Compacted(2, 3)
    assert sorted(table.values()) == [2, 3, 4, 5, 7, 8, 9, 10]
    table.db.reopen()
    assert sorted(table.values()) == [2, 3, 4, 5, 7, 8, 9, 10]


def test_all_outputs_may_die_before_they_are_published(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compaction whose every row was deleted meanwhile publishes a batch of dead rows, not live ones."""
    batches(table, 2, 2)
    write = compaction.write_batch

    def race(*args: object) -> object:
        entry = write(*args)
        table.delete(*[kv(i) for i in range(4)])
        return entry

    monkeypatch.setattr(compaction, "write_batch", race)
    table.compact()
    assert table.all() == []
    table.db.reopen()
    assert table.all() == []


def test_commit_and_bulk_load_during_a_compaction_are_kept(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bulk load that replaces rows of the inputs while they are rewritten wins."""
    batches(table, 3, 3)
    write = compaction.write_batch

    def race(*args: object) -> object:
        entry = write(*args)
        if len(table.snapshot.manifest.batches) == 2:
            table.load([kv(1, 100), kv(50, 50)])
        return entry

    monkeypatch.setattr(compaction, "write_batch", race)
    table.compact()
    assert table.values() == {0: 0, 1: 100, 2: 2, 3: 3, 4: 4, 5: 5, 50: 50}
    assert len(table.all()) == 7


def test_compaction_whose_inputs_left_the_manifest_publishes_nothing(
    table: TableAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the batches were removed meanwhile, as by a truncation, their rows do not return."""
    batches(table, 3, 3)
    write = compaction.write_batch
    store, state = table.db.store, table.state

    def race(*args: object) -> object:
        entry = write(*args)
        with store.exclusive(state):
            manifest = state.head.manifest.with_changes(updated_at="", removed=[1, 2])
            store.replace_manifest(state, manifest, {}, state.head.hot)
        return entry

    monkeypatch.setattr(compaction, "write_batch", race)
    assert table.compact() == Compacted(0, 0)
    assert table.all() == []
    table.reclaim()
    assert list(table.folder.glob("batch-*")) == []


def test_point_look_up_after_compaction_finds_the_new_place(table: TableAccess) -> None:
    """No index keeps the position that a row had in an input: an update after compaction kills the right row."""
    batches(table, 100, 100)
    table.delete(*[kv(i) for i in range(0, 200, 3)])
    table.flush()
    table.compact()
    table.write(kv(100, -1))
    assert table.select("SELECT v FROM t WHERE k = 100") == [-1]
    assert len(table.all()) == 200 - 67
    table.flush()
    assert len(table.all()) == 200 - 67


def test_failed_compaction_changes_nothing(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a full disk the inputs are still the table, the outputs are garbage, and the next job works."""
    batches(table, 5, 5)
    monkeypatch.setattr(compaction, "BATCH_ROWS_MAX", 4)
    write = compaction.write_batch

    def full_disk(folder: ScopeFolder, new: NewBatch, content: BatchRows) -> object:
        if new.number == 4:
            raise OSError(28, "No space left on device")
        return write(folder, new, content)

    chosen = list(table.snapshot.manifest.batches)
    monkeypatch.setattr(compaction, "choose", lambda *_, **__: chosen)
    monkeypatch.setattr(compaction, "write_batch", full_disk)
    with pytest.raises(DatabaseError, match="disk of the server is full"):
        table.compact()
    monkeypatch.setattr(compaction, "write_batch", write)
    assert len(table.all()) == 10
    table.reclaim()
    assert {path.name for path in table.folder.glob("*.parquet")} == {"batch-1.parquet", "batch-2.parquet"}
    assert table.compact() == Compacted(2, 3)
    assert len(table.all()) == 10


def test_policy_leaves_few_small_batches_alone(table: TableAccess) -> None:
    """Seven batches of one size are not worth a job, eight are."""
    batches(table, *[4] * (compaction.TIER_FILES_MAX - 1))
    assert choose(table.snapshot) == []
    table.write(*[kv(1000 + i) for i in range(4)])
    table.flush()
    assert len(choose(table.snapshot)) == compaction.TIER_FILES_MAX
    assert table.compact(everything=False) == Compacted(compaction.TIER_FILES_MAX, 1)
    assert len(table.all()) == 4 * compaction.TIER_FILES_MAX


def test_policy_merges_batches_of_similar_size_only(table: TableAccess) -> None:
    """A large batch is not rewritten to swallow small ones."""
    batches(table, 4000, *[4] * compaction.TIER_FILES_MAX)
    assert [entry.rows for entry in choose(table.snapshot)] == [4] * compaction.TIER_FILES_MAX


@pytest.mark.parametrize(("dead", "rewritten"), [(20, False), (21, True)])
def test_policy_rewrites_batches_with_many_dead_rows(table: TableAccess, dead: int, rewritten: bool) -> None:
    """More than a fifth of dead rows makes a batch worth rewriting, flushed or not."""
    batches(table, 100)
    table.delete(*[kv(i) for i in range(dead)])
    assert bool(choose(table.snapshot)) is rewritten


def test_compact_everything_of_one_clean_batch_is_nothing(table: TableAccess) -> None:
    """A table that is one clean batch stays as it is, so repeated jobs come to an end."""
    batches(table, 10, 10)
    table.compact()
    assert choose(table.snapshot, everything=True) == []
    assert table.compact() == Compacted(0, 0)


def test_job_is_bounded_in_rows(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job takes only as many batches as fit into its bound, and at least one."""
    batches(table, 10, 10, 10)
    monkeypatch.setattr(compaction, "JOB_ROWS_MAX", 25)
    assert len(choose(table.snapshot, everything=True)) == 2
    monkeypatch.setattr(compaction, "JOB_ROWS_MAX", 5)
    assert len(choose(table.snapshot, everything=True)) == 1


def test_many_random_deletes_and_compactions_keep_one_row_per_key(table: TableAccess) -> None:
    """Over many rounds of upserts, deletes, flushes and jobs no key is lost or doubled."""
    random = np.random.default_rng(3)
    expected: dict[int, int] = {}
    for turn in range(12):
        keys = [int(key) for key in random.integers(0, 200, 60)]
        table.write(*[kv(key, turn) for key in keys])
        expected |= dict.fromkeys(keys, turn)
        gone = sorted(expected)[:: 7 + turn]
        table.delete(*[kv(key) for key in gone])
        for key in gone:
            del expected[key]
        table.flush()
        table.compact(everything=turn % 4 == 3)
        assert table.values() == expected
        assert table.snapshot.live_count == len(expected)


def test_the_dirtiest_batches_of_a_scope_at_rest_are_chosen(
    table: TableAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many that the dead rows of the others are few; none when they are few to begin with."""
    monkeypatch.setattr(compaction, "SCATTERED_DEAD_MIN", 3)
    batches(table, 50, 50, 50)
    table.delete(kv(0), kv(50), kv(51))
    assert not has_scattered_dead(table.snapshot)
    assert choose_scattered(table.snapshot) == []
    table.delete(kv(100), kv(101), kv(102))
    assert has_scattered_dead(table.snapshot)
    assert [entry.batch for entry in choose_scattered(table.snapshot)] == [3]
    assert choose(table.snapshot) == []
