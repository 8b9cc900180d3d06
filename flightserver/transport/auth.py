"""Who is calling: Basic and Bearer credentials, and the tokens that logins yield.

A Handshake with `authorization: Basic …` (base64 with or without padding: ADBC leaves it out) yields a bearer token in
the response header of the Handshake and nowhere else, because clients take over any such header. Passwords are kept as
salted scrypt hashes; tokens live in memory as hashes, so neither can be read from anywhere.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Mapping

from pyarrow import flight

from catalog.errors import DatabaseError, ErrorKind
from flightserver.settings import Settings
from flightserver.transport.status import to_flight

MIDDLEWARE = "auth"
DEV_USER = "root"
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
    """Checks credentials and remembers logins."""

    def __init__(self, settings: Settings) -> None:
        self._users = settings.users
        self._dev = settings.dev
        self._lifetime_seconds = settings.token_lifetime_s
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, float]] = {}

    def user_of(self, authorization: str | None) -> str:
        """The user whom an `authorization` header names; UNAUTHENTICATED when it proves nobody."""
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
                return self._token_user(credentials)
        raise DatabaseError(ErrorKind.UNAUTHENTICATED, "the authorization header must begin with Basic or Bearer")

    def login(self, authorization: str | None) -> str:
        """Check the credentials of a Handshake; return a bearer token."""
        user = self.user_of(authorization)
        if authorization and authorization.lower().startswith("bearer "):
            return authorization.partition(" ")[2]
        token = secrets.token_urlsafe(32)
        now = time.monotonic()
        with self._lock:
            self._tokens = {key: held for key, held in self._tokens.items() if held[1] > now}
            self._tokens[_digest(token)] = (user, now + self._lifetime_seconds)
        return token

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

    def _token_user(self, token: str) -> str:
        with self._lock:
            held = self._tokens.get(_digest(token))
        if held is None or held[1] <= time.monotonic():
            raise DatabaseError(ErrorKind.UNAUTHENTICATED, "the bearer token is unknown or has expired; log in again")
        return held[0]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class NoHandshakePayload(flight.ServerAuthHandler):
    """Lets Handshake calls through: credentials travel in headers, which the middleware reads."""

    def authenticate(self, outgoing: object, incoming: object) -> None:
        """Accept; the middleware has decided already."""

    def is_valid(self, _: object) -> bytes:
        """Accept; the middleware has decided already."""
        return b""


class CallMiddleware(flight.ServerMiddleware):
    """One call's user, and the headers of the request."""

    def __init__(self, user: str, headers: Mapping[str, list[str]], token: str | None) -> None:
        self.user = user
        self._headers = headers
        self._token = token

    def header(self, name: str) -> str | None:
        """The first value of a request header."""
        values = self._headers.get(name)
        return str(values[0]) if values else None

    def sending_headers(self) -> dict[str, str]:
        """The bearer token, in answer to a Handshake only."""
        return {} if self._token is None else {"authorization": f"Bearer {self._token}"}


class AuthMiddlewareFactory(flight.ServerMiddlewareFactory):
    """Authenticates every call before its method runs."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def start_call(self, info: flight.CallInfo, headers: Mapping[str, list[str]]) -> CallMiddleware:
        """Find out who is calling, or refuse the call."""
        values = headers.get("authorization")
        authorization = str(values[0]) if values else None
        try:
            if info.method == flight.FlightMethod.HANDSHAKE:
                token = self._authenticator.login(authorization)
                return CallMiddleware(self._authenticator.user_of(f"Bearer {token}"), headers, token)
            return CallMiddleware(self._authenticator.user_of(authorization), headers, None)
        except DatabaseError as error:
            raise to_flight(error) from None
