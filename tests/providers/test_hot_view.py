"""The hot rows of a scope in memory."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.definition import SEQ_COLUMN
from providers.hot import view as hot_view
from providers.hot.view import HotView
from providers.rows.keys import Keys

Operation = tuple[str, list[int]]
OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["upsert", "delete", "flush"]), st.lists(st.integers(0, 30), min_size=1, max_size=8)),
    max_size=30,
)


def keys_of(names: list[int], *, exact: bool = True) -> Keys:
    """Keys of rows, hashed exactly or with collisions."""
    column = pa.array(names, pa.int64())
    if exact:
        return Keys.of([column])
    return Keys((column,), np.array([name % 4 for name in names], dtype=np.uint64), exact=False)


def batch(names: list[int], first: int) -> pa.RecordBatch:
    """Rows with these keys and ascending ids."""
    seqs = list(range(first, first + len(names)))
    return pa.record_batch({"k": pa.array(names, pa.int64()), SEQ_COLUMN: pa.array(seqs, pa.int64())})


def contents(view: HotView) -> dict[int, int]:
    """Live rows as id by key; a key that is live twice is a failure."""
    rows = [row for part in view.batches for row in part.to_pylist()]
    found = {row["k"]: row[SEQ_COLUMN] for row in rows}
    assert len(found) == len(rows) == view.live_count
    return found


class History:
    """A view and the dict that it should be."""

    def __init__(self, *, exact: bool) -> None:
        self.exact = exact
        self.view = HotView(("k",))
        self.expected: dict[int, int] = {}
        self.next_seq = 1
        self.flushed = 0

    def apply(self, operation: str, names: list[int]) -> None:
        """Do one operation to both."""
        distinct = list(dict.fromkeys(names))
        if operation == "flush":
            self.flushed = self.next_seq - 1 - names[0] % 3
            self.view = self.view.after(self.flushed)
            self.expected = {key: seq for key, seq in self.expected.items() if seq > self.flushed}
            return
        keys = keys_of(distinct, exact=self.exact)
        self.view = self.view.without(np.sort(self.view.find(keys)[1]))
        for name in distinct:
            self.expected.pop(name, None)
        if operation == "upsert":
            self.view = self.view.with_rows(batch(distinct, self.next_seq), keys)
            self.expected |= {name: self.next_seq + index for index, name in enumerate(distinct)}
            self.next_seq += len(distinct)

    def check(self) -> None:
        """Compare contents, look-ups and invariants."""
        assert contents(self.view) == self.expected
        rows, seqs = self.view.find(keys_of(list(range(31)), exact=self.exact))
        assert dict(zip(rows.tolist(), seqs.tolist(), strict=True)) == self.expected
        assert len(rows) == len(self.expected)
        everything = np.concatenate([chunk.seqs for chunk in self.view.chunks] or [np.empty(0, dtype=np.int64)])
        assert (np.diff(everything) > 0).all()


@settings(max_examples=60, deadline=None)
@given(OPERATIONS, st.booleans())
def test_any_history_of_a_view_is_that_of_a_dict(operations: list[Operation], exact: bool) -> None:
    """After every change, rows, look-ups and counts are those of a dict, with colliding hashes too."""
    history = History(exact=exact)
    for operation in operations:
        history.apply(*operation)
        history.check()


@settings(max_examples=40, deadline=None)
@given(OPERATIONS)
def test_old_views_never_change(operations: list[Operation]) -> None:
    """Every view that a reader pinned shows at the end what it showed then."""
    history = History(exact=True)
    pinned: list[tuple[HotView, dict[int, int]]] = []
    for operation in operations:
        history.apply(*operation)
        pinned.append((history.view, dict(history.expected)))
    for view, expected in pinned:
        assert contents(view) == expected


def test_many_small_commits_leave_few_chunks_and_runs() -> None:
    """A thousand single-row commits are merged as they come."""
    history = History(exact=True)
    for number in range(1000):
        history.apply("upsert", [number])
    assert len(history.view.chunks) <= 12
    assert len(history.view.runs) <= 12
    assert history.view.live_count == 1000


def test_chunks_stay_bounded() -> None:
    """Merging stops at the largest chunk size."""
    view, size = HotView(("k",)), hot_view.CHUNK_ROWS_MAX // 2
    for number in range(3):
        names = list(range(number * size, (number + 1) * size))
        view = view.with_rows(batch(names, number * size + 1), keys_of(names))
    assert max(len(chunk.seqs) for chunk in view.chunks) <= hot_view.CHUNK_ROWS_MAX
    assert view.live_count == 3 * size


def test_take_returns_rows_in_the_order_asked_for() -> None:
    """Rows are fetched by id, over several chunks, in any order."""
    view = HotView(("k",))
    for first, names in ((1, [10, 11, 12, 13, 14, 15, 16, 17]), (9, [20, 21])):
        view = view.with_rows(batch(names, first), keys_of(names))
    assert view.take(np.array([10, 1, 9, 8]))["k"].to_pylist() == [21, 10, 20, 17]


def test_counts_of_live_rows_and_of_versions() -> None:
    """Dead rows count as versions, because memory and the log still hold them."""
    view = HotView(("k",)).with_rows(batch([1, 2, 3], 1), keys_of([1, 2, 3]))
    after = view.without(np.array([2]))
    assert (after.live_count, after.version_count) == (2, 3)
    assert (view.live_count, view.version_count) == (3, 3)


def test_empty_view() -> None:
    """A view without rows finds nothing and yields no batches."""
    view = HotView(("k",))
    assert view.batches == []
    assert len(view.find(keys_of([1]))[0]) == 0
    assert view.with_rows(batch([], 1), keys_of([])) is view
    assert view.without(np.empty(0, dtype=np.int64)) is view
    assert view.after(5).chunks == ()


def test_chunk_without_live_rows_yields_no_batch() -> None:
    """A scan never meets an empty batch."""
    view = HotView(("k",)).with_rows(batch([1, 2], 1), keys_of([1, 2])).without(np.array([1, 2]))
    assert view.batches == []
