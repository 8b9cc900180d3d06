"""JDBC over TLS: the driver trusts whom it is told to trust."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.access.authority import Authority
from tests.jdbc.driver import Jdbc, failure
from tests.server_process import ServerProcess

LOGIN = {"user": "ann", "password": "word of ann"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where keys and certificates are."""
    return tmp_path_factory.mktemp("encrypted")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    """Who has signed the server's certificate."""
    return Authority(folder / "authority")


@pytest.fixture(scope="module")
def encrypted(jvm: None, folder: Path, authority: Authority) -> Iterator[ServerProcess]:
    """A server with TLS."""
    certificate, key = folder / "server.pem", folder / "key.pem"
    authority.issue(certificate, key)
    settings = {"tls_certificate_file": str(certificate), "tls_key_file": str(key)}
    users = {LOGIN["user"]: LOGIN["password"]}
    with ServerProcess(folder / "data", users=users, dev=False, settings=settings) as process:
        yield process


def test_the_driver_encrypts(encrypted: ServerProcess, authority: Authority) -> None:
    """With `useEncryption` and the authority's file as `tlsRootCerts`."""
    with Jdbc(encrypted.uri, useEncryption="true", tlsRootCerts=str(authority.file), **LOGIN) as jdbc:
        assert jdbc.row("SELECT current_user") == ("ann",)


def test_the_driver_trusts_nobody_else(encrypted: ServerProcess, folder: Path) -> None:
    """A certificate of another authority ends the connection before the login."""
    stranger = Authority(folder / "stranger")
    found = failure(lambda: Jdbc(encrypted.uri, useEncryption="true", tlsRootCerts=str(stranger.file), **LOGIN))
    assert "SSL" in found or "UNAVAILABLE" in found or "io exception" in found


def test_a_plain_connection_is_refused(encrypted: ServerProcess) -> None:
    """The driver without encryption is not served."""
    assert failure(lambda: Jdbc(encrypted.uri, **LOGIN))


def test_the_driver_shows_a_certificate(jvm: None, tmp_path: Path) -> None:
    """`clientCertificate` and `clientKey`, where the server wants one; without them it is not served."""
    authority = Authority(tmp_path / "authority")
    files = {name: tmp_path / f"{name}.pem" for name in ("server", "key", "client", "client-key")}
    authority.issue(files["server"], files["key"])
    authority.issue(files["client"], files["client-key"])
    settings = {
        "tls_certificate_file": str(files["server"]),
        "tls_key_file": str(files["key"]),
        "tls_client_ca_file": str(authority.file),
    }
    trusting = {"useEncryption": "true", "tlsRootCerts": str(authority.file), **LOGIN}
    shown = {"clientCertificate": str(files["client"]), "clientKey": str(files["client-key"])}
    users = {LOGIN["user"]: LOGIN["password"]}
    with ServerProcess(tmp_path / "data", users=users, dev=False, settings=settings) as server:
        with Jdbc(server.uri, **trusting, **shown) as jdbc:
            assert jdbc.row("SELECT current_user") == ("ann",)
        assert failure(lambda: Jdbc(server.uri, **trusting))
