"""A stream from or to a client while it is open: on the ledger, off its place while it waits for its client.

Nobody can interrupt a thread that waits in gRPC for the other side. So a stream that must end while it waits (its
client was silent for too long, it was killed, the server stops) ends with its connection. That wakes the thread up, and
the client's library connects again for its next call. A stream that does not wait is told by its statement.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from flightserver.activity.entries import Kind
from flightserver.activity.gate import Place
from flightserver.activity.ledger import Ending, Holdings, Kept
from flightserver.activity.statement import RunningStatement
from flightserver.service.call import Call
from providers.stopping import POLL_SECONDS, check


def keeps_nothing() -> Holdings:
    """For streams that keep nothing beside what they are given."""
    return {}


Answer = TypeVar("Answer")


@dataclass(frozen=True)
class StreamMemory:
    """What a stream is taken to keep in memory: at first `bytes`, then the largest batch so far, so many times.

    `pinned` tells what its snapshots keep. `patience_seconds` is how long it waits when there is no room for it.
    """

    bytes: int = 0
    batches_ahead: int = 0
    pinned: Callable[[], Holdings] = keeps_nothing
    patience_seconds: float = 0.0


NO_MEMORY = StreamMemory()


class ClientStream:
    """One stream. A context manager: it is open for the length of the block."""

    def __init__(self, call: Call, kind: Kind, memory: StreamMemory = NO_MEMORY) -> None:
        self._call = call
        self._memory = memory
        self._largest = 0
        self._running: RunningStatement | None = None
        self._place: Place | None = None
        self._why: tuple[ErrorKind, str] | None = None
        self._kept = self._entered(kind)
        self._kept.work()

    def __enter__(self) -> "ClientStream":
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.let_go()

    def attend(self, running: RunningStatement, place: Place) -> None:
        """Be the stream of a statement from now on."""
        self._running, self._place = running, place

    def note_buffered(self, size: int) -> None:
        """Have so many bytes in memory; RESOURCES when that is more than there is room for."""
        self._kept.resize(size)

    def awaited(self, ask: Callable[[], Answer]) -> Answer:
        """What only the client can say."""
        with self._waiting():
            return ask()

    def received(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """What the client sends."""
        while True:
            with self._waiting():
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def paused(self, seconds: float) -> None:
        """Wait before more is taken, for as long as nothing says to stop."""
        ends = time.monotonic() + seconds
        with self._waiting():
            while (left := ends - time.monotonic()) > 0:
                time.sleep(min(left, POLL_SECONDS))
                check(self._must_stop)

    def sent(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """What the client is sent."""
        for batch in batches:
            size = int(batch.get_total_buffer_size())
            if size > self._largest:
                self._largest = size
                self._kept.note_size(size * self._memory.batches_ahead)
            with self._waiting():
                yield batch

    def _entered(self, kind: Kind) -> Kept:
        """Enter the ledger, as soon as there is room; UNAVAILABLE when there is none for so long."""
        deadline = time.monotonic() + self._memory.patience_seconds
        while True:
            try:
                return self._call.session.account.keep(
                    kind, self._end, self._memory.bytes, measure=self._measure, stop=self._told_to_stop
                )
            except DatabaseError as error:
                if error.kind is not ErrorKind.RESOURCES or not self._memory.patience_seconds:
                    raise
                if time.monotonic() >= deadline:
                    raise DatabaseError(ErrorKind.UNAVAILABLE, f"{error.message}; or retry") from error
            time.sleep(POLL_SECONDS)
            check(self._must_stop)

    def _told_to_stop(self) -> DatabaseError | None:
        """Why the stream must end, as any thread may ask: the call itself may be asked by its own thread only."""
        if self._call.session.account.is_closed:
            return DatabaseError(ErrorKind.CANCELLED, "the session was closed")
        return None if self._running is None else self._running.interruption()

    def _must_stop(self) -> DatabaseError | None:
        return self._told_to_stop() or self._call.stop()

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Wait for the client, without a place and for as long as the ledger lets it."""
        self._kept.rest()
        try:
            if self._place is None:
                yield
            else:
                with self._place.set_aside(self._must_stop):
                    yield
        except DatabaseError:
            self._raise_why()
            raise
        self._raise_why()
        self._kept.work()

    def _raise_why(self) -> None:
        if self._why is not None:
            raise DatabaseError(*self._why) from None

    def _measure(self) -> Holdings:
        """The snapshots that it keeps while its client leaves it alone."""
        return {} if self._kept.uses else self._memory.pinned()

    def _end(self, ending: Ending) -> None:
        """Hang up."""
        self._why = self._explained(ending)
        if self._running is not None:
            self._running.cancel(self._why[1])
        self._call.hang_up()

    def _explained(self, ending: Ending) -> tuple[ErrorKind, str]:
        match ending:
            case Ending.UNUSED:
                return ErrorKind.TIMEOUT, "the client let the stream wait for longer than stream_idle_timeout_s"
            case Ending.NO_ROOM:
                return ErrorKind.RESOURCES, "the client let the stream wait, and its memory was needed"
            case _:
                reason = self._told_to_stop()
                if reason is None:
                    return ErrorKind.UNAVAILABLE, "the server is stopping; connect again later"
                return reason.kind, reason.message
