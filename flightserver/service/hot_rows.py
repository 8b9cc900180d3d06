"""How many unflushed rows a user may have in USER tables."""

from catalog.definition import Scope
from flightserver.access.belongings import user_tables
from flightserver.access.user_limits import UserLimit, beyond
from flightserver.database import Database


def refuse_hot(database: Database, user: str) -> None:
    """Raise RESOURCES when a user has more unflushed rows than the limit says, so that no more are added."""
    mb_max = database.limits.of(user, UserLimit.HOT_MB)
    if mb_max is not None and hot_bytes(database, user) > mb_max << 20:
        raise beyond(user, UserLimit.HOT_MB, "more of theirs is unflushed; retry after a flush", mb_max)


def hot_bytes(database: Database, user: str) -> int:
    """The memory that a user's own unflushed rows take."""
    states = (database.store.in_memory(Scope(table.id, user)) for table in user_tables(database.catalog.registry))
    views = (state.published.hot for state in states if state is not None)
    return sum(size for view in views for size in view.parts().values())
