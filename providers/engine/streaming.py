"""Running a planned query: its batches, as they come, until the client has enough or goes away.

Short queries are pulled on the caller's thread, which is fastest. A query that may run long is awaited on an event
loop, so that it can be cancelled while no batch is ready: dropping the awaited step stops DataFusion's work at its next
yield point (a join without one goes on until it has a batch).
"""

import asyncio
import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from queue import SimpleQueue
from typing import Any

import pyarrow as pa
from datafusion import DataFrame, lit

from providers.engine.errors import engine_errors
from providers.stopping import POLL_SECONDS, Stop, check

STEP_POLL_SECONDS = 0.02
"""How often a query that works asks whether it must stop: in a tenth of a second it could take hundreds of MB more."""


def pull(frame: DataFrame) -> Iterator[pa.RecordBatch]:
    """Run a short query, which joins nothing, on this thread."""
    with engine_errors():
        for batch in frame.execute_stream():
            yield batch.to_pyarrow()


def side_by_side(streams: Iterable[Iterator[pa.RecordBatch]], width: int) -> Generator[pa.RecordBatch, None, None]:
    """All batches of all streams, read on `width` threads. Batches of one stream stay in order; a fault ends all.

    Each thread has one batch ready before anybody asks for it, and reads on when one is taken.
    """
    waiting, taking = iter(streams), threading.Lock()
    taken, gone = threading.Semaphore(0), threading.Event()
    ready: SimpleQueue[pa.RecordBatch | None] = SimpleQueue()

    def take() -> Iterator[pa.RecordBatch] | None:
        with taking:
            return next(waiting, None)

    def read() -> None:
        try:
            while (stream := take()) is not None:
                for batch in stream:
                    ready.put(batch)
                    taken.acquire()
                    if gone.is_set():
                        return
        except BaseException:
            gone.set()
            raise
        finally:
            ready.put(None)

    with ThreadPoolExecutor(width, thread_name_prefix="side-by-side") as threads:
        readers = [threads.submit(read) for _ in range(width)]
        try:
            for batch in chain.from_iterable(iter(ready.get, None) for _ in readers):
                taken.release()
                yield batch
            for reader in readers:
                reader.result()
        finally:
            gone.set()
            taken.release(width)


class StreamLoop:
    """The event loop on which long queries are awaited."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="streams", daemon=True)
        self._thread.start()

    def stream(self, frame: DataFrame, stop: Stop) -> Iterator[pa.RecordBatch]:
        """Run a query; end it soon after `stop` says so.

        A frame keeps what it has run, and that keeps all that its joins have built: what runs is a twin that nobody
        keeps. Its condition is gone once the plan is optimized.
        """
        with engine_errors():
            batches = frame.filter(lit(True)).execute_stream()
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
                return step.result(timeout=STEP_POLL_SECONDS)
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
