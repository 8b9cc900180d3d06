"""Forms that are written in other words for the engine show and change nothing that the plain words would not."""

import pytest

from tests.rights.house import House, Person

CONDITIONS = (
    "who LIKE '%!_%' ESCAPE '!'",
    "who SIMILAR TO '(ann|bob)!_%' ESCAPE '!'",
    "id BETWEEN SYMMETRIC 9 AND 0",
    "at AT TIME ZONE 'Europe/Berlin' IS NOT NULL",
    "at + 2 * INTERVAL '1' DAY > at",
    "extract(century FROM at) = 21",
    "doc ->> 'a' = '1'",
    "to_char(at, 'YYYY') = '2024'",
    "d / 3 > 0",
    "id IN (SELECT g FROM generate_series(0, 9) g)",
    "id IN (SELECT id FROM notes ORDER BY id FETCH FIRST 9 ROWS ONLY)",
)


@pytest.fixture(scope="module")
def root(house: House) -> Person:
    """Who made the tables; ann and bob have a row each, of the same key."""
    person = house.person("root")
    person.ok("CREATE USER TABLE notes (id BIGINT PRIMARY KEY, who TEXT, at TIMESTAMP, doc TEXT, d DECIMAL(10,2))")
    person.ok("CREATE TABLE kept (id BIGINT PRIMARY KEY, who TEXT)")
    person.ok("INSERT INTO kept VALUES (1, 'a_secret')")
    for name in ("ann", "bob"):
        values = f"(1, '{name}_note', '2024-03-31 02:30:00', '{{\"a\": 1}}', 2)"
        house.person(name).ok(f"INSERT INTO notes VALUES {values}")
    return person


@pytest.mark.parametrize("condition", CONDITIONS)
def test_each_form_finds_the_rows_of_the_asker(house: House, root: Person, condition: str) -> None:
    """And of nobody else."""
    for name in ("ann", "bob"):
        found = house.person(name).ok(f"SELECT who FROM notes WHERE {condition}")
        assert found == [{"who": f"{name}_note"}]


def test_changes_by_forms_change_the_rows_of_the_asker(house: House, root: Person) -> None:
    """Also what they are found by."""
    ann, bob = house.person("ann"), house.person("bob")
    for condition in CONDITIONS:
        assert ann.update(f"UPDATE notes SET d = d + 1 WHERE {condition}").affected == 1
    assert bob.ok("SELECT CAST(d AS TEXT) AS d FROM notes") == [{"d": "2.00"}]


def test_forms_over_a_table_that_is_not_granted_are_refused_like_all_else(house: House, root: Person) -> None:
    """Whatever stands around its name."""
    eve = house.person("eve")
    plain = eve.refused("SELECT who FROM kept")
    for query in (
        "SELECT who FROM kept FETCH FIRST ROW ONLY",
        "SELECT who FROM kept WHERE who SIMILAR TO '%'",
        "SELECT g FROM generate_series(1, 3) g WHERE g IN (SELECT id FROM kept)",
        "CREATE USER TABLE mine (id BIGINT, who TEXT) AS SELECT * FROM kept",
    ):
        assert ("kept" in eve.refused(query)) == ("kept" in plain)
        assert "secret" not in eve.refused(query)
