"""The first rows of many scopes of one table: what each commit would do for itself is done once for all of them.

Only for rows that no rule is about: a scope that has none, whose new ones are all live and have keys of their own, in a
table without UNIQUE whose rows stay. Everything else goes the usual way, scope by scope, in the same commit.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import accumulate

import numpy as np
import pyarrow as pa

from catalog.definition import TableDef
from catalog.keyvalue import AtomicWrite
from providers.commit.apply import as_versions, put_records
from providers.hot.view import CHUNK_BYTES_MAX, CHUNK_ROWS_MAX, Seqs
from providers.rows.change import RowsOfUsers, key_of
from providers.rows.keys import Keys
from providers.rows.pieces import JOINED_BYTES_MAX
from providers.rows.sequence import SeqAllocator
from providers.snapshot import Snapshot

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio: hashes of the same key in different scopes are far apart."""


Writes = Callable[[Snapshot, AtomicWrite], tuple[Snapshot, int]]
"""Puts the records of a change to a scope into a batch; returns the snapshot after it, and how many rows it counts."""


class FirstRows:
    """The rows of many scopes, by the scope's place in the sequence. Their ids are taken when the first is written."""

    def __init__(self, table: TableDef, rows: RowsOfUsers, allocator: SeqAllocator) -> None:
        self._table = table
        self._allocator = allocator
        self._rows = rows.change.rows
        self._starts: list[int] = list(accumulate(rows.counts, initial=0))
        self._keys = key_of(table, self._rows)
        self._other = self._repeating(rows.counts) | _too_large(rows)

    @classmethod
    def of(cls, table: TableDef, rows: RowsOfUsers, allocator: SeqAllocator) -> "FirstRows | None":
        """None where they are few, or rules are about them."""
        if len(rows.users) < 2 or table.uniques or table.is_stream or rows.change.deleted is not None:
            return None
        return cls(table, rows, allocator) if rows.change.rows.nbytes <= JOINED_BYTES_MAX else None

    def write(self, place: int, usual: Writes, head: Snapshot, batch: AtomicWrite) -> tuple[Snapshot, int]:
        """Put the rows of a scope into a batch, in the `usual` way where that is not for here.

        The writer locks of all scopes are held.
        """
        start, end = self._starts[place], self._starts[place + 1]
        has_rows = head.hot.chunks or head.manifest.parts
        if has_rows or place in self._other or head.table.version != self._table.version or start == end:
            return usual(head, batch)
        whole, seqs = self._versions
        count = end - start
        versions = whole.slice(start, count)
        put_records(batch, head.scope, [versions], {})
        keys = Keys(tuple(column.slice(start, count) for column in self._keys.columns), None, self._keys.exact)
        hot = head.hot.with_rows(versions, keys)
        return Snapshot(head.version + 1, head.cold, head.dead, hot, int(seqs[end - 1])), count

    @cached_property
    def _versions(self) -> tuple[pa.RecordBatch, Seqs]:
        seqs = self._allocator.reserve(self._rows.num_rows)
        live = np.zeros(len(seqs), dtype=np.bool_)
        (versions,) = as_versions(self._table, self._rows, seqs, live).combine_chunks().to_batches()
        return versions, seqs

    def _repeating(self, counts: Sequence[int]) -> set[int]:
        """The places of scopes in which two rows may have the same key."""
        places = np.repeat(np.arange(len(counts), dtype=np.uint64), counts)
        hashes = self._keys.hashes + places * _SPREAD
        order = np.argsort(hashes)
        alike = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]])
        return set(places[order[alike]].tolist()) | set(places[order[alike + 1]].tolist())


def _too_large(rows: RowsOfUsers) -> set[int]:
    """The places of scopes whose rows are no single record."""
    found = {place for place, count in enumerate(rows.counts) if count > CHUNK_ROWS_MAX}
    if rows.change.rows.nbytes > CHUNK_BYTES_MAX:
        found |= {place for place, (_, part) in enumerate(rows.parts()) if part.rows.nbytes > CHUNK_BYTES_MAX}
    return found
