"""One server for all facts; every test has its own tables."""

import itertools
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from tests.e2e.client import Client
from tests.e2e.wire import Wire
from tests.server_process import ServerProcess

USERS = {"alice": "wonder land", "bob": "b:o:b"}
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A running server with the users alice and bob; without credentials one is root."""
    with ServerProcess(tmp_path_factory.mktemp("server") / "data", users=USERS) as process:
        yield process
        assert process.is_running
        assert process.stop() == 0


@pytest.fixture(scope="package")
def db(server: ServerProcess) -> Iterator[Client]:
    """A client without credentials."""
    with server.connect() as connection:
        yield Client(connection)


@pytest.fixture(scope="package")
def alice(server: ServerProcess) -> Iterator[Client]:
    """A client who logged in as alice."""
    with server.connect("alice") as connection:
        yield Client(connection)


@pytest.fixture(scope="package")
def bob(server: ServerProcess) -> Iterator[Client]:
    """A client who logged in as bob."""
    with server.connect("bob") as connection:
        yield Client(connection)


@pytest.fixture
def mine(server: ServerProcess) -> Iterator[Client]:
    """A session of the test's own."""
    with server.connect() as connection:
        yield Client(connection)


@pytest.fixture
def tx(server: ServerProcess) -> Iterator[Client]:
    """A client as the driver makes it by default: every statement is in a transaction."""
    with server.connect(autocommit=False) as connection:
        yield Client(connection)


@pytest.fixture
def rival(server: ServerProcess) -> Iterator[Client]:
    """Another one."""
    with server.connect(autocommit=False) as connection:
        yield Client(connection)


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[Wire]:
    """A plain Flight client without credentials."""
    with Wire(server) as client:
        yield client


@pytest.fixture(scope="package")
def batches(db: Client) -> str:
    """Seven batches of a hundred keys each, with a bloom on s: too few to be merged in the background."""
    db.run(
        "CREATE TABLE batches (id BIGINT PRIMARY KEY, v BIGINT, s TEXT) "
        "WITH (bloom_columns = 's', flush_policy = 'none', bloom_fpp = 0.0001)"
    )
    for batch in range(7):
        keys = pa.array(range(batch * 100, batch * 100 + 100))
        db.ingest(
            "batches", pa.table({"id": keys, "v": keys, "s": pa.array([f"s{k.as_py() % 100}-{k}" for k in keys])})
        )
        db.run("FLUSH TABLE batches")
    return "batches"


@pytest.fixture
def t() -> str:
    """A table name that no other test uses."""
    return f"t{next(_NUMBERS)}"


@pytest.fixture
def make(db: Client, t: str) -> Callable[..., str]:
    """Create the test's table from column definitions; return its name."""

    def create(columns: str = "id BIGINT PRIMARY KEY, v BIGINT, s TEXT", kind: str = "", options: str = "") -> str:
        db.run(f"CREATE {kind} TABLE {t} ({columns}) {options}")
        return t

    return create
