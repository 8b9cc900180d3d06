"""Encrypted connections: every client of the README, who is not trusted, and a certificate that is renewed."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import ibis
import pandas as pd
import polars as pl
import pytest
import sqlalchemy as sa
from adbc_driver_flightsql import DatabaseOptions, dbapi
from pyarrow import flight

from catalog.errors import DatabaseError
from catalog.roles import Role
from flightserver.settings import Settings
from flightserver.transport.tls import check_exposure, read_tls, tls_files
from tests.access.authority import HOST, Authority
from tests.server_process import ServerProcess

USER, PASSWORD = "ann", "word of ann"


@dataclass(frozen=True)
class Secured:
    """A server with TLS, and who has signed its certificate."""

    server: ServerProcess
    authority: Authority
    certificate: Path
    key: Path

    def driver(self, **others: str) -> dict[str, str]:
        """What ADBC needs to connect."""
        root = {DatabaseOptions.TLS_ROOT_CERTS.value: self.authority.pem}
        return {"username": USER, "password": PASSWORD} | root | others

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a client command of ours."""
        login = ["--uri", self.server.uri, "--user", USER, "--password", PASSWORD, "--tls-ca", str(self.authority.file)]
        command = [sys.executable, "-m", "flightserver", arguments[0], *login, *arguments[1:]]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=300, check=False)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A server whose certificate an authority of the tests has signed."""
    folder = tmp_path_factory.mktemp("tls")
    authority, certificate, key = Authority(folder / "authority"), folder / "server.pem", folder / "key.pem"
    authority.issue(certificate, key)
    settings = {"tls_certificate_file": str(certificate), "tls_key_file": str(key)}
    with ServerProcess(
        folder / "data", users={USER: PASSWORD}, roles={USER: Role.SERVICE}, dev=False, settings=settings
    ) as server:
        yield Secured(server, authority, certificate, key)


def ask(uri: str, options: Mapping[str, str]) -> int:
    """The answer to a small question, over ADBC."""
    with dbapi.connect(uri, db_kwargs=dict(options), autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 42")
        return int(cursor.fetchone()[0])


def test_the_server_says_that_it_encrypts(secured: Secured) -> None:
    """In the line that names its address."""
    assert secured.server.uri.startswith(f"grpc+tls://{HOST}:")


def test_adbc_connects(secured: Secured) -> None:
    """With the authority's certificate."""
    assert ask(secured.server.uri, secured.driver()) == 42


def test_pandas_polars_and_ibis_work_over_it(secured: Secured) -> None:
    """They take the connection that ADBC has encrypted."""
    with dbapi.connect(secured.server.uri, db_kwargs=secured.driver(), autocommit=True) as connection:
        assert pd.read_sql("SELECT 42 AS n", connection)["n"].tolist() == [42]
        assert pl.read_database("SELECT 42 AS n", connection)["n"].to_list() == [42]
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE rain AS SELECT 40 AS mm UNION ALL SELECT 2")
            rain = ibis.table(ibis.Schema.from_pyarrow(connection.adbc_get_table_schema("rain")), name="rain")
            cursor.execute(str(ibis.to_sql(rain.agg(total=rain.mm.sum()), dialect="datafusion")))
            assert cursor.fetchone() == (42,)


def test_pyarrow_connects(secured: Secured) -> None:
    """A login and a query."""
    with flight.connect(secured.server.uri, tls_root_certs=secured.authority.pem.encode()) as client:
        options = flight.FlightCallOptions(headers=[client.authenticate_basic_token(USER, PASSWORD)])
        assert client.do_get(flight.Ticket(b"SELECT 42 AS n"), options).read_all().to_pylist() == [{"n": 42}]


def test_the_command_line_connects(secured: Secured, tmp_path: Path) -> None:
    """`load` and `sql` take --tls-ca."""
    rows = tmp_path / "rows.csv"
    rows.write_text("a,b\n1,x\n2,y\n")
    done = secured.command("load", str(rows), "--table", "loaded")
    assert done.returncode == 0, done.stderr
    done = secured.command("sql", "--format", "csv", "-c", "SELECT sum(a) AS s FROM loaded")
    assert done.stdout.split()[-1] == "3", done.stderr


def test_sqlalchemy_connects(secured: Secured) -> None:
    """`?tls=true&tls_ca=…`."""
    address = secured.server.uri.removeprefix("grpc+tls://")
    url = f"flightserver://{USER}:{PASSWORD}@{address}/?tls=true&tls_ca={secured.authority.file}"
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 42")) == 42
    engine.dispose()


def test_nobody_trusts_a_certificate_of_another_authority(secured: Secured, tmp_path: Path) -> None:
    """The client gives up before it says its password."""
    stranger = Authority(tmp_path / "stranger")
    with pytest.raises(dbapi.Error, match="certificate"):
        ask(secured.server.uri, secured.driver(**{DatabaseOptions.TLS_ROOT_CERTS.value: stranger.pem}))


def test_a_plain_connection_is_not_served(secured: Secured) -> None:
    """Not a word is readable on the way."""
    with pytest.raises(dbapi.Error):
        ask(secured.server.uri.replace("grpc+tls", "grpc"), {"username": USER, "password": PASSWORD})


def test_the_data_folder_is_its_owners_alone(secured: Secured) -> None:
    """No other account of the machine gets in, nor could it read a file that the server has made."""
    sql = "CREATE TABLE kept (id BIGINT PRIMARY KEY); INSERT INTO kept VALUES (1); FLUSH TABLE kept"
    assert secured.command("sql", "-c", sql).returncode == 0
    made = [path for table in (secured.server.data_dir / "tables").iterdir() for path in (table, *table.rglob("*"))]
    assert len(made) > 2
    assert [path for path in made if path.stat().st_mode & 0o077] == []
    assert secured.server.data_dir.stat().st_mode & 0o777 == 0o700


def test_a_new_certificate_is_taken_without_a_restart(secured: Secured, tmp_path: Path) -> None:
    """Sessions stay; a certificate that does not belong to the key is not taken, and the old one goes on."""
    renewed = Authority(tmp_path / "renewed")
    new_certificate, new_key = tmp_path / "server.pem", tmp_path / "key.pem"
    renewed.issue(new_certificate, new_key)
    old_root = secured.authority.pem.encode()
    with flight.connect(secured.server.uri, tls_root_certs=old_root) as client:
        session = client.authenticate_basic_token(USER, PASSWORD)
        options = flight.FlightCallOptions(headers=[session])
        client.do_get(flight.Ticket(b"SET query_timeout_s = 77"), options).read_all()
    new_certificate.replace(secured.certificate)
    while "do not belong together" not in secured.server.log:
        time.sleep(0.05)
    assert ask(secured.server.uri, secured.driver()) == 42
    new_key.replace(secured.key)
    options = flight.FlightCallOptions(headers=[session])
    shown = None
    while shown is None:
        with flight.connect(secured.server.uri, tls_root_certs=renewed.pem.encode()) as client:
            try:
                shown = client.do_get(flight.Ticket(b"SHOW query_timeout_s"), options).read_all().to_pylist()
            except flight.FlightUnavailableError:  # the old certificate, whose authority is not trusted here
                time.sleep(0.05)
    assert shown == [{"query_timeout_s": "77.0"}]
    with pytest.raises(dbapi.Error, match="certificate"):
        ask(secured.server.uri, secured.driver())


def test_clients_show_a_certificate_where_that_is_wanted(tmp_path: Path) -> None:
    """One of the right authority, and a password besides."""
    authority, stranger = Authority(tmp_path / "authority"), Authority(tmp_path / "stranger")
    files = {name: tmp_path / f"{name}.pem" for name in ("server", "key", "client", "client-key", "other", "other-key")}
    authority.issue(files["server"], files["key"])
    authority.issue(files["client"], files["client-key"])
    stranger.issue(files["other"], files["other-key"])
    settings = {
        "tls_certificate_file": str(files["server"]),
        "tls_key_file": str(files["key"]),
        "tls_client_ca_file": str(authority.file),
    }
    login = {"username": USER, "password": PASSWORD, DatabaseOptions.TLS_ROOT_CERTS.value: authority.pem}

    def shown(name: str) -> dict[str, str]:
        return {
            DatabaseOptions.MTLS_CERT_CHAIN.value: files[name].read_text(),
            DatabaseOptions.MTLS_PRIVATE_KEY.value: files[f"{name}-key"].read_text(),
        }

    with ServerProcess(
        tmp_path / "data", users={USER: PASSWORD}, roles={USER: Role.SERVICE}, dev=False, settings=settings
    ) as server:
        assert ask(server.uri, login | shown("client")) == 42
        for wrong in (login, login | shown("other")):
            with pytest.raises(dbapi.Error):
                ask(server.uri, wrong)
        with pytest.raises(dbapi.Error, match="password is wrong"):
            ask(server.uri, login | shown("client") | {"password": "x"})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "db.example.org"])  # noqa: S104 - it is refused
def test_an_address_that_is_not_loopback_needs_tls(host: str) -> None:
    """Unless the settings say that something else encrypts; --dev never leaves the machine."""
    with pytest.raises(DatabaseError, match="is not loopback, and without TLS"):
        check_exposure(Settings(host=host))
    with pytest.raises(DatabaseError, match="--dev lets anybody in"):
        check_exposure(Settings(host=host, dev=True, insecure=True))
    check_exposure(Settings(host=host, insecure=True))
    check_exposure(Settings(host=host, tls_certificate_file=Path("c"), tls_key_file=Path("k")))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    """Nobody else is on it."""
    check_exposure(Settings(host=host, dev=True))


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    """At the start, by the names of the settings and not of the files."""
    authority = Authority(tmp_path / "authority")
    authority.issue(tmp_path / "a", tmp_path / "a-key")
    authority.issue(tmp_path / "b", tmp_path / "b-key")
    for certificate, key in (("a", "b-key"), ("a-key", "a"), ("a", "missing"), ("missing", "a-key")):
        files = tls_files(Settings(tls_certificate_file=tmp_path / certificate, tls_key_file=tmp_path / key))
        assert files is not None
        with pytest.raises(DatabaseError, match="tls_certificate_file and tls_key_file") as caught:
            read_tls(files)
        assert str(tmp_path) not in caught.value.message
    with pytest.raises(DatabaseError, match="needs both"):
        tls_files(Settings(tls_key_file=tmp_path / "a-key"))
