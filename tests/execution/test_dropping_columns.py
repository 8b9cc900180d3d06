"""ALTER TABLE … DROP … CASCADE: what needs a column goes with it, and nothing else."""

import pytest

from tests.rights.house import House, Person

TABLE = (
    "CREATE TABLE t (id BIGINT PRIMARY KEY, c INT CHECK (c > 0), d INT, UNIQUE (c, d), CONSTRAINT two CHECK (c < d))"
)


@pytest.fixture
def root(owner: Person) -> Person:
    """Who has a table with a row, whose column c others need, and one beside it."""
    owner.ok(TABLE)
    owner.ok("INSERT INTO t VALUES (1, 2, 3)")
    owner.ok("CREATE TABLE u (id BIGINT PRIMARY KEY, c INT, e INT)")
    owner.ok("INSERT INTO u VALUES (1, 20, 30)")
    return owner


def views(person: Person) -> list[object]:
    """The views that are there."""
    return [
        row["table_name"]
        for row in person.ok("SELECT table_name FROM information_schema.views WHERE table_schema = 'public' ORDER BY 1")
    ]


def test_constraints_go_with_their_column(root: Person) -> None:
    """Those that are about it; without CASCADE they keep it."""
    assert "drop that first" in root.refused("ALTER TABLE t DROP COLUMN c")
    assert "drop that first" in root.refused("ALTER TABLE t DROP COLUMN c RESTRICT")
    root.ok("ALTER TABLE t ADD CONSTRAINT other CHECK (d > 0)")
    root.ok("ALTER TABLE t DROP COLUMN c CASCADE")
    made = str(root.ok("SHOW CREATE TABLE t"))
    assert [word for word in ("t_c_check", "t_c_d_key", "two", "other") if word in made] == ["other"]
    root.ok("INSERT INTO t VALUES (2, 3)")
    assert root.tuples("SELECT * FROM t ORDER BY id") == [(1, 3), (2, 3)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT c FROM t",
        "SELECT x.c AS y FROM t AS x",
        "SELECT public.t.c + 1 AS y FROM public.t",
        "SELECT id FROM t WHERE c > 1",
        "SELECT count(*) AS n FROM t GROUP BY c",
        "SELECT id, sum(d) OVER (ORDER BY c) AS s FROM t",
        "SELECT y.c FROM (SELECT * FROM t) AS y",
        "WITH y AS (SELECT * FROM t) SELECT c FROM y",
        "SELECT e, (SELECT c FROM t LIMIT 1) AS one FROM u",
        "SELECT e FROM u WHERE EXISTS (SELECT 1 FROM t WHERE t.c < u.c)",
        "SELECT d FROM t JOIN u USING (c)",
        "SELECT d FROM t NATURAL JOIN u",
        "SELECT * FROM t UNION ALL SELECT * FROM u",
        "SELECT * EXCEPT (c) FROM t",
        "SELECT * FROM (SELECT * FROM t) AS y (k, l, m)",
        "SELECT * FROM t ORDER BY 3",
        "SELECT id FROM u WHERE (id, c, e) IN (SELECT * FROM t)",
    ],
)
def test_a_view_goes_that_needs_the_column(root: Person, query: str) -> None:
    """Whatever it does with it, and what reads that view."""
    root.ok(f"CREATE VIEW v AS {query}")
    root.ok("CREATE VIEW w AS SELECT count(*) AS n FROM v")
    root.ok("ALTER TABLE t DROP COLUMN c CASCADE")
    assert views(root) == []


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT d FROM t", [(3,)]),
        ("SELECT * FROM t", [(1, 3)]),
        ("SELECT t.* FROM t JOIN u ON t.id = u.id WHERE u.c > 1", [(1, 3)]),
        ("SELECT u.c FROM t JOIN u USING (id)", [(20,)]),
        ("SELECT c FROM u", [(20,)]),
        ("SELECT c FROM u WHERE EXISTS (SELECT * FROM t WHERE t.d < u.e)", [(20,)]),
        ("SELECT count(*) AS c FROM t", [(1,)]),
        ("WITH y AS (SELECT * FROM t) SELECT d FROM y", [(3,)]),
    ],
)
def test_a_view_stays_that_does_not(root: Person, query: str, rows: list[tuple[object, ...]]) -> None:
    """And is answered."""
    root.ok(f"CREATE VIEW v AS {query}")
    root.ok("CREATE VIEW w AS SELECT * FROM v")
    root.ok("ALTER TABLE t DROP COLUMN c CASCADE")
    assert root.tuples("SELECT * FROM w") == rows


def test_a_view_goes_that_needs_it_of_another_view(root: Person) -> None:
    """That one shows a column less and stays."""
    root.ok("CREATE VIEW v AS SELECT * FROM t")
    root.ok("CREATE VIEW w AS SELECT c FROM v")
    root.ok("ALTER TABLE t DROP COLUMN c CASCADE")
    assert views(root) == ["v"]
    assert root.tuples("SELECT * FROM v") == [(1, 3)]


def test_all_is_undone_with_its_transaction(root: Person) -> None:
    """And nothing has gone where a later action of the statement fails, or a policy needs the column."""
    root.ok("CREATE VIEW v AS SELECT c FROM t")
    before = root.ok("SHOW CREATE TABLE t")
    root.update("BEGIN")
    root.ok("ALTER TABLE t DROP COLUMN c CASCADE")
    assert views(root) == []
    root.update("ROLLBACK")
    assert "nothing" in root.refused("ALTER TABLE t DROP COLUMN c CASCADE, DROP COLUMN nothing")
    root.ok("CREATE POLICY mine ON t USING (c > 0)")
    assert "policy mine" in root.refused("ALTER TABLE t DROP COLUMN c CASCADE")
    assert (views(root), root.ok("SHOW CREATE TABLE t")) == (["v"], before)


def test_others_views_go_too(house: House, root: Person) -> None:
    """As with DROP TABLE … CASCADE; whoever may not define the table changes nothing."""
    ann = house.person("ann")
    root.ok("GRANT SELECT ON t TO ann")
    ann.ok("CREATE VIEW v AS SELECT c FROM t")
    assert "does not exist" in ann.refused("ALTER TABLE t DROP COLUMN c CASCADE")
    root.ok("ALTER TABLE t DROP COLUMN c CASCADE")
    assert views(root) == []


def test_what_needs_no_cascade_takes_it(root: Person) -> None:
    """A column that is not there, one of a temporary table, and a constraint, on which nothing rests."""
    root.ok("ALTER TABLE t DROP COLUMN IF EXISTS nothing CASCADE")
    root.ok("ALTER TABLE t DROP CONSTRAINT two CASCADE")
    root.ok("CREATE TEMP TABLE mine LIKE t")
    root.ok("ALTER TABLE mine DROP COLUMN c CASCADE")
    assert [row["column"] for row in root.ok("DESCRIBE mine")] == ["id", "d"]
    assert "in the primary key" in root.refused("ALTER TABLE t DROP COLUMN id CASCADE")
