"""Rows of many sources in the order of their keys: what comes out, and how much of it is held at a time."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.errors import DatabaseError
from flush import compaction, ordered_rows, parquet_file
from flush.batch_writer import BatchRows
from flush.compaction import Compacted
from flush.ordered_rows import BatchLimits, OrderedRows
from flush.row_sources import ChunkSource, FileSource, RowSource
from providers.commit.resolve import OnExisting
from providers.hot.record import evolved
from providers.rows.change import Change
from providers.rows.defaults import missing_values
from tests.storage_fixtures import Database, TableAccess, kv

UNLIMITED = BatchLimits(1 << 20, 1 << 30)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[TableAccess]:
    """A table of texts and numbers."""
    database = Database(tmp_path)
    yield database.create([("s", pa.string()), ("x", pa.float64()), ("k", pa.int64())])
    database.close()


def write(table: TableAccess, keys: np.ndarray, text: str = "a", x: float = 0.5) -> None:
    """Rows of some keys."""
    rows = pa.table({"s": [f"{text}{key}" for key in keys], "x": np.full(len(keys), x), "k": keys})
    table.db.store.write(table.state, lambda _: Change(rows), OnExisting.REPLACE)


def chunks(table: TableAccess) -> list[RowSource]:
    """The hot rows of a table."""
    hot = table.snapshot.hot
    return [ChunkSource(chunk.rows, chunk.live, hot.key) for chunk in hot.chunks]


def file_source(table: TableAccess, number: int, window_bytes: int = 100) -> FileSource:
    """A batch of a table."""
    snapshot = table.snapshot
    columns = snapshot.table.physical_schema.names
    entry = snapshot.manifest.by_number[number]
    today = partial(evolved, table=snapshot.table, missing=missing_values(snapshot.table))
    return FileSource(
        table.db.store.files, snapshot, entry, snapshot.dead_in(entry).live_mask, columns, today, window_bytes
    )


def all_pieces(batches: Iterator[BatchRows]) -> list[list[pa.Table]]:
    """Everything, batch by batch."""
    return [list(batch.pieces) for batch in batches]


def nothing() -> None:
    """Nobody wants it to end."""


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_chunks_and_files_come_by_key_without_the_dead(table: TableAccess, seed: int) -> None:
    """Whatever share of the keys each source has, and whichever of its rows are dead."""
    random = np.random.default_rng(seed)
    keys = random.permutation(3_000)
    for part in np.array_split(keys[:2_000], 3):
        write(table, np.sort(part))
        table.flush()
    write(table, keys[2_000:])
    gone = random.choice(3_000, 700, replace=False)
    table.delete(*[kv(int(key)) for key in gone])
    sources = [*(file_source(table, number) for number in (1, 2, 3)), *chunks(table)]
    (pieces,) = all_pieces(OrderedRows(table.definition, sources).batches(UNLIMITED, nothing))
    found = pa.concat_tables([piece.select(["s", "k"]) for piece in pieces]).to_pydict()
    expected = sorted(set(range(3_000)) - set(gone.tolist()))
    assert found == {"s": [f"a{key}" for key in expected], "k": expected}


def test_batches_and_pieces_have_what_they_may(table: TableAccess) -> None:
    """Rows of a batch, and bytes of a piece, are bounded; nothing is left out."""
    write(table, np.arange(1_000), text="t" * 1_000)
    batches = all_pieces(OrderedRows(table.definition, chunks(table)).batches(BatchLimits(300, 100_000), nothing))
    assert [sum(piece.num_rows for piece in pieces) for pieces in batches][:2] == [96, 96]
    assert max(piece.nbytes for pieces in batches for piece in pieces) <= 100_000
    assert sum(piece.num_rows for pieces in batches for piece in pieces) == 1_000


def test_a_row_that_is_larger_than_a_piece_comes_alone(table: TableAccess) -> None:
    """It cannot be cut."""
    write(table, np.arange(3), text="t" * 1_000)
    batches = all_pieces(OrderedRows(table.definition, chunks(table)).batches(BatchLimits(10, 100), nothing))
    assert [[piece.num_rows for piece in pieces] for pieces in batches] == [[1], [1], [1]]


def test_a_file_that_is_not_in_its_order_is_damaged(table: TableAccess) -> None:
    """It is read once from end to end: rows that are asked for in another order are not there any more."""
    write(table, np.arange(10))
    table.flush()
    with pytest.raises(DatabaseError, match="rows of batch 1 are not in their order"):
        file_source(table, 1).take(np.array([1, 0]))


def test_a_compaction_holds_few_of_its_rows(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve megabytes of interleaved rows go through two."""
    monkeypatch.setattr(ordered_rows, "ROW_GROUP_BYTES_MAX", 200_000)
    monkeypatch.setattr(compaction, "WINDOWS_BYTES_MAX", 200_000)
    for start in range(3):
        write(table, np.arange(start, 12_000, 3), text="t" * 1_000)
        table.flush()
    before, held = pa.total_allocated_bytes(), []
    add = parquet_file.ParquetFile.write

    def watched(self: parquet_file.ParquetFile, rows: pa.Table) -> None:
        held.append(pa.total_allocated_bytes() - before)
        add(self, rows)

    monkeypatch.setattr(parquet_file.ParquetFile, "write", watched)
    assert table.compact() == Compacted(3, 1)
    assert len(held) > 50
    assert max(held) < 2_000_000
    assert table.select("SELECT count(*) FROM t") == [12_000]


def test_a_nan_in_any_row_group_is_in_no_bounds(table: TableAccess) -> None:
    """Statistics would rule out the row group that has it, in a flush and after a compaction."""
    write(table, np.arange(10))
    table.flush()
    write(table, np.arange(10, 20), x=float("nan"))
    table.flush()
    table.compact()
    assert table.select("SELECT count(*) FROM t WHERE x > 1e300") == [10]
    (entry,) = table.snapshot.manifest.batches
    group = pq.read_metadata(table.folder / f"batch-{entry.batch}.parquet").row_group(0)
    has = {group.column(i).path_in_schema: group.column(i).is_stats_set for i in range(group.num_columns)}
    assert not has["x"]
    assert has["k"]
