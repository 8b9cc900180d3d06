"""UNIQUE: whether a change brings a value that another row has. Asked with the writer lock held, as the key is.

A change is looked at as a whole: what it replaces or deletes is gone before what it brings is there, so that rows may
exchange their values. Values are found by hash, in the hot rows' indexes and in the batches that ranges and blooms
leave; a row with a NULL in one of the columns is like no other.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from catalog.definition import TableDef, Unique
from catalog.errors import DatabaseError, ErrorKind
from manifest.batch_entry import BatchFileEntry
from providers.cold.files import ColdFiles
from providers.cold.values import have_values, live_values
from providers.commit.resolve import OnExisting, Resolved, filtered, resolve_keys
from providers.hot.view import Seqs
from providers.rows.change import Change
from providers.rows.keys import Keys, Mask, Positions, may_share
from providers.rows.unique_values import UniqueValues
from providers.snapshot import Snapshot

NO_SEQS: Seqs = np.empty(0, dtype=np.int64)


class NotUniqueError(DatabaseError):
    """A value of a UNIQUE would be there twice; nothing was written."""


def resolve(snapshot: Snapshot, change: Change, rule: OnExisting, files: ColdFiles) -> Resolved:
    """Apply `rule` to `change` on top of `snapshot`; NotUniqueError where a constraint would be broken."""
    resolved = resolve_keys(snapshot, change, rule, files)
    uniques = snapshot.table.uniques
    if not uniques or not resolved.rows.num_rows or resolved.deleted.all():
        return resolved
    if rule is OnExisting.SKIP_ALIKE:
        return _without_alike(snapshot, resolved, files)
    for unique in uniques:
        values = _values_of(snapshot.table, unique, resolved)
        _refuse(snapshot.table, unique, values, values.repeated, "occurs twice in the same statement")
        taken = _taken(snapshot, unique, values, resolved.dead_hot, resolved.dead_cold, files)
        _refuse(snapshot.table, unique, values, taken, "exists already")
    return resolved


def refuse_taken(
    snapshot: Snapshot,
    batches: Iterable[BatchFileEntry],
    staged: Snapshot,
    gone: Mapping[int, Positions],
    files: ColdFiles,
) -> None:
    """Raise NotUniqueError for rows of staged batches that have a value which a row has that is not `gone`."""
    table = staged.table
    entries = list(batches)
    for unique in table.uniques if snapshot.manifest.batches or snapshot.hot.live_count else ():
        for entry in entries:
            values = live_values(staged, entry, table.columns_of(unique), files)
            _refuse(table, unique, values, _taken(snapshot, unique, values, NO_SEQS, gone, files), "exists already")


def kept_values(table: TableDef, rows: pa.Table) -> tuple[Keys, ...]:
    """What rows have in the columns of each constraint, enough to tell that no two are alike.

    It takes eight bytes a row, and does not keep what the rows are in.
    """
    found = []
    for unique in table.uniques:
        keys = UniqueValues.of([rows.column(column.physical) for column in table.columns_of(unique)]).keys
        numbers = keys.numbers
        copied = None if numbers is None else Keys.of([pa.array(np.concatenate([*numbers]))])
        found.append(Keys((), keys.hashes, exact=False) if copied is None else copied)
    return tuple(found)


def may_repeat(table: TableDef, parts: Sequence[tuple[Keys, ...]]) -> list[Unique]:
    """The constraints in whose columns two rows of all parts may be alike."""
    of_each = zip(*parts, strict=True)
    return [unique for unique, keys in zip(table.uniques, of_each, strict=False) if may_share(keys)]


def refuse_repeated(snapshot: Snapshot, uniques: Collection[Unique], files: ColdFiles, why: str) -> None:
    """Raise NotUniqueError for a value that two rows of a state have."""
    for unique in uniques:
        parts = list(_all_values(snapshot, unique, files))
        if parts and may_share([part.keys for part in parts]):
            together = _joined(parts)
            _refuse(snapshot.table, unique, together, together.repeated, why)


def _all_values(snapshot: Snapshot, unique: Unique, files: ColdFiles) -> Iterator[UniqueValues]:
    """What all rows of a state have in the columns of a constraint, part by part."""
    columns = snapshot.table.columns_of(unique)
    for entry in snapshot.manifest.batches:
        yield live_values(snapshot, entry, columns, files)
    for batch in snapshot.hot.batches:
        yield UniqueValues.of([batch.column(column.physical) for column in columns])


def _joined(parts: list[UniqueValues]) -> UniqueValues:
    columns = zip(*(part.stored for part in parts), strict=True)
    return UniqueValues.of([pa.chunked_array(list(chunks)) for chunks in columns])


def _values_of(table: TableDef, unique: Unique, resolved: Resolved) -> UniqueValues:
    """What a change's live rows have in the columns of a constraint."""
    columns = [resolved.rows.column(column.physical) for column in table.columns_of(unique)]
    if not resolved.deleted.any():
        return UniqueValues.of(columns)
    live = np.flatnonzero(~resolved.deleted)
    index = pa.array(live)
    return UniqueValues.of([column.take(index) for column in columns], live)


def _taken(
    snapshot: Snapshot,
    unique: Unique,
    values: UniqueValues,
    dead_hot: Seqs,
    dead_cold: Mapping[int, Positions],
    files: ColdFiles,
) -> Positions:
    """The places of values that a live row has, apart from those that die."""
    columns = snapshot.table.columns_of(unique)
    in_hot = snapshot.hot.have_values(tuple(column.physical for column in columns), values, dead_hot)
    return np.union1d(in_hot, have_values(snapshot, columns, values, dead_cold, files))


def _without_alike(snapshot: Snapshot, resolved: Resolved, files: ColdFiles) -> Resolved:
    """Leave out rows that have a value of an existing row, or of one before them that stays."""
    keep = np.ones(resolved.rows.num_rows, dtype=np.bool_)
    of_each = [_values_of(snapshot.table, unique, resolved) for unique in snapshot.table.uniques]
    for unique, values in zip(snapshot.table.uniques, of_each, strict=True):
        keep[values.rows[_taken(snapshot, unique, values, NO_SEQS, {}, files)]] = False
    if len(of_each) == 1:
        (values,) = of_each
        left = values.take(np.flatnonzero(keep[values.rows]))
        keep[left.rows[left.repeated]] = False
    else:
        _leave_out_repeated(of_each, keep)
    rows, keys, deleted = filtered(resolved.rows, resolved.keys, resolved.deleted, keep)
    return replace(resolved, rows=rows, keys=keys, deleted=deleted, affected=len(keys))


def _leave_out_repeated(of_each: list[UniqueValues], keep: Mask) -> None:
    """Row by row, for several constraints: one that is left out by the one leaves its other values to those after."""
    seen: list[set[tuple[object, ...]]] = [set() for _ in of_each]
    known: dict[int, list[tuple[int, tuple[object, ...]]]] = {}
    for number, values in enumerate(of_each):
        columns = [column.to_pylist() for column in values.keys.columns]
        for row, value in zip(values.rows.tolist(), zip(*columns, strict=True), strict=True):
            known.setdefault(row, []).append((number, value))
    for row in np.flatnonzero(keep).tolist():
        mine = known.get(row, [])
        keep[row] = all(value not in seen[number] for number, value in mine)
        if keep[row]:
            for number, value in mine:
                seen[number].add(value)


def _refuse(table: TableDef, unique: Unique, values: UniqueValues, places: Positions, why: str) -> None:
    """Raise for the first of some values, if there is one."""
    if len(places):
        names = ", ".join(column.name for column in table.columns_of(unique))
        raise NotUniqueError(
            ErrorKind.ALREADY_EXISTS,
            f"duplicate value in table {table.name}: {names} = {values.describe(int(places[0]))} {why};"
            f" {unique.name} is UNIQUE",
        )
