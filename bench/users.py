"""What starts, logins, CREATE USER and memory cost with many users, over the cost with few.

Passwords cost little here: what they cost on purpose is the same for any number of users, and would hide the rest.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
from pyarrow import flight

from bench.report import Figure, at_least, at_most, compare
from bench.scale import SEED, Scale
from bench.server import Server
from catalog.codec import encode_user
from catalog.data_folder import DataFolder
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from catalog.roles import Role
from catalog.user_store import UserStore
from catalog.users import UserDef, password_cost
from flightserver.access.passwords import Passwords
from flightserver.settings import Settings

FEW, COUNTS = 100, (10_000, 100_000)
TINY_COUNTS = (200,)
BATCH = 10_000
STARTS, LOGINS, CREATED = 3, 200, 100
PASSWORD = "correct horse"
CHEAP = {"password_memory_kib": 8, "password_passes": 1}


@dataclass(frozen=True)
class Costs:
    """Medians in seconds, and memory after the start in MB."""

    start: float
    login: float
    create: float
    memory: float


def run(scale: Scale) -> list[Figure]:
    """Measure few, then many."""
    few = costs(FEW, scale)
    many = [figure for count in (TINY_COUNTS if scale.tiny else COUNTS) for figure in figures(count, few, scale)]
    return [*many, stream_of_many(scale)]


def stream_of_many(scale: Scale) -> Figure:
    """One stream with the rows of many users, split by a column and committed as one."""
    users, rows = scale.of(10_000, 50), scale.of(1_000_000, 1_000)
    owners = pa.array([f"user{number}" for number in range(users)])
    drawn = pa.array(np.random.default_rng(SEED).integers(0, users, rows))
    numbers = pa.array(np.arange(rows))
    stream = pa.table({"id": numbers, "v": numbers, "owner": owners.take(drawn)})
    with tempfile.TemporaryDirectory(prefix="users-") as folder:
        data = Path(folder, "data")
        fill(data, users)
        with Server(CHEAP, data=data) as server:
            server.client.execute("CREATE USER TABLE notes (id BIGINT PRIMARY KEY, v BIGINT)")
            seconds = timed(lambda: server.client.ingest("notes", stream, user_column="owner"))
    rate = rows / seconds
    return Figure(
        f"one stream, {rows:,} rows of {users:,} users",
        f"{seconds:.2f} s",
        "-",
        rate,
        at_least(200_000, "rows/s"),
        "rows/s",
    )


def figures(count: int, few: Costs, scale: Scale) -> list[Figure]:
    """The lines for a number of users."""
    many = costs(count, scale)
    grown = many.memory - few.memory
    return [
        compare(f"start, {count:,} users", many.start, few.start, f"{FEW} users", at_most(1.3)),
        compare(f"login, {count:,} users", many.login, few.login, f"{FEW} users", at_most(1.3)),
        compare(f"CREATE USER, {count:,} users", many.create, few.create, f"{FEW} users", at_most(1.3)),
        Figure(
            f"memory after start and logins, {count:,} users",
            f"{many.memory:.0f} MB",
            f"{few.memory:.0f} MB",
            grown,
            at_most(32, "MB more"),
            "MB more",
        ),
    ]


def costs(count: int, scale: Scale) -> Costs:
    """Fill a data folder with users, start servers on it, log in and make more users."""
    times, logins = (1, 10) if scale.tiny else (STARTS, LOGINS)
    with tempfile.TemporaryDirectory(prefix="users-") as folder:
        data = Path(folder, "data")
        fill(data, count)
        starts = [timed(lambda: Server(CHEAP, data=data).__enter__().__exit__(None, None, None)) for _ in range(times)]
        with Server(CHEAP, data=data) as server:
            made = [timed(lambda n=n: create(server, n)) for n in range(min(CREATED, logins))]
            step = max(count // logins, 1)
            logged = [timed(lambda n=n: log_in(server, f"user{n}")) for n in range(0, count, step)]
            ((seen,),) = server.client.query("SELECT count(*) FROM system.users").to_pydict().values()
            assert seen == count + len(made), seen
            return Costs(median(starts), median(logged), median(made), server.memory_mb("VmRSS"))


def fill(data: Path, count: int) -> None:
    """Write the records of many users as the store does, some thousand at a time."""
    stored = Passwords(Settings(password_memory_kib=8, password_passes=1)).hash(PASSWORD)
    folder = DataFolder(data)
    with folder.open_store() as keyvalue:
        for start in range(0, count, BATCH):
            put(keyvalue, [UserDef(f"user{n}", Role.USER, stored, version=n + 1) for n in range(start, count)[:BATCH]])
        assert UserStore(keyvalue).get("user0").role is Role.USER
    folder.close()


def put(keyvalue: KeyValueStore, users: list[UserDef]) -> None:
    """Write records, and the newest version among them."""
    batch = AtomicWrite()
    for user in users:
        batch.put(Family.CATALOG, f"u/{user.name}".encode(), encode_user(user))
        batch.put(Family.CATALOG, f"password_cost/{password_cost(user.password_hash or '')}/{user.name}".encode(), b"")
    batch.put(Family.CATALOG, b"user_version", str(users[-1].version).encode())
    keyvalue.commit(batch)


def create(server: Server, number: int) -> None:
    """One more user."""
    server.client.execute(f"CREATE USER fresh{number} WITH PASSWORD '{PASSWORD}'")


def log_in(server: Server, name: str) -> None:
    """A Handshake that ends in a session."""
    with flight.connect(server.uri) as client:
        client.authenticate_basic_token(name, PASSWORD)


def timed(call: Callable[[], object]) -> float:
    """How long a call takes, in seconds."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
