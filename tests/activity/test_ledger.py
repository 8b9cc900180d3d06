"""The ledger: everything kept for clients is bounded, ends when nobody uses it, and holds nothing afterwards."""

import gc
import math
import weakref
from collections.abc import Iterator

import pytest

from catalog.errors import DatabaseError, ErrorKind
from flightserver.activity.entries import Kind, LedgerLimits, Rule
from flightserver.activity.ledger import Account, Ending, Kept, Ledger

FOR_GOOD, AT_ONCE = math.inf, -1.0


RESULTS = {Kind.RESULT, Kind.FETCHED_RESULT}


def ledger(*, idle_seconds: float = FOR_GOOD, user_max: int = 1_000, gives_way_after: float = 0.0) -> Ledger:
    """A ledger of 100 bytes for each user and 250 for all, in which results give way and the rest is firm.

    Streams to clients are both.
    """

    def rule(kind: Kind) -> Rule:
        gives_way = kind in RESULTS or kind is Kind.OUTGOING_STREAM
        return Rule(idle_seconds, user_max, gives_way_after if gives_way else math.inf, firm=kind not in RESULTS)

    return Ledger(LedgerLimits(100, 250, {kind: rule(kind) for kind in Kind}))


class Endings:
    """Makes entries, and notes how each of them ended."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.seen: list[tuple[str, Ending]] = []

    def keep(self, name: str, size: int = 0, kind: Kind = Kind.RESULT) -> Kept:
        """Enter something."""
        return self.account.keep(kind, lambda ending: self.seen.append((name, ending)), size)


@pytest.fixture
def ann() -> Iterator[Endings]:
    """A user's entries."""
    return Endings(ledger().account("ann", "1"))


def refusal(entries: Endings, size: int, kind: Kind = Kind.INCOMING_STREAM) -> str:
    """The message that an entry is refused with."""
    with pytest.raises(DatabaseError) as caught:
        entries.keep("refused", size, kind)
    assert caught.value.kind is ErrorKind.RESOURCES
    return caught.value.message


def test_what_gives_way_goes_when_its_user_needs_the_room(ann: Endings) -> None:
    """Those unused longest first, as few as are needed."""
    first, _ = ann.keep("first", 40), ann.keep("second", 40)
    first.touch()
    ann.keep("stream", 50, Kind.INCOMING_STREAM)
    assert ann.seen == [("second", Ending.NO_ROOM)]
    assert ann.account.bytes == 90


def test_what_does_not_give_way_is_refused_more_room(ann: Endings) -> None:
    """The error says how much there is, and nothing has changed."""
    stream = ann.keep("stream", 60, Kind.INCOMING_STREAM)
    ann.keep("result", 30)
    assert "user ann may keep 100" in refusal(ann, 41)
    with pytest.raises(DatabaseError, match="user ann may keep 100"):
        stream.resize(101)
    assert (stream.bytes, ann.account.bytes, ann.seen) == (60, 90, [])


def test_a_stream_that_nobody_reads_makes_room_for_other_users() -> None:
    """Not for its own user's, whose connection is mostly the same; one that works is firm."""
    book = ledger()
    users = [Endings(book.account(name, name)) for name in ("ann", "bob", "cyd")]
    for entries in users[:2]:
        entries.keep("left alone", 90, Kind.OUTGOING_STREAM)
    assert "user ann may keep 100" in refusal(users[0], 20, Kind.OUTGOING_STREAM)
    with users[0].keep("working", 5, Kind.OUTGOING_STREAM).in_use():
        users[2].keep("newer", 80, Kind.OUTGOING_STREAM)
    assert [entries.seen for entries in users] == [[("left alone", Ending.NO_ROOM)], [], []]


def test_one_thing_may_not_be_larger_than_all_room(ann: Endings) -> None:
    """Even if everything else gave way."""
    assert "no room for the result" in refusal(ann, 101, Kind.RESULT)


def test_the_server_has_room_for_so_much_of_everybody() -> None:
    """What the heaviest user has gives way first; users without entries are forgotten."""
    book = ledger()
    users = [Endings(book.account(name, name)) for name in ("ann", "bob", "cyd", "dan")]
    for entries, size in zip(users, (90, 100, 60, 40), strict=True):
        for number in range(2):
            entries.keep(f"{entries.account.user} {number}", size // 2)
    assert [entries.seen for entries in users] == [[], [("bob 0", Ending.NO_ROOM)], [], []]
    assert book.bytes_kept() == 240
    assert book.usage("bob")[-1] == ("kept bytes", 50, 100)
    for entries in users:
        entries.account.close()
    assert not book._users


def test_a_user_has_so_many_of_a_kind() -> None:
    """Of what gives way the oldest goes; of the rest no more are taken."""
    entries = Endings(ledger(user_max=2).account("ann", "1"))
    for name in ("first", "second", "third"):
        entries.keep(name)
    assert entries.seen == [("first", Ending.NO_ROOM)]
    for name in ("one", "two"):
        entries.keep(name, kind=Kind.INCOMING_STREAM)
    assert "user ann has 2 incoming streams" in refusal(entries, 0)


def test_what_nobody_uses_ends() -> None:
    """At the next tick; what is in use does not."""
    book = ledger(idle_seconds=AT_ONCE)
    entries = Endings(book.account("ann", "1"))
    used = entries.keep("used")
    entries.keep("unused")
    with used.in_use():
        book.tick()
        assert entries.seen == [("unused", Ending.UNUSED)]
    book.tick()
    assert entries.seen[1:] == [("used", Ending.UNUSED)]
    with pytest.raises(DatabaseError, match="the result does not exist or has expired"):
        used.work()


def test_a_transaction_is_not_idle_while_its_session_has_a_call() -> None:
    """A result of it may be read for as long as that takes."""
    book = ledger(idle_seconds=AT_ONCE)
    entries = Endings(book.account("ann", "1"))
    entries.keep("transaction", kind=Kind.TRANSACTION)
    entries.account.begin_call()
    book.tick()
    assert entries.seen == []
    entries.account.end_call()
    book.tick()
    assert entries.seen == [("transaction", Ending.UNUSED)]


def test_what_is_in_use_does_not_give_way(ann: Endings) -> None:
    """Somebody reads it."""
    with ann.keep("used", 80).in_use():
        ann.keep("newer", 80)
        assert ann.seen == []


def test_what_gives_way_later_is_left_alone_until_then() -> None:
    """A client that pauses for a moment loses nothing."""
    entries = Endings(ledger(gives_way_after=3600.0).account("ann", "1"))
    entries.keep("first", 80)
    entries.keep("second", 80)
    assert entries.seen == []


def test_an_account_ends_with_everything_on_it(ann: Endings) -> None:
    """Each entry is told once, and nothing new is taken."""
    ann.keep("result", 10)
    ann.keep("gone", 10).let_go()
    ann.account.close()
    ann.account.close()
    assert ann.seen == [("result", Ending.SESSION)]
    assert ann.account.bytes == 0
    with pytest.raises(DatabaseError, match="the session was closed"):
        ann.keep("late")


def test_what_is_shared_is_charged_once() -> None:
    """Two results that keep the same rows in memory keep them once; each user is charged."""
    book = ledger()
    accounts = [book.account(user, user) for user in ("ann", "ann", "bob")]
    for account in accounts:
        account.keep(Kind.RESULT, lambda _: None, measure=lambda: {1: 50, 2: 20})
    book.tick()
    assert [account.bytes for account in accounts] == [70, 0, 70]


def test_what_grows_by_itself_gives_way_at_a_tick(ann: Endings) -> None:
    """A result whose snapshot others have left behind is charged for it, and goes when that is too much."""
    sizes = {1: 0}
    ann.account.keep(Kind.RESULT, lambda ending: ann.seen.append(("grown", ending)), measure=lambda: sizes)
    ann.keep("stream", 60, Kind.INCOMING_STREAM)
    ann.account.ledger.tick()
    assert ann.seen == []
    sizes[1] = 50
    ann.account.ledger.tick()
    assert ann.seen == [("grown", Ending.NO_ROOM)]
    assert ann.account.bytes == 60


def test_a_change_of_kind_is_a_change_of_rule(ann: Endings) -> None:
    """A result that was fetched is counted as such, with the bytes that are left of it."""
    result = ann.keep("result", 80)
    result.become(Kind.FETCHED_RESULT, 5)
    assert [ann.account.count(kind) for kind in (Kind.RESULT, Kind.FETCHED_RESULT)] == [0, 1]
    assert ann.account.bytes == 5


def test_what_has_left_holds_on_to_nothing() -> None:
    """Whatever an entry stood for goes at once, without the collector."""

    class Plan:
        """Something large that knows its own entry."""

        def __init__(self, account: Account) -> None:
            self.kept = account.keep(Kind.RESULT, self.end, measure=self.measure)

        def end(self, _: Ending) -> None:
            """Nothing more."""

        def measure(self) -> dict[int, int]:
            """Nothing more."""
            return {}

    account = ledger().account("ann", "1")
    gc.disable()
    try:
        for leave in (lambda plan: plan.kept.let_go(), lambda _: account.close()):
            plan = Plan(account)
            alive = weakref.ref(plan)
            leave(plan)
            del plan
            assert alive() is None
    finally:
        gc.enable()


def test_a_stream_that_waits_is_stopped_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told to stop, it ends at a tick while it waits for its client, and not while it works."""
    monkeypatch.setattr("flightserver.activity.ledger.HEEDED_SECONDS", 0.0)
    book = ledger()
    account, seen = book.account("ann", "1"), []
    reason = [None]
    stream = account.keep(Kind.INCOMING_STREAM, seen.append, stop=lambda: reason[0])
    stream.work()
    book.tick()
    reason[0] = DatabaseError(ErrorKind.CANCELLED, "killed")
    book.tick()
    assert seen == []
    stream.rest()
    book.tick()
    assert seen == [Ending.STOPPED]


def test_entries_are_listed(ann: Endings) -> None:
    """Everybody's, or one user's: what it is, how large, and whether it is in use."""
    ann.keep("stream", 7, Kind.OUTGOING_STREAM).work()
    (listed,) = ann.account.ledger.listed("ann")
    assert (listed.kind, listed.user, listed.session_id, listed.bytes) == (Kind.OUTGOING_STREAM, "ann", "1", 7)
    assert (listed.is_in_use, listed.idle_seconds) == (True, 0.0)
    assert ann.account.ledger.listed("bob") == []
    assert len(ann.account.ledger.listed()) == 1
