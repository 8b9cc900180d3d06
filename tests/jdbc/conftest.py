"""One server, one JVM and one connection for all facts; every test has its own tables."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.jdbc.driver import Jdbc, missing, start_jvm
from tests.server_process import ServerProcess

USERS = {"alice": "wonder land", "bob": "b:o:b"}
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def jvm() -> None:
    """A JVM with the driver; without Java or Maven there is nothing to test."""
    if reason := missing():
        pytest.skip(reason)
    start_jvm()


@pytest.fixture(scope="session")
def server(jvm: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A running server with the users alice and bob; without credentials one is root."""
    with ServerProcess(tmp_path_factory.mktemp("jdbc") / "data", users=USERS) as process:
        yield process
        assert process.is_running
        assert process.stop() == 0


@pytest.fixture(scope="session")
def connected(server: ServerProcess) -> Iterator[Jdbc]:
    """A connection without credentials."""
    with Jdbc(server.uri) as jdbc:
        yield jdbc


@pytest.fixture
def db(connected: Jdbc) -> Iterator[Jdbc]:
    """The connection, with nothing left open by others."""
    yield connected
    connected.release()


@pytest.fixture
def t() -> str:
    """A table name that no other test uses."""
    return f"t{next(_NUMBERS)}"


@pytest.fixture
def make(db: Jdbc, t: str) -> Callable[..., str]:
    """Create the test's table from column definitions; return its name."""

    def create(columns: str = "id BIGINT PRIMARY KEY, s TEXT") -> str:
        db.run(f"CREATE TABLE {t} ({columns})")
        return t

    return create
