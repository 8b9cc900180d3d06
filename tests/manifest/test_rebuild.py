"""Which rows are live, told from the files alone: each rule by itself, and all of them against a dict."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from manifest.dead_rows import DeadRows
from manifest.rebuild import FoundBatch, dead_rows_of, replaced_batches

NOTHING = np.empty(0, dtype=np.int64)


def batch_of(
    batch: int,
    rows: dict[int, int],
    dead: tuple[int, ...] = (),
    inputs: tuple[int, ...] = (),
    *,
    retired: bool = False,
) -> FoundBatch:
    """A batch of (key: _seq) whose rows with the keys `dead` are recorded as dead."""
    keys = np.array(list(rows), dtype=np.int64)
    seqs = np.array(list(rows.values()), dtype=np.int64)
    marked = DeadRows.none(len(rows)).with_positions(np.flatnonzero(np.isin(keys, dead)))
    return FoundBatch(batch, inputs, retired, keys, seqs, marked)


def live(*found: FoundBatch, hot: dict[int, int] | None = None) -> dict[int, dict[int, int]]:
    """The live rows (key: _seq) of each batch that is kept."""
    versions = hot or {}
    keys, seqs = (np.array(list(part), dtype=np.int64) for part in (versions.keys(), versions.values()))
    dead = dead_rows_of(found, keys, seqs)
    by_number = {batch.batch: batch for batch in found}
    kept = {}
    for number, gone in dead.items():
        batch, alive = by_number[number], gone.live_mask
        kept[number] = dict(zip(batch.keys[alive].tolist(), batch.seqs[alive].tolist(), strict=True))
    return kept


def test_no_batches_have_no_rows() -> None:
    """An empty scope is rebuilt empty."""
    assert live() == {}


def test_distinct_keys_live() -> None:
    """Nothing dies without a reason."""
    assert live(batch_of(1, {1: 10}), batch_of(2, {2: 20})) == {1: {1: 10}, 2: {2: 20}}


def test_the_largest_seq_of_a_key_lives() -> None:
    """Whatever the numbers of the batches say."""
    assert live(batch_of(1, {7: 30}), batch_of(2, {7: 20})) == {1: {7: 30}, 2: {}}


def test_a_recorded_death_is_final() -> None:
    """A row that a deletion file names stays dead although it is the newest of its key."""
    assert live(batch_of(1, {1: 10, 2: 11}, dead=(1,))) == {1: {2: 11}}


def test_a_dead_newer_version_still_kills_older_ones() -> None:
    """Deleting the newest version does not bring the one before it back."""
    assert live(batch_of(1, {7: 10}), batch_of(2, {7: 20}, dead=(7,))) == {1: {}, 2: {}}


def test_an_output_replaces_its_inputs() -> None:
    """Rows that compaction left out were dead, although no file says so."""
    inputs = batch_of(1, {1: 10, 2: 11}), batch_of(2, {3: 12})
    assert live(*inputs, batch_of(3, {1: 10, 3: 12}, inputs=(1, 2))) == {3: {1: 10, 3: 12}}


def test_a_death_in_an_input_is_one_in_the_output() -> None:
    """Compaction preserves `_seq`, so a delete that raced it is found again."""
    assert live(batch_of(1, {1: 10, 2: 11}, dead=(2,)), batch_of(2, {1: 10, 2: 11}, inputs=(1,))) == {2: {1: 10}}


def test_an_older_version_does_not_outlive_a_replaced_newer_one() -> None:
    """A newer version that compaction left out as dead still kills the older one in another batch."""
    found = batch_of(1, {7: 10}), batch_of(2, {7: 20, 8: 21}), batch_of(3, {8: 21}, inputs=(2,))
    assert live(*found) == {1: {}, 3: {8: 21}}


def test_a_retired_batch_has_no_rows() -> None:
    """Truncated rows stay away."""
    assert live(batch_of(1, {1: 10}, retired=True), batch_of(2, {2: 20})) == {2: {2: 20}}


def test_a_version_that_stands_twice_lives_once() -> None:
    """In the batch with the larger number, 10 being larger than 2."""
    assert live(batch_of(2, {7: 10}), batch_of(10, {7: 10})) == {2: {}, 10: {7: 10}}


def test_a_hot_version_kills_older_cold_ones() -> None:
    """A newer version or a tombstone in the hot tier is later than any file."""
    assert live(batch_of(1, {1: 10, 2: 11}), hot={1: 12}) == {1: {2: 11}}


def test_a_hot_version_that_was_flushed_kills_nothing_newer() -> None:
    """A hot record whose deletion was lost is the same version as the cold row, or an older one."""
    assert live(batch_of(1, {1: 10, 2: 21}), hot={1: 10, 2: 15}) == {1: {1: 10, 2: 21}}


def test_inputs_and_retired_batches_are_replaced() -> None:
    """Also when the output is itself an input."""
    found = batch_of(1, {1: 1}), batch_of(2, {1: 1}, inputs=(1,)), batch_of(3, {1: 1}, inputs=(2,))
    assert replaced_batches([*found, batch_of(4, {2: 2}, retired=True)]) == {1, 2, 4}


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 6), st.booleans()), max_size=25), st.booleans())
def test_the_newest_version_wins_in_any_arrangement(commits: list[tuple[int, int, bool]], mark: bool) -> None:
    """Versions spread over batches at random, with or without their marks, yield the rows of a dict."""
    rows: dict[int, dict[int, int]] = {number: {} for number in range(1, 6)}
    dead: dict[int, set[int]] = {number: set() for number in range(1, 6)}
    model: dict[int, int] = {}
    hot: dict[int, int] = {}
    for seq, (batch, key, delete) in enumerate(commits, 1):
        for number, held in rows.items():
            if mark and key in held:
                dead[number].add(key)
        model.pop(key, None)
        if delete or key in rows[batch]:
            hot[key] = seq
        else:
            rows[batch][key] = model[key] = seq
    found = [batch_of(number, rows[number], tuple(dead[number])) for number in rows]
    survivors = {key: seq for kept in live(*found, hot=hot).values() for key, seq in kept.items()}
    assert survivors == model
