"""What the ledger lists, as values: kinds of things, the rule for each, and sums of entries."""

import math
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, unique
from typing import Generic, Protocol, TypeVar


@unique
class Kind(Enum):
    """What is kept; the value names it in errors and in `system.kept`."""

    RESULT = "result"
    FETCHED_RESULT = "fetched result"
    PREPARED_STATEMENT = "prepared statement"
    INCOMING_STREAM = "incoming stream"
    OUTGOING_STREAM = "outgoing stream"
    TRANSACTION = "transaction"
    TEMPORARY_TABLE = "temporary table"

    __hash__ = object.__hash__
    """There is one object of each, and Enum's own hash is a call of Python's at each look into a dictionary."""


STREAMS = (Kind.INCOMING_STREAM, Kind.OUTGOING_STREAM)


@dataclass(frozen=True)
class Rule:
    """How things of a kind are bounded: idle for how long, how many a user has, and after how long they give way.

    What is `firm` is refused when what is firm has no room, and gives way to other users alone; the rest enters, and
    older things go for it. What never gives way does so after an infinite time.
    """

    idle_seconds: float
    user_max: int
    gives_way_after: float = math.inf
    firm: bool = False


@dataclass(frozen=True)
class LedgerLimits:
    """What may be kept: bytes of each user, bytes of all, and a rule for every kind."""

    user_bytes: int
    server_bytes: int
    rules: Mapping[Kind, Rule]
    """Of all kinds; those that give way first come first."""


class Entry(Protocol):
    """What sums and their bounds need to know of an entry."""

    kind: Kind
    used_at: float

    @property
    def is_in_use(self) -> bool:
        """Tell whether somebody uses it just now."""

    @property
    def user(self) -> str:
        """Whose it is."""

    @property
    def all_bytes(self) -> int:
        """What it was given and what was measured."""


Item = TypeVar("Item", bound=Entry)


class Sum(Generic[Item]):
    """Entries of a session, a user or everybody: by kind, those used longest ago first, and their bytes in total."""

    def __init__(self, rules: Mapping[Kind, Rule]) -> None:
        self._rules = rules
        self._entries: dict[Kind, OrderedDict[Item, None]] = {}
        self.bytes = 0
        self.firm_bytes = 0

    @property
    def is_empty(self) -> bool:
        """Tell whether there are no entries."""
        return not self._entries

    def of(self, kind: Kind) -> Collection[Item]:
        """The entries of a kind."""
        return self._entries.get(kind, ())

    def add(self, entry: Item) -> None:
        """Take an entry in."""
        self._entries.setdefault(entry.kind, OrderedDict())[entry] = None
        self.count(entry, entry.all_bytes)

    def remove(self, entry: Item) -> None:
        """Leave an entry out."""
        own = self._entries[entry.kind]
        del own[entry]
        if not own:
            del self._entries[entry.kind]
        self.count(entry, -entry.all_bytes)

    def count(self, entry: Item, change: int) -> None:
        """Count more or fewer bytes of an entry."""
        self.bytes += change
        if self._rules[entry.kind].firm:
            self.firm_bytes += change

    def note_use(self, entry: Item) -> None:
        """Put an entry behind all others."""
        self._entries[entry.kind].move_to_end(entry)

    def __iter__(self) -> Iterator[Item]:
        return (entry for entries in self._entries.values() for entry in entries)
