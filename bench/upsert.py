"""Upsert of 100,000 random keys into a million rows, against duckdb's ON CONFLICT DO UPDATE on a database file.

Every round starts from a fresh table. Ours comes in two ways, as an ingest stream and as a prepared INSERT with bound
rows, and meets the older rows in two places: cold (flushed) and hot. Both sides acknowledge what is durable.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from bench import data
from bench.client import BATCH_ROWS
from bench.report import Figure, at_most, compare
from bench.scale import Scale
from bench.server import Server
from bench.timing import in_turns

ROWS, TINY_ROWS = 1_000_000, 50_000
HOT_ROWS = 40_000
"""Rows of one ingest that stays hot."""

ON_CONFLICT = "ON CONFLICT (k) DO UPDATE SET a = excluded.a, b = excluded.b, g = excluded.g, s = excluded.s"


class Ours:
    """A table of this server in each round; `upsert` is timed."""

    def __init__(self, server: Server, base: pa.Table, changes: pa.Table, *, hot: bool, prepared: bool) -> None:
        self._server, self._base, self._changes = server, base, changes
        self._hot, self._prepared = hot, prepared

    def start(self) -> None:
        """Make and fill the table."""
        client = self._server.client
        client.execute("DROP TABLE IF EXISTS t")
        client.execute(f"CREATE TABLE t ({data.COLUMNS}) WITH (flush_policy = 'none')")
        step = HOT_ROWS if self._hot else len(self._base)
        for first in range(0, len(self._base), step):
            client.ingest("t", self._base.slice(first, step))
        if not self._hot:
            client.execute("FLUSH TABLE t")
        self._connection = self._server.connect()

    def upsert(self) -> None:
        """Bring the changes in."""
        if not self._prepared:
            self._server.client.ingest("t", self._changes)
            return
        with self._connection.cursor() as cursor:
            statement = f"INSERT INTO t VALUES (?, ?, ?, ?, ?) {ON_CONFLICT}"
            cursor.adbc_prepare(statement)
            reader = self._changes.to_reader(BATCH_ROWS)
            cursor.adbc_statement.bind_stream(reader)
            cursor.adbc_statement.execute_update()

    def check(self) -> None:
        """Hold the table against what it must be."""
        self._connection.close()
        check_sums(self._base, self._changes, self._server.client.query(CHECK).to_pylist()[0])


class Theirs:
    """A database file of duckdb in each round."""

    def __init__(self, folder: Path, base: pa.Table, changes: pa.Table) -> None:
        self._folder, self._base, self._changes = folder, base, changes
        self._round = 0

    def start(self) -> None:
        """Make and fill the table."""
        self._round += 1
        self._connection = duckdb.connect(str(self._folder / f"{self._round}.duckdb"))
        self._connection.register("base", self._base)
        self._connection.register("changes", self._changes)
        self._connection.execute(f"CREATE TABLE t ({data.COLUMNS})")
        self._connection.execute("INSERT INTO t SELECT * FROM base")
        self._connection.execute("CHECKPOINT")

    def upsert(self) -> None:
        """Bring the changes in."""
        self._connection.execute(f"INSERT INTO t SELECT * FROM changes {ON_CONFLICT}")

    def check(self) -> None:
        """Hold the table against what it must be."""
        check_sums(self._base, self._changes, self._connection.sql(CHECK).to_arrow_table().to_pylist()[0])
        self._connection.close()


CHECK = "SELECT count(*) AS n, sum(k) AS k, sum(a) AS a FROM t"


def check_sums(base: pa.Table, changes: pa.Table, found: dict[str, float]) -> None:
    """One row for each key, and the sum of a column over new and untouched rows."""
    kept = base.filter(pc.invert(pc.is_in(base["k"], changes["k"])))
    total = pc.sum(kept["a"]).as_py() + pc.sum(changes["a"]).as_py()
    assert found["n"] == len(base), found
    assert found["k"] == pc.sum(base["k"]).as_py(), found
    assert abs(found["a"] - total) < 1e-6 * total, (found, total)


def run(scale: Scale) -> list[Figure]:
    """All ways in turns."""
    count = scale.of(ROWS, TINY_ROWS)
    base = data.rows(data.shuffled_keys(count))
    changes = data.rows(data.shuffled_keys(count, 1)[: count // 10], 2)
    with tempfile.TemporaryDirectory(prefix="duckdb-") as folder, Server() as server:
        sides: dict[str, Ours | Theirs] = {
            f"{way}, rows {tier}": Ours(server, base, changes, hot=tier == "hot", prepared=way != "ingest")
            for tier in ("cold", "hot")
            for way in ("ingest", "prepared INSERT")
        }
        sides["duckdb"] = Theirs(Path(folder), base, changes)
        times = in_turns(
            {name: side.upsert for name, side in sides.items()},
            scale.rounds,
            before=_each(sides, lambda side: side.start),
            after=_each(sides, lambda side: side.check),
        )
    duck = times.pop("duckdb")
    what = f"upsert of {len(changes):,} random keys into {count:,} rows"
    return [compare(f"{what}, {name}", taken, duck, "duckdb", at_most(1.0)) for name, taken in times.items()]


def _each(
    sides: dict[str, Ours | Theirs], work: Callable[[Ours | Theirs], Callable[[], None]]
) -> dict[str, Callable[[], None]]:
    return {name: work(side) for name, side in sides.items()}
