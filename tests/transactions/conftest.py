"""Fixtures of the transaction tests."""

import pytest

from tests.storage_fixtures import Database, TableAccess, db, kv, table

__all__ = ["db", "table"]


@pytest.fixture
def both(table: TableAccess) -> TableAccess:
    """A table with the cold rows 0 to 9 and the hot rows 10 to 19, of which each value is its key."""
    table.write(*[kv(k, k) for k in range(10)])
    table.flush()
    table.write(*[kv(k, k) for k in range(10, 20)])
    return table


@pytest.fixture
def other(db: Database) -> TableAccess:
    """A second table, with one row."""
    second = db.create(name="u")
    second.write(kv(1, 1))
    return second
