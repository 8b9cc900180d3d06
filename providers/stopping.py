"""Whether to go on: what everything that runs long asks now and then."""

from collections.abc import Callable

from catalog.errors import DatabaseError

POLL_SECONDS = 0.1
"""How often what waits asks."""

Stop = Callable[[], DatabaseError | None]
"""Asked now and then by what runs long: None to go on, or the error to end with."""


def never() -> None:
    """For statements that nobody stops."""


def first_of(*stops: Stop) -> Stop:
    """The first reason that any of them gives."""
    return lambda: next((error for stop in stops if (error := stop()) is not None), None)


def check(stop: Stop) -> None:
    """Raise when there is a reason to stop."""
    error = stop()
    try:
        if error is not None:
            raise error from None
    finally:
        del error  # its traceback holds the frames, and with them the stream, which must die now
