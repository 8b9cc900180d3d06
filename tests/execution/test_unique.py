"""UNIQUE: no way into a table brings a value that another row has, and none takes more than the statement."""

from pathlib import Path

import pyarrow as pa
import pytest

from catalog.roles import Role
from flightserver.protocol.commands import IfExists
from tests.rights.house import House, Person

TABLE = "CREATE TABLE t (id BIGINT PRIMARY KEY, mail TEXT UNIQUE, a BIGINT, b TEXT, UNIQUE (a, b))"
BROKEN = "is UNIQUE"
ROWS = [(1, "x", 1, "p"), (2, "y", 1, "q"), (3, None, None, "p")]


@pytest.fixture(params=["hot", "cold", pytest.param("segments", marks=pytest.mark.proof)])
def root(owner: Person, request: pytest.FixtureRequest) -> Person:
    """Who has a table with two constraints and three rows, in memory, in a batch, or in a segment among many others."""
    owner.ok(TABLE)
    owner.ok("INSERT INTO t VALUES (1, 'x', 1, 'p'), (2, 'y', 1, 'q'), (3, NULL, NULL, 'p')")
    if request.param == "cold":
        owner.ok("FLUSH TABLE t")
    if request.param == "segments":
        owner.ok("DELETE FROM t")
        many = {"id": range(1, 50_001), "mail": ["x", "y", *[None] * 49_998], "a": [1, 1, *[None] * 49_998]}
        assert owner.ingest("t", pa.table({**many, "b": ["p", "q", *["p"] * 49_998]})).error is None
        owner.ok("DELETE FROM t WHERE id > 3")
    return owner


@pytest.fixture
def plain(owner: Person) -> Person:
    """The same, in memory only."""
    owner.ok(TABLE)
    owner.ok("INSERT INTO t VALUES (1, 'x', 1, 'p'), (2, 'y', 1, 'q'), (3, NULL, NULL, 'p')")
    return owner


def rows(person: Person) -> list[tuple[object, ...]]:
    """What the table has."""
    return person.tuples("SELECT * FROM t ORDER BY id")


@pytest.mark.parametrize("what", ["(mail) DO NOTHING", "(b, a) DO UPDATE SET mail = 'x'", "ON CONSTRAINT c DO NOTHING"])
def test_on_conflict_is_about_the_key(plain: Person, what: str) -> None:
    """The error says what does it for a constraint."""
    assert "MERGE INTO" in plain.refused(f"INSERT INTO t VALUES (4, 'x', 4, 'p') ON CONFLICT {what}")
    assert rows(plain) == ROWS


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t VALUES (4, 'x', 4, 'p')",
        "INSERT INTO t VALUES (4, 'z', 1, 'q')",
        "INSERT INTO t VALUES (4, 'z', 4, 'p'), (5, 'z', 5, 'p')",
        "INSERT INTO t SELECT id + 10, mail, 10, b FROM t",
        "INSERT INTO t VALUES (4, 'x', 4, 'p') ON CONFLICT (id) DO NOTHING",
        "INSERT INTO t VALUES (1, 'y', 6, 'p') ON CONFLICT (id) DO UPDATE SET mail = excluded.mail",
        "UPDATE t SET mail = 'x'",
        "UPDATE t SET mail = 'x' WHERE id = 3",
        "UPDATE t SET b = 'p', a = 1 WHERE id = 3",
    ],
)
def test_no_statement_brings_a_value_twice(root: Person, statement: str) -> None:
    """An error that says which, and nothing has changed, wherever the rows are."""
    assert BROKEN in root.refused(statement)
    assert rows(root) == ROWS


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t VALUES (4, NULL, 1, NULL), (5, NULL, 1, NULL)",
        "INSERT INTO t VALUES (4, 'z', 2, 'p')",
        "UPDATE t SET mail = CASE mail WHEN 'x' THEN 'y' ELSE 'x' END WHERE id < 3",
        "UPDATE t SET mail = mail",
        "INSERT INTO t VALUES (1, 'x', 7, 'p') ON CONFLICT (id) DO UPDATE SET mail = excluded.mail",
    ],
)
def test_what_is_not_twice_is_taken(root: Person, statement: str) -> None:
    """NULLs are no value, and what a statement replaces is gone."""
    root.ok(statement)


def test_a_value_is_free_when_its_row_is_gone(root: Person) -> None:
    """By UPDATE and by DELETE."""
    root.ok("UPDATE t SET mail = 'new' WHERE id = 1")
    root.ok("DELETE FROM t WHERE id = 2")
    root.ok("INSERT INTO t VALUES (4, 'x', 1, 'q'), (5, 'y', 5, 'q')")
    assert BROKEN in root.refused("INSERT INTO t VALUES (6, 'new', 6, 'q')")


def test_do_nothing_without_a_target_is_about_all_constraints(root: Person) -> None:
    """A row that would break one is left out, and so is one that is like a row before it."""
    root.ok(
        "INSERT INTO t VALUES (1, 'k', 9, 'r'), (4, 'x', 4, 'r'), (5, 'z', 5, 'r'), (6, 'z', 6, 'r'), (7, 'v', 6, 'r')"
        " ON CONFLICT DO NOTHING"
    )
    assert [row[0] for row in rows(root)] == [1, 2, 3, 5, 7]
    left = "INSERT INTO t VALUES (8, 'x', 4, 'r'), (9, 'w', 9, 'r') ON CONFLICT DO NOTHING RETURNING id"
    assert root.ok(left) == [{"id": 9}]
    assert BROKEN in root.refused("UPDATE t SET mail = 'x' WHERE id = 9 RETURNING id")


@pytest.mark.parametrize("count", [3, 60_000])
def test_streams_are_held_against_rows_and_themselves(root: Person, count: int) -> None:
    """Small ones and such as go straight to files; what they replace is gone, and one that replaces all begins anew."""
    ids = list(range(10, 10 + count))
    fresh = pa.table({"id": ids, "mail": [f"m{n}" for n in ids], "a": ids, "b": ["p"] * count})
    taken = fresh.set_column(1, "mail", pa.array([*(f"m{n}" for n in ids[1:]), "y"]))
    twice = fresh.set_column(2, "a", pa.array([*ids[:-1], ids[0]]))
    assert BROKEN in str(root.ingest("t", taken))
    assert BROKEN in str(root.ingest("t", twice))
    assert rows(root) == ROWS
    assert root.ingest("t", fresh).error is None
    assert root.ingest("t", fresh).error is None
    assert BROKEN in root.refused("INSERT INTO t VALUES (4, 'm12', 4, 'r')")
    assert root.ingest("t", taken, if_exists=IfExists.REPLACE).error is None
    assert BROKEN in str(root.ingest("t", twice, if_exists=IfExists.REPLACE))


def test_a_transaction_sees_its_own_values(root: Person) -> None:
    """What it wrote is there, and what it deleted is free."""
    root.ok("BEGIN")
    root.ok("DELETE FROM t WHERE id = 1")
    root.ok("INSERT INTO t VALUES (4, 'x', 4, 'p')")
    assert BROKEN in root.refused("INSERT INTO t VALUES (5, 'x', 5, 'p')")
    root.update("ROLLBACK")
    root.ok("BEGIN")
    root.ok("UPDATE t SET mail = 'free' WHERE id = 1")
    root.ok("INSERT INTO t VALUES (4, 'x', 4, 'p')")
    root.ok("COMMIT")
    assert rows(root)[0][1] == "free"


@pytest.mark.parametrize("count", [1, 60_000])
def test_of_two_transactions_with_one_value_the_first_wins(house: House, root: Person, count: int) -> None:
    """The other one fails at its commit as it would for a key, and finds the value there when it runs again."""
    other = house.person("root")
    root.ok("BEGIN")
    other.ok("BEGIN")
    ids = list(range(100, 100 + count))
    stream = pa.table({"id": ids, "mail": [f"n{n}" for n in ids], "a": ids, "b": ["p"] * count})
    assert root.ingest("t", stream).error is None
    other.ok("INSERT INTO t VALUES (5, 'n100', 5, 'q')")
    other.ok("COMMIT")
    assert "run it again" in root.refused("COMMIT")
    root.update("ROLLBACK")
    assert BROKEN in str(root.ingest("t", stream))


def test_bound_rows_are_held_against_constraints(plain: Person) -> None:
    """By a prepared INSERT, and by a prepared UPDATE, whose runs come one after another."""
    bound = pa.table({"id": [7, 8], "mail": ["z", "x"], "a": [7, 8], "b": ["r", "r"]})
    assert BROKEN in str(plain.prepared("INSERT INTO t VALUES (?, ?, ?, ?)", bound))
    moves = pa.table({"mail": ["free", "x"], "id": [1, 2]})
    assert plain.prepared("UPDATE t SET mail = ? WHERE id = ?", moves).error is None
    assert [row[1] for row in rows(plain)] == ["free", "x", None]


def test_a_constraint_is_added_if_no_value_is_twice(root: Person) -> None:
    """In memory or in files; it holds from then on, until it is dropped."""
    assert BROKEN in root.refused("ALTER TABLE t ADD CONSTRAINT one UNIQUE (b)")
    root.ok("ALTER TABLE t ADD CONSTRAINT one UNIQUE (a, mail)")
    root.ok("ALTER TABLE t DROP CONSTRAINT t_mail_key")
    root.ok("INSERT INTO t VALUES (4, 'x', 4, 'p')")
    assert "one" in root.refused("INSERT INTO t VALUES (5, 'x', 4, 'q')")
    root.ok("ALTER TABLE t DROP CONSTRAINT one")
    assert BROKEN in root.refused("ALTER TABLE t ADD UNIQUE (mail)")
    root.ok("INSERT INTO t VALUES (5, 'x', 4, 'q')")


def test_a_column_that_is_younger_than_files_may_be_unique(plain: Person) -> None:
    """Its older rows have its default, which is no value where it is NULL."""
    plain.ok("FLUSH TABLE t")
    plain.ok("ALTER TABLE t ADD COLUMN n BIGINT, ADD COLUMN d BIGINT DEFAULT 1")
    assert BROKEN in plain.refused("ALTER TABLE t ADD UNIQUE (d)")
    plain.ok("ALTER TABLE t ADD UNIQUE (n)")
    plain.ok("UPDATE t SET n = 5 WHERE id = 1")
    assert BROKEN in plain.refused("UPDATE t SET n = 5 WHERE id = 2")
    plain.ok("DELETE FROM t WHERE id > 1")
    plain.ok("ALTER TABLE t ADD UNIQUE (d)")
    assert BROKEN in plain.refused("INSERT INTO t (id, d) VALUES (9, 1)")


def test_every_nan_is_one_value(plain: Person) -> None:
    """And the two zeros are, for both kinds of numbers with a point."""
    for kind in ("DOUBLE", "REAL"):
        plain.ok(f"CREATE TABLE made (v {kind} UNIQUE)")
        plain.ok("INSERT INTO made VALUES ('NaN'), (0.0)")
        assert BROKEN in plain.refused("INSERT INTO made VALUES ('NaN')")
        plain.ok("FLUSH TABLE made")
        assert BROKEN in plain.refused("INSERT INTO made VALUES ('NaN')")
        assert BROKEN in plain.refused("INSERT INTO made VALUES (-0.0)")
        plain.ok("DROP TABLE made")


def test_a_user_table_is_unique_for_each_user(house: House, plain: Person) -> None:
    """Nobody learns what others have; to add the constraint, nobody may have a value twice."""
    plain.ok("CREATE USER TABLE u (id BIGINT PRIMARY KEY, v BIGINT)")
    ann = house.person("ann")
    ann.ok("INSERT INTO u VALUES (1, 5), (2, 5)")
    assert BROKEN in plain.refused("ALTER TABLE u ADD UNIQUE (v)")
    ann.ok("DELETE FROM u WHERE id = 2")
    plain.ok("ALTER TABLE u ADD UNIQUE (v)")
    plain.ok("INSERT INTO u VALUES (1, 5)")
    assert BROKEN in ann.refused("INSERT INTO u VALUES (2, 5)")
    assert BROKEN in plain.refused("INSERT INTO u AS USER 'ann' VALUES (2, 5)")
    stream = pa.table({"id": [7, 7], "v": [6, 5], "who": ["root", "ann"]})
    assert BROKEN in str(plain.ingest("u", stream, user_column="who"))
    assert plain.ok("SELECT count(*) AS n FROM u") == [{"n": 1}]


def test_who_may_only_insert_adds_no_constraint(house: House, plain: Person) -> None:
    """It is a change of the definition, and is none in a transaction that only reads."""
    plain.ok("GRANT INSERT ON t TO ann")
    ann = house.person("ann")
    ann.refused("ALTER TABLE t ADD UNIQUE (b)")
    assert BROKEN in ann.refused("INSERT INTO t VALUES (4, 'x', 4, 'p')")
    plain.ok("BEGIN READ ONLY")
    plain.refused("ALTER TABLE t ADD UNIQUE (b)")


def test_temporary_tables_and_those_of_a_query_have_constraints(plain: Person) -> None:
    """They are held against them as any other."""
    plain.ok("CREATE TEMPORARY TABLE made (v INT UNIQUE)")
    plain.ok("INSERT INTO made VALUES (1)")
    assert BROKEN in plain.refused("INSERT INTO made VALUES (1)")
    plain.ok("DROP TABLE made")
    assert BROKEN in plain.refused("CREATE TABLE made (v TEXT UNIQUE) AS SELECT b FROM t")
    assert "made" in plain.refused("SELECT * FROM made")


def test_a_definition_is_shown_with_its_constraints(plain: Person) -> None:
    """By the statement that would make it anew, which can be run."""
    (shown,) = plain.ok("SHOW CREATE TABLE t")
    text = str([*shown.values()][-1])
    assert "CONSTRAINT t_mail_key UNIQUE (mail)" in text
    plain.ok("DROP TABLE t")
    plain.ok(text)
    plain.ok("INSERT INTO t VALUES (1, 'x', 1, 'p')")
    assert "t_a_b_key" in plain.refused("INSERT INTO t VALUES (2, 'y', 1, 'p')")


@pytest.mark.parametrize(
    ("clause", "error"),
    [
        ("UNIQUE (nothing)", "nothing"),
        ("UNIQUE (v, v)", "twice"),
        ("UNIQUE (l)", "cannot be UNIQUE"),
        ("UNIQUE NULLS NOT DISTINCT (v)", "NULLs"),
        ("CONSTRAINT a UNIQUE (v), CONSTRAINT a CHECK (v > 1)", "already"),
    ],
)
def test_what_cannot_be_kept_is_refused(plain: Person, clause: str, error: str) -> None:
    """When the table is made, and nothing is made."""
    assert error in plain.refused(f"CREATE TABLE made (id BIGINT PRIMARY KEY, v BIGINT, l BIGINT[], {clause})")
    assert "made" in plain.refused("SELECT * FROM made")


def test_a_column_of_a_constraint_stays_and_may_have_another_name(plain: Person) -> None:
    """Until the constraint is dropped."""
    assert "t_a_b_key" in plain.refused("ALTER TABLE t DROP COLUMN a")
    plain.ok("ALTER TABLE t RENAME COLUMN mail TO address")
    assert "address = 'x'" in plain.refused("INSERT INTO t VALUES (4, 'x', 4, 'p')")


def test_constraints_outlast_a_restart_and_compaction(tmp_path: Path) -> None:
    """They are part of the definition, and values are found in whatever files have them."""
    opened = House(tmp_path / "data", {"root": Role.SYSTEM})
    root = opened.person("root")
    root.ok(TABLE)
    for number in range(3):
        root.ok(f"INSERT INTO t VALUES ({number}, 'm{number}', {number}, 'p')")
        root.ok("FLUSH TABLE t")
    root.ok("UPDATE t SET mail = 'moved' WHERE id = 1")
    root.ok("FLUSH TABLE t")
    root.ok("COMPACT TABLE t")
    opened.close()
    again = House(tmp_path / "data", {"root": Role.SYSTEM})
    root = again.person("root")
    assert BROKEN in root.refused("INSERT INTO t VALUES (9, 'm2', 9, 'p')")
    root.ok("INSERT INTO t VALUES (9, 'm1', 9, 'p')")
    again.close()
