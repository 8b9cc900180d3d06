"""Who must go, and who is refused, so that what is kept has room. Pure: sums in, entries out."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic

from catalog.errors import DatabaseError, ErrorKind
from flightserver.activity.entries import Item, LedgerLimits, Sum


class Room(Generic[Item]):
    """Decides over the entries of everybody. `now` is the clock that entries note their use by."""

    def __init__(self, limits: LedgerLimits, everybody: Sum[Item], users: Mapping[str, Sum[Item]]) -> None:
        self._limits = limits
        self._rules = limits.rules
        self._everybody = everybody
        self._users = users
        self._nothing: Sum[Item] = Sum(limits.rules)

    def unused(self, now: float) -> list[Item]:
        """Entries that were idle for longer than their kind may be."""
        found = []
        for kind, rule in self._rules.items():
            for entry in self._everybody.of(kind):
                if now - entry.used_at <= rule.idle_seconds:
                    break
                if not entry.is_in_use:
                    found.append(entry)
        return found

    def for_one_more(self, entry: Item) -> Item | None:
        """What goes because its user has too many of an entry's kind; RESOURCES when nothing of a firm kind may."""
        rule, own = self._rules[entry.kind], self._of(entry.user).of(entry.kind)
        if len(own) < rule.user_max:
            return None
        if rule.firm:
            raise DatabaseError(
                ErrorKind.RESOURCES,
                f"user {entry.user} has {len(own)} {entry.kind.value}s, which is the limit; end some of them",
            )
        return next((other for other in own if other is not entry and not other.is_in_use), None)

    def refuse_beyond(self, entry: Item, more: int, now: float) -> None:
        """Raise RESOURCES when there is no room for `more` bytes of an entry, whatever else makes room."""
        if more <= 0:
            return
        firm = self._rules[entry.kind].firm
        own = self._of(entry.user).firm_bytes if firm else entry.all_bytes
        if own + more > self._limits.user_bytes:
            raise _no_room(entry, f"user {entry.user} may keep {self._limits.user_bytes:,} bytes")
        all_bytes = self._everybody.firm_bytes if firm else entry.all_bytes
        excess = all_bytes + more - self._limits.server_bytes
        if excess > 0 and excess > sum(other.all_bytes for other in self._left_alone(entry.user, now)):
            raise _no_room(entry, f"the server keeps {self._limits.server_bytes:,} bytes")

    def in_excess(self, user: str | None, newest: Item | None, now: float) -> list[Item]:
        """What goes so that a user keeps no more bytes than it may, and the server: there the heaviest users' first."""
        found: dict[Item, None] = {}
        excess = 0 if user is None else self._of(user).bytes - self._limits.user_bytes
        for entry in self._giving_way(self._of(user), now) if excess > 0 else ():
            if entry is not newest:
                found[entry] = None
                excess -= entry.all_bytes
            if excess <= 0:
                break
        excess = self._everybody.bytes - self._limits.server_bytes - sum(entry.all_bytes for entry in found)
        for entry in self._of_the_heaviest(user, now) if excess > 0 else ():
            if entry is not newest and entry not in found:
                found[entry] = None
                excess -= entry.all_bytes
            if excess <= 0:
                break
        return list(found)

    def crowded(self) -> Sequence[str]:
        """Users who keep more bytes than they may."""
        return [user for user, total in self._users.items() if total.bytes > self._limits.user_bytes]

    def _of_the_heaviest(self, user: str | None, now: float) -> Iterator[Item]:
        """What gives way of all users; streams of others than `user`, whose connection might be the same."""
        ordered = sorted(self._users.items(), key=lambda item: item[1].bytes, reverse=True)
        for other, total in ordered:
            yield from self._giving_way(total, now, streams=other != user)

    def _giving_way(self, total: Sum[Item], now: float, *, streams: bool = False) -> Iterator[Item]:
        """What gives way, kinds as their rules stand, and of each those first that were unused for longest."""
        for kind, rule in self._rules.items():
            if rule.gives_way_after == math.inf or (rule.firm and not streams):
                continue
            for entry in total.of(kind):
                if now - entry.used_at < rule.gives_way_after:
                    break
                if not entry.is_in_use and entry.all_bytes:
                    yield entry

    def _left_alone(self, user: str, now: float) -> Iterator[Item]:
        """Firm things of other users that give way."""
        for other, total in self._users.items():
            if other != user:
                found = self._giving_way(total, now, streams=True)
                yield from (entry for entry in found if self._rules[entry.kind].firm)

    def _of(self, user: str | None) -> Sum[Item]:
        return self._users.get(user or "", self._nothing)


def _no_room(entry: Item, limit: str) -> DatabaseError:
    return DatabaseError(
        ErrorKind.RESOURCES,
        f"no room for the {entry.kind.value}: {limit} for clients; end others, or send less",
    )
