"""Batch files that changed under a running server: found before or while a query reads them, and named.

A file's checksum is verified when this process first opens it. What happens to it later the engine notices only when it
decodes it, without saying where, and a file that is gone it takes for one without rows.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from providers.cold.files import ColdFiles
from providers.cold.pruning import Pruned
from providers.damage import DamagedError
from providers.snapshot import Snapshot
from providers.stopping import Stop, check

_MAY_BE_DAMAGE = frozenset({ErrorKind.CORRUPT, ErrorKind.INTERNAL})


def check_present(
    files: ColdFiles, snapshots: Mapping[TableName, Snapshot], pruned: Mapping[TableName, Pruned]
) -> None:
    """Raise CORRUPT when a file that a query is to read is missing or has lost its end."""
    for name, choice in pruned.items():
        cold = snapshots[name].cold
        for entry in choice.kept:
            if cold.folder.size(entry.path) != entry.bytes:
                files.verify(cold, entry)


@contextmanager
def damage_named(
    files: ColdFiles, snapshots: Mapping[TableName, Snapshot], pruned: Mapping[TableName, Pruned], stop: Stop
) -> Iterator[None]:
    """When reading fails because of a damaged file, say of which batch of which table it is.

    To find it, the files that the query may have read are read whole.
    """
    try:
        yield
    except DamagedError:
        raise
    except (DatabaseError, OSError, pa.ArrowException) as error:
        if isinstance(error, DatabaseError) and error.kind not in _MAY_BE_DAMAGE:
            raise
        for name, choice in pruned.items():
            for entry in choice.kept:
                check(stop)
                files.verify(snapshots[name].cold, entry)
        raise
