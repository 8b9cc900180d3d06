"""A server's inside, with its owner and a user, for all tests of a module."""

from collections.abc import Iterator

import pytest

from catalog.roles import Role
from tests.rights.house import House, Person


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests of a module."""
    opened = House(tmp_path_factory.mktemp("house") / "data", {"root": Role.SYSTEM, "ann": Role.USER})
    yield opened
    opened.close()


@pytest.fixture
def owner(house: House) -> Iterator[Person]:
    """Who may do everything with tables and views; those that a test has made go with it."""
    person = house.person("root")
    yield person
    person.update("ROLLBACK")
    while made := person.ok("SHOW TABLES"):
        for row in made:
            person.ok(f"DROP {'VIEW' if row['kind'] == 'VIEW' else 'TABLE'} IF EXISTS {row['table']} CASCADE")
