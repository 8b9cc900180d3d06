"""Who is calling: Basic and Bearer credentials, and the tokens that logins yield.

A Handshake with `authorization: Basic …` (base64 with or without padding: ADBC leaves it out) opens a session and
yields its bearer token in the response header of the Handshake and nowhere else, because clients take over any such
header. An older way is a Handshake whose message is a BasicAuth: the answer's message is the token, which comes back
in a header of its own. A call without a token belongs to the session of its cookie, or else of its connection.
"""

import base64
import binascii
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Protocol

import pyarrow as pa
from pyarrow import flight

from catalog.errors import DatabaseError, ErrorKind
from flightserver.access.login import Login
from flightserver.access.logins import Logins
from flightserver.sessions.directory import Sessions
from flightserver.sessions.session import Session
from flightserver.settings import DEV_IDENTITY, Settings
from flightserver.transport.status import refusal

SESSION_COOKIE = "flightserver_session"
MESSAGE_HEADER = "auth-token-bin"
"""The header of clients that got their token in a message."""

Headers = Mapping[str, list[str | bytes]]
"""Headers of a request by name; those whose name ends in -bin hold bytes."""

NO_TOKENS = frozenset({"None", "null"})
"""What clients send for a bearer token when they have none."""

_DEV_LOGIN = Login(DEV_IDENTITY)


class Authenticator:
    """Checks credentials."""

    def __init__(self, settings: Settings, logins: Logins, sessions: Sessions) -> None:
        self._dev = settings.dev
        self._logins = logins
        self._sessions = sessions

    def identify(self, authorization: str | None) -> Session | Login:
        """The session of a bearer token, or the login of other credentials; UNAUTHENTICATED when they prove nobody."""
        scheme, _, credentials = (authorization or "").partition(" ")
        match scheme.lower():
            case "basic":
                return self._basic_login(credentials)
            case "bearer" if credentials not in NO_TOKENS:
                return self._of_bearer(credentials)
            case "" | "bearer":
                return self._nobody()
        raise DatabaseError(ErrorKind.UNAUTHENTICATED, "the authorization header must begin with Basic or Bearer")

    def login(self, authorization: str | None) -> str:
        """Check the credentials of a Handshake; return a bearer token: a new one, or the session's that was sent."""
        found = self.identify(authorization)
        if isinstance(found, Session):
            return (authorization or "").partition(" ")[2]
        return self._sessions.login(found)

    def login_by_message(self, message: bytes) -> str:
        """Check what a Handshake says in its message, which may say nothing; return a bearer token."""
        return self._sessions.login(self._login_of_message(message) if message else self._nobody())

    def _of_bearer(self, token: str) -> Session | Login:
        found = self._sessions.of_token(token) or self._logins.by_token(token)
        if found is None:
            self._logins.note_refused_token()
            raise DatabaseError(ErrorKind.UNAUTHENTICATED, "the bearer token is unknown or has expired; log in again")
        return found

    def _nobody(self) -> Login:
        """The login of a client without credentials."""
        if not self._dev:
            raise DatabaseError(
                ErrorKind.UNAUTHENTICATED, "log in with a user name and password, or send a bearer token"
            )
        return _DEV_LOGIN

    def _login_of_message(self, message: bytes) -> Login:
        try:
            given = flight.BasicAuth.deserialize(message)
            user, password = given.username.decode(), given.password.decode()
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise DatabaseError(ErrorKind.UNAUTHENTICATED, "the Handshake's message is not a BasicAuth") from error
        return self._logins.by_password(user, password)

    def _basic_login(self, credentials: str) -> Login:
        try:
            padded = credentials + "=" * (-len(credentials) % 4)
            user, colon, password = base64.b64decode(padded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise DatabaseError(ErrorKind.UNAUTHENTICATED, "the Basic credentials are not base64 text") from error
        if not colon:
            raise DatabaseError(ErrorKind.UNAUTHENTICATED, "the Basic credentials are not a user and a password")
        return self._logins.by_password(user, password)


@dataclass(frozen=True)
class Arrival:
    """A call that has arrived: its session, or else only who has logged in, and the headers of the request."""

    caller: Session | Login
    headers: Headers

    def header(self, name: str) -> str | None:
        """The first value of a request header."""
        return _first(self.headers, name)

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


class Incoming(Protocol):
    """The messages of a Handshake."""

    def read(self) -> bytes:
        """The next one."""


class Outgoing(Protocol):
    """The answer to a Handshake."""

    def write(self, message: bytes) -> None:
        """Send a message."""


class AuthMiddlewareFactory(flight.ServerMiddlewareFactory):
    """Authenticates every call before its method runs; a Handshake without credentials in its headers goes on.

    What it found waits for the method, which the library runs on the same thread right afterwards. A middleware for
    each call would carry it too, at the cost of two more steps into Python, a twentieth of a short query.
    """

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self._arrived: dict[int, Arrival] = {}
        self._greeted: dict[int, str] = {}

    def arrival(self) -> Arrival:
        """The call that this thread has begun; to be asked for once."""
        return self._arrived.pop(threading.get_ident())

    def start_call(self, info: flight.CallInfo, headers: Headers) -> flight.ServerMiddleware | None:
        """Find out who is calling, or refuse the call."""
        user_agent = _first(headers, "user-agent") or ""
        is_login = info.method == flight.FlightMethod.HANDSHAKE
        if info.method == flight.FlightMethod.INVALID:
            unserved = DatabaseError(ErrorKind.UNSUPPORTED, "PollFlightInfo is not served; use GetFlightInfo")
            raise refusal(unserved, user_agent)
        try:
            authorization = _authorization(headers)
            if is_login and authorization is None:
                self._greeted[threading.get_ident()] = user_agent
            elif is_login:
                return _TokenSender(self._authenticator.login(authorization))
            else:
                self._arrived[threading.get_ident()] = Arrival(self._authenticator.identify(authorization), headers)
        except DatabaseError as error:
            raise refusal(error, user_agent, at_login=is_login) from None
        return None

    def login_by_message(self, incoming: Incoming) -> str | None:
        """Carry out the Handshake that this thread has begun, unless it brought credentials in its headers."""
        user_agent = self._greeted.pop(threading.get_ident(), None)
        if user_agent is None:
            return None
        try:
            return self._authenticator.login_by_message(_message(incoming))
        except DatabaseError as error:
            raise refusal(error, user_agent, at_login=True) from None


class HandshakeMessages(flight.ServerAuthHandler):
    """Answers Handshakes whose credentials are in their message; everything else the middleware has decided."""

    def __init__(self, middleware: AuthMiddlewareFactory) -> None:
        super().__init__()
        self._middleware = middleware

    def authenticate(self, outgoing: Outgoing, incoming: Incoming) -> None:
        """Send the token of the login."""
        token = self._middleware.login_by_message(incoming)
        if token is not None:
            outgoing.write(token.encode())

    def is_valid(self, _: bytes) -> bytes:
        """Accept; the middleware has decided already."""
        return b""


def _authorization(headers: Headers) -> str | None:
    """The credentials of a call, in the form of the header that most clients send; refused when there are several."""
    if len(headers.get("authorization") or ()) > 1 or len(headers.get(MESSAGE_HEADER) or ()) > 1:
        raise DatabaseError(ErrorKind.UNAUTHENTICATED, "send one authorization header, not several")
    token = _first(headers, MESSAGE_HEADER)
    return _first(headers, "authorization") or (None if token is None else f"Bearer {token}")


def _first(headers: Headers, name: str) -> str | None:
    """The first value of a request header."""
    values = headers.get(name)
    if not values:
        return None
    return values[0].decode(errors="replace") if isinstance(values[0], bytes) else str(values[0])


def _message(incoming: Incoming) -> bytes:
    """The first message of a Handshake; nothing when the client sends none."""
    try:
        return bytes(incoming.read())
    except (OSError, pa.ArrowException):
        return b""
