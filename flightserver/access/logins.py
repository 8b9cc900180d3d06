"""From credentials to a login, and whether a login still holds.

A wrong password, an unknown user, one who is disabled and one who has no password get the same answer after the same
work: one hash is checked of each cost that any user's hash has, and of today's, so that it cannot be told at which
cost a user's was made. A password that was right once is known by a keyed hash as long as the server runs and the
user's record stays: who sends it with every call does not pay for it with every call, and does not wait behind those
who guess.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from typing import Protocol

from catalog.audit import Verdict
from catalog.audit_log import AuditLog
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import NAME_LENGTH_MAX
from catalog.user_store import UserStore
from catalog.users import UserDef, password_cost
from flightserver.access.auditing import login_deed
from flightserver.access.login import Login
from flightserver.access.login_queue import LoginQueue
from flightserver.access.passwords import Passwords
from flightserver.access.refusals import Refusals

PROVEN_MAX = 10_000
"""Users whose password is known to have been right."""


NOBODY = ""
"""Who sent a token that proves nobody."""

TOKEN_PREFIX = "fst_"  # noqa: S105 - no secret, what secrets begin with
"""How tokens of programs begin, so that they can be told from others, and found where they should not be."""


def token_hash(secret: str) -> str:
    """What is kept of a token. It is random and long, so a fast hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


class OutsideTokens(Protocol):
    """Whoever reads tokens that are not ours (`access/issuer.py`, which is imported where there is an issuer)."""

    def login(self, token: str) -> Login | None:
        """Whose token it is; None when it proves nobody."""


class Logins:
    """Proves who somebody is."""

    def __init__(
        self,
        users: UserStore,
        passwords: Passwords,
        queue: LoginQueue,
        audit_log: AuditLog,
        issuer: OutsideTokens | None = None,
    ) -> None:
        self._audit_log = audit_log
        self._issuer = issuer
        self._users = users
        self._passwords = passwords
        self._queue = queue
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._refusals = Refusals()
        self._proven: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self.checked = 0
        """How many hashes were checked."""

    def by_password(self, name: str, password: str) -> Login:
        """The login of a user with that password; UNAUTHENTICATED when there is none."""
        user = self._users.find(name)
        shown = self._keyed(name, password)
        proven = user is not None and user.enabled and self._is_proven(user, shown)
        if not proven and not self._is_right(name, user, password):
            user = None
        if user is None:
            self._audit_log.record(login_deed(name).record(Verdict.DENIED))
            raise DatabaseError(ErrorKind.UNAUTHENTICATED, "the user name or password is wrong")
        with self._lock:
            self._proven[name] = user.version, shown
            if len(self._proven) > PROVEN_MAX:
                self._proven.popitem(last=False)
        return Login(user.identity, user.version)

    def by_token(self, token: str) -> Login | None:
        """The login of a program's token or of one of the outside issuer; None when it is neither, or not any more."""
        found = self._of_program(token)
        return self._issuer.login(token) if found is None and self._issuer is not None else found

    def note_refused_token(self) -> None:
        """Record that a token proved nobody, with others that were refused lately."""
        count = self._refusals.note()
        if count is not None:
            self._audit_log.record(login_deed(NOBODY).record(Verdict.DENIED, rows=count, detail="token"))

    def _of_program(self, secret: str) -> Login | None:
        if not secret.startswith(TOKEN_PREFIX):
            return None
        token = self._users.token_of(token_hash(secret))
        user = None if token is None else self._users.find(token.user)
        if token is None or user is None or not user.enabled:
            return None
        expires = None if token.expires_at is None else token.expires_at.timestamp()
        login = Login(user.identity, user.version, token.secret_hash, token.read_only, expires)
        return login if self.holds(login) else None

    def holds(self, login: Login) -> bool:
        """Tell whether what a login rests on is still so."""
        if login.expires_at is not None and time.time() >= login.expires_at:
            return False
        if login.version is None:  # of the issuer alone, as long as the catalog does not know the name; or of --dev
            return login.expires_at is None or self._users.find(login.user) is None
        if login.token is not None and self._users.token_of(login.token) is None:
            return False
        user = self._users.find(login.user)
        return user is not None and user.enabled and user.version == login.version

    def _is_right(self, name: str, user: UserDef | None, password: str) -> bool:
        """Check a password in its turn. The work is the same whether there is such a user or not."""
        lane = name[: NAME_LENGTH_MAX + 1]
        stored = None if user is None else user.password_hash
        with self._queue.turn(lane):
            matches = self._matches(password, stored)
            if not matches or stored is None or user is None or not user.enabled:
                self._queue.note_wrong(lane)
                return False
            self._queue.note_right(lane)
            if self._passwords.is_outdated(stored):
                self._rehash(name, password, stored)
        return True

    def _matches(self, password: str, stored: str | None) -> bool:
        """Tell whether a hash is that of the password, with a check of each cost that there is."""
        own = None if stored is None else password_cost(stored)
        costs = {self._passwords.cost, *self._users.password_costs(), *([own] if own else [])}
        found = False
        for cost in sorted(costs):
            if stored is not None and cost == own:
                found = self._passwords.matches(password, stored)
            else:
                self._passwords.matches(password, self._passwords.nobodys_hash(cost))
        with self._lock:
            self.checked += len(costs)
        return found

    def _rehash(self, name: str, password: str, outdated: str) -> None:
        """Store a hash at the cost of today in the place of an older one."""
        fresh = self._passwords.rehash(password)
        self._users.change(name, lambda now: now.rehashed(fresh) if now.password_hash == outdated else now)

    def _is_proven(self, user: UserDef, shown: bytes) -> bool:
        with self._lock:
            version, proven = self._proven.get(user.name, (None, b""))
        return version == user.version and hmac.compare_digest(proven, shown)

    def _keyed(self, name: str, password: str) -> bytes:
        return hmac.digest(self._secret, f"{name}\0{password}".encode(), hashlib.sha256)
