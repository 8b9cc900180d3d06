"""All statements that run, and the last ones that ran."""

import threading
from collections import OrderedDict
from itertools import count

from catalog.errors import DatabaseError, ErrorKind
from flightserver.activity.statement import AT_WORK, RunningStatement

KEPT_MAX = 1_000
TEXT_CHARACTERS_MAX = 2_000


class Statements:
    """Numbers statements and remembers them; of those that have ended, the last `KEPT_MAX`."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._known: OrderedDict[int, RunningStatement] = OrderedDict()

    def start(self, session_id: str, user: str, actor: str, text: str, timeout_seconds: float) -> RunningStatement:
        """Register a statement that begins now."""
        shown = text if len(text) <= TEXT_CHARACTERS_MAX else text[: TEXT_CHARACTERS_MAX - 1] + "…"
        with self._lock:
            statement = RunningStatement(next(self._numbers), session_id, user, actor, shown, timeout_seconds)
            self._known[statement.number] = statement
            if len(self._known) > KEPT_MAX:
                self._forget_oldest()
        return statement

    def listed(self) -> list[RunningStatement]:
        """All that are known, oldest first."""
        with self._lock:
            return list(self._known.values())

    def at_work(self) -> list[RunningStatement]:
        """Those that run or are being read."""
        return [statement for statement in self.listed() if statement.phase in AT_WORK]

    def get(self, number: int) -> RunningStatement:
        """One of them, or NOT_FOUND."""
        found = self._known.get(number)
        if found is None:
            raise DatabaseError(ErrorKind.NOT_FOUND, f"query {number} does not exist; see system.queries")
        return found

    def cancel_all(self, session_id: str, why: str) -> None:
        """Ask everything that runs for a session to stop."""
        for statement in self.listed():
            if statement.session_id == session_id:
                statement.cancel(why)

    def _forget_oldest(self) -> None:
        oldest = next((n for n, statement in self._known.items() if statement.phase not in AT_WORK), None)
        if oldest is not None:
            del self._known[oldest]
