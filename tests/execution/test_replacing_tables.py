"""CREATE OR REPLACE TABLE: one table takes the place of another in one step, or nothing has changed."""

from pathlib import Path

import pyarrow as pa
import pytest

from catalog.roles import Role
from flightserver.protocol.commands import PreparedStatementQuery
from tests.rights.house import House, Person


@pytest.fixture(params=["hot", "cold"])
def root(owner: Person, request: pytest.FixtureRequest) -> Person:
    """Who has a table with two rows, hot or cold."""
    owner.ok("CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT)")
    owner.ok("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    if request.param == "cold":
        owner.ok("FLUSH TABLE t")
    return owner


def test_another_table_has_the_name(root: Person) -> None:
    """With its own columns, and no row of the old one, however it is asked for."""
    asked = root.prepare("SELECT * FROM t")
    root.ok("CREATE OR REPLACE TABLE t (a INT PRIMARY KEY, b INT DEFAULT 2)")
    assert root.ok("SELECT * FROM t") == []
    root.ok("INSERT INTO t (a) VALUES (1)")
    assert root.ok("SELECT * FROM t WHERE a = 1") == [{"a": 1, "b": 2}]
    root.ok("FLUSH TABLE t")
    assert root.ok("SELECT * FROM t") == [{"a": 1, "b": 2}]
    assert root.read(PreparedStatementQuery(asked)).rows == pa.table(
        {"a": pa.array([1], pa.int32()), "b": pa.array([2], pa.int32())}
    )
    root.ok("CREATE OR REPLACE TABLE made LIKE t")
    root.ok("CREATE OR REPLACE TABLE t (LIKE made, c INT)")
    assert root.ok("SELECT * FROM t") == []


def test_a_table_is_made_of_its_own_rows(root: Person) -> None:
    """The query reads the one that is about to go."""
    answer = root.update("CREATE OR REPLACE TABLE t PRIMARY KEY (id) AS SELECT id, v || v AS w FROM t WHERE id > 1")
    assert answer.affected == 1
    assert root.ok("SELECT * FROM t") == [{"id": 2, "w": "bb"}]
    assert "ALREADY_EXISTS" in root.refused("INSERT INTO t VALUES (2, 'x')")


@pytest.mark.parametrize(
    "statement",
    [
        "t AS SELECT id, CAST(v AS INT) AS v FROM t",
        "t PRIMARY KEY (v) AS SELECT 'same' AS v FROM t",
        "t (id BIGINT CHECK (id < 2)) AS SELECT id FROM t",
        "t (id BIGINT CHECK (gone < 2))",
    ],
)
def test_what_fails_leaves_the_table_that_is_there(root: Person, statement: str) -> None:
    """With its rows."""
    assert root.refused(f"CREATE OR REPLACE TABLE {statement}")
    assert root.tuples("SELECT * FROM t ORDER BY id") == [(1, "a"), (2, "b")]


def test_in_a_transaction_it_is_undone_with_it(root: Person) -> None:
    """And done with it; others see the old one until then."""
    other = root
    root.update("BEGIN")
    root.ok("INSERT INTO t VALUES (3, 'c')")
    root.ok("CREATE OR REPLACE TABLE t AS SELECT count(*) AS n FROM t")
    assert root.ok("SELECT * FROM t") == [{"n": 3}]
    root.update("ROLLBACK")
    assert other.tuples("SELECT * FROM t ORDER BY id") == [(1, "a"), (2, "b")]
    root.update("BEGIN")
    root.ok("CREATE OR REPLACE TABLE t (n INT)")
    root.ok("INSERT INTO t VALUES (7)")
    root.ok("SAVEPOINT s")
    root.ok("CREATE OR REPLACE TABLE t (m INT)")
    root.ok("ROLLBACK TO SAVEPOINT s")
    root.update("COMMIT")
    assert root.ok("SELECT * FROM t") == [{"n": 7}]


def test_who_writes_to_the_old_one_meanwhile_is_told(house: House, root: Person) -> None:
    """Its rows do not come into the new one, and of two who replace it in transactions one loses."""
    other = house.person("root")
    other.update("BEGIN")
    other.ok("INSERT INTO t VALUES (3, 'c')")
    root.ok("CREATE OR REPLACE TABLE t (id BIGINT PRIMARY KEY, v TEXT)")
    assert other.update("COMMIT").error is not None
    assert root.ok("SELECT * FROM t") == []
    other.update("BEGIN")
    other.ok("CREATE OR REPLACE TABLE t (a INT)")
    root.ok("CREATE OR REPLACE TABLE t (b INT)")
    assert "CONFLICT" in str(other.update("COMMIT").error)
    assert root.tuples("SELECT * FROM t") == []


def test_views_read_the_new_one(root: Person) -> None:
    """By its name, as after DROP and CREATE."""
    root.ok("CREATE VIEW made AS SELECT * FROM t")
    root.ok("CREATE OR REPLACE TABLE t (n INT)")
    root.ok("INSERT INTO t VALUES (7)")
    assert root.ok("SELECT * FROM made") == [{"n": 7}]


def test_grants_go_with_the_old_one(house: House, root: Person) -> None:
    """The new one is its maker's, and nobody was granted anything of it."""
    ann = house.person("ann")
    root.ok("GRANT ALL ON t TO ann")
    assert "ALREADY_EXISTS" in ann.refused("CREATE OR REPLACE USER TABLE t (id INT)")
    root.ok("CREATE OR REPLACE TABLE t AS SELECT * FROM t")
    assert ann.refused("SELECT * FROM t") == ann.refused("SELECT * FROM nothing").replace("nothing", "t")
    assert "the name public.t is taken" in ann.refused("CREATE OR REPLACE USER TABLE t (id INT)")
    assert "DENIED" in ann.refused("CREATE OR REPLACE TABLE t (id INT)")


def test_nothing_private_becomes_public_by_the_way(house: House, root: Person) -> None:
    """Another kind, or the end of row policies, is asked for by a statement of its own."""
    ann = house.person("ann")
    ann.ok("CREATE USER TABLE u (id INT)")
    ann.ok("INSERT INTO u VALUES (1)")
    assert "CREATE OR REPLACE USER TABLE" in root.refused("CREATE OR REPLACE TABLE u AS SELECT * FROM u")
    assert "CREATE OR REPLACE SHARED TABLE" in root.refused("CREATE OR REPLACE USER TABLE t (id INT)")
    ann.ok("CREATE OR REPLACE USER TABLE u AS SELECT id + 1 AS id FROM u")
    assert ann.ok("SELECT * FROM u") == [{"id": 2}]
    assert root.ok("SELECT * FROM u") == []
    root.ok("CREATE POLICY mine ON t USING (v = CURRENT_USER)")
    assert "row policies, which would go with it: mine" in root.refused("CREATE OR REPLACE TABLE t (id INT)")
    assert len(root.ok("SELECT * FROM t")) == 2


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("TABLE IF NOT EXISTS t (id INT)", "contradict"),
        ("TABLE made (id INT)", "view public.made exists already"),
        ("NAMESPACE n", "not supported"),
    ],
)
def test_what_is_no_table_is_not_replaced(root: Person, statement: str, error: str) -> None:
    """And what may stay does not go."""
    root.ok("CREATE VIEW made AS SELECT 1 AS one")
    assert error in root.refused(f"CREATE OR REPLACE {statement}")


def test_a_temporary_one_is_the_sessions(root: Person) -> None:
    """The one that lasts stays beside it, also when it is replaced itself."""
    root.ok("CREATE OR REPLACE TEMP TABLE t AS SELECT 1 AS one")
    root.ok("CREATE OR REPLACE TEMP TABLE t AS SELECT one + 1 AS two FROM t")
    root.ok("CREATE OR REPLACE TABLE t (lasting INT)")
    assert root.ok("SELECT * FROM t") == [{"two": 2}]
    root.ok("DROP TABLE t")
    assert root.ok("DESCRIBE t")[0]["column"] == "lasting"


def test_the_new_one_is_there_after_a_restart(tmp_path: Path) -> None:
    """With its rows, and the old one is not."""
    people = {"root": Role.SYSTEM}
    house = House(tmp_path / "data", people)
    root = house.person("root")
    root.ok("CREATE TABLE t (id INT)")
    root.ok("INSERT INTO t VALUES (1)")
    root.ok("FLUSH TABLE t")
    root.ok("CREATE OR REPLACE TABLE t AS SELECT id + 1 AS n FROM t")
    house.close()
    house = House(tmp_path / "data", people)
    assert house.person("root").ok("SELECT * FROM t") == [{"n": 2}]
    house.close()
