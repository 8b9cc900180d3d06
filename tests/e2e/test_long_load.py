"""A server that has worked for a long time is as it was: what it took for its clients it has given back.

How long it works is told by the environment; what is compared is its state after a first while, when all that is loaded
once is loaded, and after the rest.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flightserver.protocol.commands import StatementIngest
from tests.e2e.mixed_load import SET_UP, MixedLoad
from tests.e2e.wire import Wire
from tests.processes import HANGS_SECONDS
from tests.server_process import ServerProcess

pytestmark = [pytest.mark.proof, pytest.mark.timeout(0)]

SECONDS = float(os.environ.get("FLIGHTSERVER_LOAD_SECONDS", "15"))
FIRST_SECONDS = max(5.0, min(SECONDS / 3, 180.0))
PLATEAU_SECONDS = 240.0
"""Before that the heaps of the engine's threads are still growing to what each of them needs at most."""

CLIENTS = 6
SETTINGS = {"memory_limit_mb": 256, "cache_mb": 32, "result_lifetime_s": 60, "transaction_idle_timeout_s": 30}

GROWTH_MB_MAX = 100
DISK_RATIO_MAX = 1.3
TABLES = ("facts", "notes")


@dataclass(frozen=True)
class State:
    """What a process has."""

    resident_mb: int
    threads: int
    descriptors: int

    @staticmethod
    def of(server: ServerProcess) -> "State":
        """Now. The store's own files come and go by themselves."""
        process, store = Path(f"/proc/{server.pid}"), str(server.data_dir.resolve() / "rocksdb")
        status = (process / "status").read_text()
        opened = [found for found in map(_target, (process / "fd").iterdir()) if not found.startswith(store)]
        resident, threads = (int(status.partition(f"{name}:")[2].split()[0]) for name in ("VmRSS", "Threads"))
        return State(resident >> 10, threads, len(opened))


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""


@dataclass(frozen=True)
class Worked:
    """A server after its work, and what it had before the most of it."""

    server: ServerProcess
    before: State
    load: MixedLoad


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worked]:
    """A server whose clients have come and gone."""
    with ServerProcess(tmp_path_factory.mktemp("load") / "data", settings=SETTINGS) as server:
        with Wire(server) as wire:
            for statement in SET_UP:
                wire.query(statement)
        load = MixedLoad(server, CLIENTS)
        load.work(FIRST_SECONDS)
        server.check_nothing_is_left()
        before = State.of(server)
        load.work(SECONDS - FIRST_SECONDS)
        server.check_nothing_is_left()
        print(f"\nbefore {before}, after {State.of(server)}, of a load of {sum(load.met.values())}: {load.met}")
        yield Worked(server, before, load)


def comes_true(found: Callable[[], bool]) -> bool:
    """Tell whether something comes to hold."""
    deadline = time.monotonic() + HANGS_SECONDS
    while not found():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def test_clients_met_no_defect(worked: Worked) -> None:
    """They were served, or told what was in the way."""
    assert sum(worked.load.met.values()) > len(TABLES)
    assert not [text for text in worked.load.met if "defect" in text or "INTERNAL" in text]


@pytest.mark.skipif(SECONDS < PLATEAU_SECONDS, reason="what a short load leaves says nothing of a long one")
def test_memory_is_given_back(worked: Worked) -> None:
    """All clients are gone."""
    bound = worked.before.resident_mb + GROWTH_MB_MAX
    assert comes_true(lambda: State.of(worked.server).resident_mb <= bound), State.of(worked.server)


def test_threads_and_descriptors_are_as_before(worked: Worked) -> None:
    """Nothing that a client had open is open."""
    before = worked.before

    def are_as_before() -> bool:
        now = State.of(worked.server)
        return now.threads <= before.threads and now.descriptors <= before.descriptors

    assert comes_true(are_as_before), (before, State.of(worked.server))


def tables_bytes(server: ServerProcess) -> int:
    """What the files of tables take."""
    return sum(path.stat().st_size for path in (server.data_dir / "tables").rglob("*") if path.is_file())


def test_compact_leaves_little_more_than_a_fresh_copy_has(worked: Worked, tmp_path: Path) -> None:
    """The same rows, loaded into a server that never had others."""
    with ServerProcess(tmp_path / "data", settings=SETTINGS) as fresh, Wire(fresh) as copy, Wire(worked.server) as wire:
        for statement in SET_UP:
            copy.query(statement)
        for table in TABLES:
            rows = wire.query(f"SELECT * FROM {table}")
            copy.put(StatementIngest(table), rows.schema, rows.to_batches(50_000))
        for one in (wire, copy):
            one.query("FLUSH ALL")
            one.query("COMPACT ALL")
        size = tables_bytes(fresh)
        assert comes_true(lambda: tables_bytes(worked.server) <= DISK_RATIO_MAX * size), (
            tables_bytes(worked.server),
            size,
        )
