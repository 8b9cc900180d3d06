"""A table as a transaction sees and changes it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from providers.commit.idempotency import Idempotency, Outcome
from providers.commit.request import Request
from providers.commit.resolve import OnExisting
from providers.commit.transaction import Transaction
from providers.rows.change import Change
from providers.snapshot import Snapshot
from tests.storage_fixtures import Database, Row, TableAccess, kv


class Inside(TableAccess):
    """A scope of a table inside a transaction."""

    def __init__(self, table: TableAccess, transaction: Transaction) -> None:
        super().__init__(table.db, table.name, table.user)
        self.transaction = transaction

    @property
    def definition(self) -> TableDef:
        """The definition that the transaction sees."""
        return self.transaction.registry.table(self.name)

    @property
    def snapshot(self) -> Snapshot:
        """What the transaction sees."""
        (found,) = self.transaction.snapshots([(self.definition, self.user)])
        return found

    def alter(self, change: Any) -> None:
        """Change the definition for this transaction."""
        after = change(self.definition)
        self.transaction.define(lambda registry: registry.with_table(after))

    def drop(self) -> None:
        """Drop the table."""
        self.transaction.define(lambda registry: registry.without_table(self.name))

    def write(
        self,
        *rows: Row,
        rule: OnExisting = OnExisting.REPLACE,
        deleted: Sequence[bool] | None = None,
        idempotency: Idempotency | None = None,
    ) -> Outcome:
        """Write rows; `deleted` flags tombstones."""
        flags = None if deleted is None else np.array(deleted, dtype=np.bool_)
        change = Change(self.rows(rows), flags)
        return self.transaction.write((self.definition, self.user), lambda _: change, rule, Request(idempotency))


def begin(db: Database) -> Transaction:
    """A transaction whose moment is now."""
    transaction = Transaction(db.catalog, db.store)
    assert transaction.registry is not None
    return transaction


def inside(*tables: TableAccess) -> Any:
    """A new transaction over some tables: first it, then each table in it."""
    transaction = begin(tables[0].db)
    return transaction, *(Inside(table, transaction) for table in tables)


def commits(transaction: Transaction) -> bool:
    """Commit; tell whether that worked, or another transaction was first."""
    try:
        transaction.commit()
    except DatabaseError as error:
        if error.kind is not ErrorKind.CONFLICT:
            raise
        return False
    return True


def conflict(call: Callable[[], object]) -> str:
    """The message of a call that must lose against another transaction."""
    return refusal(ErrorKind.CONFLICT, call)


def refusal(kind: ErrorKind, call: Callable[[], object]) -> str:
    """The message of a call that must fail in this way."""
    with pytest.raises(DatabaseError) as caught:
        call()
    assert caught.value.kind is kind, caught.value
    return caught.value.message


def put(table: TableAccess, *keys: int, v: int = 100) -> None:
    """Write keys with a value."""
    table.write(*[kv(key, v) for key in keys])
