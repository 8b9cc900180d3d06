"""A change with many rows of parameters is what the same statement does for each of them, one after another.

Most are taken at once, which nobody may notice: not where one run finds what another has changed, where a statement
looks into the table that it changes, or where two runs change one row. FLIGHTSERVER_BOUND_ROWS asks for more.
"""

import os
import random
from collections.abc import Iterator

import pyarrow as pa
import pytest

from flightserver.execution.rows import Affected, Rows
from flightserver.sql.parser import parse_numbered
from tests.execution.planner import Planner, opened

pytestmark = pytest.mark.proof

KEYS, GROUPS, RUNS = 24, 6, 5
SEEDS = range(int(os.environ.get("FLIGHTSERVER_BOUND_ROWS", "2")))

UPDATES = {
    "what is asked for is left alone": "UPDATE t SET v = v + $1 WHERE w = $2",
    "what is asked for is set": "UPDATE t SET v = $1 WHERE v = $2",
    "a chain": "UPDATE t SET w = w + 1 WHERE w = $1 AND v <> $2",
    "a range that grows": "UPDATE t SET v = v + 1 WHERE v BETWEEN $1 AND $2",
    "one group moves into another": "UPDATE t SET w = $1, v = v + 1 WHERE w = $2",
    "by key, of what is set": "UPDATE t SET v = v + $1 WHERE id = $2 AND v < 9",
    "another table": "UPDATE t SET v = o.x + $1 FROM o WHERE o.id = t.id AND t.w = $2",
    "another table's groups": "UPDATE t SET v = v + o.x FROM o WHERE o.id = t.id AND o.k BETWEEN $1 AND $2",
    "the table itself": "UPDATE t SET v = o.v + $1 FROM t AS o WHERE o.id = t.id + 1 AND t.w = $2",
    "the table in a view": "UPDATE t SET v = o.v + $1 FROM seen AS o WHERE o.id = t.id + 1 AND t.w = $2",
    "a constant of another table": "UPDATE t SET v = $1 + (SELECT max(x) FROM o) WHERE w = $2",
    "a value of another table": "UPDATE t SET v = (SELECT sum(x) FROM o WHERE o.k = $1) WHERE w = $2",
    "a count of another table": "UPDATE t SET v = (SELECT count(*) FROM o WHERE o.k = $1 + 3) WHERE w = $2",
    "a value of the table": "UPDATE t SET v = (SELECT sum(v) FROM t) + $1 WHERE w = $2",
    "a value of the table by key": "UPDATE t SET v = (SELECT max(v) FROM t AS u) + 1 WHERE id = $1 + $2",
    "a value of a view of the table": "UPDATE t SET v = (SELECT max(v) FROM seen) + $1 WHERE w = $2",
    "members of another table": "UPDATE t SET v = $1 WHERE id IN (SELECT id FROM o WHERE k = $2)",
    "members of the table": "UPDATE t SET v = $1 WHERE id IN (SELECT u.id + 1 FROM t AS u WHERE u.v = $2)",
    "no members": "UPDATE t SET v = $1 WHERE w NOT IN (SELECT k FROM o WHERE k <> $2)",
    "a common table": "WITH c AS (SELECT id, k FROM o) UPDATE t SET v = $1 FROM c WHERE c.id = t.id AND c.k = $2",
    "a common table of itself": (
        "WITH c AS (SELECT id, v FROM t) UPDATE t SET v = c.v + $1 FROM c WHERE c.id = t.id - 1 AND t.w = $2"
    ),
    "versions": "UPDATE t SET v = $1 WHERE _seq > $2 AND w = 1",
}
DELETES = {
    "not by key": "DELETE FROM t WHERE w = $1 AND v > $2",
    "another table's": "DELETE FROM t USING o WHERE o.id = t.id AND o.k = $1 AND t.w = $2",
    "its own neighbours": "DELETE FROM t USING t AS o WHERE o.id = t.id + 1 AND o.w BETWEEN $1 AND $2",
    "members": "DELETE FROM t WHERE id IN (SELECT id FROM o WHERE k = $1 OR x = $2)",
    "what has a neighbour": (
        "DELETE FROM t WHERE w = $1 AND EXISTS (SELECT 1 FROM t AS u WHERE u.id = t.id + 1 AND u.v >= $2)"
    ),
    "the largest": "DELETE FROM t WHERE v = (SELECT max(v) FROM t) AND $1 >= 0 AND $2 >= 0",
}
UPSERTS = {
    "a constant of another table": (
        "INSERT INTO t VALUES ($1, $2, 0) ON CONFLICT (id) DO UPDATE SET v = (SELECT max(x) FROM o) + $2"
    ),
    "a value of the table": (
        "INSERT INTO t VALUES ($1, $2, 0) ON CONFLICT (id) DO UPDATE SET v = (SELECT sum(v) FROM t) + excluded.v"
    ),
}
INSERTS = {
    "rows": "INSERT INTO t VALUES ($1, $2, 70), ($2 , 8, $1) ON CONFLICT (id) DO NOTHING",
    "rows that replace": (
        "INSERT INTO t VALUES ($1, $2, 70), (100, 8, $1) ON CONFLICT (id) DO UPDATE SET v = t.v + excluded.w - $2"
    ),
}
CHANGES = {
    f"{kind}: {name}": text
    for kind, some in (("UPDATE", UPDATES), ("DELETE", DELETES), ("INSERT", UPSERTS | INSERTS))
    for name, text in some.items()
}


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """A table that is changed, a view of it, and another table."""
    with opened(tmp_path_factory.mktemp("many")) as planner:
        ids = pa.array(range(KEYS), pa.int64())
        groups = pa.array([n % GROUPS for n in range(KEYS)], pa.int64())
        planner.load("start", pa.table({"id": ids, "v": groups, "w": pa.array([n // GROUPS for n in range(KEYS)])}))
        planner.load("o", pa.table({"id": ids, "k": groups, "x": ids}))
        planner.run("CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT, w BIGINT)")
        planner.run("CREATE VIEW seen AS SELECT id, v FROM t")
        yield planner


def done(planner: Planner, text: str, *parts: list[tuple[int, int]]) -> tuple[int, list[dict[str, object]]]:
    """How many rows a statement changes with some rows of parameters after others, and what is there then."""
    planner.run("DELETE FROM t")
    planner.run("INSERT INTO t SELECT * FROM start")
    affected = 0
    for part in parts:
        bound = pa.table([pa.array(column, pa.int64()) for column in zip(*part, strict=True)], ["1", "2"])
        answer = planner.executor.run(parse_numbered(text), planner.context, bound)
        assert isinstance(answer, Affected)
        affected += answer.rows
    found = planner.executor.run(parse_numbered("SELECT * FROM t ORDER BY id"), planner.context, None)
    assert isinstance(found, Rows)
    return affected, found.to_table().to_pylist()


@pytest.mark.parametrize("change", CHANGES)
def test_many_rows_of_parameters_do_what_each_of_them_does(planner: Planner, change: str) -> None:
    """In one commit, and in their order."""
    for seed in SEEDS:
        chance = random.Random(f"{seed} {change}")
        rows = [(chance.randrange(GROUPS), chance.randrange(GROUPS)) for _ in range(RUNS)]
        assert done(planner, CHANGES[change], rows) == done(planner, CHANGES[change], *([row] for row in rows)), rows
