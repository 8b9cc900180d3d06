"""`_seq` ids: ascending, never repeated, whatever the clock does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import DatabaseError, ErrorKind
from providers.rows.sequence import AHEAD_TICKS, EPOCH_MS, NODE_MAX, SeqAllocator
from tests.storage_fixtures import run_together

START_MS = EPOCH_MS + 1_000_000


class Clock:
    """A clock that shows what it is told."""

    def __init__(self, now: int = START_MS) -> None:
        self.now = now

    def __call__(self) -> int:
        """Tell the time."""
        return self.now


class Ceiling:
    """Where the allocator keeps its ceiling."""

    def __init__(self) -> None:
        self.stored: list[int] = []

    def __call__(self, ceiling: int) -> None:
        """Store a ceiling."""
        self.stored.append(ceiling)


def allocator(clock: Clock, store: Ceiling | None = None, **options: int) -> SeqAllocator:
    """An allocator with a clock of the test's own."""
    return SeqAllocator(store or Ceiling(), clock_ms=clock, **options)


def test_ids_carry_milliseconds_node_and_sequence() -> None:
    """The first id of a millisecond is 41 bits of time, 10 bits of node, 12 zero bits."""
    (first,) = allocator(Clock(), node=5).reserve(1)
    assert int(first) == (1_000_000 << 22) | (5 << 12)


def test_ids_of_one_millisecond_count_up() -> None:
    """Within a millisecond the sequence bits count."""
    ids = allocator(Clock()).reserve(3)
    assert np.diff(ids).tolist() == [1, 1]


def test_block_larger_than_a_millisecond_holds_runs_ahead() -> None:
    """10,000 ids at once are ascending and distinct; the logical clock runs ahead of the wall clock."""
    source = allocator(Clock(), node=3)
    ids = source.reserve(10_000)
    assert len(np.unique(ids)) == 10_000
    assert (np.diff(ids) > 0).all()
    assert ((ids >> 12) & NODE_MAX == 3).all()
    assert int(ids[-1]) >> 22 == 1_000_000 + 2
    assert int(source.reserve(1)[0]) > int(ids[-1])


def test_clock_that_goes_back_changes_nothing() -> None:
    """After the clock went back an hour, ids still ascend."""
    clock = Clock()
    source = allocator(clock)
    before = int(source.reserve(1)[0])
    clock.now -= 3_600_000
    assert int(source.reserve(1)[0]) == before + 1


def test_clock_before_the_epoch_is_no_error() -> None:
    """A machine that believes in 1970 still gets positive ascending ids."""
    ids = allocator(Clock(0)).reserve(2)
    assert 0 < ids[0] < ids[1]


def test_ids_follow_the_clock_when_it_goes_on() -> None:
    """A later millisecond yields ids of that millisecond."""
    clock = Clock()
    source = allocator(clock)
    source.reserve(1)
    clock.now += 7
    assert int(source.reserve(1)[0]) >> 22 == 1_000_007


def test_ceiling_is_stored_before_an_id_above_the_old_one_leaves() -> None:
    """Every id handed out lies at or below the ceiling stored at that time."""
    ceiling, clock = Ceiling(), Clock()
    source = allocator(clock, ceiling)
    for count in (1, 5000, 100_000, 1):
        ids = source.reserve(count)
        assert int(ids[-1]) <= ceiling.stored[-1]
        clock.now += 4_000


def test_ceiling_that_cannot_be_stored_hands_out_nothing() -> None:
    """When the ceiling cannot be made durable, the ids are not handed out, and the next attempt stores it first."""
    failures = [OSError("disk")]
    stored: list[int] = []

    def persist(ceiling: int) -> None:
        if failures:
            raise failures.pop()
        stored.append(ceiling)

    source = SeqAllocator(persist, clock_ms=Clock())
    with pytest.raises(OSError, match="disk"):
        source.reserve(1)
    assert int(source.reserve(1)[0]) <= stored[0]


def test_ceiling_is_stored_once_in_a_second() -> None:
    """A ceiling lies a second ahead, so that commits do not wait for it."""
    ceiling, clock = Ceiling(), Clock()
    source = allocator(clock, ceiling)
    for _ in range(9):
        source.reserve(1)
        clock.now += 100
    assert len(ceiling.stored) == 1
    assert AHEAD_TICKS >> 12 == 1_000


def test_restart_never_repeats_an_id() -> None:
    """An allocator that begins with the stored ceiling starts above everything handed out before."""
    ceiling, clock = Ceiling(), Clock()
    used = allocator(clock, ceiling).reserve(20_000)
    clock.now -= 50_000
    again = allocator(clock, Ceiling(), ceiling=ceiling.stored[-1]).reserve(1)
    assert int(again[0]) > int(used[-1])


def test_restart_as_another_node_never_goes_back() -> None:
    """Order is by time and sequence first, so a smaller node id after a restart changes nothing."""
    ceiling, clock = Ceiling(), Clock()
    used = allocator(clock, ceiling, node=NODE_MAX).reserve(10)
    again = allocator(clock, Ceiling(), node=0, ceiling=ceiling.stored[-1]).reserve(1)
    assert int(again[0]) > int(used[-1])


def test_reserving_nothing_is_allowed() -> None:
    """A commit without rows gets no ids."""
    assert len(allocator(Clock()).reserve(0)) == 0


@pytest.mark.parametrize("node", [-1, NODE_MAX + 1])
def test_node_outside_ten_bits_is_refused(node: int) -> None:
    """A node id must fit."""
    with pytest.raises(ValueError, match="node id"):
        allocator(Clock(), node=node)


def test_threads_never_share_an_id() -> None:
    """Blocks of concurrent commits do not overlap."""
    source = allocator(Clock())
    blocks: list[np.ndarray] = []
    run_together(*[lambda: blocks.extend(source.reserve(1 + n % 50) for n in range(200))] * 4)
    everything = np.concatenate(blocks)
    assert len(np.unique(everything)) == len(everything)


@given(st.lists(st.tuples(st.integers(-100_000, 100_000), st.integers(1, 9_000), st.booleans()), max_size=20))
def test_any_history_of_clock_and_restarts_ascends(history: list[tuple[int, int, bool]]) -> None:
    """Whatever the clock does and however often the process restarts, every id is larger than all before."""
    clock, ceiling = Clock(), Ceiling()
    source, last = allocator(clock, ceiling), 0
    for jump, count, restart in history:
        clock.now += jump
        if restart:
            source = allocator(clock, ceiling, ceiling=ceiling.stored[-1] if ceiling.stored else 0)
        ids = source.reserve(count)
        assert last < int(ids[0])
        assert (np.diff(ids) > 0).all()
        last = int(ids[-1])


def test_a_clock_past_the_last_id_is_refused_until_it_is_right() -> None:
    """Ids would be negative; nothing of that time is put on record, so that a clock set right goes on."""
    clock, ceiling = Clock(), Ceiling()
    source = allocator(clock, ceiling)
    (before,) = source.reserve(1)
    clock.now, right = clock.now + (1 << 41), clock.now
    with pytest.raises(DatabaseError, match="past the year 2093") as caught:
        source.reserve(1)
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    clock.now = right
    assert int(source.reserve(1)[0]) == before + 1
    assert all(stored < 1 << 62 for stored in ceiling.stored)
