"""INSERT OR REPLACE: the whole row takes the place of the one with its key, with defaults for what it does not name."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from tests.rights.house import House, Person


@pytest.fixture
def root(house: House) -> Iterator[Person]:
    """Who has a table with two rows, of which one is in a file."""
    person = house.person("root")
    person.ok("CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT DEFAULT 7, u TEXT UNIQUE CHECK (u <> 'no'))")
    person.ok("INSERT INTO t VALUES (1, 1, 'a')")
    person.ok("FLUSH TABLE t")
    person.ok("INSERT INTO t VALUES (2, 2, 'b')")
    yield person
    person.update("ROLLBACK")
    person.ok("DROP TABLE t")


def rows(person: Person) -> list[tuple[object, ...]]:
    """What the table has."""
    return person.tuples("SELECT * FROM t ORDER BY id")


def test_a_row_takes_the_place_of_the_one_with_its_key(root: Person) -> None:
    """In memory and in files; of several in one statement the last one stays; bound rows do as written ones."""
    root.ok("INSERT OR REPLACE INTO t (id, u) VALUES (1, 'x'), (2, 'y'), (3, 'z'), (3, 'w')")
    assert rows(root) == [(1, 7, "x"), (2, 7, "y"), (3, 7, "w")]
    bound = pa.table({"id": [1, 9], "v": [5, 6]})
    assert root.prepared("INSERT OR REPLACE INTO t (id, v) VALUES (?, ?)", bound).error is None
    assert rows(root) == [(1, 5, None), (2, 7, "y"), (3, 7, "w"), (9, 6, None)]


def test_constraints_hold(root: Person) -> None:
    """A value of another row is no key."""
    assert "is UNIQUE" in root.refused("INSERT OR REPLACE INTO t VALUES (1, 1, 'b')")
    assert "CHECK" in root.refused("INSERT OR REPLACE INTO t VALUES (1, 1, 'no')")
    assert rows(root) == [(1, 1, "a"), (2, 2, "b")]


def test_it_is_an_update_too(house: House, root: Person) -> None:
    """Who may only insert does not do so, nobody replaces a row that is hidden, and nothing is written in READ ONLY."""
    ann = house.person("ann")
    root.ok("GRANT SELECT, INSERT ON t TO ann")
    ann.refused("INSERT OR REPLACE INTO t VALUES (5, 1, 'c')")
    root.ok("GRANT UPDATE ON t TO ann")
    ann.ok("INSERT OR REPLACE INTO t VALUES (5, 1, 'c')")
    root.ok("CREATE POLICY few ON t USING (id > 1)")
    ann.refused("INSERT OR REPLACE INTO t VALUES (1, 1, 'd')")
    root.ok("BEGIN READ ONLY")
    root.refused("INSERT OR REPLACE INTO t VALUES (5, 1, 'c')")
    root.update("ROLLBACK")
    assert (1, 1, "a") in rows(root)
