"""Tokens of an outside issuer (JWT): checked against its keys, read as a user. The only module that knows `jwt`.

Which algorithms count is said by the settings and never by the token, and those with a shared secret are not mixed with
those with a public key, so that no public key is taken for a secret. Keys are read anew when their file changes.
"""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from jwt import PyJWK, PyJWKSet

from catalog.errors import DatabaseError, ErrorKind
from catalog.roles import Identity, Role
from catalog.user_store import UserStore
from catalog.users import check_user_name
from flightserver.access.login import Login
from flightserver.settings import JwtSettings

SECRET_BYTES_MIN = 32
_RANKS = (Role.USER, Role.SERVICE, Role.DBA, Role.SYSTEM)

_Key = bytes | PyJWK


class Issuer:
    """Reads the tokens of one issuer. INVALID when its keys cannot be used; none of them is in the error."""

    def __init__(self, settings: JwtSettings, users: UserStore) -> None:
        self._settings = settings
        self._users = users
        self._lock = threading.Lock()
        self._read_at: tuple[int, int] | None = None
        self._keys: Mapping[str | None, _Key] = {}
        self._newest_keys()

    def login(self, token: str) -> Login | None:
        """The login of a token; None when it is not one of this issuer's that counts now."""
        try:
            claims = self._claims(token)
            name = check_user_name(claims[self._settings.user_claim])
            identity, version = self._who(name, claims)
        except (jwt.InvalidTokenError, DatabaseError, KeyError, TypeError, ValueError, AttributeError):
            return None
        return Login(identity, version, expires_at=float(claims["exp"]) + self._settings.leeway_s)

    def _claims(self, token: str) -> dict[str, Any]:
        settings = self._settings
        key = self._newest_keys()[jwt.get_unverified_header(token).get("kid") if settings.jwks_file else None]
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(settings.algorithms),
            audience=settings.audience,
            issuer=settings.issuer,
            leeway=settings.leeway_s,
            options={"require": ["exp", "iss", "aud", settings.user_claim], "verify_sub": False},
        )
        return claims

    def _who(self, name: str, claims: Mapping[str, Any]) -> tuple[Identity, int | None]:
        """The user that a token means: one of the catalog, whose role is there, or one with the role of the token."""
        user = self._users.find(name)
        if user is not None and user.enabled:
            return user.identity, user.version
        if user is not None or self._settings.role_claim is None:
            raise ValueError("nobody who may log in")
        role = Role(claims[self._settings.role_claim])
        if _RANKS.index(role) > _RANKS.index(self._settings.role_max):
            raise ValueError("a role that this issuer does not give")
        return Identity(name, role), None

    def _newest_keys(self) -> Mapping[str | None, _Key]:
        """The keys of the file as it is now; those of before when it cannot be read any more."""
        path = self._settings.jwks_file or self._settings.key_file
        if path is None:
            raise DatabaseError(ErrorKind.INVALID, "jwt: name a key_file or a jwks_file")
        with self._lock:
            try:
                found = path.stat()
                if self._read_at != (found.st_mtime_ns, found.st_size):
                    self._keys = _key_set(path) if self._settings.jwks_file else {None: self._key(path)}
                    self._read_at = (found.st_mtime_ns, found.st_size)
            except (OSError, ValueError, jwt.PyJWTError) as error:
                if not self._keys:
                    raise DatabaseError(ErrorKind.INVALID, "jwt: the file with the keys cannot be used") from error
            return self._keys

    def _key(self, path: Path) -> bytes:
        key = path.read_bytes().strip()
        if self._settings.is_symmetric and len(key) < SECRET_BYTES_MIN:
            raise DatabaseError(ErrorKind.INVALID, f"jwt: a secret must have at least {SECRET_BYTES_MIN} bytes")
        for algorithm in self._settings.algorithms:
            jwt.get_algorithm_by_name(algorithm).prepare_key(key)
        return key


def _key_set(path: Path) -> Mapping[str | None, _Key]:
    return {key.key_id: key for key in PyJWKSet.from_dict(json.loads(path.read_text())).keys}
