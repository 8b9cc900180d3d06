"""Fixtures of the storage tests."""

from tests.storage_fixtures import db, table

__all__ = ["db", "table"]
