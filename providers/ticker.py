"""A job that is done again and again on a thread of its own."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Ticker:
    """Calls `job` every `seconds` until it is stopped. A failure is logged, and the next tick tries again."""

    def __init__(self, name: str, job: Callable[[], object], seconds: float) -> None:
        self._job = job
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_stopped(self) -> bool:
        """Tell a long job that it should end."""
        return self._stopped.is_set()

    @property
    def is_running(self) -> bool:
        """Tell whether the thread is at work or waits for the next tick."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the job at hand and stop."""
        self._stopped.set()
        if self.is_running:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            self._attempt(self._job)

    def _attempt(self, job: Callable[[], object]) -> None:
        try:
            job()
        except Exception:
            log.exception("a job of %s failed; the next tick tries again", self._thread.name)


class WokenTicker(Ticker):
    """Ticks only while there is something to do: it sleeps until `wake`, and again when `is_needed` says no.

    `begin` is called at once when it wakes, before the first tick. Waking costs nothing while it is awake.
    """

    def __init__(
        self,
        name: str,
        job: Callable[[], object],
        seconds: float,
        is_needed: Callable[[], bool],
        begin: Callable[[], object],
    ) -> None:
        super().__init__(name, job, seconds)
        self._is_needed = is_needed
        self._begin = begin
        self._awake = threading.Event()

    @property
    def is_awake(self) -> bool:
        """Tell whether it ticks."""
        return self._awake.is_set()

    def wake(self) -> None:
        """Tick from now on. What `is_needed` asks about has to be true before."""
        if not self._awake.is_set():
            self._awake.set()

    def stop(self) -> None:
        """Finish the job at hand and stop."""
        self._stopped.set()
        self._awake.set()
        super().stop()

    def _run(self) -> None:
        while self._awake.wait() and not self._stopped.is_set():
            self._attempt(self._begin)
            self._tick_while_needed()

    def _tick_while_needed(self) -> None:
        while not self._stopped.wait(self._seconds):
            self._attempt(self._job)
            if not self._is_needed():
                self._awake.clear()
                # Asked again: who began, or stopped it, before the clearing saw it awake.
                if self._stopped.is_set() or self._is_needed():
                    self._awake.set()
                else:
                    return
