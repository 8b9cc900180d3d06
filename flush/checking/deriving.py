"""What a file of a scope held, worked out of what is left of the scope. What comes out is the file's bytes, or nothing.

Whoever asks holds the bytes against the checksum that the manifest has of the file: what is put back is what was
written, bit for bit. So a guess that is wrong is no harm, and nothing that was deleted can come back by it.

A bloom filter follows from the rows of its batch. The dead rows of a batch follow from what is in memory, where the
scope is; else from newer versions of its keys in other batches and from marks in RocksDB, as long as these tell of all
of them: of a row that was deleted, or whose newer version is gone too, nothing is left but the deletion file.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

import bloom
from bloom import BloomFilter, hash_rows
from catalog.definition import SEQ_COLUMN
from catalog.keyvalue import Family
from flush.checking.scopes import StoredScope
from flush.key_numbers import number_keys
from manifest import dead_rows
from manifest.batch_entry import BatchFileEntry
from manifest.dead_rows import DeadRows
from manifest.entries import ManifestFile
from manifest.layout import version_of_file
from providers.cold.files import KEY_FILTER
from providers.cold.rows import read_footer, read_rows
from providers.hot import record
from providers.rows.keys import Positions


def bloom_bytes(stored: StoredScope, entry: BatchFileEntry) -> bytes | None:
    """The bloom file of a batch, whose file of rows is whole, as the manifest describes it."""
    if entry.bloom is None:
        return None
    about = read_footer(stored.folder, entry.path)
    names = {column_id: [physical] for physical, column_id in about.column_ids.items()} | {KEY_FILTER: [*about.key]}
    if not set(entry.bloom.columns) <= set(names):
        return None
    asked = {filter_id: names[filter_id] for filter_id in entry.bloom.columns}
    rows = read_rows(stored.folder, entry.path, sorted({name for some in asked.values() for name in some}))
    return bloom.encode(
        {filter_id: BloomFilter.build(_hashes(rows, some), entry.bloom.fpp) for filter_id, some in asked.items()}
    )


def _hashes(rows: pa.Table, names: Sequence[str]) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    columns = [rows.column(name).combine_chunks() for name in names]
    return hash_rows(columns if len(columns) > 1 else [columns[0].drop_null()])


def deletion_bytes(stored: StoredScope, entry: BatchFileEntry, dead: DeadRows) -> bytes | None:
    """The deletion file of a batch, if it recorded these rows and no others."""
    version = None if entry.dv is None else version_of_file(entry.dv.path)
    if version is None or dead.count != entry.dead:
        return None
    return dead_rows.encode(dead, stored.scope.table_id, entry.batch, version)


def dead_rows_found(stored: StoredScope, manifest: ManifestFile, lost: Sequence[BatchFileEntry]) -> Iterator[DeadRows]:
    """What each of some batches may have had as dead rows by its manifest; where it had others, nobody can tell.

    A row is dead when a batch of the manifest has a newer version of its key. A manifest knows of marks in RocksDB up
    to some commit, and of none after it: so there is one answer for each number of commits.
    """
    overwritten = _overwritten(stored, manifest, lost)
    marks = list(_marks(stored))
    for entry in lost:
        found = DeadRows.none(entry.rows).with_positions(overwritten[entry.batch])
        yield found
        for dead in marks:
            if len(dead.get(entry.batch, ())):
                found = found.with_positions(dead[entry.batch])
                yield found


def _overwritten(stored: StoredScope, manifest: ManifestFile, lost: Sequence[BatchFileEntry]) -> dict[int, Positions]:
    """For some batches, the rows of which another batch has a newer version."""
    names = [*(column.physical for column in stored.table.key_columns), SEQ_COLUMN]
    read = {entry.batch: read_rows(stored.folder, entry.path, names) for entry in manifest.batches}
    keys = dict(zip(read, number_keys([rows.columns[:-1] for rows in read.values()]), strict=True))
    seqs = {batch: rows.column(SEQ_COLUMN).to_numpy() for batch, rows in read.items()}
    all_keys, all_seqs = np.concatenate([*keys.values()]), np.concatenate([*seqs.values()])
    newest = np.zeros(int(all_keys.max(initial=-1)) + 1, dtype=np.int64)
    np.maximum.at(newest, all_keys, all_seqs)
    return {entry.batch: np.flatnonzero(seqs[entry.batch] < newest[keys[entry.batch]]) for entry in lost}


def _marks(stored: StoredScope) -> Iterator[dict[int, Positions]]:
    """What each commit that is still in RocksDB marked dead, in their order."""
    prefix = record.scope_prefix(stored.scope)
    for _, value in stored.keyvalue.scan(Family.HOT, prefix, record.prefix_end(prefix)):
        yield dict(record.decode(value).dead)
