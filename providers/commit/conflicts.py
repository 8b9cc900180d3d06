"""The first committer wins: whether a commit must lose against what has happened since its transaction began."""

import numpy as np

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from manifest.predicate import Predicate
from providers.cold.files import ColdFiles
from providers.cold.locate import ColdRows, find_cold
from providers.commit.work import Written
from providers.rows.keys import Keys, Mask
from providers.snapshot import Snapshot


def refuse_conflict(base: Snapshot, head: Snapshot, written: Written, files: ColdFiles, *, whole: bool = False) -> None:
    """Raise CONFLICT when another commit changed the table's definition, or a row that has one of the written keys.

    `base` is what the transaction began with, `head` the newest state. One that replaces the `whole` scope loses
    against any other commit to it.
    """
    if head.table.version != base.table.version:
        raise altered(head.table)
    if whole and head.last_seq != base.last_seq:
        raise _lost(head.table, "")
    for keys, bounds in written:
        lost = np.flatnonzero(changed_since(base, head, keys, files, bounds))
        if len(lost):
            raise _lost(head.table, f", at key {keys.describe(int(lost[0]))}" if keys.columns else "")


def changed_since(
    base: Snapshot, head: Snapshot, keys: Keys, files: ColdFiles, bounds: Predicate | None = None
) -> Mask:
    """Tell which keys have a version in `head` that is newer than `base`, or lost the one that `base` has.

    `bounds` is what every row with one of the keys satisfies; it is measured when it is not given.
    """
    changed = np.zeros(len(keys), dtype=np.bool_)
    if not len(keys) or (head.last_seq, head.manifest.version) == (base.last_seq, base.manifest.version):
        return changed
    hot_rows, hot_seqs = head.hot.find(keys)
    cold = find_cold(head, keys, files, bounds)
    present = np.zeros(len(keys), dtype=np.bool_)
    present[hot_rows] = present[cold.rows] = True
    existed = np.zeros(len(keys), dtype=np.bool_)
    existed[base.hot.above(head.hot.floor).find(keys)[0]] = existed[find_cold(base, keys, files, bounds).rows] = True
    changed[hot_rows[hot_seqs > base.last_seq]] = True
    changed[cold.rows[_cold_seqs(head, cold, base.last_seq, files) > base.last_seq]] = True
    return changed | (existed & ~present)


def altered(table: TableDef) -> DatabaseError:
    """The error of a transaction whose table is not defined any more as it was."""
    return DatabaseError(
        ErrorKind.CONFLICT, f"another transaction changed the definition of {table.name} first; run this one again"
    )


def _lost(table: TableDef, where: str) -> DatabaseError:
    return DatabaseError(
        ErrorKind.CONFLICT,
        f"another transaction changed {table.name} first{where}; nothing of this transaction was written: run it again",
    )


def _cold_seqs(head: Snapshot, found: ColdRows, since: int, files: ColdFiles) -> np.ndarray:
    """The `_seq` of cold rows; those of batches without a newer one than `since` are not read and count as 0."""
    seqs = np.zeros(len(found.rows), dtype=np.int64)
    for batch in np.unique(found.batches):
        entry = head.manifest.by_number[int(batch)]
        if entry.max_seq > since:
            here = found.batches == batch
            seqs[here] = files.seqs(head.cold, entry)[found.positions[here]]
    return seqs
