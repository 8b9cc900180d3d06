"""Numbers for integer keys that nobody gave.

The server makes them by DEFAULT SNOWFLAKE_ID(), and RETURNING tells which number a row got; but rows with RETURNING do
not go in bulk, and an ORM has to know every number. So the client makes them, in the server's form: 41 bits of
milliseconds since 2024-01-01T00:00:00Z, 10 bits of node, 12 bits of sequence. The node is random for each process, and
so is where a millisecond's sequence begins. Should two clients ever make the same number, the server refuses the second
row.
"""

import os
import secrets
import threading
import time

EPOCH_MS = 1_704_067_200_000
SEQUENCE_BITS = 12
NODE_BITS = 10


class KeyNumbers:
    """Makes ascending numbers, in any thread and after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = 0
        self._node = 0
        self._tick = 0

    def next(self) -> int:
        """A number that is larger than all that this process has made."""
        now = ((time.time_ns() // 1_000_000 - EPOCH_MS) << SEQUENCE_BITS) | secrets.randbits(SEQUENCE_BITS - 1)
        with self._lock:
            if self._process != os.getpid():
                self._process, self._node = os.getpid(), secrets.randbits(NODE_BITS)
            self._tick = max(self._tick + 1, now)
            milliseconds, sequence = divmod(self._tick, 1 << SEQUENCE_BITS)
            return (milliseconds << (NODE_BITS + SEQUENCE_BITS)) | (self._node << SEQUENCE_BITS) | sequence
