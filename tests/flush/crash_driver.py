"""A process that runs the workload and kills itself at chosen points of it.

`crash_driver.py WORKLOAD FOLDER OCCURRENCES_MAX`: WORKLOAD is a module whose `prepare` makes the tables and returns the
steps. First the workload runs whole, in `FOLDER/whole`, to count how often each point comes. Then each line of the
input names a point, as FUNCTION and EVENT: `call` is just before the function's first line, `return` just after its
last. For evenly spread occurrences n, a child works in `FOLDER/<function>-<event>-<n>` until the n-th and kills itself
with SIGKILL; a line of the output names these folders. `acknowledged` in them got a byte after each step that returned.
Children are forked, so that the libraries are loaded once; nothing that starts threads happens before.
"""

import importlib
import json
import os
import shutil
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.storage_fixtures import Database

PROJECT = str(Path(__file__).resolve().parents[2])
PACKAGES = ("catalog", "manifest", "providers", "flush", "flightserver/backup", "flightserver/execution")


Point = tuple[str, str]
"""A function and an event."""


@dataclass
class Points:
    """Counts the occurrences of each point; at the n-th of the `fatal` one, the process is gone."""

    fatal: tuple[Point, int] | None = None
    seen: Counter[Point] = field(default_factory=Counter)

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """See an event of the interpreter."""
        point = (frame.f_code.co_name, event)
        if (self.fatal is not None and point != self.fatal[0]) or not _is_ours(frame.f_code.co_filename):
            return
        self.seen[point] += 1
        if self.fatal == (point, self.seen[point]):
            os.kill(os.getpid(), signal.SIGKILL)


def _is_ours(filename: str) -> bool:
    return filename.startswith(tuple(f"{PROJECT}/{package}/" for package in PACKAGES))


Prepare = Callable[[Database], Sequence[Callable[[], object]]]


def work(prepare: Prepare, root: Path, points: Points) -> None:
    """Run the workload, acknowledging every step."""
    root.mkdir(parents=True)
    acknowledged = os.open(root / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    steps = prepare(Database(root))
    threading.setprofile(points)
    sys.setprofile(points)
    for step in steps:
        step()
        os.write(acknowledged, b".")
    sys.setprofile(None)
    threading.setprofile(None)


def forked(prepare: Prepare, root: Path, points: Points) -> int:
    """Work in a child, which writes down what it has seen; return its wait status."""
    child = os.fork()
    if not child:
        work(prepare, root, points)
        root.with_suffix(".json").write_text(json.dumps([[*point, n] for point, n in points.seen.items()]))
        os._exit(0)
    return os.waitpid(child, 0)[1]


def counted(prepare: Prepare, root: Path) -> Mapping[Point, int]:
    """How often each point of the workload comes."""
    if forked(prepare, root, Points()):
        sys.exit("the workload fails even without a crash")
    return {(function, event): n for function, event, n in json.loads(root.with_suffix(".json").read_text())}


def spread(count: int, most: int) -> list[int]:
    """At most so many of the numbers from 1 to `count`."""
    step = max(count / most, 1)
    return sorted({int(n * step) + 1 for n in range(min(count, most))})


def main() -> None:
    """Count, then crash."""
    prepare: Prepare = importlib.import_module(sys.argv[1]).prepare
    folder, most = Path(sys.argv[2]), int(sys.argv[3])
    counts = counted(prepare, folder / "whole")
    for line in sys.stdin:
        function, event = line.split()
        left = []
        for n in spread(counts.get((function, event), 0), most):
            left.append(f"{function}-{event}-{n}")
            status = forked(prepare, folder / left[-1], Points(((function, event), n)))
            if not status and n > 1:  # what follows the clock comes less often at times
                shutil.rmtree(folder / left.pop())
            elif not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
                sys.exit(f"occurrence {n} of {function} did not come")
        sys.stdout.write(" ".join(left) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
