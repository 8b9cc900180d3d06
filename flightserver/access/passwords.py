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
    """Hashes passwords at the cost that the settings name, and checks them at that of their hashes."""

    def __init__(self, settings: Settings) -> None:
        self._length_min = settings.password_length_min
        self._hasher = PasswordHasher(
            time_cost=settings.password_passes, memory_cost=settings.password_memory_kib, parallelism=1, type=Type.ID
        )
        self._nobodys = {self.cost: self._hasher.hash(_NOBODY)}

    @property
    def cost(self) -> str:
        """The cost of today, as hashes have it."""
        return f"m={self._hasher.memory_cost},t={self._hasher.time_cost},p={self._hasher.parallelism}"

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

    def nobodys_hash(self, cost: str) -> str:
        """What a password is checked against where nobody's counts: to check it takes as long as any of that cost."""
        if cost not in self._nobodys:
            memory, passes, lanes = (int(part.partition("=")[2]) for part in cost.split(","))
            hasher = PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=lanes, type=Type.ID)
            self._nobodys[cost] = hasher.hash(_NOBODY)
        return self._nobodys[cost]

    def is_outdated(self, stored: str) -> bool:
        """Tell whether a hash was made at a lower cost than the one of today."""
        return self._hasher.check_needs_rehash(stored)
