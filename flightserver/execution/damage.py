"""Batch files that changed under a running server: found before or while a query reads them, and named.

A file's checksum is verified when this process first opens it. What happens to it later the engine notices only when it
decodes it, without saying where, and a file that is gone it takes for one without rows.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from manifest.entries import BatchFileEntry
from providers.cold.pruning import Pruned
from providers.snapshot import Snapshot
from providers.stopping import Stop, check

_MAY_BE_DAMAGE = frozenset({ErrorKind.CORRUPT, ErrorKind.INTERNAL})


def check_present(snapshots: Mapping[TableName, Snapshot], pruned: Mapping[TableName, Pruned]) -> None:
    """Raise CORRUPT when a file that a query is to read is missing or has lost its end."""
    for name, choice in pruned.items():
        folder = snapshots[name].cold.folder
        for entry in choice.kept:
            size = folder.size(entry.path)
            if size is None:
                raise _damaged(name, entry, "its file is missing")
            if size != entry.bytes:
                raise _damaged(name, entry, "its file has another size")


@contextmanager
def damage_named(
    snapshots: Mapping[TableName, Snapshot], pruned: Mapping[TableName, Pruned], stop: Stop
) -> Iterator[None]:
    """When reading fails because of a damaged file, say of which batch of which table it is.

    To find it, the files that the query may have read are read whole.
    """
    try:
        yield
    except (DatabaseError, OSError, pa.ArrowException) as error:
        if isinstance(error, DatabaseError) and error.kind not in _MAY_BE_DAMAGE:
            raise
        for name, choice in pruned.items():
            for entry in choice.kept:
                check(stop)
                _verify(name, snapshots[name], entry)
        raise


def _verify(name: TableName, snapshot: Snapshot, entry: BatchFileEntry) -> None:
    try:
        snapshot.cold.folder.verify(entry.path, entry.checksum, entry.bytes)
    except DatabaseError as error:
        raise _damaged(name, entry, "its file is not what was written") from error


def _damaged(name: TableName, entry: BatchFileEntry, how: str) -> DatabaseError:
    advice = "put it back from a copy of the data folder"
    return DatabaseError(ErrorKind.CORRUPT, f"batch {entry.batch} of table {name} is damaged: {how}; {advice}")
