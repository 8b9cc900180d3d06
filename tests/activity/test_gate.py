"""The gate: places are held by work, not all of them by one user, and some are kept for those who ask what goes on."""

import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest

from catalog.errors import DatabaseError, ErrorKind
from flightserver.activity.gate import RESERVED_PLACES, Access, Gate, GateLimits, Place, no_access
from providers.stopping import never


def gate(places: int = 2, of_user: int = 2, queue: int = 0, wait: float = 0.0) -> Gate:
    """A gate."""
    return Gate(GateLimits(places, of_user, queue, wait))


def refused(at: Gate, user: str, access: Callable[[], Access] = no_access) -> str:
    """What a statement is told that finds no place."""
    with pytest.raises(DatabaseError) as caught, at.statement(user, access):
        pass
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    return caught.value.message


def begun(stack: ExitStack, at: Gate, user: str, access: Callable[[], Access] = no_access) -> Place:
    """The place of a statement that has begun."""
    return stack.enter_context(at.statement(user, access))


def test_a_statement_without_a_place_is_told_to_retry() -> None:
    """Beyond the places and the queue."""
    at = gate(places=2)
    with ExitStack() as stack:
        for user in ("ann", "bob"):
            begun(stack, at, user)
        assert refused(at, "cyd") == "2 statements are running and 0 are waiting, which is the limit; retry"
    with at.statement("cyd"):
        assert at.working == 1


def test_waiting_for_a_place_has_an_end() -> None:
    """After queue_wait_s."""
    at = gate(places=1, queue=1, wait=0.05)
    with at.statement("ann"):
        assert refused(at, "bob") == "1 statements kept running for 0.05 s; retry"


def test_one_user_has_not_all_places() -> None:
    """Another finds one."""
    at = gate(places=2, of_user=1)
    with at.statement("ann"):
        refused(at, "ann")
        with at.statement("bob"):
            assert at.working == 2


def test_a_statement_that_waits_for_its_client_holds_no_place() -> None:
    """Others go on meanwhile; then it takes one again."""
    at = gate(places=1)
    with at.statement("ann") as place:
        with place.set_aside(never):
            with at.statement("bob"):
                pass
            assert at.working == 0
        assert at.working == 1
        refused(at, "bob")


def test_who_goes_on_comes_before_who_begins() -> None:
    """A stream is not left behind by newer statements, and waits for as long as it takes."""
    at = gate(places=1, queue=5, wait=60.0)
    order: list[str] = []
    aside, full = threading.Event(), threading.Event()

    def stream() -> None:
        with at.statement("ann") as place:
            with place.set_aside(never):
                aside.set()
                full.wait()
            order.append("stream")

    def newer() -> None:
        with at.statement("bob"):
            order.append("newer")

    first = threading.Thread(target=stream)
    first.start()
    aside.wait()
    with at.statement("bob"):
        second = threading.Thread(target=newer)
        second.start()
        while at.waiting < 1:
            pass
        full.set()
        while at.waiting < 2:
            pass
    for thread in (first, second):
        thread.join()
    assert order == ["stream", "newer"]


def test_a_user_who_may_have_no_more_stands_in_nobodys_way() -> None:
    """A stream that cannot go on, because its user's other statements run, leaves free places to others."""
    at = gate(places=3, of_user=1)
    stop: list[DatabaseError | None] = [None]
    aside, full = threading.Event(), threading.Event()

    def stream() -> None:
        with suppress(DatabaseError), at.statement("ann") as place, place.set_aside(lambda: stop[0]):
            aside.set()
            full.wait()

    thread = threading.Thread(target=stream)
    thread.start()
    aside.wait()
    with at.statement("ann"):
        full.set()
        while at.waiting < 1:
            pass
        with at.statement("bob"), at.statement("cyd"):
            assert at.working == 3
        stop[0] = DatabaseError(ErrorKind.CANCELLED, "killed")
        thread.join()
    assert (at.working, at.waiting) == (0, 0)


def test_some_places_are_kept_for_admins_and_questions_about_the_server() -> None:
    """All of them for admins, one for each other user who asks what goes on."""
    at = gate(places=1)
    with ExitStack() as stack:
        begun(stack, at, "ann")
        begun(stack, at, "bob", lambda: Access.ASKS_ABOUT_SERVER)
        refused(at, "bob", lambda: Access.ASKS_ABOUT_SERVER)
        for _ in range(RESERVED_PLACES - 1):
            begun(stack, at, "root", lambda: Access.ADMIN)
        refused(at, "root", lambda: Access.ADMIN)


def test_a_statement_that_waits_for_its_client_is_waited_for_when_the_server_stops() -> None:
    """Draining ends with the last statement that has begun, or with its time."""
    at = gate()
    with at.statement("ann") as place, place.set_aside(never):
        at.drain(0.01)
        assert at.is_abandoned
        assert "stopping" in refused(at, "bob")


def test_who_watches_is_told_when_a_statement_goes_to_work() -> None:
    """When it has taken a place, and when it takes one again."""
    at, told = gate(), []
    at.on_work = lambda: told.append(at.working)
    with at.statement("ann") as place:
        assert told == [1]
        with place.set_aside(never):
            assert at.working == 0
        assert told == [1, 1]
