"""What one user may take: a table of limits, each with the setting that is everybody's and the name for SET LIMIT.

A limit of a user's own counts instead of everybody's. Under AS USER the subject's count, but for what is sent: that is
the sender's.
"""

from collections.abc import Callable, Mapping
from enum import Enum, unique

from catalog.errors import DatabaseError, ErrorKind
from catalog.user_store import UserStore
from flightserver.settings import Settings


@unique
class UserLimit(Enum):
    """By name, as SET LIMIT has it: what is limited."""

    SESSIONS = "sessions"
    STATEMENTS = "statements"
    MEMORY_MB = "memory_mb"
    RESULT_ROWS = "result_rows"
    RESULT_MB = "result_mb"
    INGEST_MB_S = "ingest_mb_s"
    HOT_MB = "hot_mb"


_OF_EVERYBODY: Mapping[UserLimit, str] = {
    UserLimit.SESSIONS: "sessions_user_max",
    UserLimit.STATEMENTS: "statements_user_max",
    UserLimit.MEMORY_MB: "memory_user_mb",
    UserLimit.RESULT_ROWS: "result_rows_max",
    UserLimit.RESULT_MB: "result_max_mb",
    UserLimit.INGEST_MB_S: "ingest_user_mb_s",
    UserLimit.HOT_MB: "hot_user_mb",
}
"""The setting for who has no limit of their own; 0 is none, where a setting can be 0."""


class UserLimits:
    """The limits of users, as they are now."""

    def __init__(self, users: UserStore, settings: Callable[[], Settings]) -> None:
        self._users = users
        self._settings = settings

    def of(self, user: str, limit: UserLimit) -> int | None:
        """How much a user may have; None when there is no limit."""
        found = self._users.find(user)
        own = None if found is None else found.limits.get(limit.value)
        if own is not None:
            return own
        everybodys: int = getattr(self._settings(), _OF_EVERYBODY[limit])
        return everybodys or None

    def bytes_of(self, user: str, limit: UserLimit) -> int | None:
        """The same of a limit in MB."""
        found = self.of(user, limit)
        return None if found is None else found << 20


def check_limit_name(name: str) -> str:
    """Return `name` when a user can have such a limit; INVALID otherwise."""
    if name not in {limit.value for limit in UserLimit}:
        known = ", ".join(sorted(limit.value for limit in UserLimit))
        raise DatabaseError(ErrorKind.INVALID, f"there is no limit {name} for a user; the limits are {known}")
    return name


def beyond(user: str, limit: UserLimit, what: str, at_most: int) -> DatabaseError:
    """The refusal of what is beyond a limit; `what` says what there would be too much of, and what to do."""
    return DatabaseError(ErrorKind.RESOURCES, f"{user} may have {limit.value} = {at_most:,}: {what}")
