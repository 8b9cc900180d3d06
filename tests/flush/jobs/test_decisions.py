"""What a scope needs, by what is known of it, what is remembered, and the time; and what recurs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from catalog.definition import FlushPolicy
from flush.jobs.schedule import Schedule, due
from flush.jobs.tasks import AuditRetention, Clean, Compact, Flush, Publish, Reclaim, Settle, StreamEviction
from flush.jobs.upkeep import Decision, Remembered, ScopeFacts, decide, decide_eviction, flush_is_due

NEVER = FlushPolicy(rows=None, interval_seconds=None)
SEEN = Remembered(compacted=0, reclaimed=frozenset({0}))
IDLE = ScopeFacts(NEVER)
HOT = replace(IDLE, has_unflushed=True, hot_versions=3)
NOW = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    ("policy", "waited", "is_due"),
    [
        (FlushPolicy(rows=3, interval_seconds=None), 0, True),
        (FlushPolicy(rows=4, interval_seconds=None), 1e9, False),
        (FlushPolicy(rows=None, interval_seconds=10), 10, True),
        (FlushPolicy(rows=None, interval_seconds=10), 9.9, False),
        (FlushPolicy(rows=100, interval_seconds=10), 11, True),
        (NEVER, 1e9, False),
    ],
)
def test_a_flush_is_due(policy: FlushPolicy, waited: float, is_due: bool) -> None:
    """At so many hot versions, dead ones too, or so long after the oldest commit, or never."""
    assert flush_is_due(replace(HOT, policy=policy), waited) is is_due


def test_a_flush_that_other_engines_wait_for_is_due() -> None:
    """However few rows there are, and whatever the policy says."""
    assert flush_is_due(replace(HOT, policy=NEVER, publishes_by_flush=True, stays_hot=True), 0)
    assert not flush_is_due(replace(IDLE, publishes_by_flush=True), 0)


def test_several_manifests_become_one_version_where_they_come_fast() -> None:
    """The first is shown at once, those of the next second together at its end."""
    late = replace(IDLE, is_published_late=True)
    first = decide(late, SEEN, 5)
    assert (first.due, first.look_at) == ((Publish,), 6)
    again = decide(late, first.remembered, 5.5)
    assert (again.due, again.look_at) == ((), 6)
    assert decide(late, again.remembered, 6).due == (Publish,)


def test_nothing_unflushed_is_never_due() -> None:
    """A clean scope is left alone however long it waits."""
    assert not flush_is_due(replace(IDLE, policy=FlushPolicy(rows=0, interval_seconds=0)), 1e9)


def test_a_scope_at_rest_needs_nothing() -> None:
    """And nobody looks at it again."""
    assert decide(IDLE, SEEN, 5) == Decision(SEEN, (), None)


def test_a_new_manifest_is_compacted_and_cleaned_up_after_once() -> None:
    """Whether there is a gain was asked for this very manifest."""
    facts = replace(IDLE, manifest=1, manifests=frozenset({1}), gains=True)
    first = decide(facts, SEEN, 5)
    assert first.due == (Compact, Reclaim)
    assert decide(facts, first.remembered, 6).due == ()
    assert decide(facts, SEEN, 5, compacts=False).due == (Reclaim,)
    assert decide(replace(facts, gains=False), SEEN, 5).due == (Reclaim,)


def test_what_somebody_still_reads_is_asked_about_again() -> None:
    """Files are looked for when readers have gone, not as long as they are the same."""
    facts = replace(IDLE, manifests=frozenset({0, 1}), manifest=1, gains=False)
    first = decide(facts, SEEN, 5)
    assert (first.due, first.look_at) == ((Reclaim,), 6)
    assert decide(facts, first.remembered, 6).due == ()
    assert decide(replace(facts, manifests=frozenset({1})), first.remembered, 7).due == (Reclaim,)


def test_the_interval_begins_with_the_oldest_commit_and_with_each_flush() -> None:
    """What was committed while a flush ran waits for its own."""
    hot = replace(HOT, policy=FlushPolicy(rows=None, interval_seconds=10))
    first = decide(hot, SEEN, 5)
    assert (first.due, first.look_at) == ((), 15)
    later = decide(hot, first.remembered, 14)
    assert (later.due, later.look_at) == ((), 15)
    flushed = decide(hot, later.remembered, 15)
    assert (flushed.due, flushed.look_at) == ((Flush,), 25)


def test_segments_are_settled_after_a_while() -> None:
    """Of several kinds of work, all is decided at once."""
    facts = replace(HOT, policy=FlushPolicy(rows=1, interval_seconds=None), has_segments=True)
    first = decide(facts, SEEN, 5)
    assert (first.due, first.look_at) == ((Flush,), 10)
    assert decide(facts, first.remembered, 10).due == (Flush, Settle)


def test_a_scope_is_cleaned_when_it_was_left_alone() -> None:
    """Every change puts it off."""
    facts = replace(IDLE, has_scattered_dead=True)
    seen = decide(facts, SEEN, 5)
    assert (seen.due, seen.look_at) == ((), 65)
    changed = decide(facts, seen.remembered.changed(60), 65)
    assert (changed.due, changed.look_at) == ((), 120)
    assert decide(facts, changed.remembered, 120).due == (Clean,)


@pytest.mark.parametrize("kind", [Flush, Compact, Reclaim])
def test_what_came_to_nothing_is_due_again(kind: type[Flush | Compact | Reclaim]) -> None:
    """As if nobody had looked."""
    facts = replace(
        HOT,
        policy=FlushPolicy(rows=None, interval_seconds=10),
        manifest=1,
        manifests=frozenset({1}),
        gains=True,
    )
    looked = decide(facts, SEEN, 5).remembered
    assert decide(facts, looked, 6).due == ()
    assert decide(facts, looked.undone(kind(table_id=1).kind, 6), 6).due == (kind,)


def test_what_recurs_is_due_after_its_interval() -> None:
    """A server's first at once, and when the clock was set back, too."""
    daily = Schedule(AuditRetention(days=1), 86_400)

    def tasks(hours_ago: float | None) -> int:
        ended = {} if hours_ago is None else {"audit_retention": NOW - timedelta(hours=hours_ago)}
        return len(list(due([daily], ended, NOW)))

    assert [tasks(None), tasks(23.9), tasks(24), tasks(-1)] == [1, 0, 1, 1]


def test_a_stream_is_evicted_when_its_oldest_row_expires_and_not_again_at_once() -> None:
    """However many rows expire: each time costs a sync."""
    facts = replace(IDLE, lives_seconds=4.0)
    assert decide_eviction(facts, SEEN, 5, evict_every=10) == Decision(SEEN, (), 9)
    expired = replace(facts, lives_seconds=0.0)
    first = decide_eviction(expired, SEEN, 9, evict_every=10)
    assert (first.due, first.look_at) == ((StreamEviction,), 19)
    assert decide_eviction(expired, first.remembered, 12, evict_every=10) == Decision(first.remembered, (), 19)
    assert decide_eviction(expired, first.remembered, 19, evict_every=10).due == (StreamEviction,)


def test_a_stream_is_evicted_of_what_left_by_size() -> None:
    """The log still has it."""
    facts = replace(IDLE, lives_seconds=3_600.0, floor=7)
    first = decide_eviction(facts, SEEN, 5, evict_every=10)
    assert first.due == (StreamEviction,)
    assert decide_eviction(facts, first.remembered, 50, evict_every=10).look_at == 3_650
    assert decide_eviction(replace(facts, floor=8), first.remembered, 16, evict_every=10).due == (StreamEviction,)


def test_an_empty_stream_needs_nothing() -> None:
    """And nobody looks at it again."""
    assert decide_eviction(IDLE, SEEN, 5) == Decision(SEEN, (), None)
