"""Memory of the server while it exports a table ten times larger than its memory limit.

The limit is that of all running queries together; a process has a floor of its own, which is reported as the memory
before the export. What grows on top of it is what the export needs.
"""

import tempfile
from pathlib import Path

import pyarrow as pa

from bench import data
from bench.report import Figure, at_most
from bench.scale import Scale
from bench.server import Server

LIMIT_MB = 64
TIMES_LARGER, TINY_TIMES_LARGER = 11, 0.2
PARTS = 8
PAD = 60
"""Characters of the text column: about 90 bytes a row."""


def run(scale: Scale) -> list[Figure]:
    """Fill a table, export it."""
    wanted = LIMIT_MB * (TINY_TIMES_LARGER if scale.tiny else TIMES_LARGER) * 2**20
    one = part(0, 10_000)
    rows = int(wanted / one.nbytes * len(one)) // PARTS
    return [export("SELECT * FROM t", rows)]


def part(start: int, rows: int) -> pa.Table:
    """Rows with a text that no dictionary makes small."""
    made = data.rows(data.sorted_keys(rows, start), start)
    text = pa.array([f"{number:0{PAD}d}" for number in data.random(start).integers(0, 2**62, rows).tolist()])
    return made.set_column(4, "s", text)


def export(text: str, rows: int) -> Figure:
    """Fill a table, start the server anew, read everything once, and see what the server needed."""
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        with Server(data=Path(folder)) as server:
            server.client.execute(f"CREATE TABLE t ({data.COLUMNS})")
            for number in range(PARTS):
                server.client.ingest("t", part(number * rows, rows))
            server.client.execute("FLUSH TABLE t")
        with Server({"memory_limit_mb": LIMIT_MB}, data=Path(folder)) as server:
            server.client.query("SELECT * FROM t LIMIT 10")
            before = server.memory_mb("VmRSS")
            server.forget_memory_peak()
            seen = size = 0
            for chunk in server.client.reader(text):
                seen += chunk.data.num_rows
                size += chunk.data.nbytes
            peak = server.memory_mb("VmHWM")
    assert seen == rows * PARTS, seen
    ours = f"{before:.0f} MB before, {peak:.0f} MB at most"
    what = f"memory during an export of the whole table, limit {LIMIT_MB} MB"
    target = at_most(LIMIT_MB, "MB more")
    return Figure(what, ours, f"{size / 2**20:.0f} MB of rows", peak - before, target, "MB more")
