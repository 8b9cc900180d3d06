"""What a login costs and tells: the same work and the same answer for everybody who does not get in."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyarrow import flight

from catalog.audit_log import AuditLog
from catalog.codec import decode_user, encode_user
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from catalog.roles import Role
from catalog.user_store import UserStore
from catalog.users import UserDef
from flightserver.access.login_queue import LoginQueue
from flightserver.access.logins import Logins
from flightserver.access.passwords import Passwords
from flightserver.settings import Settings
from tests.access.test_users import PASSWORD, log_in
from tests.e2e.client import Client
from tests.server_process import ServerProcess

CHEAP = Settings(password_memory_kib=8, password_passes=1)
DEARER = Settings(password_memory_kib=16, password_passes=1)


@pytest.fixture
def keyvalue(tmp_path: Path) -> Iterator[KeyValueStore]:
    """A store of the test's own."""
    with KeyValueStore(tmp_path / "rocksdb") as store:
        yield store


@pytest.fixture
def users(keyvalue: KeyValueStore) -> UserStore:
    """Somebody who can log in, somebody who cannot any more, and somebody without a password."""
    users, stored = UserStore(keyvalue), Passwords(CHEAP).hash(PASSWORD)
    users.create(UserDef("ann", Role.USER, stored))
    users.create(UserDef("gone", Role.USER, stored, enabled=False))
    users.create(UserDef("machine", Role.SERVICE))
    return users


def logins(users: UserStore, settings: Settings = CHEAP) -> Logins:
    """Logins at a server that has just started."""
    queue = LoginQueue(settings.logins_at_once)
    return Logins(users, Passwords(settings), queue, AuditLog(users._keyvalue))


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ann", "wrong"),
        ("nobody", PASSWORD),
        ("gone", PASSWORD),
        ("machine", ""),
        ("", ""),
        ("n" * 10_000, "x" * 9_999),
    ],
)
def test_who_does_not_get_in_costs_one_check_and_gets_one_answer(users: UserStore, name: str, password: str) -> None:
    """Whether the user exists, is disabled or has no password makes no difference."""
    door = logins(users)
    with pytest.raises(DatabaseError, match=r"\Athe user name or password is wrong\Z"):
        door.by_password(name, password)
    assert door.checked == 1


@pytest.mark.parametrize("name", ["ann", "fresh", "nobody", "gone", "machine"])
def test_at_which_cost_a_hash_was_made_makes_no_difference(users: UserStore, name: str) -> None:
    """A hash of before the cost has risen is checked faster, so one of each cost is checked for everybody."""
    users.create(UserDef("fresh", Role.USER, Passwords(DEARER).hash(PASSWORD)))
    door = logins(users, DEARER)
    with pytest.raises(DatabaseError):
        door.by_password(name, "wrong")
    assert door.checked == 2


def test_a_cost_is_forgotten_with_the_last_hash_that_has_it(users: UserStore) -> None:
    """By a login, a new password, or the end of the user."""
    cheap, dear = Passwords(CHEAP).cost, Passwords(DEARER).cost
    assert users.password_costs() == {cheap}
    logins(users, DEARER).by_password("ann", PASSWORD)
    assert users.password_costs() == {cheap, dear}
    users.drop("gone")
    assert users.password_costs() == {dear}
    users.change("ann", lambda user: user.with_password(Passwords(CHEAP).hash("another word")))
    assert users.password_costs() == {cheap}


def test_a_password_that_was_right_is_checked_once(users: UserStore) -> None:
    """Clients that send it with every call do not pay for it with every call; a wrong one is checked each time."""
    door = logins(users)
    for _ in range(3):
        assert door.by_password("ann", PASSWORD).user == "ann"
    assert door.checked == 1
    for _ in range(2):
        with pytest.raises(DatabaseError):
            door.by_password("ann", "wrong")
    assert door.checked == 3


def test_a_password_that_was_changed_is_not_known_any_more(users: UserStore) -> None:
    """What was proven was proven for the record as it was then."""
    door = logins(users)
    door.by_password("ann", PASSWORD)
    fresh = Passwords(CHEAP).hash("another word")
    users.change("ann", lambda user: user.with_password(fresh))
    with pytest.raises(DatabaseError):
        door.by_password("ann", PASSWORD)
    assert door.by_password("ann", "another word").user == "ann"


def test_a_hash_is_made_anew_at_login_when_the_cost_has_risen(users: UserStore) -> None:
    """Sessions that are open go on: the password is the same."""
    before = users.get("ann")
    login = logins(users, DEARER).by_password("ann", PASSWORD)
    after = users.get("ann")
    assert "m=8," in str(before.password_hash)
    assert "m=16," in str(after.password_hash)
    assert after.version == before.version == login.version


@pytest.mark.parametrize(
    "stored", ["", "plain", "scrypt$00$00", "$argon2id$", "$argon2i$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA"]
)
def test_a_hash_that_is_no_hash_is_refused_where_it_is_read(users: UserStore, stored: str) -> None:
    """The record is damaged, and nobody gets in by it."""
    damaged = encode_user(replace(users.get("ann"), password_hash=stored))
    with pytest.raises(DatabaseError) as caught:
        decode_user(damaged)
    assert caught.value.kind is ErrorKind.CORRUPT
    assert "plain" not in caught.value.message


def test_every_flipped_bit_of_a_record_is_found(keyvalue: KeyValueStore, users: UserStore) -> None:
    """A damaged record is an error that names no secret, and no other user's."""
    key = b"u/ann"
    stored = keyvalue.get(Family.CATALOG, key)
    assert stored is not None
    for position in range(len(stored) * 8):
        damaged = bytearray(stored)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(DatabaseError, match="in the catalog"):
            decode_user(bytes(damaged))
    batch = AtomicWrite()
    batch.put(Family.CATALOG, key, bytes(damaged))
    keyvalue.commit(batch)
    fresh = UserStore(keyvalue)
    with pytest.raises(DatabaseError, match=r"damaged|checksum"):
        fresh.find("ann")
    assert fresh.get("machine").role is Role.SERVICE


def test_a_user_of_a_name_that_was_dropped_has_another_version(users: UserStore) -> None:
    """So that no session of the one is a session of the other; after a restart, too."""
    before = users.get("ann").version
    users.drop("ann")
    assert users.create(UserDef("ann", Role.USER)).version > before


@pytest.mark.attack
def test_a_guesser_keeps_nobody_out(server: ServerProcess, system: Client) -> None:
    """Somebody guesses at a user's password without pause; the user gets in with the right one, as do others."""
    system.run(f"CREATE USER guessed WITH PASSWORD '{PASSWORD}'")
    with flight.connect(server.uri) as client:
        for guess in range(12):
            with pytest.raises(flight.FlightUnauthenticatedError, match="is wrong"):
                client.authenticate_basic_token("guessed", f"guess {guess}")
    log_in(server, "guessed").connection.close()
    server.connect("ann").close()
    system.run("DROP USER guessed")


def test_one_user_does_not_push_out_anothers_session(server: ServerProcess, ann: Client, system: Client) -> None:
    """Nor keeps admins out: beyond a share it is the user's own sessions that make room."""
    system.run(f"CREATE USER many WITH PASSWORD '{PASSWORD}'")
    with flight.connect(server.uri) as client:
        for _ in range(60):
            client.authenticate_basic_token("many", PASSWORD)
        assert system.one("SELECT count(*) FROM system.sessions WHERE user = 'many'") == 20
    assert ann.one("SELECT 1") == 1
    with server.connect("sys") as connection:
        assert Client(connection).one("SELECT 1") == 1
    system.run("DROP USER many")


@pytest.mark.attack
def test_several_authorization_headers_are_refused(server: ServerProcess) -> None:
    """Which of them counts would be a matter of taste."""
    with flight.connect(server.uri) as client:
        good = client.authenticate_basic_token("ann", "word of ann")
        options = flight.FlightCallOptions(headers=[good, (b"authorization", b"Basic eDp5")])
        with pytest.raises(flight.FlightUnauthenticatedError, match="send one authorization header"):
            client.do_get(flight.Ticket(b"SELECT 1"), options).read_all()


def test_a_session_has_a_longest_life(tmp_path: Path) -> None:
    """However busy it is, its token is worth nothing in the end."""
    settings = {"session_lifetime_s": 1.0}
    with ServerProcess(tmp_path / "data", users={"ann": PASSWORD}, settings=settings) as server:
        client, options = server.flight("ann")

        def ask_on() -> None:
            while True:
                client.do_get(flight.Ticket(b"SELECT 1"), options).read_all()

        with client, pytest.raises(flight.FlightUnauthenticatedError, match="log in again"):
            ask_on()
