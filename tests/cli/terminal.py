"""A process on a pseudo-terminal, as a person has it.

Background jobs ignore SIGINT and hand that on; a person's programs do not, so it is set back first.
"""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from tests.processes import HANGS_SECONDS


class Terminal:
    """`flightserver` with a terminal for all three streams. Leaving the `with` block ends it."""

    def __init__(self, environment: dict[str, str], *arguments: str | Path) -> None:
        self._ours, theirs = pty.openpty()
        command = ["env", "--default-signal=INT", sys.executable, "-m", "flightserver", *map(str, arguments)]
        self._process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment | {"COLUMNS": "120", "LINES": "40", "PROMPT_TOOLKIT_NO_CPR": "1"},
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        """What Ctrl-C does while a program runs."""
        self._process.send_signal(signal.SIGINT)

    def expect(self, text: str) -> str:
        """Wait until `text` is shown; return everything up to it, which later calls do not see again."""
        deadline = time.monotonic() + HANGS_SECONDS
        while text not in self.seen:
            if not self._read(deadline):
                raise AssertionError(f"{text!r} was not shown: {self.seen[-2000:]!r}")
        before, _, self.seen = self.seen.partition(text)
        return before

    def end(self) -> int:
        """Wait until the process has ended; return its exit code."""
        deadline = time.monotonic() + HANGS_SECONDS
        while self._read(deadline):
            pass
        return self._process.wait(HANGS_SECONDS)

    def _read(self, deadline: float) -> bool:
        """Take what is shown next; False at the end or when time is up."""
        readable, _, _ = select.select([self._ours], [], [], max(deadline - time.monotonic(), 0))
        try:
            data = os.read(self._ours, 65536) if readable else b""
        except OSError:  # the other side is closed
            data = b""
        self.seen += data.decode(errors="replace")
        return bool(data)
