"""Which hot rows stay where they are: those of a user's partition that has so few that a file of their own costs more.

They are as durable and as visible as all others. A partition costs a folder, a batch, a bloom and a manifest once it
has a file, each with a sync, and ten milliseconds of processor time; a few records in RocksDB cost next to nothing. So
the interval of a flush policy and FLUSH ALL leave them alone, while FLUSH TABLE moves whatever it is told to
(docs/decisions/0023-few-rows-stay-hot.md).
"""

from catalog.definition import Scope, TableDef, TableKind
from providers.commit.scope_store import ScopeStore

RECORDS_MAX = 64
"""Commits, each of which is read and decoded by itself when the partition is loaded: 5 ms."""

BYTES_MAX = 64 << 10


def stays_hot(store: ScopeStore, table: TableDef, user: str | None) -> bool:
    """Tell whether a scope has so few hot rows that they may stay."""
    return table.kind is TableKind.USER and store.hot_records.are_few(
        Scope(table.id, user), records_max=RECORDS_MAX, bytes_max=BYTES_MAX
    )
