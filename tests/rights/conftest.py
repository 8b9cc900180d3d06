"""Houses with a user of each role, and some more."""

from collections.abc import Iterator

import pytest

from catalog.roles import Role
from tests.rights.house import House

PEOPLE = {
    "root": Role.SYSTEM,
    "dora": Role.DBA,
    "dan": Role.DBA,
    "sid": Role.SERVICE,
    "sam": Role.SERVICE,
    "ann": Role.USER,
    "bob": Role.USER,
    "eve": Role.USER,
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests of a module."""
    opened = House(tmp_path_factory.mktemp("house") / "data", PEOPLE)
    yield opened
    opened.close()
