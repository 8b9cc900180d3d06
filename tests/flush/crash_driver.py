"""A process that runs the workload and kills itself at a chosen point of it.

`crash_driver.py WORKLOAD FOLDER FUNCTION EVENT OCCURRENCES_MAX`: WORKLOAD is a module whose `prepare` makes the tables
and returns the steps; EVENT is `call` (just before the function's first line) or `return` (just after its last). First
the workload runs whole, in `FOLDER/whole`, to count how often the point comes;
then, for evenly spread occurrences n, a child works in `FOLDER/<n>` until the n-th and kills itself with SIGKILL.
`FOLDER/<n>/acknowledged` gets a byte after each step that returned. Children are forked, so that the libraries are
loaded once; nothing that starts threads happens before.
"""

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from tests.storage_fixtures import Database

PROJECT = str(Path(__file__).resolve().parents[2])
PACKAGES = ("catalog", "manifest", "providers", "flush")


class Point:
    """Counts the occurrences of one event of one function; at the n-th, the process is gone."""

    def __init__(self, function: str, event: str, fatal: int | None) -> None:
        self._function = function
        self._event = event
        self._fatal = fatal
        self.seen = 0

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """See an event of the interpreter."""
        if event != self._event or frame.f_code.co_name != self._function or not _is_ours(frame.f_code.co_filename):
            return
        self.seen += 1
        if self.seen == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)


def _is_ours(filename: str) -> bool:
    return filename.startswith(tuple(f"{PROJECT}/{package}/" for package in PACKAGES))


Prepare = Callable[[Database], Sequence[Callable[[], object]]]


def work(prepare: Prepare, root: Path, point: Point) -> None:
    """Run the workload, acknowledging every step."""
    root.mkdir(parents=True)
    acknowledged = os.open(root / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    steps = prepare(Database(root))
    threading.setprofile(point)
    sys.setprofile(point)
    for step in steps:
        step()
        os.write(acknowledged, b".")
    sys.setprofile(None)
    threading.setprofile(None)


def forked(prepare: Prepare, root: Path, point: Point, report: Path | None = None) -> int:
    """Work in a child; return its wait status."""
    child = os.fork()
    if not child:
        work(prepare, root, point)
        if report is not None:
            report.write_text(str(point.seen))
        os._exit(0)
    return os.waitpid(child, 0)[1]


def main() -> None:
    """Count, then crash."""
    prepare: Prepare = importlib.import_module(sys.argv[1]).prepare
    folder, function, event, most = Path(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
    report = folder / "count"
    if forked(prepare, folder / "whole", Point(function, event, None), report):
        sys.exit("the workload fails even without a crash")
    count = int(report.read_text())
    step = max(count / most, 1)
    occurrences = sorted({int(n * step) + 1 for n in range(min(count, most))})
    for n in occurrences:
        status = forked(prepare, folder / str(n), Point(function, event, n))
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            sys.exit(f"occurrence {n} of {function} did not come")
    sys.stdout.write(" ".join(map(str, occurrences)))


if __name__ == "__main__":
    main()
