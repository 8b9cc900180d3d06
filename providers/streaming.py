"""Running a planned query: its batches, as they come, until the client has enough or goes away.

Short queries are pulled on the caller's thread, which is fastest. A query that may run long is awaited on an event
loop, so that it can be cancelled while no batch is ready: dropping the awaited step stops DataFusion's work at its next
yield point (a join without one goes on until it has a batch).
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
from datafusion import DataFrame

from catalog.errors import DatabaseError, ErrorKind
from providers.engine_errors import engine_errors

POLL_SECONDS = 0.1

Cancelled = Callable[[], bool]


def never() -> bool:
    """For statements that nobody can cancel."""
    return False


def pull(frame: DataFrame) -> Iterator[pa.RecordBatch]:
    """Run a short query on this thread."""
    with engine_errors():
        for batch in frame.execute_stream():
            yield batch.to_pyarrow()


class StreamLoop:
    """The event loop on which long queries are awaited."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="streams", daemon=True)
        self._thread.start()

    def stream(self, frame: DataFrame, cancelled: Cancelled) -> Iterator[pa.RecordBatch]:
        """Run a query; raise CANCELLED soon after `cancelled` becomes true."""
        with engine_errors():
            batches = frame.execute_stream()
            while (batch := self._next(batches, cancelled)) is not None:
                yield batch.to_pyarrow()

    def close(self) -> None:
        """Stop the loop; queries that still run on it end."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _next(self, batches: Any, cancelled: Cancelled) -> Any:
        step = asyncio.run_coroutine_threadsafe(_step(batches), self._loop)
        while True:
            try:
                return step.result(timeout=POLL_SECONDS)
            except TimeoutError:
                if cancelled():
                    step.cancel()
                    raise DatabaseError(ErrorKind.CANCELLED, "the statement was cancelled") from None


async def _step(batches: Any) -> Any:
    """The next batch, or None at the end."""
    try:
        return await anext(batches)
    except StopAsyncIteration:
        return None
