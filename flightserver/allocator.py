"""What the process asks of the C library's allocator, and of the interpreter's collector of garbage.

Messages of some megabytes are received, written and freed hundreds of times a second. By default each of them is
memory that the kernel has to clear first, and takes back at once: keeping up to `KEPT_BYTES` of it free in each arena
lets a bulk load pass with a quarter less work. Every thread that finds the arenas busy would open one more, and each
keeps what it once had: after four minutes of six clients a server with sixteen arenas had 190 MB free in them, and with
four 80. What is free is given back while nothing runs, and so is what the start of a server leaves behind: some 20 MB.

The collector looks for cycles, of which there are few, among all that was made since, and now and then among all there
is; everybody waits meanwhile. What a server has when it begins to listen stays, so it need not be looked at again. When
ten thousand scopes are made at once, a quarter of the time was the collector's.
"""

import ctypes
import gc
import os
from collections.abc import Callable

from providers.ticker import WokenTicker

KEPT_BYTES = 128 << 20
LARGEST_KEPT_BYTES = 32 << 20
"""The most that glibc allows."""

ARENAS_MAX = max(4, os.cpu_count() or 1)
"""Most of what allocates holds the interpreter lock."""

REST_SECONDS = 10.0
"""How often it is asked whether nothing runs, after something did."""

ALLOCATIONS_BETWEEN = 10_000
"""After so many new objects the collector looks at them: a few statements make as many."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Numbers of glibc's parameters, from its malloc.h."""


def keep_freed_memory() -> None:
    """Tell glibc; other C libraries have no such choice and are left alone."""
    choose = getattr(ctypes.CDLL(None), "mallopt", None)
    if choose is not None:
        choose(_TRIM_THRESHOLD, KEPT_BYTES)
        choose(_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
        choose(_ARENA_MAX, ARENAS_MAX)


def begin_collections() -> None:
    """Let the collector begin, which rests while a server starts, with what is made from now on."""
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_BETWEEN, *gc.get_threshold()[1:])
    gc.enable()


def give_back_freed_memory() -> None:
    """Let the kernel have what is free now."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def resting_ticker(is_at_work: Callable[[], bool], seconds: float = REST_SECONDS) -> WokenTicker:
    """The thread that gives back what is free when nothing runs any more; it sleeps until it is woken by work."""

    def rest() -> None:
        if not is_at_work():
            give_back_freed_memory()

    return WokenTicker("allocator", rest, seconds, is_at_work, lambda: None)
