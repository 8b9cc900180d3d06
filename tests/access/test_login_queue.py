"""In what order passwords are checked. Time is a number here that the test moves on."""

import threading
from collections.abc import Callable

import pytest

from catalog.errors import DatabaseError
from flightserver.access.login_queue import (
    DELAY_SECONDS_MAX,
    FORGOTTEN_SECONDS,
    WAITING_OF_USER_MAX,
    WRONG_FREE,
    LoginQueue,
)

PATIENCE_SECONDS = 60.0


class Waiters:
    """Threads that take turns, one at a time, and the order in which they had them."""

    def __init__(self, queue: LoginQueue) -> None:
        self.order: list[str] = []
        self._queue = queue
        self._threads: list[threading.Thread] = []

    def line_up(self, user: str) -> None:
        """Begin to wait for a turn; return when the queue knows."""
        before = self._queue.waiting
        thread = threading.Thread(target=self._take, args=(user,), daemon=True)
        thread.start()
        self._threads.append(thread)
        until(lambda: self._queue.waiting > before)

    def join(self) -> None:
        """Wait until everybody had a turn."""
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive(), "a turn never came: it hangs"

    def _take(self, user: str) -> None:
        with self._queue.turn(user):
            self.order.append(user)


def until(condition: Callable[[], bool]) -> None:
    """Wait for other threads."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_SECONDS / 0.005)):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("it hangs")


def test_turns_go_round_among_users() -> None:
    """Many guesses for one user are one place in front of another."""
    queue = LoginQueue(at_once=1)
    waiters = Waiters(queue)
    with queue.turn("x"):
        for user in ["mallory"] * 5 + ["ann", "ben"]:
            waiters.line_up(user)
    waiters.join()
    assert waiters.order[:3] == ["mallory", "ann", "ben"]
    assert len(waiters.order) == 7


def test_so_many_wait_and_no_more() -> None:
    """More for one user are told to try again; another user still lines up."""
    queue = LoginQueue(at_once=1)
    waiters = Waiters(queue)
    with queue.turn("x"):
        for _ in range(WAITING_OF_USER_MAX):
            waiters.line_up("mallory")
        with pytest.raises(DatabaseError, match="too many logins are waiting"), queue.turn("mallory"):
            pass
        waiters.line_up("ann")
    waiters.join()
    assert waiters.order.index("ann") == 1


def test_after_wrong_passwords_the_next_turn_comes_later_and_it_comes() -> None:
    """Nobody is locked out: who waits for the turn gets it. Others do not wait at all."""
    now = [0.0]
    queue = LoginQueue(at_once=1, clock=lambda: now[0])
    for _ in range(WRONG_FREE + 10):
        queue.note_wrong("ann")
    waiters = Waiters(queue)
    waiters.line_up("ann")
    with queue.turn("ben"):
        assert waiters.order == []
    now[0] = DELAY_SECONDS_MAX + 0.001
    waiters.join()
    assert waiters.order == ["ann"]


def test_a_few_mistakes_cost_nothing() -> None:
    """The turn comes while the clock stands still."""
    queue = LoginQueue(at_once=1, clock=lambda: 0.0)
    for _ in range(WRONG_FREE):
        queue.note_wrong("ann")
    with queue.turn("ann"):
        pass


@pytest.mark.parametrize("how", ["a right password", "time"])
def test_wrong_passwords_are_forgotten(how: str) -> None:
    """After a right one, or long enough after the last."""
    now = [0.0]
    queue = LoginQueue(at_once=1, clock=lambda: now[0])
    for _ in range(WRONG_FREE + 10):
        queue.note_wrong("ann")
    if how == "time":
        now[0] = FORGOTTEN_SECONDS + DELAY_SECONDS_MAX
        queue.note_wrong("ann")
    else:
        queue.note_right("ann")
    with queue.turn("ann"):
        pass
