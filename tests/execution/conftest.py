"""A server's inside, with its owner and a user, for all tests of a module."""

from collections.abc import Iterator

import pytest

from catalog.roles import Role
from tests.rights.house import House


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests of a module."""
    opened = House(tmp_path_factory.mktemp("house") / "data", {"root": Role.SYSTEM, "ann": Role.USER})
    yield opened
    opened.close()
