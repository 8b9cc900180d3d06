"""The ledger of all that is kept for clients between and during their calls: what it is, whose, how large, used when.

Everything that a client can make the server keep has an entry: a result that waits to be fetched, a prepared statement
with its parameters, an open stream, a transaction that has begun, a temporary table. The ledger bounds them, by number
and bytes for each user and in bytes for the server, and ends what nobody uses: after the time of its kind, with its
session, or to make room for something newer where its kind gives way. What is firm is refused room instead.

Entries that stand for more or less memory as others go on (a pinned snapshot costs nothing while it is the newest) are
measured at each tick; what several of them share is charged once.

Invariants: an entry is listed exactly as long as what it stands for is kept; it ends once, and `end` is called then,
without a lock; what is in use ends with its session alone. Nothing is entered for a session that is closed. An entry
that has left refers to nothing, so that what it stood for goes at once.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, unique

from catalog.errors import DatabaseError, ErrorKind
from flightserver.activity.entries import STREAMS, Kind, LedgerLimits, Sum
from flightserver.activity.room import Room
from providers.stopping import Stop
from providers.ticker import Ticker

TICK_SECONDS = 1.0

HEEDED_SECONDS = 1.0
"""So long a stream whose client is awaited may go on after it was told to stop: a client that sends hears why."""


@unique
class Ending(Enum):
    """Why the ledger ended something."""

    UNUSED = "nobody used it for too long"
    NO_ROOM = "its memory was needed"
    SESSION = "its session ended"
    STOPPED = "it was told to stop"


Holdings = Mapping[int, int]
"""Bytes of parts of memory, by the identity of each."""


@dataclass(frozen=True)
class Listed:
    """An entry as `system.kept` shows it."""

    kind: Kind
    user: str
    session_id: str
    bytes: int
    idle_seconds: float
    is_in_use: bool


class Kept:
    """One entry. Its owner says when it is used, how large it is, and when it is gone."""

    def __init__(
        self,
        account: "Account",
        kind: Kind,
        end: Callable[[Ending], None],
        measure: Callable[[], Holdings] | None,
        stop: Stop | None,
    ) -> None:
        self.account = account
        self.kind = kind
        self.end = end
        self.measure = measure
        self.stop = stop
        self.bytes = 0
        self.measured_bytes = 0
        self.uses = 0
        self.used_at = time.monotonic()
        self.is_listed = True
        self.sums: tuple[Sum[Kept], ...] = ()
        """Where it is counted while it is listed: its session's, its user's and everybody's."""

    @property
    def user(self) -> str:
        """Whose it is."""
        return self.account.user

    @property
    def is_in_use(self) -> bool:
        """Tell whether somebody uses it just now; a transaction is in use while any call of its session runs."""
        return self.uses > 0 or (self.kind is Kind.TRANSACTION and self.account.calls > 0)

    @property
    def all_bytes(self) -> int:
        """What it was given and what was measured."""
        return self.bytes + self.measured_bytes

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Nothing ends what is in use. NOT_FOUND when it has ended already."""
        self.work()
        try:
            yield
        finally:
            self.rest()

    def work(self) -> None:
        """Begin to be in use."""
        self.account.ledger.note_use(self, 1)

    def rest(self) -> None:
        """Be in use no more."""
        self.account.ledger.note_use(self, -1)

    def touch(self) -> None:
        """Have been used just now."""
        self.account.ledger.note_use(self, 0)

    def resize(self, size: int) -> None:
        """Have other bytes; RESOURCES when there is no room for more, and then it stays as it was."""
        self.account.ledger.resize(self, size, may_refuse=True)

    def note_size(self, size: int) -> None:
        """Have other bytes, which are there already: what gives way makes room, and nothing is refused."""
        self.account.ledger.resize(self, size, may_refuse=False)

    def become(self, kind: Kind, size: int) -> None:
        """Be of another kind from now on, and have so many bytes beside those that the next tick measures."""
        self.account.ledger.change(self, kind, size)

    def let_go(self) -> None:
        """Leave the ledger; nothing happens when it has ended."""
        self.account.ledger.let_go(self)

    def forget(self) -> Callable[[Ending], None]:
        """Refer to nothing any more; return what is to be called when it ends."""
        end, self.end, self.measure, self.stop, self.is_listed = self.end, _nothing, None, None, False
        return end


def _nothing(_: Ending) -> None:
    """For entries that have ended."""


class Account:
    """What is kept for one session."""

    def __init__(self, ledger: "Ledger", user: str, session_id: str, total: "Sum[Kept]") -> None:
        self.ledger = ledger
        self.user = user
        self.session_id = session_id
        self.total = total
        self.is_closed = False
        self.calls = 0

    @property
    def bytes(self) -> int:
        """Of all entries."""
        return self.total.bytes

    def count(self, *kinds: Kind) -> int:
        """How many entries of some kinds there are."""
        return sum(len(self.total.of(kind)) for kind in kinds)

    def begin_call(self) -> None:
        """A call of the session begins."""
        self.ledger.note_call(self, 1)

    def end_call(self) -> None:
        """A call of the session has ended."""
        self.ledger.note_call(self, -1)

    def keep(
        self,
        kind: Kind,
        end: Callable[[Ending], None],
        size: int = 0,
        *,
        measure: Callable[[], Holdings] | None = None,
        stop: Stop | None = None,
    ) -> Kept:
        """Enter something; RESOURCES when the user has no room for it, UNAVAILABLE when the session is closed.

        `end` is called when the ledger ends it. `measure` tells what else it keeps in memory at present, `stop` whether
        a stream must end that waits for its client.
        """
        return self.ledger.enter(Kept(self, kind, end, measure, stop), size)

    def close(self) -> None:
        """End all that is kept, and take no more. Streams end by themselves, as their statements were told to."""
        self.ledger.close(self)


class Ledger:
    """All accounts. `start` and `stop` run the thread that ends what nobody uses."""

    def __init__(self, limits: LedgerLimits) -> None:
        self._limits = limits
        self._rules = limits.rules
        self._lock = threading.Lock()
        self._all: Sum[Kept] = Sum(self._rules)
        self._users: dict[str, Sum[Kept]] = {}
        self._room = Room(limits, self._all, self._users)
        self._ticker = Ticker("ledger", self.tick, TICK_SECONDS)

    def start(self) -> None:
        """Begin to end what nobody uses."""
        self._ticker.start()

    def stop(self) -> None:
        """Stop the thread and end every stream that waits for its client."""
        self._ticker.stop()
        with self._lock:
            waiting = [kept for kind in STREAMS for kept in self._all.of(kind)]
        self._end_idle(waiting, Ending.STOPPED)

    def set_limits(self, limits: LedgerLimits) -> None:
        """Have other limits from now on; what is beyond them ends at the next tick, unless it is firm."""
        with self._lock:
            self._limits, self._rules = limits, limits.rules
            self._room = Room(limits, self._all, self._users)

    def account(self, user: str, session_id: str) -> Account:
        """An account for a session that begins."""
        return Account(self, user, session_id, Sum(self._rules))

    def listed(self, user: str | None = None) -> list[Listed]:
        """The entries of a user, or of everybody."""
        now = time.monotonic()
        with self._lock:
            total = self._all if user is None else self._users.get(user, ())
            return [
                Listed(
                    kept.kind,
                    kept.user,
                    kept.account.session_id,
                    kept.all_bytes,
                    0.0 if kept.is_in_use else now - kept.used_at,
                    kept.is_in_use,
                )
                for kept in total
            ]

    def bytes_kept(self) -> int:
        """For everybody."""
        return self._all.bytes

    def usage(self, user: str) -> list[tuple[str, int, int]]:
        """What a user has of every kind, and in bytes, and how much that may be."""
        with self._lock:
            own = self._users.get(user, Sum(self._rules))
            kinds = [(f"{kind.value}s", len(own.of(kind)), rule.user_max) for kind, rule in self._rules.items()]
            return [*kinds, ("kept bytes", own.bytes, self._limits.user_bytes)]

    def enter(self, kept: Kept, size: int) -> Kept:
        """List an entry, and end what gives way to it."""
        with self._lock:
            if kept.account.is_closed:
                raise DatabaseError(ErrorKind.UNAVAILABLE, "the session was closed; connect again")
            displaced = self._room.for_one_more(kept)
            self._room.refuse_beyond(kept, size, time.monotonic())
            kept.bytes = size
            self._add(kept)
            ends = self._made_room_for(kept, displaced)
        _call(ends, Ending.NO_ROOM)
        return kept

    def resize(self, kept: Kept, size: int, *, may_refuse: bool) -> None:
        """See `Kept.resize` and `Kept.note_size`."""
        with self._lock:
            if not kept.is_listed:
                return
            if may_refuse:
                self._room.refuse_beyond(kept, size - kept.bytes, time.monotonic())
            self._count(kept, size - kept.bytes)
            kept.bytes = size
            ends = self._made_room_for(kept)
        _call(ends, Ending.NO_ROOM)

    def change(self, kept: Kept, kind: Kind, size: int) -> None:
        """See `Kept.become`."""
        with self._lock:
            if not kept.is_listed:
                return
            self._remove(kept)
            kept.kind, kept.bytes, kept.measured_bytes = kind, size, 0
            displaced = self._room.for_one_more(kept)
            self._add(kept)
            ends = self._made_room_for(kept, displaced)
        _call(ends, Ending.NO_ROOM)

    def let_go(self, kept: Kept) -> None:
        """See `Kept.let_go`."""
        with self._lock:
            self._forgotten([kept])

    def close(self, account: Account) -> None:
        """See `Account.close`."""
        with self._lock:
            account.is_closed = True
            ends = self._forgotten([kept for kept in account.total if kept.kind not in STREAMS])
        _call(ends, Ending.SESSION)

    def note_use(self, kept: Kept, change: int) -> None:
        """See `Kept.work`, `Kept.rest` and `Kept.touch`."""
        with self._lock:
            if not kept.is_listed:
                if change > 0:
                    raise DatabaseError(ErrorKind.NOT_FOUND, f"the {kept.kind.value} does not exist or has expired")
                return
            kept.uses += change
            kept.used_at = time.monotonic()
            for total in kept.sums:
                total.note_use(kept)

    def note_call(self, account: Account, change: int) -> None:
        """See `Account.begin_call` and `Account.end_call`: transactions are idle from the end of a call on."""
        with self._lock:
            account.calls += change
            now = time.monotonic()
            for kept in list(account.total.of(Kind.TRANSACTION)):
                kept.used_at = now
                for total in kept.sums:
                    total.note_use(kept)

    def tick(self) -> None:
        """Measure what changes by itself; end what was not used for too long, what has no room, what must stop."""
        with self._lock:
            asked = [(kept, kept.measure, kept.stop) for kept in self._all if kept.measure or kept.stop]
        self._note_measures([(kept, measure()) for kept, measure, _ in asked if measure is not None])
        now = time.monotonic()
        with self._lock:
            unused = self._forgotten(self._room.unused(now))
            crowded: Sequence[str | None] = self._room.crowded() or [None]
            displaced = self._forgotten([kept for user in crowded for kept in self._room.in_excess(user, None, now)])
        _call(unused, Ending.UNUSED)
        _call(displaced, Ending.NO_ROOM)
        self._end_idle([kept for kept, _, stop in asked if stop is not None and _must_stop(kept, stop)], Ending.STOPPED)

    def _note_measures(self, found: Iterable[tuple[Kept, Holdings]]) -> None:
        """Charge what was measured; a part that several entries of a user keep, to the first of them."""
        seen: set[tuple[str, int]] = set()
        with self._lock:
            for kept, holdings in found:
                mine = {part: size for part, size in holdings.items() if (kept.user, part) not in seen}
                seen.update((kept.user, part) for part in mine)
                if kept.is_listed and kept.measure is not None:
                    self._count(kept, sum(mine.values()) - kept.measured_bytes)
                    kept.measured_bytes = sum(mine.values())

    def _made_room_for(self, kept: Kept, displaced: Kept | None = None) -> list[Callable[[Ending], None]]:
        """Take what goes for an entry off the list; return what to call for it."""
        excess = self._room.in_excess(kept.user, kept, time.monotonic())
        return self._forgotten([*([displaced] if displaced is not None else []), *excess])

    def _forgotten(self, entries: Iterable[Kept]) -> list[Callable[[Ending], None]]:
        """Take entries off the list; return what to call for those that were on it."""
        ends = []
        for kept in entries:
            if kept.is_listed:
                self._remove(kept)
                ends.append(kept.forget())
        return ends

    def _end_idle(self, entries: Iterable[Kept], ending: Ending) -> None:
        with self._lock:
            ends = self._forgotten([kept for kept in entries if not kept.is_in_use])
        _call(ends, ending)

    def _add(self, kept: Kept) -> None:
        of_user = self._users.get(kept.user)
        if of_user is None:
            of_user = self._users[kept.user] = Sum(self._rules)
        kept.sums = kept.account.total, of_user, self._all
        for total in kept.sums:
            total.add(kept)

    def _remove(self, kept: Kept) -> None:
        for total in kept.sums:
            total.remove(kept)
        kept.sums = ()
        if self._users[kept.user].is_empty:
            del self._users[kept.user]

    def _count(self, kept: Kept, change: int) -> None:
        for total in kept.sums:
            total.count(kept, change)


def _must_stop(kept: Kept, stop: Stop) -> bool:
    """Tell whether a stream whose client is awaited was told to stop: it will not hear of it by itself."""
    return not kept.is_in_use and time.monotonic() - kept.used_at >= HEEDED_SECONDS and stop() is not None


def _call(ends: Iterable[Callable[[Ending], None]], ending: Ending) -> None:
    for end in ends:
        end(ending)
