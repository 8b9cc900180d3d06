"""What the process asks of the C library's allocator.

Messages of some megabytes are received, written and freed hundreds of times a second. By default each of them is
memory that the kernel has to clear first, and takes back at once: keeping up to `KEPT_BYTES` of it free in each arena
lets a bulk load pass with a quarter less work. What the start of a server leaves behind is given back: some 20 MB.
"""

import ctypes

KEPT_BYTES = 128 << 20
LARGEST_KEPT_BYTES = 32 << 20
"""The most that glibc allows."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's parameters, from its malloc.h."""


def keep_freed_memory() -> None:
    """Tell glibc; other C libraries have no such choice and are left alone."""
    choose = getattr(ctypes.CDLL(None), "mallopt", None)
    if choose is not None:
        choose(_TRIM_THRESHOLD, KEPT_BYTES)
        choose(_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)


def give_back_freed_memory() -> None:
    """Let the kernel have what is free now."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
