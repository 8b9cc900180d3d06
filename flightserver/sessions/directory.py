"""All sessions, found by what a call brings: a bearer token, a session cookie, or else its connection.

A token or a cookie is a secret, so it is kept as a hash. A session ends when its client closes it, when somebody kills
it, when it was idle for too long, or when nothing but its connection names it and that is gone; then its transactions
are rolled back and its token is worth nothing. Neither is its cookie, nor its connection when something was lost with
it: a client that does not know yet must not go on as if nothing had happened.

A session rests on a login and is looked at with every call: when the user's password, role or right to log in has
changed since, or it has lived for long enough, it has ended. The number of sessions is bounded, of each user and of
all: one that holds nothing makes room for another of its user, or of a user who has fewer. Otherwise the next login is
UNAVAILABLE. Some places are kept for admins.
"""

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from itertools import takewhile

from catalog.audit import Verdict
from catalog.errors import DatabaseError, ErrorKind
from flightserver.access.auditing import login_deed
from flightserver.access.login import Login
from flightserver.access.logins import Logins
from flightserver.access.user_limits import UserLimit
from flightserver.activity.ledger import Ledger
from flightserver.database import Database
from flightserver.sessions.session import Session
from providers.ticker import Ticker

TICK_SECONDS = 1.0

KEPT_FOR_ADMINS = 16
"""So many sessions of admins do not count to `sessions_max`."""

PEERS_REST = 100
"""After a look at all connections, so many times the processor time that it took passes until the next."""

_SECRET_BYTES = 32
_BY_PEER = "peer:"


class Sessions:
    """The sessions of a server. `start` and `stop` run the thread that ends idle ones."""

    def __init__(self, database: Database, ledger: Ledger, logins: Logins) -> None:
        self._limits = database.limits
        self._database = database
        self._logins = logins
        self._ledger = ledger
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._asked_at: dict[str, float] = {}
        """When each session was last asked for, in the order of `_sessions`."""
        self._of_user: dict[str, dict[str, Session]] = {}
        self._of_admins = 0
        self._of_peer: dict[str, dict[str, Session]] = {}
        """Those that end with their connection."""
        self._keys: dict[str, str] = {}
        self._cut_off: dict[str, str] = {}
        self._gone: Callable[[Collection[str]], Collection[str]] = lambda _: ()
        self._next_look_at_peers = 0.0
        self._ticker = Ticker("sessions", self.expire, TICK_SECONDS)

    def login(self, login: Login) -> str:
        """Open a session for a user who has proved to be one; return its token."""
        token = secrets.token_urlsafe(_SECRET_BYTES)
        self._open(login, "", _key("token", token))
        return token

    def of_token(self, token: str) -> Session | None:
        """The session of a bearer token; None when it has none."""
        return self._find(_key("token", token))

    def of_connection(self, login: Login, cookie: str | None, peer: str) -> tuple[Session, str | None]:
        """The session of a call without a session's token, and a cookie to send when it is a new one.

        UNAUTHENTICATED when the cookie has no session, or the one of the connection was ended.
        """
        if cookie is not None:
            found = self._find(_key("cookie", cookie))
            if found is None or found.login.grounds != login.grounds:
                raise _over("cookie")
            return found, None
        by_peer = f"{_BY_PEER}{peer}/{login.grounds}"
        found = self._find(by_peer)
        if found is not None:
            with self._lock:
                if found.id in self._sessions:
                    found.ends_with_connection = True
                    self._of_peer.setdefault(found.peer, {})[found.id] = found
            return found, None
        if by_peer in self._cut_off:
            raise _over("connection")
        fresh = secrets.token_urlsafe(_SECRET_BYTES)
        return self._open(login, peer, by_peer, _key("cookie", fresh)), fresh

    def listed(self, user: str | None = None) -> list[Session]:
        """All sessions, those used longest ago first; or those of a user."""
        with self._lock:
            return list((self._sessions if user is None else self._of_user.get(user, {})).values())

    @property
    def count(self) -> int:
        """How many sessions are open."""
        return len(self._sessions)

    def get(self, session_id: str) -> Session:
        """A session by its public id, or NOT_FOUND."""
        with self._lock:
            found = self._sessions.get(session_id)
        if found is None:
            raise DatabaseError(ErrorKind.NOT_FOUND, f"session {session_id} does not exist; see system.sessions")
        return found

    def holds(self, session: Session) -> bool:
        """Tell whether what a session rests on is still so."""
        return self._logins.holds(session.login)

    def close(self, session: Session) -> None:
        """End a session, as its client wants it."""
        with self._lock:
            self._forget(session)
        session.close()

    def cut_off(self, session: Session) -> None:
        """End a session whatever its client believes; with something to lose, its connection is not served any more."""
        with self._lock:
            if not session.is_empty:
                self._cut_off |= {key: session.peer for key in session.keys if key.startswith(_BY_PEER)}
                for key in list(self._cut_off)[: -self._database.settings.sessions_max]:
                    del self._cut_off[key]
        self.close(session)

    def start(self, gone: Callable[[Collection[str]], Collection[str]]) -> None:
        """Begin to end sessions that are idle, or whose peer is `gone`."""
        self._gone = gone
        self._ticker.start()

    def stop(self) -> None:
        """End all sessions."""
        self._ticker.stop()
        for session in self.listed():
            self.close(session)

    def expire(self) -> None:
        """End sessions that were idle for too long, or whose client has gone."""
        gone = self._gone_peers()
        with self._lock:
            if gone:
                self._cut_off = {key: peer for key, peer in self._cut_off.items() if peer not in gone}
            left = [session for peer in gone for session in self._of_peer.get(peer, {}).values()]
            idle = self._not_asked_for_since(time.monotonic() - self._database.settings.session_idle_timeout_s)
        for session in left:
            if not session.is_running:
                self.close(session)
        for session in idle:
            if session.idle_seconds > self._database.settings.session_idle_timeout_s:
                self.cut_off(session)

    def _gone_peers(self) -> Collection[str]:
        """Clients that have hung up. Of many connections that is not cheap to tell, and then it is asked less often."""
        with self._lock:
            peers = set(self._of_peer) | set(self._cut_off.values())
        if not peers or time.monotonic() < self._next_look_at_peers:
            return ()
        begin = time.thread_time()
        gone = self._gone(peers)
        self._next_look_at_peers = time.monotonic() + PEERS_REST * (time.thread_time() - begin)
        return gone

    def _not_asked_for_since(self, moment: float) -> list[Session]:
        """The sessions that nobody asked for since; some of them may be at work since before, or until just now."""
        asked = self._asked_at
        return [self._sessions[found] for found in takewhile(lambda session_id: asked[session_id] < moment, asked)]

    def _find(self, key: str) -> Session | None:
        with self._lock:
            session_id = self._keys.get(key)
            if session_id is None:
                return None
            self._note_asked(session_id)
            found = self._sessions[session_id]
        if self.holds(found) and not self._is_too_old(found):
            return found
        self.cut_off(found)
        return None

    def _is_too_old(self, session: Session) -> bool:
        return session.age_seconds > self._database.settings.session_lifetime_s and not session.is_running

    def _note_asked(self, session_id: str) -> None:
        self._sessions.move_to_end(session_id)
        self._asked_at.pop(session_id, None)
        self._asked_at[session_id] = time.monotonic()

    def _open(self, login: Login, peer: str, *keys: str) -> Session:
        session = Session(self._database, self._ledger, login, peer)
        with self._lock:
            left_out = self._make_room(session)
            self._sessions[session.id] = session
            self._note_asked(session.id)
            self._of_user.setdefault(session.user, {})[session.id] = session
            self._of_admins += session.principal.is_admin
            session.keys = keys
            self._keys |= dict.fromkeys(keys, session.id)
        if left_out is not None:
            left_out.close()
        self._record(session)
        return session

    def _record(self, session: Session) -> None:
        """Record the login, or let there be none."""
        try:
            self._database.audit_log.record(login_deed(session.user, session.peer, session.id).record(Verdict.ALLOWED))
        except DatabaseError:
            self.close(session)
            raise

    def _held_by(self, user: str) -> int:
        return len(self._of_user.get(user, ()))

    def _make_room(self, session: Session) -> Session | None:
        """Forget a session for another one where that is needed; UNAVAILABLE when none may be forgotten."""
        own = self._held_by(session.user)
        own_max = self._limits.of(session.user, UserLimit.SESSIONS) or 0
        taken = len(self._sessions) - min(self._of_admins + session.principal.is_admin, KEPT_FOR_ADMINS)
        if own < own_max and taken < self._database.settings.sessions_max:
            return None
        whose = f"{own} sessions of {session.user}" if own >= own_max else f"{taken} sessions"

        def gives_way(other: Session) -> bool:
            of_more = own < own_max and self._held_by(other.user) > own
            return (other.user == session.user or of_more) and other.is_empty

        empty = next(filter(gives_way, self._sessions.values()), None)
        if empty is None:
            raise DatabaseError(ErrorKind.UNAVAILABLE, f"{whose} are open, which is the limit; retry later")
        self._forget(empty)
        return empty

    def _forget(self, session: Session) -> None:
        if self._sessions.pop(session.id, None) is not None:
            self._of_admins -= session.principal.is_admin
        self._asked_at.pop(session.id, None)
        for sessions, name in ((self._of_user, session.user), (self._of_peer, session.peer)):
            if sessions.get(name, {}).pop(session.id, None) is not None and not sessions[name]:
                del sessions[name]
        for key in session.keys:
            self._keys.pop(key, None)


def _over(name: str) -> DatabaseError:
    return DatabaseError(
        ErrorKind.UNAUTHENTICATED, f"the session of this {name} has ended, and what it held is gone; connect again"
    )


def _key(kind: str, secret: str) -> str:
    return f"{kind}:{hashlib.sha256(secret.encode()).hexdigest()}"
