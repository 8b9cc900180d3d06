"""Work on the parts of a stream that are not asked for yet, so that reading, working and sending overlap."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

THREADS = min(os.cpu_count() or 1, 8)

S = TypeVar("S")
T = TypeVar("T")


def ahead(parts: Iterable[S], work: Callable[[S], T]) -> Iterator[T]:
    """What the work makes of each part, in order; a part for each thread is in memory."""
    with ThreadPoolExecutor(THREADS, thread_name_prefix="ahead") as threads:
        begun: deque[Future[T]] = deque()
        for part in parts:
            begun.append(threads.submit(work, part))
            if len(begun) > THREADS:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
