"""Tokens of an outside issuer: which count, as whom, and which never do."""

import hashlib
import hmac
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from pyarrow import flight
from pydantic import ValidationError

from catalog.audit_log import AuditLog
from catalog.errors import DatabaseError
from catalog.keyvalue import KeyValueStore
from catalog.roles import Identity, Role
from catalog.user_store import UserStore
from catalog.users import UserDef
from flightserver.access.issuer import Issuer
from flightserver.access.login_queue import LoginQueue
from flightserver.access.logins import Logins
from flightserver.access.passwords import Passwords
from flightserver.settings import JwtSettings, Settings
from tests.access.tokens_of_issuer import AUDIENCE, ISSUER, OutsideIssuer, unsigned, usual_claims
from tests.e2e.client import Client
from tests.server_process import ServerProcess

MUTATIONS = 500


@pytest.fixture
def users(tmp_path: Path) -> Iterator[UserStore]:
    """A catalog with somebody who looks after the data, and somebody who may not come any more."""
    with KeyValueStore(tmp_path / "rocksdb") as keyvalue:
        users = UserStore(keyvalue)
        users.create(UserDef("dora", Role.DBA))
        users.create(UserDef("gone", Role.USER, enabled=False))
        yield users


@pytest.fixture
def key_file(tmp_path: Path, outside: OutsideIssuer) -> Path:
    """The issuer's public key."""
    path = tmp_path / "key.pem"
    path.write_bytes(outside.public_pem)
    return path


def settings(**given: Any) -> JwtSettings:
    """Settings as an installation has them, with some of the test's own."""
    return JwtSettings(**({"issuer": ISSUER, "audience": AUDIENCE, "role_claim": "role"} | given))


@pytest.fixture
def issuer(users: UserStore, key_file: Path) -> Issuer:
    """What the server knows of the issuer."""
    return Issuer(settings(key_file=key_file, role_max="service"), users)


def who(issuer: Issuer, token: str) -> Identity | None:
    """Whom a token lets in."""
    login = issuer.login(token)
    return None if login is None else login.identity


def test_a_token_names_user_and_role(issuer: Issuer, outside: OutsideIssuer) -> None:
    """As far as this issuer may give roles."""
    assert who(issuer, outside.token()) == Identity("outside", Role.USER)
    assert who(issuer, outside.token(role="service")) == Identity("outside", Role.SERVICE)
    assert who(issuer, outside.token(role="dba")) is None


def test_a_user_of_the_catalog_has_the_role_that_is_there(issuer: Issuer, outside: OutsideIssuer) -> None:
    """Whatever the token says; and who is disabled stays out."""
    assert who(issuer, outside.token(sub="dora", role="user")) == Identity("dora", Role.DBA)
    assert who(issuer, outside.token(sub="gone")) is None


def test_a_user_of_the_issuer_ends_where_one_of_the_catalog_begins(
    issuer: Issuer, users: UserStore, outside: OutsideIssuer
) -> None:
    """Who has no record has the role of the token; once there is a record of the name, no session rests on that."""
    quick = Settings(password_memory_kib=8, password_passes=1)
    logins = Logins(users, Passwords(quick), LoginQueue(1), AuditLog(users._keyvalue), issuer)
    login = logins.by_token(outside.token(role="service"))
    assert login is not None
    assert logins.holds(login)
    users.create(UserDef("outside", Role.USER))
    assert not logins.holds(login)
    assert who(issuer, outside.token(role="service")) == Identity("outside", Role.USER)


def test_without_a_claim_for_the_role_only_users_of_the_catalog_get_in(
    users: UserStore, key_file: Path, outside: OutsideIssuer
) -> None:
    """Others have no role."""
    issuer = Issuer(settings(key_file=key_file, role_claim=None), users)
    assert who(issuer, outside.token(sub="dora")) == Identity("dora", Role.DBA)
    assert who(issuer, outside.token()) is None


WRONG_CLAIMS: dict[str, Callable[[], dict[str, Any]]] = {
    "expired": lambda: {"exp": time.time() - 31},
    "not yet": lambda: {"nbf": time.time() + 60},
    "made in the future": lambda: {"iat": time.time() + 60},
    "another audience": lambda: {"aud": "another"},
    "another issuer": lambda: {"iss": ISSUER + ".evil"},
    "no end": lambda: {"exp": None},
    "no issuer": lambda: {"iss": None},
    "no audience": lambda: {"aud": None},
    "nobody": lambda: {"sub": None},
    "a number": lambda: {"sub": 7},
    "a list": lambda: {"sub": ["dora"]},
    "an empty name": lambda: {"sub": ""},
    "a long name": lambda: {"sub": "d" * 10_000},
    "a name with NUL": lambda: {"sub": "dora\0"},
    "a name with a colon": lambda: {"sub": "dora:x"},
    "no role": lambda: {"role": None},
    "a role that is none": lambda: {"role": "king"},
    "a list of roles": lambda: {"role": ["user", "system"]},
    "the highest role": lambda: {"role": "system"},
}


@pytest.mark.attack
@pytest.mark.parametrize("wrong", WRONG_CLAIMS)
def test_a_token_with_a_wrong_claim_lets_nobody_in(issuer: Issuer, outside: OutsideIssuer, wrong: str) -> None:
    """Though its signature is right."""
    assert who(issuer, outside.token(**WRONG_CLAIMS[wrong]())) is None


def signed_with_a_secret(secret: bytes) -> str:
    """What takes the public key for a secret, or has none, accepts this."""
    header, claims = {"alg": "HS256", "typ": "JWT"}, usual_claims()
    signed = unsigned(header, claims).rpartition(".")[0]
    return unsigned(header, claims, hmac.digest(secret, signed.encode(), hashlib.sha256))


def with_a_key_of_its_own(_: OutsideIssuer) -> str:
    """The header brings the key that it is to be checked with."""
    stranger = OutsideIssuer()
    algorithm: Any = jwt.get_algorithm_by_name("RS256")
    return stranger.token({"jwk": algorithm.to_jwk(stranger.key.public_key(), as_dict=True)})


FORGED: dict[str, Callable[[OutsideIssuer], str]] = {
    "alg none": lambda _: unsigned({"alg": "none", "typ": "JWT"}, usual_claims()),
    "alg NONE": lambda _: unsigned({"alg": "NONE"}, usual_claims(), b"x"),
    "no alg": lambda _: unsigned({"typ": "JWT"}, usual_claims()),
    "public key as a secret": lambda outside: signed_with_a_secret(outside.public_pem),
    "empty secret": lambda _: signed_with_a_secret(b""),
    "another key": lambda _: OutsideIssuer().token(),
    "a key of its own": with_a_key_of_its_own,
    "another hash": lambda outside: jwt.encode(usual_claims(), outside.key, algorithm="RS512"),
    "no signature": lambda outside: outside.token().rpartition(".")[0] + ".",
    "another's claims": lambda outside: ".".join(
        [outside.token().split(".")[0], outside.token(sub="dora").split(".")[1], outside.token().split(".")[2]]
    ),
    "noise": lambda _: "a.b.c",
    "nothing": lambda _: "..",
    "a list": lambda _: unsigned({"alg": "RS256"}, [1, 2]),  # type: ignore[arg-type]
}


@pytest.mark.attack
@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_token_lets_nobody_in(issuer: Issuer, outside: OutsideIssuer, forged: str) -> None:
    """However it was made."""
    assert who(issuer, FORGED[forged](outside)) is None


@pytest.mark.attack
def test_no_change_of_a_token_lets_anybody_in(issuer: Issuer, outside: OutsideIssuer) -> None:
    """Letters of any part are replaced at random."""
    token, numbers = outside.token(), random.Random(7)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for _ in range(MUTATIONS):
        place = numbers.randrange(len(token) - 1)  # the last letter has bits that nothing reads
        changed = token[:place] + numbers.choice(letters.replace(token[place], "")) + token[place + 1 :]
        assert who(issuer, changed) is None


def test_a_key_set_is_read_by_name_and_read_anew(users: UserStore, tmp_path: Path, outside: OutsideIssuer) -> None:
    """A key that is renewed counts with the next token, and the old one no more."""
    path = tmp_path / "keys.json"
    path.write_text(outside.key_set("a"))
    issuer, fresh = Issuer(settings(jwks_file=path), users), OutsideIssuer()
    assert who(issuer, outside.token({"kid": "a"})) is not None
    assert who(issuer, outside.token({"kid": "b"})) is None
    assert who(issuer, outside.token()) is None
    path.write_text(fresh.key_set("second"))
    assert who(issuer, fresh.token({"kid": "second"})) is not None
    assert who(issuer, outside.token({"kid": "a"})) is None


def test_a_shared_secret_works_when_it_is_long(users: UserStore, tmp_path: Path) -> None:
    """A short or an empty one is refused at the start."""
    path = tmp_path / "secret"
    given = settings(key_file=path, algorithms=["HS256"])
    for short in (b"", b"\n", b"x" * 31):
        path.write_bytes(short)
        with pytest.raises(DatabaseError, match="at least 32 bytes"):
            Issuer(given, users)
    path.write_bytes(b"s" * 32)
    token = jwt.encode(usual_claims(), b"s" * 32, algorithm="HS256")
    assert who(Issuer(given, users), token) == Identity("outside", Role.USER)


@pytest.mark.parametrize(
    "given",
    [
        {"algorithms": ["none"]},
        {"algorithms": []},
        {"algorithms": ["RS256", "HS256"]},
        {"algorithms": ["HS256"], "key_file": None, "jwks_file": "k"},
        {"key_file": None},
        {"jwks_file": "k"},
        {"issuer": ""},
        {"audience": ""},
        {"leeway_s": 301},
        {"leeway_s": -1},
        {"secret": "x"},
    ],
    ids=str,
)
def test_settings_that_would_let_strangers_in_are_refused(given: dict[str, Any]) -> None:
    """At the start, not at the first login."""
    with pytest.raises(ValidationError):
        settings(**({"key_file": "k"} | given))


def test_a_key_file_that_holds_no_key_is_refused(users: UserStore, tmp_path: Path) -> None:
    """What it holds is not in the error."""
    path = tmp_path / "key.pem"
    path.write_text("canary")
    with pytest.raises(DatabaseError, match=r"\Ajwt: the file with the keys cannot be used\Z"):
        Issuer(settings(key_file=path), users)


def test_a_token_logs_in_with_every_call_until_it_expires(
    server: ServerProcess, outside: OutsideIssuer, system: Client
) -> None:
    """The session is the connection's; dropping the user of the catalog ends it."""
    system.run("CREATE USER external ROLE service")
    header = (b"authorization", f"Bearer {outside.token(sub='external')}".encode())
    options = flight.FlightCallOptions(headers=[header])
    ask = flight.Ticket(b"SELECT current_user AS me")
    with flight.connect(server.uri) as client:
        assert client.do_get(ask, options).read_all().to_pylist() == [{"me": "external"}]
        client.do_get(flight.Ticket(b"SET query_timeout_s = 5"), options).read_all()
        (row,) = client.do_get(flight.Ticket(b"SHOW query_timeout_s"), options).read_all().to_pylist()
        assert row == {"query_timeout_s": "5.0"}
        system.run("ALTER USER external DISABLE")
        with pytest.raises(flight.FlightUnauthenticatedError, match="log in again"):
            client.do_get(ask, options).read_all()
    system.run("DROP USER external")
