"""What the crashing process does for others and in vain: each step is one statement, allowed or denied.

The n-th step writes the key n, if it is allowed; so keys and records can be held against each other.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from catalog.roles import Role
from tests.rights.house import Answer, House
from tests.storage_fixtures import Database

PEOPLE = {"root": Role.SYSTEM, "sid": Role.SERVICE, "ann": Role.USER, "bob": Role.USER}
ROUNDS = 3
BULK_ROWS = 50_000
BULK_KEY = 1_000_000
"""The first key of a stream that is committed by its manifest."""


def open_house(root: Path) -> House:
    """The service over the folder of the workload."""
    return House(root / "house", PEOPLE)


def prepare(database: Database) -> list[Callable[[], object]]:
    """Make the table; return the steps."""
    house = open_house(database.root)
    house.person("root").ok("CREATE USER TABLE each (id BIGINT PRIMARY KEY, v BIGINT)")
    return list(_steps(house))


def _steps(house: House) -> Iterator[Callable[[], object]]:
    root, sid, ann = house.person("root"), house.person("sid"), house.person("ann")
    for number in range(ROUNDS):
        key = 10 * number
        yield partial(_done, sid.update, f"INSERT INTO each AS USER 'ann' VALUES ({key}, 1)")
        yield partial(_denied, ann.update, f"INSERT INTO each AS USER 'bob' VALUES ({key + 1}, 1)")
        yield partial(_done, root.update, f"CREATE TABLE made{number} (id BIGINT PRIMARY KEY)")
        yield partial(_denied, ann.update, f"DROP TABLE made{number}")
        yield partial(_transaction, house, key + 2)
        yield partial(_bulk, house, BULK_KEY * (number + 1))
        yield partial(_denied, ann.query, "EXECUTE AS USER 'bob' (SELECT * FROM each)")
        yield partial(_done, sid.query, "EXECUTE AS USER 'ann' (SELECT count(*) FROM each)")


def _done(run: Callable[[str], Answer], sql: str) -> None:
    assert run(sql).error is None, run(sql)


def _denied(run: Callable[[str], Answer], sql: str) -> None:
    assert run(sql).error is not None


def _transaction(house: House, key: int) -> None:
    """Rows of two users, one commit."""
    sid = house.person("sid")
    for sql in ("BEGIN", *(f"INSERT INTO each AS USER '{who}' VALUES ({key}, 1)" for who in ("ann", "bob")), "COMMIT"):
        sid.ok(sql)


def _bulk(house: House, first: int) -> None:
    rows = pa.table({"id": np.arange(first, first + BULK_ROWS), "v": np.arange(BULK_ROWS)})
    assert house.person("sid").ingest("each", rows, as_user="bob").affected == BULK_ROWS
