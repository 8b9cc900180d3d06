"""What the crashing process does with constraints, MERGE and types: each step is one statement."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from catalog.identifiers import TableName
from catalog.roles import Role
from tests.rights.house import House
from tests.storage_fixtures import Database

STEPS = (
    "CREATE TABLE t (k BIGINT PRIMARY KEY, s TEXT UNIQUE, n BIGINT, g BIGINT)",
    "INSERT INTO t VALUES (1, 'a', 1, 1), (2, 'b', 2, 2), (3, 'c', 3, 3), (4, 'd', 4, 4)",
    "FLUSH TABLE t",
    "INSERT INTO t VALUES (5, 'a', 5, 5), (6, 'f', 6, 6) ON CONFLICT DO NOTHING",
    (
        "MERGE INTO t USING (VALUES (1, 'b'), (2, 'a'), (3, ''), (7, 'g')) o(k, s) ON t.k = o.k"
        " WHEN MATCHED AND o.s = '' THEN DELETE WHEN MATCHED THEN UPDATE SET s = o.s"
        " WHEN NOT MATCHED THEN INSERT VALUES (o.k, o.s, o.k, o.k)"
    ),
    "ALTER TABLE t ADD CONSTRAINT small CHECK (n < 100)",
    "ALTER TABLE t ADD CONSTRAINT one UNIQUE (n)",
    "UPDATE t SET n = 8 - n WHERE n < 8 RETURNING k, n",
    "ALTER TABLE t ALTER g SET NOT NULL, ALTER g SET DEFAULT 5",
    "ALTER TABLE t ALTER g TYPE TEXT",
    "INSERT OR REPLACE INTO t VALUES (1, 'z', 70, 'x'), (8, 'b', 80, 'y')",
    "ALTER TABLE t DROP CONSTRAINT one",
    (
        "MERGE INTO t USING (VALUES (1), (8), (9)) o(k) ON t.k = o.k WHEN MATCHED THEN UPDATE SET n = 9, g = '9'"
        " WHEN NOT MATCHED THEN INSERT VALUES (o.k, 'n', 9, '9')"
    ),
    "DELETE FROM t WHERE g > '9' RETURNING *",
    "ALTER TABLE t ALTER g TYPE BIGINT",
    "FLUSH TABLE t",
    "INSERT INTO t VALUES (10, 'q', 1, 1)",
)


class State(NamedTuple):
    """What there is of the table: columns with types, what is demanded, and rows."""

    columns: tuple[tuple[str, str, bool], ...]
    demands: frozenset[str]
    rows: tuple[tuple[object, ...], ...]


def open_house(root: Path) -> House:
    """The service over the folder of the workload, as at a start."""
    house = House(root / "house", {"root": Role.SYSTEM})
    house.database.start()
    return house


def state_of(house: House) -> State | None:
    """What there is; None before there is a table."""
    table = house.database.catalog.registry.tables.get(TableName("public", "t"))
    if table is None:
        return None
    return State(
        tuple((column.name, str(column.type), column.nullable) for column in table.columns),
        frozenset(repr(demand) for demand in (*table.checks, *(unique.name for unique in table.uniques))),
        tuple(house.person("root").tuples("SELECT * FROM t ORDER BY k")),
    )


def prepare(database: Database) -> Sequence[Callable[[], object]]:
    """The steps."""
    person = open_house(database.root).person("root")
    return [partial(person.ok, step) for step in STEPS]
