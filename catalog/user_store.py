"""Users and tokens, each a record of its own that is read by its key: no start and no login walks over all of them.

Keys in the CATALOG family: `u/<user>`, `system_user/<user>` for each enabled user with the role system (so that the
last one is known), `password_cost/<cost>/<user>` for each with a password, `k/<user>/<token>` with a token,
`secret/<hash>` with the key of the token that has it, and `user_version`, the newest version handed out. Names are
encoded as path components. What was read lately is kept, up to a bound.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace

from catalog.codec import decode_token, decode_user, encode_token, encode_user
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import path_component
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from catalog.roles import Role
from catalog.store import Completion, as_it_is
from catalog.users import NEW_VERSION, TokenDef, UserDef, password_cost

KEPT_MAX = 4_096
"""Users that are kept in memory: about 4 MB."""

_VERSION = b"user_version"
_USERS = b"u/"
_SYSTEM_USERS = b"system_user/"
_COSTS = b"password_cost/"
_TOKENS = b"k/"
_SECRETS = b"secret/"


class UserStore:
    """The users of a data folder. Changes are durable when they return. Safe for use by many threads.

    What `complete` adds to the batch of a change is written with it.
    """

    def __init__(self, keyvalue: KeyValueStore) -> None:
        self._keyvalue = keyvalue
        self._changing = threading.RLock()
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, UserDef | None] = OrderedDict()
        """None is known not to be there."""
        self._changes = 0
        self._version = int(keyvalue.get(Family.CATALOG, _VERSION) or NEW_VERSION)

    @property
    def is_empty(self) -> bool:
        """Tell whether there is no user at all."""
        return self._keyvalue.first_key(Family.CATALOG, _USERS, _end(_USERS)) is None

    def find(self, name: str) -> UserDef | None:
        """A user by name; None when there is none."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
            before = self._changes
        stored = self._keyvalue.get(Family.CATALOG, _user_key(name))
        found = None if stored is None else decode_user(stored)
        with self._lock:
            if self._changes == before:
                self._keep(name, found)
        return found

    def get(self, name: str) -> UserDef:
        """A user by name, or NOT_FOUND."""
        found = self.find(name)
        if found is None:
            raise DatabaseError(ErrorKind.NOT_FOUND, f"user {name} does not exist")
        return found

    def listed(self) -> Iterator[UserDef]:
        """All users, one after another."""
        return (decode_user(value) for _, value in self._keyvalue.scan(Family.CATALOG, _USERS, _end(_USERS)))

    def password_costs(self) -> set[str]:
        """What hashes of passwords cost to check: all costs that some user's has."""
        costs: set[str] = set()
        lower = _COSTS
        while (key := self._keyvalue.first_key(Family.CATALOG, lower, _end(_COSTS))) is not None:
            cost = key.removeprefix(_COSTS).partition(b"/")[0]
            costs.add(cost.decode())
            lower = _end(_COSTS + cost + b"/")
        return costs

    def create(self, user: UserDef, complete: Completion = as_it_is) -> UserDef:
        """Add a user; ALREADY_EXISTS when the name is taken. Return the record."""
        with self._changing:
            if self.find(user.name) is not None:
                raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"user {user.name} exists already")
            return self._put(None, replace(user, version=NEW_VERSION), complete)

    def change(self, name: str, change: Callable[[UserDef], UserDef], complete: Completion = as_it_is) -> UserDef:
        """Replace a user's record by what `change` makes of it; INVALID when nobody with the role system is left."""
        with self._changing:
            before = self.get(name)
            after = change(before)
            if after == before:
                self._commit(AtomicWrite(), complete)
                return before
            if _rules(before) and not _rules(after):
                self._keep_one_system_user(name)
            return self._put(before, after, complete)

    def drop(self, name: str, complete: Completion = as_it_is) -> None:
        """Forget a user and the user's tokens; INVALID when that leaves nobody with the role system."""
        with self._changing:
            before = self.get(name)
            if _rules(before):
                self._keep_one_system_user(name)
            batch = AtomicWrite()
            batch.delete(Family.CATALOG, _user_key(name))
            batch.delete(Family.CATALOG, _system_user_key(name))
            _note_cost(batch, before, None)
            tokens = _token_key(name, "")
            for key, stored in self._keyvalue.scan(Family.CATALOG, tokens, _end(tokens)):
                _forget_token(batch, key, stored)
            self._commit(batch, complete)
            self._publish(name, None)

    def refuse_last_system_user(self, name: str) -> None:
        """Raise INVALID when nobody else with the role system can log in."""
        if _rules(self.get(name)):
            self._keep_one_system_user(name)

    def create_token(self, token: TokenDef, complete: Completion = as_it_is) -> None:
        """Add a token; ALREADY_EXISTS when the user has one of that name."""
        with self._changing:
            self.get(token.user)
            key = _token_key(token.user, token.name)
            if self._keyvalue.get(Family.CATALOG, key) is not None:
                raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"token {token.name} of {token.user} exists already")
            batch = AtomicWrite()
            batch.put(Family.CATALOG, key, encode_token(token))
            batch.put(Family.CATALOG, _secret_key(token.secret_hash), key)
            self._commit(batch, complete)

    def drop_token(self, user: str, name: str, complete: Completion = as_it_is) -> None:
        """Forget a token; NOT_FOUND when there is none."""
        with self._changing:
            key = _token_key(user, name)
            stored = self._keyvalue.get(Family.CATALOG, key)
            if stored is None:
                raise DatabaseError(ErrorKind.NOT_FOUND, f"token {name} of {user} does not exist")
            batch = AtomicWrite()
            _forget_token(batch, key, stored)
            self._commit(batch, complete)

    def token_of(self, secret_hash: str) -> TokenDef | None:
        """The token whose secret has this hash; None when there is none."""
        key = self._keyvalue.get(Family.CATALOG, _secret_key(secret_hash))
        stored = None if key is None else self._keyvalue.get(Family.CATALOG, key)
        found = None if stored is None else decode_token(stored)
        return found if found is not None and found.secret_hash == secret_hash else None

    def tokens(self, user: str | None = None) -> Iterator[TokenDef]:
        """All tokens, or those of a user."""
        prefix = _TOKENS if user is None else _token_key(user, "")
        return (decode_token(value) for _, value in self._keyvalue.scan(Family.CATALOG, prefix, _end(prefix)))

    def _put(self, before: UserDef | None, after: UserDef, complete: Completion) -> UserDef:
        """Write a record, with a version of its own where it asks for one."""
        version = self._version
        if after.version == NEW_VERSION:
            version += 1
            after = replace(after, version=version)
        batch = AtomicWrite()
        batch.put(Family.CATALOG, _user_key(after.name), encode_user(after))
        batch.put(Family.CATALOG, _VERSION, str(version).encode())
        if _rules(after):
            batch.put(Family.CATALOG, _system_user_key(after.name), b"")
        elif before is not None and _rules(before):
            batch.delete(Family.CATALOG, _system_user_key(after.name))
        _note_cost(batch, before, after)
        self._commit(batch, complete)
        self._version = version
        self._publish(after.name, after)
        return after

    def _commit(self, batch: AtomicWrite, complete: Completion) -> None:
        complete(batch)
        if not batch.is_empty:
            self._keyvalue.commit(batch)

    def _publish(self, name: str, user: UserDef | None) -> None:
        with self._lock:
            self._changes += 1
            self._keep(name, user)

    def _keep(self, name: str, user: UserDef | None) -> None:
        self._kept[name] = user
        self._kept.move_to_end(name)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)

    def _keep_one_system_user(self, name: str) -> None:
        own = _system_user_key(name)
        ranges = ((_SYSTEM_USERS, own), (own + b"\0", _end(_SYSTEM_USERS)))
        if all(self._keyvalue.first_key(Family.CATALOG, lower, upper) is None for lower, upper in ranges):
            raise DatabaseError(
                ErrorKind.INVALID,
                f"{name} is the last user with the role system who can log in; make another one first",
            )


def _rules(user: UserDef) -> bool:
    return user.enabled and user.role is Role.SYSTEM


def _note_cost(batch: AtomicWrite, before: UserDef | None, after: UserDef | None) -> None:
    """Keep the index of costs."""
    old, new = (None if user is None else _cost_key(user) for user in (before, after))
    if old is not None and old != new:
        batch.delete(Family.CATALOG, old)
    if new is not None and old != new:
        batch.put(Family.CATALOG, new, b"")


def _forget_token(batch: AtomicWrite, key: bytes, stored: bytes) -> None:
    batch.delete(Family.CATALOG, key)
    batch.delete(Family.CATALOG, _secret_key(decode_token(stored).secret_hash))


def _user_key(name: str) -> bytes:
    return _USERS + path_component(name).encode()


def _system_user_key(name: str) -> bytes:
    return _SYSTEM_USERS + path_component(name).encode()


def _cost_key(user: UserDef) -> bytes | None:
    if user.password_hash is None:
        return None
    return _COSTS + password_cost(user.password_hash).encode() + b"/" + path_component(user.name).encode()


def _token_key(user: str, name: str) -> bytes:
    return _TOKENS + path_component(user).encode() + b"/" + (path_component(name).encode() if name else b"")


def _secret_key(secret_hash: str) -> bytes:
    return _SECRETS + secret_hash.encode()


def _end(prefix: bytes) -> bytes:
    """The smallest key behind all that begin with a prefix."""
    return prefix[:-1] + bytes([prefix[-1] + 1])
