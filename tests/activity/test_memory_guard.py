"""The guard of the process's memory: who is charged, who is ended, and who is left alone."""

from dataclasses import dataclass, field

from catalog.errors import ErrorKind
from flightserver.activity.memory_guard import ALLOWANCE_BYTES, PATIENCE_TICKS, MemoryGuard, resident_bytes
from flightserver.activity.statement import RunningStatement, StatementState
from flightserver.activity.statements import Statements

MB = 1 << 20
LIMIT = 100 * MB
TOO_MUCH = LIMIT + ALLOWANCE_BYTES + MB


@dataclass
class Process:
    """A process that has as much memory as it is told, and a guard that looks at it."""

    bytes: int = 500 * MB
    statements: Statements = field(default_factory=Statements)

    def __post_init__(self) -> None:
        limits = {"narrow": MB}
        self.guard = MemoryGuard(self.statements.at_work, LIMIT, limits.get, lambda: self.bytes)

    def start(self, user: str = "user") -> RunningStatement:
        """A statement that begins now."""
        return self.statements.start("session", user, user, "SELECT 1", 0.0)

    def grow(self, size: int) -> None:
        """Take memory; the guard looks."""
        self.bytes += size
        self.guard.tick()


def ended(statement: RunningStatement) -> bool:
    """Tell whether it was asked to stop."""
    return statement.interruption() is not None


def test_the_process_is_seen() -> None:
    """A Python process with Arrow in it has some memory."""
    assert resident_bytes() > 10 * MB


def test_a_statement_within_the_limit_goes_on() -> None:
    """The allowance is for what allocators keep."""
    process = Process()
    statement = process.start()
    process.grow(LIMIT + ALLOWANCE_BYTES)
    assert not ended(statement)


def test_a_statement_beyond_the_limit_is_ended_with_words() -> None:
    """It fails with RESOURCES, and is told the limit."""
    process = Process()
    statement = process.start()
    process.grow(TOO_MUCH)
    error = statement.interruption()
    assert error is not None
    assert error.kind is ErrorKind.RESOURCES
    assert "memory_limit_mb = 100" in error.message


def test_memory_from_before_a_statement_is_not_charged() -> None:
    """What is kept, cached or held by allocators counts for nobody."""
    process = Process()
    process.grow(TOO_MUCH)
    statement = process.start()
    process.grow(MB)
    assert not ended(statement)


def test_who_was_at_work_while_memory_grew_is_ended() -> None:
    """One that began later, and one that has ended, did not take it."""
    process = Process()
    hungry, gone = process.start(), process.start()
    gone.enter(StatementState.FINISHED)
    process.grow(LIMIT)
    late = process.start()
    process.grow(ALLOWANCE_BYTES + MB)
    assert (ended(hungry), ended(late), ended(gone)) == (True, False, False)


def test_a_result_that_waits_is_not_at_work() -> None:
    """Nobody reads it."""
    process = Process()
    waiting = process.start()
    waiting.enter(StatementState.READY)
    hungry = process.start()
    process.grow(TOO_MUCH)
    assert (ended(hungry), ended(waiting)) == (True, False)


def test_the_next_is_ended_when_the_first_frees_nothing() -> None:
    """It has a moment to stop, which is cut short when memory goes on growing."""
    process = Process()
    first, second = process.start(), process.start()
    process.grow(TOO_MUCH)
    assert [ended(first), ended(second)].count(True) == 1
    process.grow(MB)
    assert [ended(first), ended(second)].count(True) == 1
    for _ in range(PATIENCE_TICKS):
        process.grow(0)
    assert ended(first)
    assert ended(second)


def test_growth_beyond_the_allowance_again_ends_the_next_at_once() -> None:
    """The one that was asked was the wrong one, or does not hear."""
    process = Process()
    first, second = process.start(), process.start()
    process.grow(TOO_MUCH)
    process.grow(ALLOWANCE_BYTES + MB)
    assert ended(first)
    assert ended(second)


def test_a_user_with_a_limit_is_held_to_it() -> None:
    """The largest of the user's statements is ended, and nobody else's."""
    process = Process()
    first = process.start("narrow")
    process.grow(MB)
    second, other = process.start("narrow"), process.start()
    process.grow(3 * MB)
    error = first.interruption()
    assert error is not None
    assert "narrow took more than memory_mb = 1" in error.message
    assert not ended(second)
    assert not ended(other)


def test_what_grew_while_nobody_looked_is_charged_to_nobody() -> None:
    """The guard sleeps while nothing runs, and looks anew when it is woken."""
    process = Process()
    process.bytes += TOO_MUCH
    statement = process.start()
    process.guard.begin()
    process.grow(MB)
    assert not ended(statement)
