"""`_seq` ids: Snowflakes that never repeat or go back, for any number of rows at once.

An id is 41 bits of milliseconds since 2024-01-01T00:00:00Z, 10 bits of node, 12 bits of sequence. A bulk commit needs
more than 4,096 ids a millisecond, so ids are counted in *ticks* (milliseconds x 4096 + sequence) and a block of n ids
is n consecutive ticks: the logical clock may run ahead of the wall clock, and when the wall clock goes back, it waits.
There are ids until 2093; a clock that says it is later is wrong, and is refused before any of its ids is put on record.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catalog.errors import DatabaseError, ErrorKind

EPOCH_MS = 1_704_067_200_000
SEQUENCE_BITS = 12
NODE_BITS = 10
NODE_MAX = (1 << NODE_BITS) - 1

TICK_MAX = (1 << 41 + SEQUENCE_BITS) - 1
_TOO_LATE = (
    "the clock of the server is past the year 2093, and `_seq` ends there: nothing can be written; set the clock right"
)

AHEAD_TICKS = 1_000 << SEQUENCE_BITS
"""A second of ids. By so much may a restart put the ids ahead of the clock, so that rows of a STREAM live longer."""

SeqArray = npt.NDArray[np.int64]


def first_seq_of(at_ms: int) -> int:
    """The smallest id of a millisecond since 1970, or of 2024's first."""
    return max(at_ms - EPOCH_MS, 0) << (NODE_BITS + SEQUENCE_BITS)


def moment_of(seq: int) -> int:
    """When an id was handed out, in milliseconds since 1970."""
    return (seq >> (NODE_BITS + SEQUENCE_BITS)) + EPOCH_MS


def seq_before(seq: int, ticks: int) -> int:
    """The smallest id of any node, so many ticks before that of `seq`; 0 where there is none."""
    tick = max(_tick_of(seq) - ticks, 0)
    return int(_ids(np.array([tick], dtype=np.int64), 0)[0])


def unix_ms() -> int:
    """Wall-clock milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class SeqBlock:
    """`count` ids of consecutive ticks, which the first one tells."""

    first: int
    count: int

    @property
    def last(self) -> int:
        """The largest id; of an empty block, its first."""
        return int(self._of(np.array([max(self.count, 1) - 1]))[0])

    def ids(self) -> SeqArray:
        """All of them, ascending."""
        return self._of(np.arange(self.count, dtype=np.int64))

    def _of(self, ticks: SeqArray) -> SeqArray:
        """The ids some ticks after the first, made in place: this runs for every bulk row."""
        ticks += _tick_of(self.first)
        return _ids(ticks, (self.first >> SEQUENCE_BITS) & NODE_MAX)


class SeqAllocator:
    """Hands out blocks of ids.

    `ceiling` is what `persist` stored last before a restart, or 0: no id up to it is handed out again. `persist` is
    called with a new ceiling, and must return only when that is durable, before any id above the old one leaves; it
    lies `AHEAD_TICKS` ahead, so that this happens once in a second and not with every commit.
    """

    def __init__(
        self,
        persist: Callable[[int], None],
        *,
        node: int = 0,
        ceiling: int = 0,
        clock_ms: Callable[[], int] = unix_ms,
    ) -> None:
        if not 0 <= node <= NODE_MAX:
            raise ValueError(f"node id must be 0..{NODE_MAX}")
        self._persist = persist
        self._node = node
        self._clock_ms = clock_ms
        self._lock = threading.Lock()
        self._last_tick = self._ceiling_tick = _tick_of(ceiling)
        self._latest_ms = 0

    def now_ms(self) -> int:
        """The wall clock in milliseconds since 1970, which does not go back as long as this is in memory."""
        with self._lock:
            self._latest_ms = max(self._latest_ms, self._clock_ms())
            return self._latest_ms

    def reserve(self, count: int) -> SeqArray:
        """Return `count` ascending ids, all larger than every id handed out before."""
        return self.reserve_block(count).ids()

    def reserve_block(self, count: int) -> SeqBlock:
        """The same as a block."""
        with self._lock:
            now_tick = max(self._clock_ms() - EPOCH_MS, 0) << SEQUENCE_BITS
            first = max(now_tick, self._last_tick + 1)
            last = first + max(count, 1) - 1
            if last > self._ceiling_tick:
                ceiling = last + AHEAD_TICKS
                if ceiling > TICK_MAX:
                    raise DatabaseError(ErrorKind.UNAVAILABLE, _TOO_LATE)
                self._persist(self._id(ceiling))
                self._ceiling_tick = ceiling
            self._last_tick = last
        return SeqBlock(self._id(first), count)

    def pass_over(self, seq: int) -> None:
        """Hand out no id up to `seq` any more: it was met in data."""
        with self._lock:
            self._last_tick = max(self._last_tick, _tick_of(seq))

    def _id(self, tick: int) -> int:
        return int(_ids(np.array([tick], dtype=np.int64), self._node)[0])


def _ids(ticks: SeqArray, node: int) -> SeqArray:
    """Make room for the node between milliseconds and sequence."""
    ids = ticks >> SEQUENCE_BITS
    ids *= (1 << (NODE_BITS + SEQUENCE_BITS)) - (1 << SEQUENCE_BITS)
    ids += ticks
    ids += node << SEQUENCE_BITS
    return ids


def _tick_of(seq: int) -> int:
    return ((seq >> (NODE_BITS + SEQUENCE_BITS)) << SEQUENCE_BITS) | (seq & ((1 << SEQUENCE_BITS) - 1))
