"""Rows of many users in one commit: what each scope holds afterwards is what it would hold by itself."""

import random
from collections.abc import Sequence
from itertools import chain

import pyarrow as pa
import pytest

from catalog.definition import TableKind
from catalog.errors import DatabaseError, ErrorKind
from providers.commit.resolve import OnExisting
from providers.commit.work import Autocommit
from providers.rows.change import RowsOfUsers
from tests.storage_fixtures import KV_COLUMNS, Database, Row, TableAccess, kv

USERS = [f"user{number}" for number in range(6)]


def of_users(db: Database, columns: Sequence[tuple[str, pa.DataType]] = KV_COLUMNS) -> TableAccess:
    """A USER table; by itself it is nobody's scope."""
    return db.create(columns, name="notes", kind=TableKind.USER)


def offer(table: TableAccess, rows: dict[str, list[Row]], rule: OnExisting = OnExisting.REPLACE) -> int:
    """Write rows of some users as one commit; return how many it was."""
    work = Autocommit(table.db.catalog, table.db.store)
    together = RowsOfUsers(table.part(*chain(*rows.values())), list(rows), list(map(len, rows.values())))
    return work.offer_each(table.definition, together, ["v", "k"], rule).affected


@pytest.mark.parametrize("key", [pa.int64(), pa.string()])
def test_each_user_has_the_last_version_of_each_of_their_keys(db: Database, key: pa.DataType) -> None:
    """Keys come again within a user's rows and in those of others, and some scopes have rows, hot or flushed."""
    drawn = random.Random(str(key))
    table = of_users(db, (("v", pa.int64()), ("k", key)))
    expected: dict[str, dict[object, int]] = {user: {} for user in USERS}
    for turn in range(4):
        rows: dict[str, list[Row]] = {}
        for user in drawn.sample(USERS, 3 + turn % 3):
            names = [drawn.randrange(8) for _ in range(drawn.randrange(1, 6))]
            rows[user] = [kv(str(name) if key == pa.string() else name, drawn.randrange(1_000)) for name in names]
            expected[user] |= {row["k"]: row["v"] for row in rows[user]}
        assert offer(table, rows) == sum(map(len, rows.values()))
        if turn == 1:
            table.of_user(USERS[0]).flush()
    assert {user: table.of_user(user).values() for user in USERS} == expected
    db.reopen()
    assert {user: table.of_user(user).values() for user in USERS} == expected


def test_a_key_that_comes_twice_is_refused_in_one_users_rows_alone(db: Database) -> None:
    """The same key may be in the rows of two users; twice in those of one, nothing is written for anybody."""
    table = of_users(db)
    assert offer(table, {"ann": [kv(1), kv(2)], "bob": [kv(1)]}, OnExisting.REFUSE) == 3
    with pytest.raises(DatabaseError) as refused:
        offer(table, {"cid": [kv(1)], "dan": [kv(7), kv(7)]}, OnExisting.REFUSE)
    assert refused.value.kind is ErrorKind.ALREADY_EXISTS
    assert table.of_user("cid").all() == []
    assert offer(table, {"ann": [kv(1, 5), kv(3)], "eve": [kv(1)]}, OnExisting.SKIP) == 2
    assert table.of_user("ann").values() == {1: 0, 2: 0, 3: 0}


def test_first_rows_are_found_by_their_keys_and_replaced(db: Database) -> None:
    """What was written together is changed and deleted one by one."""
    table = of_users(db)
    offer(table, {user: [kv(1, 1), kv(2, 2)] for user in USERS})
    ann = table.of_user(USERS[0])
    ann.write(kv(2, 9))
    ann.delete(kv(1))
    assert ann.values() == {2: 9}
    assert table.of_user(USERS[1]).values() == {1: 1, 2: 2}


def test_ids_ascend_over_commits_to_many_scopes(db: Database) -> None:
    """Every commit has larger ids than those before it, in each scope."""
    table = of_users(db)
    offer(table, {"ann": [kv(1)], "bob": [kv(1)]})
    before = table.of_user("ann").snapshot.last_seq
    offer(table, {"ann": [kv(2)], "cid": [kv(1)], "dan": [kv(1)]})
    assert before < min(table.of_user(user).snapshot.last_seq for user in ("ann", "cid", "dan"))
