"""Other ways to write changes have the effect, and need the rights, of the plain ones."""

from collections.abc import Iterator

import pytest

from tests.rights.house import House, Person


@pytest.fixture
def root(house: House) -> Iterator[Person]:
    """Who has a table of two rows, and another with one."""
    person = house.person("root")
    person.ok("CREATE TABLE t (id BIGINT PRIMARY KEY, a BIGINT, b TEXT)")
    person.ok("INSERT INTO t VALUES (1, 10, 'x'), (2, 20, 'y')")
    person.ok("CREATE TABLE hidden (id BIGINT PRIMARY KEY, a BIGINT)")
    person.ok("INSERT INTO hidden VALUES (7, 70)")
    yield person
    person.update("ROLLBACK")
    for name in ("t", "hidden"):
        person.ok(f"DROP TABLE {name}")


def rows(person: Person) -> list[tuple[object, ...]]:
    """What the table has."""
    return person.tuples("SELECT * FROM t ORDER BY id")


def test_values_of_a_row_are_those_from_before_the_change(root: Person) -> None:
    """No column sees what another is set to."""
    root.ok("UPDATE t SET (a, b) = (a + id, CAST(a AS TEXT)) WHERE id = 2")
    root.ok(
        "INSERT INTO t VALUES (1, 5, 'z') ON CONFLICT (id) DO UPDATE SET (b, a) = ROW (excluded.b, t.a + excluded.a)"
    )
    assert rows(root) == [(1, 15, "z"), (2, 22, "20")]


def test_a_row_of_columns_is_set_to_what_a_query_selects(root: Person) -> None:
    """For each row that is changed; what finds nothing is NULL, and two rows are an error."""
    before = rows(root)
    root.ok("BEGIN")
    root.ok("UPDATE t SET (a, b) = (SELECT o.a + 1, o.b FROM t o WHERE o.id = t.id - 1)")
    assert rows(root) == [(1, None, None), (2, before[0][1] + 1, before[0][2])]
    root.ok("ROLLBACK")
    assert "more than one row" in root.refused("UPDATE t SET (a, b) = (SELECT o.a, o.b FROM t o)")


def test_with_makes_the_rows_of_an_insert(root: Person) -> None:
    """Types come from the table, and a rollback takes the rows back."""
    root.ok("BEGIN")
    root.ok("WITH x AS (SELECT max(id) AS top FROM t) INSERT INTO t (id, a) SELECT top + 1, '7' FROM x")
    assert rows(root)[2:] == [(3, 7, None)]
    root.ok("ROLLBACK")
    assert len(rows(root)) == 2


def test_with_in_front_of_insert_reads_only_what_may_be_read(root: Person, house: House) -> None:
    """The right to insert is not one to read."""
    root.ok("GRANT INSERT, SELECT ON t TO ann")
    ann = house.person("ann")
    sql = "WITH x AS (SELECT id, a FROM {0}.hidden) INSERT INTO {0}.t (id, a) SELECT id, a FROM x"
    place = root.ok("SELECT current_schema() AS place")[0]["place"]
    assert ann.update(sql.format(place)).error is not None
    root.ok("GRANT SELECT ON hidden TO ann")
    ann.ok(sql.format(place))
    assert rows(root)[2:] == [(7, 70, None)]


def test_with_in_front_of_insert_writes(root: Person) -> None:
    """A transaction that only reads refuses it."""
    root.ok("BEGIN READ ONLY")
    assert root.update("WITH x AS (SELECT 9 AS id) INSERT INTO t (id) SELECT id FROM x").error is not None
    root.ok("ROLLBACK")
    assert len(rows(root)) == 2
