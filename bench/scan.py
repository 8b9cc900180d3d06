"""Full scans and group-bys through the merged view, against DataFusion on the same Parquet files.

One table is measured twice: with nothing dead, and with 1 % of its rows updated at random and flushed, so that every
batch has dead rows. Then also against the usual way to get live rows out of versions, `row_number()`, which reads files
that hold all versions. Each state is measured through the server and, on the same data folder, at storage level,
where nothing is kept decoded, so that both sides decode.
DataFusion has the server's batch size and as many partitions; its result on dirty files is wrong, its work is the same.
"""

import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from datafusion import SessionConfig, SessionContext

from bench import data
from bench.report import Figure, Target, at_least, at_most, compare, milliseconds
from bench.scale import THREADS, Scale
from bench.server import Server
from bench.timing import in_turns, seconds
from catalog.roles import Role
from flightserver.access.principal import Principal
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.reading import Reader
from flightserver.execution.rows import Rows
from flightserver.settings import Settings
from flightserver.sql.text.query_text import QueryText
from providers.engine.session import BATCH_ROWS
from providers.stopping import never

BATCHES, TINY_BATCHES = 8, 2
ROWS_OF_BATCH, TINY_ROWS_OF_BATCH = 1_048_576, 60_000
ROUNDS, TINY_ROUNDS = 15, 1
"""More than usual: a tenth of a second each, and a ratio to hold to a tenth."""

QUERIES = {
    "sums of all columns": "SELECT count(*), sum(k), sum(a), sum(b), sum(g), max(s) FROM t",
    "group-by": "SELECT g, count(*), sum(k), sum(a), max(b) FROM t GROUP BY g",
}
EVERYTHING = "SELECT k, a, b, g, s FROM t"
LATEST = (
    "CREATE VIEW t AS SELECT k, a, b, g, s FROM "
    "(SELECT *, row_number() OVER (PARTITION BY k ORDER BY _seq DESC) AS version FROM files) WHERE version = 1"
)

CLEAN, DIRTY = "nothing dead", "1 % updated"

Run = Callable[[str], pa.Table]


def run(scale: Scale) -> list[Figure]:
    """Both states, through the server and at storage level."""
    figures: list[Figure] = []
    count = scale.of(BATCHES * ROWS_OF_BATCH, TINY_BATCHES * TINY_ROWS_OF_BATCH)
    base = data.rows(data.sorted_keys(count))
    changes = data.rows(data.shuffled_keys(count, 1)[: count // 100], 2)
    with tempfile.TemporaryDirectory(prefix="scan-") as name:
        folder = Path(name)
        for state, rows in ((CLEAN, base), (DIRTY, changes)):
            with Server(data=folder) as server:
                if state is CLEAN:
                    server.client.execute(f"CREATE TABLE t ({data.COLUMNS}) WITH (flush_policy = 'none')")
                server.client.ingest("t", rows)
                server.client.execute("FLUSH TABLE t")
                figures += measure(state, "through the server", server.client.query, folder, scale)
                if state is DIRTY:
                    figures += measure_versions(server.client.query, folder, base, changes)
            with closing(Database(Settings(data_dir=folder, decoded_mb=0))) as database:
                database.start()
                plan = directly(database)
                figures += measure(state, "at storage level", read_by(plan), folder, scale)
                figures.append(measure_everything(state, plan, folder, scale))
    return figures


def directly(database: Database) -> Callable[[str], Rows]:
    """Queries without Flight."""
    reader, context = Reader(database, {}), Context(Principal.of("root", Role.SYSTEM), database.autocommit)
    return lambda text: reader.plan(QueryText(text), context).rows()


def read_by(plan: Callable[[str], Rows]) -> Run:
    """Queries whose whole result is taken."""
    return lambda text: plan(text).to_table()


def measure(state: str, where: str, query: Run, folder: Path, scale: Scale) -> list[Figure]:
    """Every aggregate, in turns with DataFusion on the files."""
    context = versions_in(folder)
    context.sql("CREATE VIEW t AS SELECT k, a, b, g, s FROM files")
    figures = []
    for what, text in QUERIES.items():
        if state is CLEAN:
            check(query(text), context.sql(text).to_arrow_table())
        works = {"ours": lambda text=text: query(text), "files": lambda text=text: context.sql(text).to_arrow_table()}
        times = in_turns(works, scale.of(ROUNDS, TINY_ROUNDS))
        figures.append(compare(f"{what}, {state}, {where}", times["ours"], times["files"], "DataFusion", target(state)))
    return figures


def measure_everything(state: str, plan: Callable[[str], Rows], folder: Path, scale: Scale) -> Figure:
    """All rows as batches, which are counted and dropped. Clients get plain text, so the other side makes it, too."""
    context = versions_in(folder, "datafusion.execution.parquet.schema_force_view_types = false")
    works = {
        "ours": lambda: sum(batch.num_rows for batch in plan(EVERYTHING).start(never)),
        "files": lambda: sum(
            batch.to_pyarrow().num_rows for batch in context.sql("SELECT k, a, b, g, s FROM files").execute_stream()
        ),
    }
    assert works["ours"]() == plan("SELECT count(*) FROM t").to_table()[0][0].as_py()
    times = in_turns(works, scale.of(ROUNDS, TINY_ROUNDS))
    what = f"all rows and columns, {state}, at storage level"
    return compare(what, times["ours"], times["files"], "DataFusion", target(state))


def measure_versions(query: Run, folder: Path, base: pa.Table, changes: pa.Table) -> list[Figure]:
    """The same live rows, by comparing versions; once, because that takes long."""
    context = versions_in(folder)
    context.sql(LATEST)
    figures = []
    for what, text in QUERIES.items():
        check(query(text), context.sql(text).to_arrow_table())
        ours = in_turns({"ours": lambda text=text: query(text)}, 3)["ours"]
        theirs = seconds(lambda text=text: context.sql(text).to_arrow_table())
        figures.append(
            Figure(
                f"{what}, {DIRTY}, through the server, vs row_number() over all versions",
                milliseconds(ours),
                f"row_number() {milliseconds(theirs)}",
                theirs / ours,
                at_least(20.0, "x faster"),
                "x faster",
            )
        )
    assert query("SELECT sum(a) FROM t")[0][0].as_py() != pc.sum(base["a"]).as_py(), len(changes)
    return figures


def versions_in(folder: Path, *options: str) -> SessionContext:
    """DataFusion as the server sets it up, with all versions in the table's files as `files`."""
    context = SessionContext(SessionConfig().with_target_partitions(THREADS).with_batch_size(BATCH_ROWS))
    for option in options:
        context.sql(f"SET {option}")
    paths = ",".join(f"'{path}'" for path in sorted(folder.glob("tables/public/t.*/batch-*.parquet")))
    context.sql(f"CREATE EXTERNAL TABLE files STORED AS PARQUET LOCATION ({paths})")
    return context


def target(state: str) -> Target:
    """How much longer a scan may take."""
    return at_most(1.1 if state is CLEAN else 2.0)


def check(ours: pa.Table, expected: pa.Table) -> None:
    """Hold an aggregate against another, in any order of groups."""
    assert ours.num_rows == expected.num_rows, (ours.num_rows, expected.num_rows)
    for mine, theirs in zip(ours.columns, expected.columns, strict=True):
        if pa.types.is_integer(theirs.type) or pa.types.is_floating(theirs.type):
            left, right = pc.sum(mine).as_py(), pc.sum(theirs).as_py()
            assert abs(left - right) <= 1e-9 * abs(right), (left, right)
