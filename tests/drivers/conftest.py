"""One server for all facts about drivers; every test has its own tables."""

from collections.abc import Iterator

import pytest
from adbc_driver_flightsql import dbapi

from tests.e2e.client import Client
from tests.e2e.conftest import alice, bob, db, make, server, t
from tests.server_process import ServerProcess

__all__ = ["alice", "bob", "db", "make", "server", "t"]


@pytest.fixture
def cursor(db: Client) -> Iterator[dbapi.Cursor]:
    """A cursor of the shared connection."""
    with db.connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def own(server: ServerProcess) -> Iterator[Client]:
    """A client with a connection of its own, whose settings and transactions are nobody else's."""
    with server.connect() as connection:
        yield Client(connection)


@pytest.fixture
def tx(server: ServerProcess) -> Iterator[Client]:
    """A client as the driver makes it by default: every statement is in a transaction."""
    with server.connect(autocommit=False) as connection:
        yield Client(connection)
