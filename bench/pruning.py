"""What it takes to choose among very many batches of one scope, and to know them: in process, without their files.

Batches overlap as those of random keys do, so that ranges rule out none and every bloom is asked; another column is in
order, as a time is, so that a range of it leaves ten. Blooms are made up as they are asked for, and are not counted.
"""

import statistics
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.report import Figure, Target, at_most, milliseconds, number
from bench.scale import Scale
from bloom import BloomFilter, hash_rows
from catalog.definition import ColumnSpec, Scope, TableDef, TableKind
from catalog.evolution import create_table
from catalog.identifiers import TableName
from manifest import codec
from manifest.batch_entry import BatchFileEntry, BloomEntry, ColumnRange
from manifest.entries import ManifestFile
from manifest.files import checksum
from manifest.parts import PartFile, parts_of
from manifest.predicate import AllOf, Comparison, Operator
from providers.cold.files import KEY_FILTER, ColdFiles
from providers.cold.locate import candidates
from providers.cold.pruning import prune
from providers.cold.scope_folder import ScopeFolder
from providers.hot.view import HotView
from providers.rows.keys import Keys
from providers.snapshot import ColdState, Snapshot

BATCHES, TINY_BATCHES = 100_000, 1_000
KEYS_OF_BATCH = 64
ASKED = 30
MADE_AT = "2026-11-28T00:00:00.000000+00:00"
COLUMNS = [ColumnSpec("k", pa.int64()), *(ColumnSpec(name, pa.int64()) for name in ("at", "a", "b", "c"))]


class MadeUp(ColdFiles):
    """Blooms of batches that have no files: a batch has the keys that its number has as multiples."""

    def filters(self, cold: ColdState, entry: BatchFileEntry) -> dict[int, BloomFilter]:  # noqa: ARG002
        """Made up anew each time, as far as nobody keeps them."""
        return {KEY_FILTER: BloomFilter.build(hash_rows([pa.array(keys_of(entry.batch))]), 0.0005)}


def keys_of(batch: int) -> list[int]:
    """The keys of a batch."""
    return [batch * KEYS_OF_BATCH + offset for offset in range(KEYS_OF_BATCH)]


def run(scale: Scale) -> list[Figure]:
    """A key, a range, the memory, and how long it takes to learn of the batches."""
    count = scale.of(BATCHES, TINY_BATCHES)
    table = create_table(7, TableName("public", "t"), TableKind.SHARED, COLUMNS, ["k"])
    plan_all(snapshot_of(table, codec.decode(written(20)[1], lambda name, _: written(20)[0][name])), 10)
    texts, data = written(count)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    manifest = codec.decode(data, lambda name, _: texts[name])
    snapshot = snapshot_of(table, manifest)
    plan_all(snapshot, count // 2)
    each = (tracemalloc.get_traced_memory()[0] - before) / count
    tracemalloc.stop()
    begin = time.perf_counter()
    codec.decode(data, lambda name, _: texts[name])
    loaded = time.perf_counter() - begin
    files = MadeUp(8 << 30, 0)
    generator = np.random.default_rng(3)
    asked = generator.integers(0, count * KEYS_OF_BATCH, ASKED).tolist()
    keys = [Keys.of([pa.array([key])]) for key in asked]
    candidates(snapshot.cold, keys[0], files)
    key_seconds = median(lambda turn: candidates(snapshot.cold, keys[turn], files))
    found = candidates(snapshot.cold, keys[0], files).batches
    assert asked[0] // KEYS_OF_BATCH in {snapshot.manifest.batches[place].batch for place in found}, asked[0]
    range_seconds = median(lambda turn: plan_range(snapshot, files, asked[turn] // KEYS_OF_BATCH))
    among = f"among {count:,} batches"
    return [
        taken(f"a key look-up planned {among}, all in range", key_seconds, at_most(5.0, "ms")),
        taken(f"a range planned {among}", range_seconds, at_most(10.0, "ms")),
        taken(f"a manifest read {among}", loaded, None),
        Figure(
            f"memory for each {among}, beside its bloom",
            *(f"{number(each * count / 2**20)} MB in all", "-", each, at_most(1_024, "bytes"), "bytes"),
        ),
    ]


def taken(what: str, seconds: float, target: Target | None) -> Figure:
    """A time by itself."""
    return Figure(what, milliseconds(seconds), "-", seconds * 1e3, target, "ms")


def plan_all(snapshot: Snapshot, first: int) -> None:
    """Once what is measured, so that everything is known that is asked for it, but for blooms."""
    files = MadeUp(16 << 20, 0)
    plan_range(snapshot, files, first)
    candidates(snapshot.cold, Keys.of([pa.array([-1])]), files)


def median(work: Callable[[int], object]) -> float:
    """Seconds that something takes, which is given a number."""
    taken = []
    for turn in range(ASKED):
        begin = time.perf_counter()
        work(turn)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def written(count: int) -> tuple[dict[str, bytes], bytes]:
    """A manifest of so many batches, all of whose parts stand in files: those, and its own bytes."""
    texts: dict[str, bytes] = {}
    parts = []
    for part in parts_of(entry(batch, count) for batch in range(1, count + 1)):
        name, data = f"part-{part.number}.1.json", codec.encode_part(part)
        texts[name] = data
        parts.append(PartFile.of(name, checksum(data), data).part)
    manifest = ManifestFile(7, "public", "t", None, 1, MADE_AT, MADE_AT, max_batch=count, parts=tuple(parts))
    return texts, codec.encode(manifest)


def entry(batch: int, count: int) -> BatchFileEntry:
    """A batch of random keys that came in the order of time."""
    ranges = {column: ColumnRange("0", str(count * KEYS_OF_BATCH), 0) for column in (1, 3, 4, 5)}
    ranges[2] = ColumnRange(str(batch * 1000), str(batch * 1000 + 999), 0)
    seq = batch << 40
    bloom = BloomEntry(f"batch-{batch}.bloom", (KEY_FILTER,), 0.0005, 1_200_000, f"crc32:{batch:08x}")
    return BatchFileEntry(
        *(batch, f"batch-{batch}.parquet", 1_000_000, 0, 20_000_000, f"crc32:{batch:08x}", seq, seq + 999_999, 1),
        *(ranges, bloom, None, MADE_AT),
    )


def snapshot_of(table: TableDef, manifest: ManifestFile) -> Snapshot:
    """What a reader of these batches pins."""
    cold = ColdState(ScopeFolder(Path("/nowhere")), table, Scope(table.id, None), manifest)
    return Snapshot(1, cold, {}, HotView(("k",)), manifest.max_seq)


def plan_range(snapshot: Snapshot, files: ColdFiles, first: int) -> None:
    """Ten batches in the order of time."""
    low, high = (Comparison(2, operator, pa.scalar(value)) for operator, value in bounds(first))
    kept = prune(snapshot, AllOf((low, high)), files).kept
    assert 1 <= len(kept) <= 11, len(kept)


def bounds(first: int) -> list[tuple[Operator, int]]:
    """The moments of ten batches."""
    return [(Operator.GREATER_EQUAL, first * 1000), (Operator.LESS, (first + 10) * 1000)]
