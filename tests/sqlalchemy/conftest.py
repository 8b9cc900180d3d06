"""One server for the folder, and an engine on it."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from tests.server_process import ServerProcess

USERS = {"alice": "wonder land"}


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A running server that has the namespaces that SQLAlchemy's suite expects."""
    folder = tmp_path_factory.mktemp("sqlalchemy")
    with ServerProcess(folder / "data", users=USERS, settings={"durability": "async"}) as process:
        with process.connect() as connection, connection.cursor() as cursor:
            for namespace in ("test_schema", "test_schema_2"):
                cursor.execute(f"CREATE NAMESPACE {namespace}")
        yield process
        assert process.is_running
        assert process.stop() == 0


@pytest.fixture(scope="package")
def url(server: ServerProcess) -> URL:
    """Where the server is, for somebody without credentials."""
    return sa.make_url(server.uri.replace("grpc://", "flightserver://"))


@pytest.fixture(scope="package")
def engine(url: URL) -> Iterator[sa.Engine]:
    """An engine on the server."""
    engine = sa.create_engine(url)
    yield engine
    engine.dispose()
