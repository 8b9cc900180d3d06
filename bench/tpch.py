"""TPC-H through the server: eight keyed tables, ingested and flushed, against the generator's Parquet files.

The queries are those of the specification with its validation parameters. Every result is checked: as many rows as
DataFusion gives on the generator's files, and equal sums of every numeric column.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datafusion import SessionConfig, SessionContext

from bench.report import Figure, Target, at_most, milliseconds, number, print_rows
from bench.scale import THREADS, Scale
from bench.server import Server
from bench.timing import geometric_mean, in_turns

KEYS = {
    "region": "r_regionkey",
    "nation": "n_nationkey",
    "supplier": "s_suppkey",
    "part": "p_partkey",
    "partsupp": "ps_partkey, ps_suppkey",
    "customer": "c_custkey",
    "orders": "o_orderkey",
    "lineitem": "l_orderkey, l_linenumber",
}
SQL_TYPES = {
    pa.int32(): "INT",
    pa.int64(): "BIGINT",
    pa.date32(): "DATE",
    pa.decimal128(15, 2): "DECIMAL(15,2)",
    pa.string_view(): "TEXT",
}
QUERIES = {path.stem: path.read_text() for path in sorted(Path(__file__).with_name("tpch_queries").glob("q*.sql"))}
TOLERANCE = 1e-6

Times = dict[str, dict[str, float]]
"""Median seconds by query and engine."""


def run(scale: Scale) -> list[Figure]:
    """Measure all queries in turns on the three engines."""
    with tempfile.TemporaryDirectory(prefix="tpch-") as folder, Server() as server:
        generate(Path(folder), "0.01" if scale.tiny else "1")
        load(server, Path(folder))
        times = measure(server, datafusion_on(Path(folder)), duckdb_on(Path(folder)), scale.rounds)
    print_queries(times)
    return [
        _summary(times, "DataFusion", "the generator's files", at_most(0.8)),
        _summary(times, "duckdb", "the generator's files", at_most(1.3)),
    ]


def generate(folder: Path, scale_factor: str) -> None:
    """Write the generator's Parquet files."""
    subprocess.run(
        [str(Path(sys.executable).with_name("tpchgen-cli")), "parquet", "-s", scale_factor, "-o", str(folder)],
        check=True,
        capture_output=True,
    )


def load(server: Server, folder: Path, options: str = "") -> None:
    """Create, ingest and flush the eight tables."""
    said = f" WITH ({options})" if options else ""
    for name, key in KEYS.items():
        file = pq.ParquetFile(folder / f"{name}.parquet")
        columns = [f"{field.name} {SQL_TYPES[field.type]} NOT NULL" for field in file.schema_arrow]
        server.client.execute(f"CREATE TABLE {name} ({', '.join(columns)}, PRIMARY KEY ({key})){said}")
        server.client.ingest(name, _plain_text(file.read()))
        server.client.execute(f"FLUSH TABLE {name}")
        assert server.client.query(f"SELECT count(*) FROM {name}")[0][0].as_py() == file.metadata.num_rows


def datafusion_on(folder: Path) -> SessionContext:
    """DataFusion as it comes, on the generator's files."""
    context = SessionContext(SessionConfig().with_target_partitions(THREADS))
    for name in KEYS:
        context.register_parquet(name, str(folder / f"{name}.parquet"))
    return context


def duckdb_on(folder: Path) -> duckdb.DuckDBPyConnection:
    """Duckdb as it comes, on the generator's files."""
    connection = duckdb.connect(config={"threads": THREADS})
    for name in KEYS:
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{folder / name}.parquet')")
    return connection


def measure(server: Server, context: SessionContext, duck: duckdb.DuckDBPyConnection, rounds: int) -> Times:
    """Check every query once, then time it."""
    times = {}
    for name, text in QUERIES.items():
        works = {
            "ours": lambda text=text: server.client.query(text),
            "DataFusion": lambda text=text: context.sql(text).to_arrow_table(),
            "duckdb": lambda text=text: duck.sql(text).to_arrow_table(),
        }
        check(name, works["ours"](), works["DataFusion"]())
        times[name] = in_turns(works, rounds)
    return times


def check(name: str, ours: pa.Table, expected: pa.Table) -> None:
    """Hold a result against another: rows, and sums of numbers."""
    assert ours.num_rows == expected.num_rows, f"{name}: {ours.num_rows} rows, not {expected.num_rows}"
    for mine, theirs in zip(ours.columns, expected.columns, strict=True):
        if pa.types.is_decimal(theirs.type) or pa.types.is_integer(theirs.type) or pa.types.is_floating(theirs.type):
            left, right = (pc.sum(values.cast(pa.float64())).as_py() or 0.0 for values in (mine, theirs))
            assert abs(left - right) <= TOLERANCE * max(abs(right), 1.0), f"{name}: sums {left} and {right}"


def print_queries(times: Times) -> None:
    """Print one line for each query."""
    rows = [
        f"| {name} | {milliseconds(taken['ours'])} | {milliseconds(taken['DataFusion'])} "
        f"| {milliseconds(taken['duckdb'])} | {number(taken['ours'] / taken['DataFusion'])} "
        f"| {number(taken['ours'] / taken['duckdb'])} |"
        for name, taken in times.items()
    ]
    print_rows(("query", "ours", "DataFusion", "duckdb", "ours / DataFusion", "ours / duckdb"), rows)
    print()


def _summary(times: Times, engine: str, data: str, target: Target) -> Figure:
    ours = geometric_mean([taken["ours"] for taken in times.values()])
    other = geometric_mean([taken[engine] for taken in times.values()])
    what = f"TPC-H, 22 queries through the server, vs {engine} on {data}, geometric mean"
    return Figure(what, milliseconds(ours), milliseconds(other), ours / other, target)


def _plain_text(rows: pa.Table) -> pa.Table:
    """Text as most clients send it."""
    fields = [field.with_type(pa.string()) if field.type == pa.string_view() else field for field in rows.schema]
    return rows.cast(pa.schema(fields))
