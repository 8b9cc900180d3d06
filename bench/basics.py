"""What everything else stands on: the latency of SELECT 1, and how fast rows leave.

The export is compared with a minimal Flight server in a process of its own, which streams the same files out of
DataFusion with the same settings and nothing else.
"""

import statistics
import subprocess
import sys
from contextlib import closing

import pyarrow as pa
from pyarrow import flight

from bench import data
from bench.report import Figure, milliseconds, number
from bench.scale import THREADS, Scale
from bench.server import Server
from bench.timing import each, in_turns
from providers.engine.session import BATCH_ROWS

ROWS, TINY_ROWS = 4_000_000, 100_000
CALLS, TINY_CALLS = 500, 20
BARE = """
import sys
from datafusion import SessionConfig, SessionContext
from pyarrow import RecordBatchReader, flight

class Bare(flight.FlightServerBase):
    def do_get(self, context, ticket):
        frame = engine.sql(ticket.ticket.decode())
        return flight.RecordBatchStream(RecordBatchReader.from_stream(frame))

paths, threads, batch_rows = sys.argv[1:]
engine = SessionContext(SessionConfig().with_target_partitions(int(threads)).with_batch_size(int(batch_rows)))
engine.sql(f"CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION ({paths})")
server = Bare("grpc://127.0.0.1:0")
print(f"grpc://127.0.0.1:{server.port}", flush=True)
server.serve()
"""
EVERYTHING = "SELECT k, a, b, g, s FROM t"


def run(scale: Scale) -> list[Figure]:
    """Latency first, then throughput."""
    with Server() as server:
        return [*latency(server, scale), export(server, scale)]


def latency(server: Server, scale: Scale) -> list[Figure]:
    """SELECT 1 through ADBC and through plain pyarrow."""
    count = scale.of(CALLS, TINY_CALLS)
    with closing(server.connect()) as connection, connection.cursor() as cursor:

        def by_adbc(_: int) -> None:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)

        def by_pyarrow(_: int) -> None:
            assert server.client.query("SELECT 1").num_rows == 1

        figures = []
        for name, work in (("ADBC", by_adbc), ("pyarrow", by_pyarrow)):
            each(work, 10)
            times = sorted(each(work, count))
            p50, p99 = statistics.median(times), times[count * 99 // 100]
            ours = f"p99 {milliseconds(p99)}"
            figures.append(Figure(f"SELECT 1 through {name}, p50", ours, "-", p50 * 1e3, None, "ms"))
    return figures


def export(server: Server, scale: Scale) -> Figure:
    """All rows of a flushed table, to a client that drops them."""
    rows = data.rows(data.sorted_keys(scale.of(ROWS, TINY_ROWS)))
    server.client.execute(f"CREATE TABLE t ({data.COLUMNS})")
    server.client.ingest("t", rows)
    server.client.execute("FLUSH TABLE t")
    paths = ",".join(f"'{path}'" for path in sorted(server.data.glob("tables/public/t.*/batch-*.parquet")))
    program = [sys.executable, "-c", BARE, paths, str(THREADS), str(BATCH_ROWS)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        client = flight.FlightClient(process.stdout.readline().strip())
        works = {
            "ours": lambda: drain(server.client.reader(EVERYTHING), rows),
            "bare": lambda: drain(client.do_get(flight.Ticket(EVERYTHING)), rows),
        }
        times = in_turns(works, scale.rounds)
        client.close()
        process.kill()
    rates = {name: rows.nbytes / taken / 1e6 for name, taken in times.items()}
    ours, other = f"{number(rates['ours'])} MB/s", f"bare Flight server {number(rates['bare'])} MB/s"
    return Figure(f"export of {len(rows):,} rows", ours, other, times["ours"] / times["bare"])


def drain(reader: flight.FlightStreamReader, rows: pa.Table) -> None:
    """Read to the end and count."""
    assert sum(chunk.data.num_rows for chunk in reader) == len(rows)
