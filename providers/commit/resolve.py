"""What a change does to a scope: older versions found, the conflict rule applied. Pure but for reading key indexes.

This is the merge, done on write: each key's older live version, hot or cold, is found and marked dead in the same
commit that brings the newer one, so that no query ever compares `_seq`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique

import numpy as np
import pyarrow as pa

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from providers.cold.files import ColdFiles
from providers.cold.locate import ColdRows, find_cold
from providers.hot.view import Seqs
from providers.rows.change import Change, key_of
from providers.rows.keys import Keys, Mask, Positions
from providers.snapshot import Snapshot


@unique
class OnExisting(Enum):
    """What happens to a row whose key has a live version, or that repeats a key of the same change."""

    REPLACE = "it becomes the key's new version; of several, the last one wins"
    REFUSE = "the whole change is an error that names the key"
    SKIP = "it is left out; of several, the first one wins"
    SKIP_ALIKE = "it is left out, and so is one that has a value of another row which is to be UNIQUE"

    @property
    def skips(self) -> bool:
        """Tell whether rows are left out."""
        return self in (OnExisting.SKIP, OnExisting.SKIP_ALIKE)


@dataclass(frozen=True, eq=False)
class Resolved:
    """A change after the conflict rule: what is written and what dies.

    `rows` and `keys` are what is written, tombstones included; `dead_hot` are `_seq`s, `dead_cold` row positions by
    batch. `affected` counts rows as SQL does: written or deleted, skipped rows not.
    """

    rows: pa.Table
    deleted: Mask
    keys: Keys
    dead_hot: Seqs
    dead_cold: Mapping[int, Positions]
    affected: int


def resolve_keys(snapshot: Snapshot, change: Change, rule: OnExisting, files: ColdFiles) -> Resolved:
    """Apply `rule` to `change` on top of `snapshot`, as far as it is about keys: `uniqueness` has what commits ask."""
    rows, keys = change.rows, key_of(snapshot.table, change.rows)
    deleted = change.deleted_mask
    offered = len(keys)
    if rule is OnExisting.REFUSE:
        refuse_duplicates(snapshot.table, keys, ~keys.first_of_each, "occurs twice in the same statement")
    distinct = keys.first_of_each if rule.skips else keys.last_of_each
    if not distinct.all():
        rows, keys, deleted = filtered(rows, keys, deleted, distinct)
    hot_rows, hot_seqs = snapshot.hot.find(keys)
    cold = find_cold(snapshot, keys, files)
    existing = _mask(len(keys), hot_rows, cold.rows)
    if rule is OnExisting.REFUSE:
        refuse_duplicates(snapshot.table, keys, existing, "exists already")
    if rule.skips:
        rows, keys, deleted = filtered(rows, keys, deleted, ~existing)
        empty = np.empty(0, dtype=np.int64)
        return Resolved(rows, deleted, keys, empty, {}, len(keys))
    pointless = deleted & ~existing
    if pointless.any():
        rows, keys, deleted = filtered(rows, keys, deleted, ~pointless)
    return Resolved(rows, deleted, keys, np.sort(hot_seqs), by_batch(cold), offered)


def existing_rows(snapshot: Snapshot, change: Change, files: ColdFiles) -> Mask:
    """Tell for each row of a change whether its key has a live version."""
    keys = key_of(snapshot.table, change.rows)
    return _mask(len(keys), snapshot.hot.find(keys)[0], find_cold(snapshot, keys, files).rows)


def _mask(length: int, *positions: Positions) -> Mask:
    mask = np.zeros(length, dtype=np.bool_)
    for some in positions:
        mask[some] = True
    return mask


def filtered(rows: pa.Table, keys: Keys, deleted: Mask, keep: Mask) -> tuple[pa.Table, Keys, Mask]:
    """The rows of `keep`."""
    return rows.filter(pa.array(keep)), keys.take(np.flatnonzero(keep)), deleted[keep]


def refuse_duplicates(table: TableDef, keys: Keys, faulty: Mask | Positions, why: str) -> None:
    """Raise ALREADY_EXISTS naming the first of the `faulty` rows (a mask, or positions), if there is one."""
    positions = np.flatnonzero(faulty) if faulty.dtype == np.bool_ else faulty
    if len(positions):
        names = ", ".join(column.name for column in table.key_columns)
        row = int(positions[0])
        raise DatabaseError(
            ErrorKind.ALREADY_EXISTS, f"duplicate key in table {table.name}: {names} = {keys.describe(row)} {why}"
        )


def by_batch(found: ColdRows) -> dict[int, Positions]:
    """Row positions by batch number, ascending."""
    return {int(batch): np.sort(found.positions[found.batches == batch]) for batch in np.unique(found.batches)}
