"""A cluster that runs for all tests of a module, and a house whose queries go there."""

from collections.abc import Iterator

import pytest

from bench.sail import Sail, free_port


@pytest.fixture(scope="module")
def sail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sail]:
    """Sail with two workers."""
    server = Sail(tmp_path_factory.mktemp("sail"), free_port())
    yield server
    server.kill()
