"""What a commit takes: rows for one scope in physical columns, some of them tombstones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import pyarrow as pa

from catalog.definition import TableDef
from providers.rows.defaults import columns_by, missing_values
from providers.rows.keys import Keys, Mask


@dataclass(frozen=True, eq=False)
class Change:
    """Rows for a scope in physical columns, in order. `deleted` marks tombstones; None means there are none."""

    rows: pa.Table
    deleted: Mask | None = None

    @classmethod
    def concat(cls, changes: "Sequence[Change]") -> "Change":
        """Several changes, one after another. At least one is given."""
        rows = pa.concat_tables([change.rows for change in changes])
        if all(change.deleted is None for change in changes):
            return cls(rows)
        return cls(rows, np.concatenate([change.deleted_mask for change in changes]))

    @property
    def deleted_mask(self) -> Mask:
        """One flag for each row, true for tombstones."""
        return np.zeros(self.rows.num_rows, dtype=np.bool_) if self.deleted is None else self.deleted

    @property
    def live_rows(self) -> pa.Table:
        """The rows that are no tombstones."""
        return self.rows if self.deleted is None else self.rows.filter(pa.array(~self.deleted))

    def read_by(self, table: TableDef) -> "Change":
        """The change by another version of its table's definition."""
        schema = table.row_schema
        if self.rows.column_names == schema.names:
            return self
        columns = columns_by(self.rows, schema, missing_values(table))
        return Change(pa.Table.from_arrays(columns, schema=schema), self.deleted)

    def filter(self, keep: Mask) -> "Change":
        """The rows of `keep`."""
        return Change(self.rows.filter(pa.array(keep)), None if self.deleted is None else self.deleted[keep])

    def slice(self, start: int, count: int) -> "Change":
        """At most `count` rows from `start`."""
        deleted = None if self.deleted is None else self.deleted[start : start + count]
        return Change(self.rows.slice(start, count), deleted)


@dataclass(frozen=True, eq=False)
class RowsOfUsers:
    """Rows of some users for a USER table, those of each next to each other: as many of each as `counts` says."""

    change: Change
    users: Sequence[str]
    counts: Sequence[int]

    def parts(self) -> Iterator[tuple[str, Change]]:
        """The rows of each user."""
        starts = accumulate(self.counts, initial=0)
        for user, start, count in zip(self.users, starts, self.counts, strict=False):
            yield user, self.change.slice(start, count)


def key_of(table: TableDef, rows: pa.Table) -> Keys:
    """The keys of rows in physical columns."""
    return Keys.of([rows.column(column.physical) for column in table.key_columns])
