"""Running a planned query: its batches, as they come, until the client has enough or goes away.

Short queries are pulled on the caller's thread, which is fastest. A query that may run long is awaited on an event
loop, so that it can be cancelled while no batch is ready: dropping the awaited step stops DataFusion's work at its next
yield point (a join without one goes on until it has a batch).
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import pyarrow as pa
from datafusion import DataFrame

from catalog.errors import DatabaseError
from providers.engine_errors import engine_errors

POLL_SECONDS = 0.1

Stop = Callable[[], DatabaseError | None]
"""Asked now and then by what runs long: None to go on, or the error to end with."""


def never() -> None:
    """For statements that nobody stops."""


def check(stop: Stop) -> None:
    """Raise when there is a reason to stop."""
    error = stop()
    try:
        if error is not None:
            raise error from None
    finally:
        del error  # its traceback holds the frames, and with them the stream, which must die now


def pull(frame: DataFrame) -> Iterator[pa.RecordBatch]:
    """Run a short query on this thread."""
    with engine_errors():
        for batch in frame.execute_stream():
            yield batch.to_pyarrow()


def side_by_side(streams: Iterable[Iterator[pa.RecordBatch]], width: int) -> Iterator[pa.RecordBatch]:
    """All batches of all streams, `width` of which are read at a time, each one batch ahead on a thread of its own.

    Batches of one stream stay in order.
    """
    with ThreadPoolExecutor(width, thread_name_prefix="side-by-side") as threads:
        waiting = iter(streams)
        coming = deque((stream, threads.submit(next, stream, None)) for stream in islice(waiting, width))
        while coming:
            stream, step = coming.popleft()
            batch = step.result()
            if batch is None:
                coming.extend((following, threads.submit(next, following, None)) for following in islice(waiting, 1))
            else:
                coming.append((stream, threads.submit(next, stream, None)))
                yield batch


class StreamLoop:
    """The event loop on which long queries are awaited."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="streams", daemon=True)
        self._thread.start()

    def stream(self, frame: DataFrame, stop: Stop) -> Iterator[pa.RecordBatch]:
        """Run a query; end it soon after `stop` says so."""
        with engine_errors():
            batches = frame.execute_stream()
            while (batch := self._next(batches, stop)) is not None:
                yield batch.to_pyarrow()

    def close(self) -> None:
        """Stop the loop; queries that still run on it end."""
        asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _next(self, batches: Any, stop: Stop) -> Any:
        step = asyncio.run_coroutine_threadsafe(_step(batches), self._loop)
        while True:
            try:
                return step.result(timeout=POLL_SECONDS)
            except TimeoutError:
                try:
                    check(stop)
                except BaseException:
                    step.cancel()
                    raise


async def _step(batches: Any) -> Any:
    """The next batch, or None at the end."""
    try:
        return await anext(batches)
    except StopAsyncIteration:
        return None


async def _cancel_others() -> None:
    """Let what was cancelled say so; what cannot be interrupted is left behind."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=POLL_SECONDS)
