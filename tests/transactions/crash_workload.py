"""What the crashing process does with transactions: every one changes three scopes, some also definitions.

The n-th transaction writes n under every key that it writes, so what is there tells which of them were committed.
"""

from collections.abc import Callable, Iterator
from functools import partial

import pyarrow as pa

from catalog.definition import ColumnSpec, TableKind
from catalog.evolution import add_column, create_table
from catalog.identifiers import TableName
from providers.commit.idempotency import Idempotency
from providers.commit.transaction import Transaction
from tests.storage_fixtures import KV_COLUMNS, Database, TableAccess, kv
from tests.transactions.inside import Inside, inside

ROUNDS = 8
KEYS = 5


def scopes(database: Database) -> list[TableAccess]:
    """The scopes that every transaction writes."""
    shared = [TableAccess(database, TableName("public", name)) for name in ("a", "b")]
    return [*shared, TableAccess(database, TableName("public", "c"), "ann")]


def created(number: int) -> TableName:
    """The table that the n-th transaction makes."""
    return TableName("public", f"made{number}")


def prepare(database: Database) -> list[Callable[[], object]]:
    """Make the tables; return the steps."""
    for name, kind in (("a", TableKind.SHARED), ("b", TableKind.SHARED), ("c", TableKind.USER)):
        database.create(name=name, kind=kind)
    return list(_steps(database))


def _steps(database: Database) -> Iterator[Callable[[], object]]:
    tables = scopes(database)
    for number in range(1, ROUNDS + 1):
        yield partial(transaction, database, number)
        if number % 3 == 0:
            yield tables[number % 2].flush
        if number == ROUNDS - 2:
            yield tables[0].compact


def transaction(database: Database, number: int) -> None:
    """The n-th transaction: new versions of all keys but one, which is deleted."""
    work, *tables = inside(*scopes(database))
    for table in tables:
        table.write(*[kv(key, number) for key in range(KEYS)], idempotency=Idempotency(f"n{number}", "hash"))
        work.savepoint("s")
        table.delete(*[kv(key) for key in range(KEYS)])
        work.rollback_to("s")
        table.delete(kv(number % KEYS))
    if number % 2 == 0:
        _define(work, tables[0], number)
    work.commit()


def _define(work: Transaction, table: Inside, number: int) -> None:
    """Make a table with a row, drop an older one, and add a column."""
    database = table.db
    specs = [ColumnSpec(*column) for column in KV_COLUMNS]
    made = create_table(database.catalog.reserve_table_id(), created(number), TableKind.SHARED, specs, ["k"])
    work.define(lambda registry: registry.with_table(made))
    Inside(TableAccess(database, made.name), work).write(kv(1, number))
    if number > 2:
        work.define(lambda registry: registry.without_table(created(number - 2)))
    table.alter(lambda definition: add_column(definition, ColumnSpec(f"c{number}", pa.int64())))
