"""LATERAL and unnest of columns in FROM: what each row before them meets, as in PostgreSQL."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from catalog.errors import DatabaseError
from tests.execution.planner import Planner, opened
from tests.execution.test_forms import ROWS
from tests.rights.house import House

LISTS = pa.table(
    {
        "id": pa.array([1, 2, 3, 4], pa.int64()),
        "l": pa.array([[1, 2], None, [5], []], pa.list_(pa.int64())),
        "a": pa.array([1, 2, None, None], pa.int64()),
        "x": pa.array([0.0, -0.0, float("nan"), None]),
    }
)

ANSWERS: dict[str, list[tuple[object, ...]]] = {
    "SELECT a.k, q.* FROM t a, LATERAL (SELECT max(n) AS m, count(*) + coalesce(sum(n), 5) AS c FROM t b "
    "WHERE b.g = a.g AND b.k > 1) q ORDER BY 1": [(1, 20, 21), (2, 20, 21), (3, 20, 21), (4, None, 5)],
    "SELECT a.k, q.c FROM t a, LATERAL (SELECT count(*) AS c FROM t b WHERE b.k > a.k HAVING count(*) <> 2) q "
    "ORDER BY 1": [(1, 3), (3, 1), (4, 0)],
    "SELECT a.k, q.k FROM t a LEFT JOIN LATERAL (SELECT k FROM t b WHERE b.g = a.g ORDER BY k DESC LIMIT 1) q "
    "ON q.k < 3 ORDER BY 1": [(1, 2), (2, 2), (3, None), (4, None)],
    "SELECT a.k, q.k FROM t a, LATERAL (SELECT b.k FROM t b ORDER BY abs(b.k - a.k), b.k LIMIT 1 OFFSET 1) q "
    "ORDER BY 1": [(1, 2), (2, 1), (3, 2), (4, 3)],
    "SELECT a.n, q.c FROM t a, LATERAL (SELECT count(*) AS c FROM t b WHERE b.n IS NOT DISTINCT FROM a.n) q "
    "ORDER BY 1": [(10, 1), (20, 2), (20, 2), (None, 1)],
    "SELECT a.id, q.c FROM u a, LATERAL (SELECT count(*) AS c FROM u b WHERE b.x = a.x) q ORDER BY 1": [
        *((1, 2), (2, 2), (3, 1), (4, 0))
    ],
    "SELECT a.k, q.x FROM t a, LATERAL (SELECT b.k AS x FROM t b WHERE b.k < a.k UNION ALL SELECT a.k * 10 "
    "ORDER BY x DESC LIMIT 2) q WHERE a.k < 4 ORDER BY 1, 2": [(1, 10), (2, 1), (2, 20), (3, 2), (3, 30)],
    "SELECT a.k, q.g, q.c FROM t a CROSS JOIN LATERAL (SELECT b.g, count(*) AS c FROM t b WHERE b.k <= a.k "
    "GROUP BY 1 ORDER BY c DESC, g LIMIT 1) q ORDER BY 1": [(1, "a", 1), (2, "a", 2), (3, "a", 2), (4, "a", 2)],
    "SELECT a.k, q.x, r.y FROM t a, LATERAL (SELECT a.k + 1 AS x) q, LATERAL (SELECT q.x * a.k AS y) r ORDER BY 1": [
        *((1, 2, 2), (2, 3, 6), (3, 4, 12), (4, 5, 20))
    ],
    "SELECT a.k, q.m FROM t a, LATERAL (SELECT max(z.n) AS m FROM (SELECT n FROM t b WHERE b.g = a.g) z) q "
    "ORDER BY 1": [*((1, 20), (2, 20), (3, 20), (4, None))],
    "SELECT a.k, q.x FROM t a LEFT JOIN t c ON c.k = a.k + 2, LATERAL (SELECT c.n AS x) q ORDER BY 1": [
        *((1, 20), (2, None), (3, None), (4, None))
    ],
    "SELECT a.k, q.r FROM t a, LATERAL (SELECT row_number() OVER (ORDER BY b.k DESC) AS r, b.k FROM t b "
    "WHERE b.k >= a.k) q WHERE q.k = a.k ORDER BY 1": [(1, 4), (2, 3), (3, 2), (4, 1)],
    "SELECT a.k, q.x FROM t a, LATERAL (SELECT DISTINCT b.n / 10 AS x FROM t b WHERE b.k > a.k) q WHERE q.x > 0 "
    "ORDER BY 1": [(1, 2), (2, 2)],
    "SELECT k, (SELECT sum(q.x) FROM t b, LATERAL (SELECT b.k + 1 AS x) q WHERE b.g = t.g) AS s FROM t ORDER BY k": [
        *((1, 5), (2, 5), (3, 4), (4, None))
    ],
    "SELECT a.k, q.c FROM t a, LATERAL (SELECT 12 / (a.k - 1) AS c) q WHERE a.k > 1 ORDER BY 1": [
        *((2, 12), (3, 6), (4, 4))
    ],
    "SELECT q.k FROM t, LATERAL (SELECT b.k FROM t b WHERE b.g = t.g AND b.k < t.k) q": [(1,)],
    "SELECT * FROM (SELECT k FROM t) a, LATERAL (SELECT * FROM (SELECT k AS y FROM t) b WHERE b.y = a.k + 2) q "
    "ORDER BY 1": [(1, 3), (2, 4)],
    "SELECT u.id, w, v FROM u, LATERAL (VALUES ('a', u.a), ('id', u.id)) AS q(w, v) WHERE u.id < 3 ORDER BY 1, 2": [
        *((1, "a", 1), (1, "id", 1), (2, "a", 2), (2, "id", 2))
    ],
    "SELECT u.id, e FROM u, unnest(u.l) AS q(e) ORDER BY 1, 2": [(1, 1), (1, 2), (3, 5)],
    "SELECT u.id, e FROM u LEFT JOIN unnest(l) AS e ON true ORDER BY 1, 2": [
        *((1, 1), (1, 2), (2, None), (3, 5), (4, None))
    ],
    "SELECT u.id, q.s FROM u, LATERAL (SELECT sum(v) AS s FROM unnest(u.l) AS w(v) WHERE v > 1) q ORDER BY 1": [
        *((1, 2), (2, None), (3, 5), (4, None))
    ],
    "SELECT k, w FROM t, unnest(string_to_array(s, '_')) AS w ORDER BY 1, 2": [
        (1, "a"),
        (1, "b"),
        (2, "A%b"),
        (3, "x\\y"),
    ],
    "SELECT a.k, b.k, q.m FROM t a JOIN t b ON a.g = b.g CROSS JOIN LATERAL (SELECT max(c.k) AS m FROM t c "
    "WHERE c.n = b.n) q ORDER BY 1, 2": [(1, 1, 1), (1, 2, 3), (2, 1, 1), (2, 2, 3), (3, 3, 3)],
    "SELECT * FROM (SELECT k FROM t) a, LATERAL (SELECT max(b.k) FROM t b WHERE b.k < a.k) ORDER BY k": [
        *((1, None), (2, 1), (3, 2), (4, 3))
    ],
    "SELECT v FROM unnest([2, 3]) AS q(v) ORDER BY v": [(2,), (3,)],
}

REFUSALS = {
    "SELECT * FROM (SELECT k FROM t ORDER BY k LIMIT 2) a, LATERAL (SELECT a.k + 1 AS x) q": "read twice",
    "WITH w AS (SELECT k FROM t LIMIT 2) SELECT * FROM w, LATERAL (SELECT w.k + 1 AS x) q": "read twice",
    "SELECT * FROM t a, LATERAL (SELECT random() + a.k AS x) q": "random values",
    "SELECT q.c FROM t a RIGHT JOIN LATERAL (SELECT a.k AS c) q ON true": "LEFT JOIN",
    "SELECT a.k FROM t a, LATERAL (SELECT sum(a.k) AS c) q": "of the query around it",
    "SELECT q.k FROM LATERAL (SELECT b.k + 1 AS k) q, t b": "before it",
    "SELECT a.k FROM t a, LATERAL (SELECT b.g FROM t b WHERE b.k < a.k GROUP BY ROLLUP (b.g)) q": "UNION ALL",
    "SELECT a.k FROM t a, LATERAL (SELECT b.k FROM t b FULL JOIN t c ON b.k = a.k) q": "ON",
    "SELECT u.id FROM (SELECT id, l FROM u) u, unnest(u.l) AS q(x)": "primary key",
    f"SELECT 1 FROM t a{''.join(f', LATERAL (SELECT a.k AS k) q{n}' for n in range(20))}": "more than 8",
}


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """A database with the rows in files."""
    with opened(tmp_path_factory.mktemp("laterals")) as made:
        made.load("t", ROWS)
        made.load("u", LISTS)
        yield made


def answer(planner: Planner, query: str) -> list[tuple[object, ...]]:
    """The rows of a query."""
    columns = planner.plan(query).rows().to_table().columns
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


@pytest.mark.parametrize("query", ANSWERS)
def test_each_row_meets_what_the_sub_query_is_for_it(planner: Planner, query: str) -> None:
    """Equal rows the same, rows with NULL what there is for NULL."""
    assert answer(planner, query) == ANSWERS[query]


@pytest.mark.parametrize("query", REFUSALS)
def test_what_is_refused_says_what_to_write_instead(planner: Planner, query: str) -> None:
    """When it is planned."""
    with pytest.raises(DatabaseError, match=REFUSALS[query]):
        planner.plan(query)


def test_changes_and_views_read_laterals_too(planner: Planner) -> None:
    """They find their rows by queries."""
    planner.run("CREATE TABLE c (k BIGINT PRIMARY KEY, v BIGINT)")
    planner.run("INSERT INTO c SELECT a.k, q.m FROM t a, LATERAL (SELECT max(n) AS m FROM t b WHERE b.g = a.g) q")
    planner.run("UPDATE c SET v = q.s FROM t, LATERAL (SELECT t.k * 100 AS s) q WHERE t.k = c.k AND c.v IS NULL")
    planner.run("CREATE VIEW w AS SELECT c.k, q.* FROM c, LATERAL (SELECT c.v + 1 AS v, c.k AS again) q")
    assert answer(planner, "SELECT * FROM w ORDER BY k") == [(1, 21, 1), (2, 21, 2), (3, 21, 3), (4, 401, 4)]


def test_it_reads_what_its_user_may(house: House) -> None:
    """Twice read are the rows of the same door: nobody's but one's own, and of an unknown table none."""
    root, ann = house.person("root"), house.person("ann")
    root.ok("CREATE USER TABLE own (id BIGINT PRIMARY KEY)")
    root.ok("CREATE TABLE apart (id BIGINT PRIMARY KEY)")
    root.ok("INSERT INTO own VALUES (1), (2), (3)")
    ann.ok("INSERT INTO own VALUES (1), (2)")
    above = "SELECT a.id, q.n FROM own a, LATERAL (SELECT count(*) AS n FROM {} b WHERE b.id >= a.id) q ORDER BY 1"
    assert ann.tuples(above.format("own")) == [(1, 2), (2, 1)]
    assert ann.refused(above.format("apart")) == ann.refused(above.format("nowhere")).replace("nowhere", "apart")
    ann.ok("BEGIN READ ONLY")
    assert ann.tuples(above.format("own")) == [(1, 2), (2, 1)]
    ann.ok("ROLLBACK")
