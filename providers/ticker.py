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
            try:
                self._job()
            except Exception:
                log.exception("a job of %s failed; the next tick tries again", self._thread.name)
