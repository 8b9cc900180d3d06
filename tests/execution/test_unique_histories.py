"""Random histories of a table with UNIQUE against a dict: what is refused, and what is there afterwards.

`FLIGHTSERVER_UNIQUE_HISTORIES` says how many are tried.
"""

import os
import random

import pyarrow as pa
import pytest

from tests.rights.house import House, Person

pytestmark = pytest.mark.proof

HISTORIES = int(os.environ.get("FLIGHTSERVER_UNIQUE_HISTORIES", "6"))
STEPS = 40
Row = tuple[int, str | None, int | None]
State = dict[int, Row]


def is_unique(state: State) -> bool:
    """Tell whether no two rows have one value where none may, in the second column and in the third."""
    return all(
        len(values) == len(set(values))
        for values in ([row[place] for row in state.values() if row[place] is not None] for place in (1, 2))
    )


def offered(chance: random.Random) -> list[Row]:
    """Some rows of distinct keys."""
    keys = chance.sample(range(30), chance.randint(1, 4))
    return [(k, chance.choice([None, *"abcdefghijklmnopqrst"]), chance.choice([None, *range(25)])) for k in keys]


def written(rows: list[Row]) -> str:
    """Rows as VALUES has them."""
    return ", ".join(f"({k}, {'NULL' if s is None else repr(s)}, {'NULL' if n is None else n})" for k, s, n in rows)


def step(person: Person, state: State, chance: random.Random) -> State:
    """One change of the table, or none; the state after it."""
    rows = offered(chance)
    by_key = {row[0]: row for row in rows}
    kind = chance.choice(["insert", "replace", "stream", "shift", "delete", "flush", "compact", "transaction"])
    after, statements = dict(state), [""]
    if kind == "insert":
        after, statements = {**state, **by_key}, [f"INSERT INTO t VALUES {written(rows)}"]
        if any(key in state for key in by_key):
            person.refused(statements[0])
            return state
    elif kind in ("replace", "stream"):
        after, statements = {**state, **by_key}, [f"INSERT OR REPLACE INTO t VALUES {written(rows)}"]
    elif kind == "shift":
        after = {k: (k, s, None if n is None else (n * 3 + 1) % 25) for k, s, n in state.values()}
        statements = ["UPDATE t SET n = (n * 3 + 1) % 25"]
    elif kind == "delete":
        after = {key: row for key, row in state.items() if key not in by_key}
        statements = [f"DELETE FROM t WHERE k IN ({', '.join(map(str, by_key))})"]
    elif kind == "transaction":
        after = {**{key: row for key, row in state.items() if key % 2}, **by_key}
        statements = ["BEGIN", "DELETE FROM t WHERE k % 2 = 0", f"INSERT OR REPLACE INTO t VALUES {written(rows)}"]
    else:
        statements = [f"{kind} TABLE t"]
    if kind == "stream":
        columns = [list(values) for values in zip(*rows, strict=True)]
        schema = pa.schema([("k", pa.int64()), ("s", pa.string()), ("n", pa.int64())])
        errors = [person.ingest("t", pa.table(columns, schema=schema)).error]
    else:
        errors = [person.query(statement).error for statement in statements]
    if kind == "transaction":
        person.ok("ROLLBACK" if errors[-1] else "COMMIT")
    assert (errors[-1] is None) == is_unique(after), (kind, rows, errors, state)
    return state if errors[-1] else after


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_a_history_is_that_of_a_dict(house: House, seed: int) -> None:
    """In memory, in files that are many and in such that were merged, with rows that died."""
    chance, person, state = random.Random(seed), house.person("root"), {}
    person.ok("CREATE TABLE t (k BIGINT PRIMARY KEY, s TEXT UNIQUE, n BIGINT UNIQUE)")
    for _ in range(STEPS):
        state = step(person, state, chance)
        found = person.tuples("SELECT * FROM t ORDER BY k")
        assert found == [state[key] for key in sorted(state)]
    person.ok("DROP TABLE t")
