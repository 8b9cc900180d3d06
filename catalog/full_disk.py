"""A disk that is full, told apart from what else may go wrong with a file, and told in one line without a path."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from catalog.errors import DatabaseError, ErrorKind

_NUMBERS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_TEXTS = re.compile(r"No space left on device|Disk quota exceeded|File too large", re.IGNORECASE)
"""What the system says, for libraries that pass on its text alone."""


def is_full(error: BaseException) -> bool:
    """Tell whether a failure says that there is no more room for a file."""
    return (isinstance(error, OSError) and error.errno in _NUMBERS) or bool(_TEXTS.search(str(error)))


def disk_full() -> DatabaseError:
    """The failure that a client is told."""
    return DatabaseError(
        ErrorKind.RESOURCES, "the disk of the server is full, and nothing was changed; make room there, then retry"
    )


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Raise RESOURCES in the place of a failure that comes from a full disk."""
    try:
        yield
    except DatabaseError:
        raise
    except Exception as error:
        if is_full(error):
            raise disk_full() from error
        raise
