"""Who may log in: users and the tokens of programs. No secret is kept, only hashes of secrets."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import check_name
from catalog.roles import Identity, Role

NEW_VERSION = 0
"""Asks the store for a version that nothing had before."""

_PASSWORD_HASH = re.compile(r"\$argon2id\$v=\d+\$(m=\d+,t=\d+,p=\d+)\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}\Z")
_TOKEN_HASH = re.compile(r"[0-9a-f]{64}\Z")
_RESERVED_NAMES = frozenset({"public", "role"})


@dataclass(frozen=True)
class UserDef:
    """A user. Without `password_hash` there is no password to log in with.

    `version` rises with every change that ends the user's sessions, and no two states of any users have the same.
    """

    name: str
    role: Role
    password_hash: str | None = field(default=None, repr=False)
    enabled: bool = True
    limits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    version: int = NEW_VERSION

    @property
    def identity(self) -> Identity:
        """The user as a statement has them."""
        return Identity(self.name, self.role)

    def with_password(self, password_hash: str) -> "UserDef":
        """Another password; sessions end."""
        return replace(self, password_hash=password_hash, version=NEW_VERSION)

    def rehashed(self, password_hash: str) -> "UserDef":
        """Another hash of the same password."""
        return replace(self, password_hash=password_hash)

    def with_role(self, role: Role) -> "UserDef":
        """Another role; sessions end."""
        return self if role is self.role else replace(self, role=role, version=NEW_VERSION)

    def switched(self, *, on: bool) -> "UserDef":
        """Able to log in or not; sessions end with the ability."""
        if on == self.enabled:
            return self
        return replace(self, enabled=on, version=self.version if on else NEW_VERSION)

    def with_limit(self, name: str, value: int | None) -> "UserDef":
        """Another limit, or with None that of the server."""
        others = {known: limit for known, limit in self.limits.items() if known != name}
        return replace(self, limits=others if value is None else {**others, name: value})


@dataclass(frozen=True)
class TokenDef:
    """A program's way to log in as a user. What it shows is a secret, of which the SHA-256 is kept as hex text."""

    user: str
    name: str
    secret_hash: str = field(repr=False)
    read_only: bool
    created_at: datetime
    expires_at: datetime | None


def check_user_name(name: str) -> str:
    """Return `name` when it may name a user, and can be told from every other name and be sent by every client."""
    check_name("user", name)
    plain = name.isprintable() and name == name.strip() and unicodedata.is_normalized("NFC", name)
    if not plain or ":" in name or name in _RESERVED_NAMES:
        raise DatabaseError(
            ErrorKind.INVALID,
            "a user name is printable text in normal form (NFC) without colons and outer spaces, "
            f"and not public or role: {name[:40]!r}",
        )
    return name


def is_password_hash(text: str) -> bool:
    """Tell whether a text is an argon2id hash with its parameters."""
    return _PASSWORD_HASH.match(text) is not None


def password_cost(password_hash: str) -> str:
    """What it costs to check a password against a hash: memory, passes and lanes, as the hash has them."""
    found = _PASSWORD_HASH.match(password_hash)
    if found is None:
        raise ValueError("no password hash")
    return found[1]


def is_token_hash(text: str) -> bool:
    """Tell whether a text is the SHA-256 of something, in hex."""
    return _TOKEN_HASH.match(text) is not None
