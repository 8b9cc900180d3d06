"""What one user may take, where statements and streams pass by: results, what is sent, and what is unflushed."""

import time
from collections.abc import Iterator

import pyarrow as pa

from catalog.definition import Scope
from catalog.errors import DatabaseError, ErrorKind
from flightserver.access.belongings import user_tables
from flightserver.access.user_limits import UserLimit, beyond
from flightserver.activity.pace import Pace
from flightserver.activity.statement import RunningStatement
from flightserver.database import Database
from flightserver.service.streams import ClientStream


class Bounds:
    """Holds users to their limits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._limits = database.limits
        self._pace = Pace(lambda user: self._limits.bytes_of(user, UserLimit.INGEST_MB_S))

    def paced(self, user: str, incoming: ClientStream, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """What a client sends, no faster than its user may; UNAVAILABLE when it would have to wait for too long."""
        for batch in incoming.received(batches):
            seconds = self._pace.wait_seconds(user, int(batch.nbytes), time.monotonic())
            if seconds > self._database.settings.stream_idle_timeout_s:
                raise DatabaseError(
                    ErrorKind.UNAVAILABLE,
                    f"{user} sends more than ingest_mb_s allows by {seconds:.0f} s; send less at once, or retry later",
                )
            if seconds:
                incoming.paused(seconds)
            yield batch

    def check_result(self, running: RunningStatement) -> None:
        """Raise RESOURCES when a result has become more than its user may have."""
        self._check_size(running.user, running.rows, running.bytes, " with LIMIT")

    def check_returned(self, user: str, rows: int, size: int) -> None:
        """Raise RESOURCES when a change would give back more than its user may have, or than can be kept for them."""
        self._check_size(user, rows, size, "; nothing was changed")
        kept_max = self._database.settings.kept_user_mb << 20
        if size > kept_max:
            raise DatabaseError(
                ErrorKind.RESOURCES,
                f"user {user} may keep {kept_max:,} bytes, and RETURNING gives more; nothing was changed",
            )

    def _check_size(self, user: str, rows: int, size: int, advice: str) -> None:
        rows_max = self._limits.of(user, UserLimit.RESULT_ROWS)
        if rows_max is not None and rows > rows_max:
            raise beyond(user, UserLimit.RESULT_ROWS, f"the result has more; ask for fewer{advice}", rows_max)
        mb_max = self._limits.of(user, UserLimit.RESULT_MB)
        if mb_max is not None and size > mb_max << 20:
            raise beyond(user, UserLimit.RESULT_MB, f"the result has more; ask for less{advice}", mb_max)

    def check_hot_rows(self, user: str) -> None:
        """Raise RESOURCES when a user has more unflushed rows in USER tables than may be, so that none are added."""
        mb_max = self._limits.of(user, UserLimit.HOT_MB)
        if mb_max is not None and self._hot_bytes(user) > mb_max << 20:
            raise beyond(user, UserLimit.HOT_MB, "more of theirs is unflushed; retry after a flush", mb_max)

    def _hot_bytes(self, user: str) -> int:
        tables = user_tables(self._database.catalog.registry)
        states = (self._database.store.in_memory(Scope(table.id, user)) for table in tables)
        views = (state.published.hot for state in states if state is not None)
        return sum(size for view in views for size in view.parts().values())
