"""What a scope needs: a pure decision by what is known of it, what is remembered, and the time."""

from dataclasses import dataclass, replace

from catalog.definition import FlushPolicy
from flush.jobs.tasks import Clean, Compact, Flush, Publish, Reclaim, ScopeTask, Settle, StreamEviction

SETTLE_AFTER_SECONDS = 5.0
"""How long a stream's rows stay as they came: settling takes the cores that the next stream would like to have."""

PUBLISH_EVERY_SECONDS = 1.0
"""How often other engines are shown something new of one scope: each version costs syncs, and nobody needs all."""

EVICT_EVERY_SECONDS = 10.0
"""How often rows of one STREAM table go from memory and disk, which costs a sync; nobody sees them since they left."""

AT_REST_SECONDS = 60.0
"""A scope that nobody has changed for so long is cleaned more thoroughly."""

LOOK_AGAIN_SECONDS = 1.0
"""How often it is asked whether somebody still reads what could go."""


@dataclass(frozen=True)
class ScopeFacts:
    """What is known of a scope.

    `manifest` is the version of the newest one, `manifests` of all by which somebody may still read. `gains` says that
    a compaction has something to gain; None: nobody has looked, as `Remembered.compacted` is about this very manifest.
    `stays_hot` says that the hot rows are so few that no interval moves them; it is asked for when one has passed.
    `may_have_unneeded` says that there may be files which the newest manifest does not need.
    `is_published_late` says that other engines read something else than they could;
    `publishes_by_flush` says that only a flush leads to rows that they may be shown.
    `expires_seconds` is after how long a file was promised to none of them any more.
    `lives_seconds` is how long the oldest row of a STREAM table has to live, None where there is no row; below the
    `floor` there is none in memory.
    """

    policy: FlushPolicy
    hot_versions: int = 0
    has_unflushed: bool = False
    stays_hot: bool = False
    has_segments: bool = False
    manifest: int = 0
    manifests: frozenset[int] = frozenset({0})
    has_leftovers: bool = False
    may_have_unneeded: bool = True
    gains: bool | None = None
    has_scattered_dead: bool = False
    is_published_late: bool = False
    publishes_by_flush: bool = False
    expires_seconds: float | None = None
    lives_seconds: float | None = None
    floor: int = 0


@dataclass(frozen=True)
class Remembered:
    """What earlier looks at a scope have left. Times are in seconds of one clock.

    `unflushed_since` and `unsettled_since`: since when something waits; `quiet_since`: since when nobody has changed a
    scope that is to be cleaned. `compacted` is the manifest that was looked at for compaction, `reclaimed` those by
    which was read when files were deleted. `evicted_at` is when rows of a STREAM table were evicted last, `floor` the
    one that it had then. `published_at` is when other engines were shown something last.
    """

    unflushed_since: float | None = None
    unsettled_since: float | None = None
    quiet_since: float | None = None
    compacted: int | None = None
    reclaimed: frozenset[int] | None = None
    evicted_at: float | None = None
    floor: int = 0
    published_at: float | None = None

    def changed(self, now: float) -> "Remembered":
        """After something happened in the scope."""
        return self if self.quiet_since is None else replace(self, quiet_since=now)

    def undone(self, kind: str, now: float) -> "Remembered":
        """After a job of a kind came to nothing: what it was for is still to be done, as if it were long due."""
        match kind:
            case "flush":
                return replace(self, unflushed_since=float("-inf"))
            case "compact":
                return replace(self, compacted=None)
            case "reclaim":
                return replace(self, reclaimed=None)
            case "clean":
                return replace(self, quiet_since=now)
            case "publish":
                return replace(self, published_at=None)
            case "stream_eviction":
                return replace(self, floor=0)
            case _:
                return self


@dataclass(frozen=True)
class Decision:
    """What is to be done, in this order, what is to be remembered, and when to look again if nothing happens."""

    remembered: Remembered
    due: tuple[type[ScopeTask], ...]
    look_at: float | None


def interval_has_passed(policy: FlushPolicy, waited_seconds: float) -> bool:
    """Tell whether a policy has rows flushed that have waited so long."""
    return policy.interval_seconds is not None and waited_seconds >= policy.interval_seconds


def flush_is_due(facts: ScopeFacts, waited_seconds: float) -> bool:
    """Tell whether a scope whose oldest unflushed commit is `waited_seconds` old must be flushed now."""
    policy = facts.policy
    if not facts.has_unflushed:
        return False
    if facts.publishes_by_flush:
        return True
    if policy.rows is not None and facts.hot_versions >= policy.rows:
        return True
    return not facts.stays_hot and interval_has_passed(policy, waited_seconds)


def _publication_is_due(facts: ScopeFacts) -> bool:
    """Tell whether other engines are to be shown something new, or files that nobody was promised are to go."""
    return facts.is_published_late or facts.expires_seconds == 0


def _looks_at_publication(facts: ScopeFacts, published_at: float | None, every: float, now: float) -> list[float]:
    """When to ask again: when it may be done again, as more may come while it is done."""
    if _publication_is_due(facts) and published_at is not None:
        return [published_at + max(every, LOOK_AGAIN_SECONDS)]
    return [] if facts.expires_seconds is None else [now + facts.expires_seconds]


def decide(
    facts: ScopeFacts,
    known: Remembered,
    now: float,
    *,
    settle_after: float = SETTLE_AFTER_SECONDS,
    publish_every: float = PUBLISH_EVERY_SECONDS,
    compacts: bool = True,
) -> Decision:
    """Decide what a scope with files needs now."""
    due: list[type[ScopeTask]] = []
    later: list[float] = []

    unflushed_since = None
    if facts.has_unflushed:
        unflushed_since = now if known.unflushed_since is None else known.unflushed_since
        if flush_is_due(facts, now - unflushed_since):
            due.append(Flush)
            unflushed_since = now
        interval = facts.policy.interval_seconds
        if interval is not None and not facts.stays_hot:
            later.append(unflushed_since + interval)

    unsettled_since = None
    if facts.has_segments:
        unsettled_since = now if known.unsettled_since is None else known.unsettled_since
        if now >= unsettled_since + settle_after:
            due.append(Settle)
            later.append(now + LOOK_AGAIN_SECONDS)
        else:
            later.append(unsettled_since + settle_after)

    if compacts and facts.gains and facts.manifest != known.compacted:
        due.append(Compact)

    published_at = known.published_at
    if _publication_is_due(facts) and (published_at is None or now >= published_at + publish_every):
        due.append(Publish)
        published_at = now
    later += _looks_at_publication(facts, published_at, publish_every, now)

    if facts.has_leftovers or (facts.may_have_unneeded and facts.manifests != known.reclaimed):
        due.append(Reclaim)
    if facts.has_leftovers or len(facts.manifests) > 1:
        later.append(now + LOOK_AGAIN_SECONDS)

    quiet_since = None
    if compacts and facts.has_scattered_dead:
        quiet_since = now if known.quiet_since is None else known.quiet_since
        if now >= quiet_since + AT_REST_SECONDS:
            due.append(Clean)
            quiet_since = now
        later.append(quiet_since + AT_REST_SECONDS)

    remembered = Remembered(
        unflushed_since, unsettled_since, quiet_since, facts.manifest, facts.manifests, published_at=published_at
    )
    return Decision(remembered, tuple(due), min(later, default=None))


def decide_eviction(
    facts: ScopeFacts, known: Remembered, now: float, *, evict_every: float = EVICT_EVERY_SECONDS
) -> Decision:
    """Decide what a scope of a STREAM table needs now."""
    has_left = facts.floor != known.floor
    if facts.lives_seconds is None and not has_left:
        return Decision(known, (), None)
    rests_seconds = 0.0 if known.evicted_at is None else known.evicted_at + evict_every - now
    wait_seconds = max(rests_seconds, 0.0 if has_left else facts.lives_seconds or 0.0)
    if wait_seconds > 0:
        return Decision(known, (), now + wait_seconds)
    return Decision(replace(known, evicted_at=now, floor=facts.floor), (StreamEviction,), now + evict_every)
