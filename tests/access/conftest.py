"""One server that wants passwords, with somebody of each role."""

from collections.abc import Iterator

import pytest

from catalog.roles import Role
from tests.access.tokens_of_issuer import AUDIENCE, ISSUER, OutsideIssuer
from tests.e2e.client import Client
from tests.server_process import ServerProcess

PASSWORDS = {"ann": "word of ann", "serve": "word of serve", "dora": "word of dora", "sys": "word of sys"}
ROLES = {"ann": Role.USER, "serve": Role.SERVICE, "dora": Role.DBA, "sys": Role.SYSTEM}


@pytest.fixture(scope="session")
def outside() -> OutsideIssuer:
    """An issuer of tokens that the server trusts."""
    return OutsideIssuer()


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, outside: OutsideIssuer) -> Iterator[ServerProcess]:
    """A running server, without --dev."""
    folder = tmp_path_factory.mktemp("access") / "data"
    key_file = folder.with_name("key.pem")
    key_file.write_bytes(outside.public_pem)
    jwt = {"issuer": ISSUER, "audience": AUDIENCE, "key_file": str(key_file)}
    settings = {"jwt": jwt, "sessions_max": 40, "sessions_user_max": 20, "password_length_min": 8}
    with ServerProcess(folder, users=PASSWORDS, roles=ROLES, dev=False, settings=settings) as process:
        yield process


@pytest.fixture(scope="package")
def system(server: ServerProcess) -> Iterator[Client]:
    """Who may do everything."""
    with server.connect("sys") as connection:
        yield Client(connection)


@pytest.fixture(scope="package")
def dba(server: ServerProcess) -> Iterator[Client]:
    """Who looks after the data."""
    with server.connect("dora") as connection:
        yield Client(connection)


@pytest.fixture(scope="package")
def ann(server: ServerProcess) -> Iterator[Client]:
    """A user like others."""
    with server.connect("ann") as connection:
        yield Client(connection)
