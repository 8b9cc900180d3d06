"""One statement while it runs and for a while after: what it did, and whether it must stop."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, unique

from catalog.errors import DatabaseError, ErrorKind
from providers.cold.pruning import Pruned


@unique
class StatementState(Enum):
    """Where a statement stands. READY is a result that nobody has fetched yet."""

    RUNNING = "running"
    READY = "ready"
    STREAMING = "streaming"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@unique
class Engine(Enum):
    """Where queries of a session run. AUTO leaves it to the server, by what they read."""

    AUTO = "auto"
    LOCAL = "local"
    CLUSTER = "cluster"


AT_WORK = frozenset({StatementState.RUNNING, StatementState.STREAMING})
ENDED = frozenset({StatementState.FINISHED, StatementState.FAILED, StatementState.CANCELLED})
_STOPPED = frozenset({ErrorKind.CANCELLED, ErrorKind.TIMEOUT})


def nothing() -> None:
    """For statements that have nothing to let go."""


@dataclass(eq=False)
class RunningStatement:
    """A statement of a `user`, sent by an `actor`, who is mostly the same.

    `timeout_seconds` counts from its start, and anew from each fetch of its result; 0 is no limit.
    """

    number: int
    session_id: str
    user: str
    actor: str
    text: str
    timeout_seconds: float = 0.0
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    phase: StatementState = StatementState.RUNNING
    rows: int = 0
    bytes: int = 0
    batches_total: int = 0
    batches_pruned: int = 0
    seconds: float = 0.0
    engine: Engine = Engine.LOCAL
    error: str | None = None
    let_go: Callable[[], None] = nothing
    """Called when its result is cancelled before anybody has fetched it."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._clock = time.monotonic()
        self._reason: DatabaseError | None = None

    @property
    def elapsed_seconds(self) -> float:
        """How long it has been at work, waiting for a fetch left out."""
        return self.seconds + (time.monotonic() - self._clock if self.phase in AT_WORK else 0.0)

    def note_pruning(self, choices: Iterable[Pruned]) -> None:
        """Count the batches of a query's tables."""
        for choice in choices:
            self.batches_total += choice.total
            self.batches_pruned += choice.by_range + choice.by_bloom

    def enter(self, phase: StatementState) -> None:
        """Go on to `phase`; a fetch starts the clock again."""
        with self._lock:
            now = time.monotonic()
            if self.phase in AT_WORK:
                self.seconds += now - self._clock
            self._clock = now
            self.phase = phase
            if phase is not StatementState.READY:
                self.let_go = nothing

    @contextmanager
    def outcome(self) -> Iterator[None]:
        """Note how the block ends, when it ends early."""
        try:
            yield
        except BaseException as error:
            self.fail(error)
            raise

    def fail(self, error: BaseException) -> None:
        """End with an error."""
        stopped = isinstance(error, GeneratorExit) or (isinstance(error, DatabaseError) and error.kind in _STOPPED)
        told = error if isinstance(error, DatabaseError) else self._reason
        self.error = None if told is None else told.message
        self.enter(StatementState.CANCELLED if stopped else StatementState.FAILED)

    def cancel(self, why: str, kind: ErrorKind = ErrorKind.CANCELLED) -> bool:
        """Ask it to stop, with an error of this kind; tell whether there was anything to stop."""
        with self._lock:
            if self.phase in ENDED:
                return False
            self._reason = DatabaseError(kind, why)
            let_go = self.let_go
            if self.phase is StatementState.READY:
                self.phase, self.error, self.let_go = StatementState.CANCELLED, why, nothing
        let_go()
        return True

    def interruption(self) -> DatabaseError | None:
        """Why it must stop now, or None."""
        if self._reason is not None:
            return DatabaseError(self._reason.kind, self._reason.message)
        if self.timeout_seconds and time.monotonic() - self._clock > self.timeout_seconds:
            return DatabaseError(
                ErrorKind.TIMEOUT,
                f"the statement took longer than query_timeout_s = {self.timeout_seconds:g}; raise it with SET",
            )
        return None
