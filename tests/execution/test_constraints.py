"""CHECK: no way into a table takes a row that makes the condition false, and none takes more than the statement."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from catalog.roles import Role
from flightserver.execution.new_constraints import NewConstraints
from flightserver.protocol.commands import IfExists
from tests.rights.house import House, Person

CHECKED = "CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT CHECK (v > 0), w BIGINT, CONSTRAINT ordered CHECK (v < w))"
BROKEN = "breaks the constraint"


@pytest.fixture
def root(owner: Person) -> Person:
    """Who has a table with two constraints and one row."""
    owner.ok(CHECKED)
    owner.ok("INSERT INTO t VALUES (1, 5, 9)")
    return owner


def rows(person: Person) -> list[tuple[object, ...]]:
    """What the table has."""
    return person.tuples("SELECT * FROM t ORDER BY id")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t VALUES (2, 0, 9)",
        "INSERT INTO t VALUES (2, 5, 9), (3, 9, 9)",
        "INSERT INTO t SELECT id + 1, v - 5, w FROM t",
        "INSERT INTO t VALUES (1, 0, 9) ON CONFLICT DO NOTHING",
        "INSERT INTO t VALUES (1, 6, 9) ON CONFLICT (id) DO UPDATE SET v = 0",
        "INSERT INTO t VALUES (1, 7, 2) ON CONFLICT (id) DO UPDATE SET v = excluded.v, w = excluded.w",
        "UPDATE t SET v = -v",
        "UPDATE t SET w = 1 WHERE id = 1",
        "UPDATE t SET v = u.v FROM (VALUES (1, 0)) u (id, v) WHERE u.id = t.id",
    ],
)
@pytest.mark.parametrize("is_flushed", [False, True])
def test_no_statement_breaks_a_constraint(root: Person, statement: str, is_flushed: bool) -> None:
    """An error that says which, and nothing has changed, whether the rows are hot or cold."""
    if is_flushed:
        root.ok("FLUSH TABLE t")
    assert BROKEN in root.refused(statement)
    assert rows(root) == [(1, 5, 9)]


def test_the_error_names_the_constraint(root: Person) -> None:
    """That of a column has a name after table and column."""
    assert "t_v_check" in root.refused("INSERT INTO t VALUES (2, 0, 9)")
    assert "ordered" in root.refused("INSERT INTO t VALUES (2, 9, 9)")


def test_what_is_null_is_not_false(root: Person) -> None:
    """A row without a value breaks nothing."""
    root.ok("INSERT INTO t VALUES (2, NULL, 1), (3, 4, NULL)")
    assert len(rows(root)) == 3


def test_bound_rows_are_held_against_constraints(root: Person) -> None:
    """By a prepared INSERT, and by a prepared UPDATE."""
    bound = pa.table({"id": [2, 3], "v": [1, 0], "w": [2, 2]})
    assert BROKEN in str(root.prepared("INSERT INTO t VALUES (?, ?, ?)", bound))
    assert BROKEN in str(root.prepared("UPDATE t SET v = ? WHERE id = ?", pa.table({"v": [0], "id": [1]})))
    assert rows(root) == [(1, 5, 9)]


@pytest.mark.parametrize("mode", [IfExists.APPEND, IfExists.REPLACE])
@pytest.mark.parametrize("count", [3, 60_000])
def test_streams_are_held_against_constraints(root: Person, mode: IfExists, count: int) -> None:
    """Small ones and such as go straight to files, that append and that replace."""
    stream = pa.table({"id": range(1, count + 1), "v": [*[1] * (count - 1), 0], "w": [2] * count})
    assert BROKEN in str(root.ingest("t", stream, if_exists=mode))
    assert rows(root) == [(1, 5, 9)]


def test_a_large_stream_that_breaks_nothing_is_taken(root: Person) -> None:
    """All of it, as files."""
    stream = pa.table({"id": range(60_000), "v": [1] * 60_000, "w": [2] * 60_000})
    assert root.ingest("t", stream).error is None
    assert root.ok("SELECT count(*) AS taken FROM t") == [{"taken": 60_000}]


def test_a_transaction_is_held_against_constraints(root: Person) -> None:
    """The statement fails, and what was written before it in the transaction can go on."""
    root.ok("BEGIN")
    root.ok("INSERT INTO t VALUES (2, 1, 2)")
    assert BROKEN in root.refused("UPDATE t SET v = 5 WHERE id = 2")
    root.update("ROLLBACK")
    assert rows(root) == [(1, 5, 9)]


def test_a_constraint_is_added_if_every_row_satisfies_it(root: Person) -> None:
    """Hot rows and cold ones; it holds from then on, until it is dropped."""
    root.ok("FLUSH TABLE t")
    root.ok("INSERT INTO t VALUES (2, 7, 8)")
    assert BROKEN in root.refused("ALTER TABLE t ADD CONSTRAINT small CHECK (v < 7)")
    assert BROKEN in root.refused("ALTER TABLE t ADD CHECK (w < 9)")
    root.ok("INSERT INTO t VALUES (3, 70, 80)")
    root.ok("DELETE FROM t WHERE id > 1")
    root.ok("ALTER TABLE t ADD CONSTRAINT small CHECK (v < 7)")
    assert "small" in root.refused("INSERT INTO t VALUES (2, 7, 8)")
    root.ok("ALTER TABLE t DROP CONSTRAINT small")
    root.ok("INSERT INTO t VALUES (2, 7, 8)")
    root.ok("ALTER TABLE t DROP CONSTRAINT IF EXISTS small")
    assert "has no constraint small" in root.refused("ALTER TABLE t DROP CONSTRAINT small")


def test_a_constraint_of_a_user_table_is_about_everybodys_rows(house: House, root: Person) -> None:
    """One that somebody's row breaks is not added."""
    root.ok("CREATE USER TABLE u (id BIGINT PRIMARY KEY, v BIGINT)")
    ann = house.person("ann")
    ann.ok("INSERT INTO u VALUES (1, -1)")
    assert BROKEN in root.refused("ALTER TABLE u ADD CHECK (v > 0)")
    ann.ok("UPDATE u SET v = 1")
    root.ok("ALTER TABLE u ADD CHECK (v > 0)")
    assert BROKEN in ann.refused("INSERT INTO u VALUES (2, 0)")
    assert BROKEN in str(root.ingest("u", pa.table({"id": [5], "v": [0], "who": ["ann"]}), user_column="who"))


def test_a_temporary_table_has_constraints(root: Person) -> None:
    """Of its own."""
    root.ok("CREATE TEMPORARY TABLE made (id INT PRIMARY KEY, v INT)")
    root.ok("INSERT INTO made VALUES (1, 1)")
    assert BROKEN in root.refused("ALTER TABLE made ADD CHECK (v > 1)")
    root.ok("ALTER TABLE made ADD CHECK (v > 0)")
    assert BROKEN in root.refused("UPDATE made SET v = 0")


def test_a_table_from_a_query_is_held_against_its_constraints(root: Person) -> None:
    """And does not come to be."""
    made = "CREATE TABLE made (id BIGINT, v BIGINT CHECK (v > 5)) AS SELECT id, v FROM t"
    assert BROKEN in root.refused(made)
    assert "made" in root.refused("SELECT * FROM made")
    root.ok(made.replace("> 5", "> 4"))


def test_a_definition_is_shown_with_its_constraints(root: Person) -> None:
    """By the statement that would make it anew, which can be run."""
    (shown,) = root.ok("SHOW CREATE TABLE t")
    text = str([*shown.values()][-1])
    assert "CONSTRAINT t_v_check CHECK (v > 0)" in text
    root.ok("DROP TABLE t")
    root.ok(text)
    assert BROKEN in root.refused("INSERT INTO t VALUES (2, 9, 9)")


@pytest.mark.parametrize(
    ("clause", "error"),
    [
        ("CHECK (v)", "true or false"),
        ("CHECK (nothing > 0)", "nothing"),
        ("CHECK (v > (SELECT 1))", "no sub-query"),
        ("CHECK (v > ?)", "no parameters"),
        ("CHECK (_seq > 0)", "_seq"),
        ("CHECK (sum(v) > 0)", "no aggregates"),
        ("CHECK (row_number() OVER () > 0)", "no windows"),
        ("CONSTRAINT a CHECK (v > 0), CONSTRAINT a CHECK (v > 1)", "already"),
    ],
)
def test_a_condition_that_cannot_be_asked_is_refused(root: Person, clause: str, error: str) -> None:
    """When the table is made, and nothing is made."""
    assert error in root.refused(f"CREATE TABLE made (id BIGINT PRIMARY KEY, v BIGINT, {clause})")
    assert "made" in root.refused("SELECT * FROM made")


def test_a_column_that_a_constraint_names_stays(root: Person) -> None:
    """Until the constraint is dropped."""
    assert "ordered" in root.refused("ALTER TABLE t DROP COLUMN w")
    assert "ordered" in root.refused("ALTER TABLE t RENAME COLUMN w TO x")
    root.ok("ALTER TABLE t DROP CONSTRAINT ordered")
    root.ok("ALTER TABLE t RENAME COLUMN w TO x")


def test_constraints_outlast_a_restart(tmp_path: Path) -> None:
    """They are part of the definition."""
    opened = House(tmp_path / "data", {"root": Role.SYSTEM})
    opened.person("root").ok(CHECKED)
    opened.close()
    again = House(tmp_path / "data", {"root": Role.SYSTEM})
    assert BROKEN in again.person("root").refused("INSERT INTO t VALUES (2, 9, 9)")
    again.close()


def test_a_policy_and_a_constraint_stand_beside_each_other(house: House, root: Person) -> None:
    """What breaks both is refused, and so is what breaks one."""
    root.ok("GRANT ALL ON t TO PUBLIC")
    root.ok("CREATE POLICY few ON t USING (id < 10)")
    ann = house.person("ann")
    assert BROKEN in ann.refused("INSERT INTO t VALUES (2, 9, 9)")
    assert "policies" in ann.refused("INSERT INTO t VALUES (20, 1, 2)")
    ann.ok("INSERT INTO t VALUES (2, 1, 2)")


@pytest.mark.parametrize("action", ["ADD CHECK (v < 99)", "ALTER COLUMN v SET NOT NULL", "ADD UNIQUE (v)"])
def test_rows_that_nobody_changes_meanwhile_are_looked_at_once(
    root: Person, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the constraint is in force, and then no more."""
    root.ok("FLUSH TABLE t")
    root.ok("INSERT INTO t VALUES (2, 6, 9)")
    looked: list[int] = []
    look = NewConstraints.refuse_broken_in

    def noted(constraints: NewConstraints, *what: Any) -> None:
        looked.append(len(looked))
        look(constraints, *what)

    monkeypatch.setattr(NewConstraints, "refuse_broken_in", noted)
    root.ok(f"ALTER TABLE t {action}")
    assert len(looked) == 1


def test_a_row_that_comes_while_a_constraint_is_added_is_looked_at(
    root: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written after the first look, and before the constraint is in force."""
    look = NewConstraints.refuse_broken_in

    def interrupted(constraints: NewConstraints, *what: Any) -> None:
        look(constraints, *what)
        monkeypatch.undo()
        root.ok("INSERT INTO t VALUES (3, 100, 200)")

    monkeypatch.setattr(NewConstraints, "refuse_broken_in", interrupted)
    assert BROKEN in root.refused("ALTER TABLE t ADD CHECK (v < 99)")
    root.ok("INSERT INTO t VALUES (4, 100, 200)")
