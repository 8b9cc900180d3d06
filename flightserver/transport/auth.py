"""Who is calling: Basic and Bearer credentials, and the tokens that logins yield.

A Handshake with `authorization: Basic …` (base64 with or without padding: ADBC leaves it out) opens a session and
yields its bearer token in the response header of the Handshake and nowhere else, because clients take over any such
header. A call without a token belongs to the session of its cookie, or else of its connection. Passwords are kept as
salted scrypt hashes.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from pyarrow import flight

from catalog.errors import DatabaseError, ErrorKind
from flightserver.sessions.directory import Sessions
from flightserver.sessions.session import Session
from flightserver.settings import DEV_USER, Settings
from flightserver.transport.status import to_flight

SESSION_COOKIE = "flightserver_session"
_SCRYPT = {"n": 1 << 14, "r": 8, "p": 1}
_UNKNOWN_USER_HASH = "scrypt$00$00"


def hash_password(password: str) -> str:
    """Salted hash of a password, for the `users` setting."""
    salt = secrets.token_bytes(16)
    return f"scrypt${salt.hex()}${_scrypt(password, salt).hex()}"


def check_password(password: str, stored: str) -> bool:
    """Compare a password with its stored hash in constant time."""
    _, salt, expected = stored.split("$")
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)).hex(), expected)


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT)


class Authenticator:
    """Checks credentials."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self._users = settings.users
        self._dev = settings.dev
        self._sessions = sessions

    def identify(self, authorization: str | None) -> Session | str:
        """The session of a bearer token, or the user of other credentials; UNAUTHENTICATED when they prove nobody."""
        if not authorization:
            if self._dev:
                return DEV_USER
            raise DatabaseError(
                ErrorKind.UNAUTHENTICATED, "log in with a user name and password, or send a bearer token"
            )
        scheme, _, credentials = authorization.partition(" ")
        match scheme.lower():
            case "basic":
                return self._basic_user(credentials)
            case "bearer":
                return self._sessions.of_token(credentials)
        raise DatabaseError(ErrorKind.UNAUTHENTICATED, "the authorization header must begin with Basic or Bearer")

    def login(self, authorization: str | None) -> str:
        """Check the credentials of a Handshake; return a bearer token: a new one, or the one that was sent."""
        found = self.identify(authorization)
        if isinstance(found, Session):
            return (authorization or "").partition(" ")[2]
        return self._sessions.login(found)

    def _basic_user(self, credentials: str) -> str:
        try:
            padded = credentials + "=" * (-len(credentials) % 4)
            user, colon, password = base64.b64decode(padded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise DatabaseError(ErrorKind.UNAUTHENTICATED, "the Basic credentials are not base64 text") from error
        known = check_password(password, self._users.get(user, _UNKNOWN_USER_HASH))
        if not colon or not known:
            raise DatabaseError(ErrorKind.UNAUTHENTICATED, "the user name or password is wrong")
        return user


class NoHandshakePayload(flight.ServerAuthHandler):
    """Lets Handshake calls through: credentials travel in headers, which the middleware reads."""

    def authenticate(self, outgoing: object, incoming: object) -> None:
        """Accept; the middleware has decided already."""

    def is_valid(self, _: object) -> bytes:
        """Accept; the middleware has decided already."""
        return b""


@dataclass(frozen=True)
class Arrival:
    """A call that has arrived: its session, or else only its user, and the headers of the request."""

    caller: Session | str
    headers: Mapping[str, list[str]]

    def header(self, name: str) -> str | None:
        """The first value of a request header."""
        values = self.headers.get(name)
        return str(values[0]) if values else None

    def cookie(self) -> str | None:
        """The session cookie that the client sent."""
        sent = self.header("cookie")
        if sent is None:
            return None
        try:
            found = SimpleCookie(sent).get(SESSION_COOKIE)
        except CookieError:
            return None
        return None if found is None else found.value


class _TokenSender(flight.ServerMiddleware):
    """Sends a bearer token in answer to a Handshake."""

    def __init__(self, token: str) -> None:
        self._token = token

    def sending_headers(self) -> dict[str, str]:
        """The token."""
        return {"authorization": f"Bearer {self._token}"}


class AuthMiddlewareFactory(flight.ServerMiddlewareFactory):
    """Authenticates every call before its method runs.

    What it found waits for the method, which the library runs on the same thread right afterwards. A middleware for
    each call would carry it too, at the cost of two more steps into Python, a twentieth of a short query.
    """

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self._arrived: dict[int, Arrival] = {}

    def arrival(self) -> Arrival:
        """The call that this thread has begun; to be asked for once."""
        return self._arrived.pop(threading.get_ident())

    def start_call(self, info: flight.CallInfo, headers: Mapping[str, list[str]]) -> flight.ServerMiddleware | None:
        """Find out who is calling, or refuse the call."""
        values = headers.get("authorization")
        authorization = str(values[0]) if values else None
        if info.method == flight.FlightMethod.INVALID:
            raise to_flight(DatabaseError(ErrorKind.UNSUPPORTED, "PollFlightInfo is not served; use GetFlightInfo"))
        try:
            if info.method == flight.FlightMethod.HANDSHAKE:
                return _TokenSender(self._authenticator.login(authorization))
            self._arrived[threading.get_ident()] = Arrival(self._authenticator.identify(authorization), headers)
        except DatabaseError as error:
            raise to_flight(error) from None
        return None
