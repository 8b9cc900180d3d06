"""A scope's manifest, written anew from its other files, when it is lost or damaged.

Batches say in their footers what they are, deletion files which rows are dead, hot records which versions are newer
than any batch; `manifest.rebuild` tells from these which rows are live. Column ranges are measured again, blooms are
checked against the keys and written again where they are missing or wrong. A file that cannot be read, or that belongs
elsewhere, stops the rebuild with CORRUPT and its name: a guess would lose rows or raise dead ones.

What no file can tell is not restored: `created_at` and `updated_at`, and the idempotency record of a bulk commit that
had not reached RocksDB. The batches' checksums are those of the files as they are found.

Nobody else may use the scope meanwhile, and the scope must be loaded again afterwards.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

import bloom
from bloom import BloomCorrupt, BloomFilter, hash_rows
from catalog.definition import SEQ_COLUMN, Scope, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from flush.batch_writer import entry_of
from flush.change import ColdChange, next_manifest
from flush.key_numbers import KeyColumns, number_keys
from manifest import dead_rows
from manifest.batch_entry import BatchFileEntry, BloomEntry
from manifest.dead_rows import DeadRows
from manifest.entries import ManifestFile
from manifest.files import checksum
from manifest.footer import Footer, Lineage
from manifest.layout import (
    batch_of_file,
    bloom_name,
    deletion_name,
    holds_rows,
    is_segment,
    published_name,
    retired_name,
    version_of_file,
)
from manifest.ranges import column_range
from manifest.rebuild import FoundBatch, Numbers, dead_rows_of, replaced_batches
from providers.clock import timestamp
from providers.cold.files import KEY_FILTER
from providers.cold.rows import read_footer, read_rows
from providers.cold.scope_folder import ScopeFolder
from providers.commit.used_names import put_used, recorded
from providers.hot import record
from providers.manifests.service import ManifestService


@dataclass(frozen=True, eq=False)
class _ReadBatch:
    """A batch's entry without dead rows, and what else its files say."""

    entry: BatchFileEntry
    lineage: Lineage
    retired: bool
    keys: KeyColumns
    seqs: Numbers
    dead: DeadRows


def rebuild_scope(keyvalue: KeyValueStore, folder: ScopeFolder, table: TableDef, scope: Scope) -> ManifestFile:
    """Write a scope's deletion files and manifest anew; return the manifest."""
    folder.make()
    names = frozenset(folder.names())
    files = sorted((batch_of_file(name), name) for name in names if holds_rows(name) and name == published_name(name))
    batches = [_read_batch(folder, names, table, scope, name) for _, name in files]
    hot_columns, hot_seqs = _hot_versions(keyvalue, table, scope)
    *keys, hot_keys = number_keys([*(batch.keys for batch in batches), hot_columns])
    found = [
        FoundBatch(batch.entry.batch, batch.lineage.inputs, batch.retired, numbered, batch.seqs, batch.dead)
        for batch, numbered in zip(batches, keys, strict=True)
    ]
    replaced = replaced_batches(found)
    empty = _empty_manifest(table, scope)
    used = recorded(keyvalue, scope).and_those_of(empty, names).next_version
    change = ColdChange(
        added=[batch.entry for batch in batches if batch.entry.batch not in replaced],
        dead=dead_rows_of(found, hot_keys, hot_seqs),
        flushed_seq=max([0, *(max(batch.lineage.flushed_seq, batch.entry.max_seq) for batch in batches)]),
        schema_version=max([1, *(batch.entry.schema_version for batch in batches)]),
    )
    manifest = next_manifest(folder, replace(empty, max_batch=used.batch), change, used.version)
    mark = AtomicWrite()
    put_used(mark, scope, used)
    ManifestService(keyvalue).rewrite(folder, scope, manifest, mark)
    keyvalue.commit(mark)
    return manifest


def _empty_manifest(table: TableDef, scope: Scope) -> ManifestFile:
    now = timestamp()
    return ManifestFile(table.id, table.name.namespace, table.name.table, scope.user, 0, now, now)


def _read_batch(folder: ScopeFolder, names: frozenset[str], table: TableDef, scope: Scope, name: str) -> _ReadBatch:
    number = batch_of_file(name)
    about, rows = _read_file(folder, name)
    if (about.table_id, about.user_id, about.batch, about.rows) != (scope.table_id, scope.user, number, len(rows)):
        raise DatabaseError(ErrorKind.CORRUPT, f"file {name} is not batch {number} of {table.name}")
    try:
        ranges = {column_id: column_range(rows.column(physical)) for physical, column_id in about.column_ids.items()}
    except KeyError as error:
        raise DatabaseError(ErrorKind.CORRUPT, f"the footer of file {name} is not readable") from error
    seqs = rows.column(SEQ_COLUMN).to_numpy()
    found = replace(about, min_seq=int(seqs.min()), max_seq=int(seqs.max()))
    bloom_entry = None if is_segment(name) else _describe_bloom(folder, about.batch, table, rows)
    entry = entry_of(found, name, folder.checksum(name), ranges, bloom_entry)
    keys = [rows.column(column.physical) for column in table.key_columns]
    dead = _read_dead_rows(folder, names, scope, entry)
    return _ReadBatch(entry, about.lineage, retired_name(about.batch) in names, keys, seqs, dead)


def _read_file(folder: ScopeFolder, name: str) -> tuple[Footer, pa.Table]:
    try:
        return read_footer(folder, name), read_rows(folder, name)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DatabaseError(ErrorKind.CORRUPT, f"file {name} of the table is no readable batch") from error


def _read_dead_rows(folder: ScopeFolder, names: frozenset[str], scope: Scope, entry: BatchFileEntry) -> DeadRows:
    """The union of all deletion files of a batch: a row that was dead once stays dead."""
    dead = DeadRows.none(entry.rows)
    for name in names:
        version = version_of_file(name)
        if version is None or name != deletion_name(entry.batch, version):
            continue
        try:
            found = dead_rows.decode(folder.read(name) or b"")
        except DatabaseError as error:
            raise DatabaseError(ErrorKind.CORRUPT, f"file {name}: {error.message}") from error
        if (found.table_id, found.batch, found.dead.rows) != (scope.table_id, entry.batch, entry.rows):
            raise DatabaseError(ErrorKind.CORRUPT, f"file {name} belongs to another batch")
        dead = dead.union(found.dead)
    return dead


def _describe_bloom(folder: ScopeFolder, number: int, table: TableDef, rows: pa.Table) -> BloomEntry:
    """Describe a batch's bloom file; write it anew unless it is readable and knows every value of its columns."""
    physical = {column.id: [column.physical] for column in table.columns if column.physical in rows.column_names}
    physical[KEY_FILTER] = [column.physical for column in table.key_columns]
    name = bloom_name(number)
    data = folder.read(name) or b""
    filters = _read_filters(data)
    asked = [KEY_FILTER, *(column_id for column_id in table.filtered if column_id in physical)]
    if not _knows_all(filters, physical, rows):
        fpp = table.options.bloom_fpp
        filters = {filter_id: BloomFilter.build(_hashes(rows, physical[filter_id]), fpp) for filter_id in asked}
        data = bloom.encode(filters)
        folder.publish(name, data)
    return BloomEntry(name, tuple(filters), filters[KEY_FILTER].fpp, len(data), checksum(data))


def _read_filters(data: bytes) -> dict[int, BloomFilter]:
    """The filters in a bloom file's bytes; none when they are damaged."""
    try:
        return bloom.decode(data)
    except BloomCorrupt:
        return {}


def _knows_all(filters: dict[int, BloomFilter], physical: dict[int, list[str]], rows: pa.Table) -> bool:
    """Tell whether filters have the key and no false negative. A dropped column's filter is never asked."""
    known = (name for name in filters if name in physical)
    return KEY_FILTER in filters and all(
        bool(filters[name].may_contain(_hashes(rows, physical[name])).all()) for name in known
    )


def _hashes(rows: pa.Table, names: list[str]) -> npt.NDArray[np.uint64]:
    columns = [rows.column(name).combine_chunks() for name in names]
    return hash_rows(columns if len(columns) > 1 else [columns[0].drop_null()])


def _hot_versions(keyvalue: KeyValueStore, table: TableDef, scope: Scope) -> tuple[KeyColumns, Numbers]:
    """Keys and `_seq`s of all hot records, also of those that a flush made invisible and that were not deleted."""
    prefix = record.scope_prefix(scope)
    stored = keyvalue.scan(Family.HOT, prefix, record.prefix_end(prefix))
    batches = [record.decode(value).rows for _, value in stored]
    names = [*(column.physical for column in table.key_columns), SEQ_COLUMN]
    schema = pa.schema([table.version_schema.field(name) for name in names])
    rows = pa.Table.from_batches([batch.select(names) for batch in batches], schema=schema)
    return rows.columns[:-1], rows.column(SEQ_COLUMN).to_numpy()
