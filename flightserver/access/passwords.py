"""Passwords: what one must be like, its argon2id hash, and whether it is the one of a hash.

A hash has its parameters in it. The only module that knows `argon2`. Nothing here keeps a password or says one.
"""

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from catalog.errors import DatabaseError, ErrorKind
from flightserver.settings import Settings

LENGTH_MAX = 1_024
_NOBODY = "a password that nobody has"


class Passwords:
    """Hashes and checks passwords at the cost that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._length_min = settings.password_length_min
        self._hasher = PasswordHasher(
            time_cost=settings.password_passes, memory_cost=settings.password_memory_kib, parallelism=1, type=Type.ID
        )
        self.nobodys_hash = self._hasher.hash(_NOBODY)
        """What a password is checked against where there is no user: to check it takes as long."""

    def hash(self, password: str) -> str:
        """The hash to store; INVALID for a password that is too short or too long."""
        if not self._length_min <= len(password) <= LENGTH_MAX:
            raise DatabaseError(
                ErrorKind.INVALID, f"a password must have {self._length_min} to {LENGTH_MAX} characters"
            )
        return self._hasher.hash(password)

    def rehash(self, password: str) -> str:
        """The hash of a password that somebody has already, however long it must be today."""
        return self._hasher.hash(password)

    def matches(self, password: str, stored: str) -> bool:
        """Tell whether a hash is that of the password. Takes time and memory on purpose."""
        try:
            return self._hasher.verify(stored, password[: LENGTH_MAX + 1])
        except VerificationError:
            return False
        except InvalidHashError:
            raise DatabaseError(ErrorKind.CORRUPT, "the record of a user has no password hash") from None

    def is_outdated(self, stored: str) -> bool:
        """Tell whether a hash was made at a lower cost than the one of today."""
        return self._hasher.check_needs_rehash(stored)
